//! Statements that requests run again and again: what indexes are there for.

/// A statement, with an example of its values, so that it can be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotStatement {
    /// What it is for.
    pub name: String,
    /// Its text.
    pub sql: String,
    /// SQL expressions for `$1`, `$2` ….
    pub example: Vec<&'static str>,
}

impl HotStatement {
    /// A statement that is named by whoever runs it.
    pub fn new(name: impl Into<String>, sql: impl Into<String>, example: &[&'static str]) -> Self {
        Self { name: name.into(), sql: sql.into(), example: example.to_vec() }
    }
}
