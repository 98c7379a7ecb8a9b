//! What became of each line, as CSV (RFC 4180): a line for each product that was added, and
//! one for each thing that is wrong with a line that wasn't.

use csv::{Terminator, Writer, WriterBuilder};

use crate::http::error::FieldErrors;

const HEADER: [&str; 5] = ["line", "outcome", "product", "column", "message"];

/// Lines that wait to be written to a file.
pub(super) struct Outcome {
    writer: Writer<Vec<u8>>,
}

impl Outcome {
    /// With its header line.
    pub(super) fn new() -> Result<Self, csv::Error> {
        let mut outcome = Self { writer: writer() };
        outcome.writer.write_record(HEADER)?;
        Ok(outcome)
    }

    /// The line became this product.
    pub(super) fn created(&mut self, line: u64, product: i64) -> Result<(), csv::Error> {
        self.writer.write_record([line.to_string().as_str(), "created", &product.to_string(), "", ""])
    }

    /// It became none.
    pub(super) fn refused(&mut self, line: u64, errors: &FieldErrors) -> Result<(), csv::Error> {
        let line = line.to_string();
        for (column, message) in errors {
            self.writer.write_record([line.as_str(), "refused", "", column, message])?;
        }
        Ok(())
    }

    /// Takes the lines out.
    pub(super) fn take(&mut self) -> Result<Vec<u8>, csv::Error> {
        let full = std::mem::replace(&mut self.writer, writer());
        full.into_inner().map_err(|error| error.into_error().into())
    }
}

fn writer() -> Writer<Vec<u8>> {
    WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_says_what_became_of_it() {
        let mut outcome = Outcome::new().unwrap();
        outcome.created(2, 4711).unwrap();
        let errors = [("name", "must not be empty"), ("stock", "must be a whole number, at most 7")];
        let errors = errors.map(|(column, message)| (column.to_owned(), message.to_owned()));
        outcome.refused(3, &FieldErrors::from(errors)).unwrap();
        let expected = "line,outcome,product,column,message\r\n\
             2,created,4711,,\r\n\
             3,refused,,name,must not be empty\r\n\
             3,refused,,stock,\"must be a whole number, at most 7\"\r\n";
        assert_eq!(String::from_utf8(outcome.take().unwrap()).unwrap(), expected);
        assert_eq!(outcome.take().unwrap(), b"");
    }
}
