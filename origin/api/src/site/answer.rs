//! What the site answers.

use std::ops::Range;

use crate::problem::Problem;

/// An answer, to which whoever sends it adds the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Why it is this one.
    pub outcome: Outcome,
    /// Its status.
    pub status: u16,
    /// Its fields, in the order in which they are sent. Names are lower case.
    pub fields: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Body,
}

/// Why an answer is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of a file, or what a HEAD says of it.
    Whole,
    /// A part of a file.
    Part,
    /// The client has it.
    NotModified,
    /// The file has no such part.
    Unsatisfiable,
    /// The client takes none of the forms that there are.
    NotAcceptable,
    /// What is there can be read only.
    MethodNotAllowed,
    /// No build that is known had this asset. One that is kept elsewhere may have.
    UnknownAsset,
    /// There is nothing, and a page says so.
    NotFoundPage,
    /// There is nothing.
    NotFound,
}

/// What is sent after the fields. A HEAD has an empty body beside the fields of its GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// This.
    Text(String),
    /// This as JSON, with the request's id, which the fields know nothing of.
    Problem(Problem),
    /// A file of the site.
    File(Sent),
}

/// What is sent of which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The file's path in the site, such as `/assets/app.0123.js.br`.
    pub file: String,
    /// Which bytes; all where it says nothing.
    pub range: Option<Range<u64>>,
    /// Whether the bytes have a content coding already, and get no other.
    pub is_encoded: bool,
}

impl Answer {
    /// The value of the field `name`.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }
}
