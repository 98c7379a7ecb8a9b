//! Rows in PostgreSQL's binary COPY format, which costs the server no parsing.

use bytes::{BufMut as _, Bytes, BytesMut};
use time::OffsetDateTime;
use time::macros::datetime;

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// From which PostgreSQL counts time.
const EPOCH: OffsetDateTime = datetime!(2000-01-01 00:00 UTC);

/// A stream of rows.
pub(super) struct Rows {
    buffer: BytesMut,
}

impl Rows {
    /// A stream with its header.
    pub(super) fn new() -> Self {
        let mut buffer = BytesMut::new();
        buffer.put_slice(SIGNATURE);
        // No flags, no extension of the header.
        buffer.put_i32(0);
        buffer.put_i32(0);
        Self { buffer }
    }

    /// Begins a row of so many columns.
    pub(super) fn row(&mut self, columns: i16) -> &mut Self {
        self.buffer.put_i16(columns);
        self
    }

    /// A `bigint`.
    pub(super) fn int8(&mut self, value: i64) -> &mut Self {
        self.buffer.put_i32(8);
        self.buffer.put_i64(value);
        self
    }

    /// An `integer`.
    pub(super) fn int4(&mut self, value: i32) -> &mut Self {
        self.buffer.put_i32(4);
        self.buffer.put_i32(value);
        self
    }

    /// A `text`; those of the demo are far below its largest size.
    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.buffer.put_i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
        self.buffer.put_slice(value.as_bytes());
        self
    }

    /// A `timestamptz`.
    pub(super) fn timestamptz(&mut self, value: OffsetDateTime) -> &mut Self {
        let micros = (value - EPOCH).whole_microseconds();
        self.int8(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// The whole stream.
    pub(super) fn end(mut self) -> Bytes {
        self.buffer.put_i16(-1);
        self.buffer.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_form_of_the_documentation() {
        let mut rows = Rows::new();
        rows.row(2).int4(7).text("ab");
        rows.row(1).timestamptz(datetime!(2000-01-01 00:00:01 UTC));
        let expected = [
            &b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"[..],
            b"\0\x02\0\0\0\x04\0\0\0\x07\0\0\0\x02ab",
            b"\0\x01\0\0\0\x08\0\0\0\0\0\x0f\x42\x40",
            b"\xff\xff",
        ];
        assert_eq!(rows.end(), expected.concat());
    }
}
