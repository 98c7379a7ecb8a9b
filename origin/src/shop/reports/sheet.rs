//! Orders as CSV (RFC 4180).

use std::borrow::Cow;

use csv::{Terminator, Writer, WriterBuilder};
use time::OffsetDateTime;

use crate::timestamp::rfc3339;

const HEADER: [&str; 6] = ["order_id", "created_at", "status", "customer", "email", "total_cents"];

/// One line.
pub(super) struct OrderLine<'a> {
    pub(super) id: i64,
    pub(super) created_at: OffsetDateTime,
    pub(super) status: &'a str,
    pub(super) customer: &'a str,
    pub(super) email: &'a str,
    pub(super) total_cents: i64,
}

/// Lines that wait to be written to a file.
pub(super) struct Sheet {
    writer: Writer<Vec<u8>>,
}

impl Sheet {
    /// A sheet with its header line.
    pub(super) fn new() -> Result<Self, csv::Error> {
        let mut sheet = Self { writer: writer() };
        sheet.writer.write_record(HEADER)?;
        Ok(sheet)
    }

    pub(super) fn push(&mut self, line: &OrderLine<'_>) -> Result<(), csv::Error> {
        self.writer.write_record([
            line.id.to_string().as_str(),
            &rfc3339(line.created_at),
            &inert(line.status),
            &inert(line.customer),
            &inert(line.email),
            &line.total_cents.to_string(),
        ])
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

/// Text that no spreadsheet takes for a formula: whoever chose a name must not
/// run code where the report is opened.
fn inert(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn check(customer: &str, cell: &str) {
        let line = OrderLine {
            id: 7,
            created_at: datetime!(2026-01-02 03:04:05 UTC),
            status: "placed",
            customer,
            email: "a@example.com",
            total_cents: 1_999,
        };
        let mut sheet = Sheet::new().unwrap();
        sheet.take().unwrap();
        sheet.push(&line).unwrap();
        let expected = format!("7,2026-01-02T03:04:05.000Z,placed,{cell},a@example.com,1999\r\n");
        assert_eq!(String::from_utf8(sheet.take().unwrap()).unwrap(), expected);
    }

    #[test]
    fn a_sheet_begins_with_its_header() {
        let header = b"order_id,created_at,status,customer,email,total_cents\r\n";
        assert_eq!(Sheet::new().unwrap().take().unwrap(), header);
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        check("Ada King", "Ada King");
        check("King, Ada \"Countess\"", "\"King, Ada \"\"Countess\"\"\"");
        check("a\r\nb", "\"a\r\nb\"");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)"] {
            check(formula, &format!("'{formula}"));
        }
        check("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
        check("a=b", "a=b");
    }
}
