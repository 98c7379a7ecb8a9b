//! What keeps files from becoming assets, and where it stands.

use std::fmt;

/// Something about a file that can't be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// The authored name of the file.
    pub name: String,
    /// The line, counted from 1, where it is known.
    pub line: Option<u32>,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is text by its extension, and isn't by its bytes.
    #[error("this is not UTF-8; save the file as UTF-8")]
    NotUtf8,
    /// Its parser refuses it.
    #[error("not valid {language}: {reason}")]
    Syntax {
        /// What it should be.
        language: &'static str,
        /// What the parser says.
        reason: String,
    },
    /// It names a file that isn't there.
    #[error("there is no `{url}`{}", suggestion(.nearest))]
    Missing {
        /// What it names.
        url: String,
        /// Names that it may mean, the likeliest first.
        nearest: Vec<String>,
    },
    /// It names what is not among the files.
    #[error("`{0}` leads out of the folder; put the file inside, and name it there")]
    Outside(String),
    /// A module is imported by a bare name.
    #[error("`{0}` is no path; import modules by one that begins with `./`, `../` or `/`")]
    Bare(String),
    /// Each name would depend on the other.
    #[error("files refer to each other in a circle, so none can be named first: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// Two files of one name, but with other contents.
    #[error("two files have this name, and different contents; rename one")]
    TwoContents,
    /// Two files name one source map.
    #[error("`{0}` is the source map of another file already; give each its own")]
    MappedTwice(String),
    /// On some machines these are one file.
    #[error("its name differs from `{0}` by case alone, which not every file system tells apart; rename one")]
    SameButCase(String),
    /// A name that would have to be escaped in URLs.
    #[error("`{0}` can't be in the name of an asset; use letters, digits and . _ ~ @ + -")]
    NameCharacter(char),
    /// Other bytes have the same hash.
    #[error("its hash is that of `{0}`; change one of them a little")]
    SameHash(String),
    /// A page has what its policy won't let run.
    #[error("{0}")]
    Page(&'static str),
    /// An image isn't one.
    #[error("not a valid image: {0}")]
    Image(String),
}

/// A flaw and its line in the file at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) line: Option<u32>,
    pub(crate) flaw: Flaw,
}

impl Found {
    pub(crate) fn at(line: u32, flaw: Flaw) -> Self {
        Self { line: Some(line), flaw }
    }

    pub(crate) fn somewhere(flaw: Flaw) -> Self {
        Self { line: None, flaw }
    }

    pub(crate) fn of(self, name: &str) -> BuildError {
        BuildError { name: name.to_owned(), line: self.line, flaw: self.flaw }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.name, self.flaw),
            None => write!(f, "{}: {}", self.name, self.flaw),
        }
    }
}

impl std::error::Error for BuildError {}

fn suggestion(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        _ => format!("; is it `{}`?", nearest.join("` or `")),
    }
}

/// The line of a place in a text, counted from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    // A file has no more bytes than an asset may have, so fewer lines.
    1 + before.iter().filter(|byte| **byte == b'\n').count() as u32
}
