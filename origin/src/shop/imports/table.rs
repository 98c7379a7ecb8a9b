//! A table of products: CSV (RFC 4180) whose first line names the columns.

use csv::{ByteRecord, Reader, ReaderBuilder};
use tidewall_api::product::ProductInput;

use crate::http::error::FieldErrors;
use crate::shop::products::problems;

/// Every column, in the order of [`Columns`].
const NAMES: [&str; 5] = ["name", "category", "price_cents", "stock", "description"];

/// Characters of a wrong name that are told.
const TOLD_CHARS_MAX: usize = 40;

/// Why a table's first line is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("the first line must name the columns: name, category, price_cents, stock and description")]
    Empty,
    #[error("`{0}` is no column; columns are name, category, price_cents, stock and description")]
    Unknown(String),
    #[error("the column `{0}` is named twice")]
    Twice(&'static str),
    #[error("these columns are missing: {0}")]
    Missing(String),
}

/// Where each column of [`NAMES`] is.
type Columns = [usize; NAMES.len()];

/// A table that is read line by line.
pub(super) struct Table<'a> {
    reader: Reader<&'a [u8]>,
    columns: Columns,
    record: ByteRecord,
    lines: Lines<'a>,
}

/// Counts lines, as an editor does. The reader's own count takes the second half of a `\r\n`
/// for a part of the next line.
struct Lines<'a> {
    content: &'a [u8],
    /// Where the line of this number begins, or a place in it.
    at: usize,
    number: u64,
}

/// What a line says: a product, or what is wrong with which column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// In the file, counted from 1.
    pub(super) number: u64,
    pub(super) product: Result<ProductInput, FieldErrors>,
}

impl<'a> Table<'a> {
    /// The table in `content`, if its first line is as it should be.
    pub(super) fn open(content: &'a [u8]) -> Result<Self, HeaderError> {
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content);
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record).is_ok_and(|is_there| is_there) {
            return Err(HeaderError::Empty);
        }
        let columns = columns(&record)?;
        let lines = Lines { content, at: 0, number: 1 };
        Ok(Self { reader, columns, record, lines })
    }

    /// Bytes read.
    pub(super) fn position(&self) -> u64 {
        self.reader.position().byte()
    }

    fn line(&mut self) -> Line {
        let begin = self.record.position().map_or(0, csv::Position::byte);
        let number = self.lines.of(usize::try_from(begin).unwrap_or(usize::MAX));
        Line { number, product: product(&self.record, &self.columns) }
    }
}

impl Lines<'_> {
    /// The line of what follows `begin`, past the line breaks there; each time further on.
    fn of(&mut self, begin: usize) -> u64 {
        let rest = self.content.get(begin..).unwrap_or_default();
        let breaks = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let end = begin + breaks;
        let passed = self.content.get(self.at..end).unwrap_or_default();
        let ends_line = |(index, byte): (usize, &u8)| {
            *byte == b'\n' || (*byte == b'\r' && passed.get(index + 1) != Some(&b'\n'))
        };
        let ended = passed.iter().enumerate().filter(|passed| ends_line(*passed)).count();
        self.number += ended as u64;
        self.at = end;
        self.number
    }
}

impl Iterator for Table<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let is_there = self.reader.read_byte_record(&mut self.record).is_ok_and(|is_there| is_there);
        is_there.then(|| self.line())
    }
}

fn columns(header: &ByteRecord) -> Result<Columns, HeaderError> {
    let mut found = [None; NAMES.len()];
    for (at, name) in header.iter().enumerate() {
        let name = String::from_utf8_lossy(name);
        let name = name.trim();
        let Some(index) = NAMES.iter().position(|known| *known == name) else {
            return Err(if header.len() == 1 && name.is_empty() {
                HeaderError::Empty
            } else {
                HeaderError::Unknown(name.chars().take(TOLD_CHARS_MAX).collect())
            });
        };
        if found[index].replace(at).is_some() {
            return Err(HeaderError::Twice(NAMES[index]));
        }
    }
    let missing: Vec<_> =
        NAMES.iter().zip(found).filter_map(|(name, at)| at.is_none().then_some(*name)).collect();
    if missing.is_empty() {
        Ok(found.map(Option::unwrap_or_default))
    } else {
        Err(HeaderError::Missing(missing.join(", ")))
    }
}

fn product(record: &ByteRecord, columns: &Columns) -> Result<ProductInput, FieldErrors> {
    if record.len() != columns.len() {
        let problem = format!("has {} fields; the first line names {} columns", record.len(), columns.len());
        return Err(FieldErrors::from([("line".to_owned(), problem)]));
    }
    let mut unreadable = FieldErrors::new();
    let field = |index: usize| record.get(columns[index]).unwrap_or_default();
    let mut text = |index: usize| match str::from_utf8(field(index)) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            unreadable.insert(NAMES[index].to_owned(), "is not UTF-8".to_owned());
            String::new()
        }
    };
    let (name, category, description) = (text(0), text(1), text(4));
    let price_cents = number(field(2));
    let stock = number(field(3)).map(i32::try_from);
    if price_cents.is_none() {
        unreadable.insert(NAMES[2].to_owned(), "must be a whole number of cents".to_owned());
    }
    if !matches!(stock, Some(Ok(_))) {
        unreadable.insert(NAMES[3].to_owned(), format!("must be a whole number, at most {}", i32::MAX));
    }
    let input = ProductInput {
        name,
        category,
        price_cents: price_cents.unwrap_or_default(),
        stock: stock.and_then(Result::ok).unwrap_or_default(),
        description,
    };
    // Of a field that can't be read that counts, and not what is wrong with its stand-in.
    let mut problems = problems(&input);
    problems.append(&mut unreadable);
    if problems.is_empty() { Ok(input) } else { Err(problems) }
}

/// Digits, and a minus before them.
fn number(field: &[u8]) -> Option<i64> {
    let text = str::from_utf8(field).ok()?.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "name,category,price_cents,stock,description\n";

    fn header(content: &str) -> String {
        match Table::open(content.as_bytes()) {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// The lines, each as its number and its product or what is wrong.
    fn lines(content: &[u8]) -> Vec<String> {
        let told = |Line { number, product }| match product {
            Ok(ProductInput { name, category, price_cents, stock, description }) => {
                format!("{number}: {name}/{category}/{price_cents}/{stock}/{description}")
            }
            Err(errors) => {
                let errors: Vec<_> =
                    errors.iter().map(|(column, problem)| format!("{column} {problem}")).collect();
                format!("{number}: {}", errors.join("; "))
            }
        };
        Table::open(content).unwrap().map(told).collect()
    }

    fn check(line: &str, expected: &str) {
        assert_eq!(lines(format!("{HEADER}{line}\n").as_bytes()), [expected], "{line}");
    }

    #[test]
    fn the_first_line_names_the_columns_in_any_order() {
        for ok in [
            HEADER,
            "stock,description,name,category,price_cents",
            "\u{feff}name,category,price_cents,stock,description\r\n",
            "\"name\", category ,price_cents,stock,description",
        ] {
            assert_eq!(header(ok), "ok", "{ok}");
        }
        let content = "stock,description,name,category,price_cents\r\n7,Folds.,Chair,garden,1999\r\n";
        assert_eq!(lines(content.as_bytes()), ["2: Chair/garden/1999/7/Folds."]);
    }

    #[test]
    fn a_first_line_that_does_not_is_refused_with_the_reason() {
        let known = "columns are name, category, price_cents, stock and description";
        for empty in ["", "\n\n", "\"\"\n"] {
            assert!(header(empty).starts_with("the first line must name the columns"), "{empty:?}");
        }
        assert_eq!(header("name,category,price,stock"), format!("`price` is no column; {known}"));
        assert_eq!(header("Chair,garden,1999,7,Folds."), format!("`Chair` is no column; {known}"));
        assert_eq!(header("name;category"), format!("`name;category` is no column; {known}"));
        assert_eq!(header("name,category,name"), "the column `name` is named twice");
        assert_eq!(header("name,stock,category"), "these columns are missing: price_cents, description");
    }

    #[test]
    fn a_line_is_a_product() {
        check("Chair,garden,1999,7,Folds.", "2: Chair/garden/1999/7/Folds.");
        check("\"Chair, \"\"low\"\"\",garden,0,0,", "2: Chair, \"low\"/garden/0/0/");
        check("Stuhl für draußen,garden, 1999 ,007,\"a\nb\"", "2: Stuhl für draußen/garden/1999/7/a\nb");
    }

    #[test]
    fn a_line_that_is_none_says_what_is_wrong_with_which_column() {
        check(",garden,1,1,", "2: name must not be empty");
        check(" Chair,garden,1,1,", "2: name must not begin or end with space");
        check("Chair,\"a\nb\",1,1,", "2: category must be one line without control characters");
        check("Chair,garden,19.99,1,", "2: price_cents must be a whole number of cents");
        check("Chair,garden,,1,", "2: price_cents must be a whole number of cents");
        check("Chair,garden,+1,1,", "2: price_cents must be a whole number of cents");
        check("Chair,garden,99999999999999999999,1,", "2: price_cents must be a whole number of cents");
        check("Chair,garden,-1,1,", "2: price_cents must be 0 to 1000000000");
        check("Chair,garden,1,3000000000,", "2: stock must be a whole number, at most 2147483647");
        check("Chair,garden,1,-1,", "2: stock must not be negative");
        check("Chair,garden,1,1", "2: line has 4 fields; the first line names 5 columns");
        check("Chair,garden,1,1,,", "2: line has 6 fields; the first line names 5 columns");
        check(
            ",,x,x,",
            "2: category must not be empty; name must not be empty; price_cents must be a whole number of cents; \
             stock must be a whole number, at most 2147483647",
        );
    }

    #[test]
    fn a_line_of_another_encoding_is_refused_and_the_next_is_read() {
        let content = [HEADER.as_bytes(), b"St\xfchle,garden,1,1,\nChair,garden,1,1,\n"].concat();
        assert_eq!(lines(&content), ["2: name is not UTF-8", "3: Chair/garden/1/1/"]);
    }

    #[test]
    fn lines_are_counted_as_an_editor_shows_them() {
        let content = format!("{HEADER}\"a\",b,1,1,\"x\ny\"\n\nc,d,1,1,\r\n,e,1,1,");
        assert_eq!(
            lines(content.as_bytes()),
            ["2: a/b/1/1/x\ny", "5: c/d/1/1/", "6: name must not be empty"]
        );
    }

    #[test]
    fn a_long_table_is_read_to_its_end() {
        for part in [",", "\"", "\n", "\r\n", "\r", "a,b,1,1,\n", "a,b,1,1,\"\n\"\n", "é"] {
            let content = format!("{HEADER}{}", part.repeat(200_000 / part.len()));
            let last = Table::open(content.as_bytes()).unwrap().last();
            assert!(last.is_none_or(|line| line.number <= 1 + content.len() as u64), "{part:?}");
        }
    }

    proptest! {
        #[test]
        fn no_content_makes_it_panic(
            content in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..400),
                "(name|stock|a|,|,|\"|\"\"|\r\n|\n|\r|[0-9]{1,20}|-| |\0|é){0,60}".prop_map(String::into_bytes),
            ],
        ) {
            if let Ok(table) = Table::open(&content) {
                table.for_each(drop);
            }
            let content = [HEADER.as_bytes(), &content].concat();
            let mut last = 1;
            for line in Table::open(&content).unwrap() {
                prop_assert!(line.number > last, "lines go forward");
                last = line.number;
                if let Ok(product) = line.product {
                    prop_assert!(problems(&product).is_empty());
                }
            }
        }

        #[test]
        fn what_is_written_as_csv_is_read_again(
            name in "[^\\s\\p{C}]{1,20}", description in "[^\\p{C}]{0,20}", price_cents in 0i64..1_000_000, stock in 0i32..,
        ) {
            let mut writer = csv::Writer::from_writer(HEADER.as_bytes().to_vec());
            writer.write_record([&name, "garden", &price_cents.to_string(), &stock.to_string(), &description]).unwrap();
            let content = writer.into_inner().unwrap();
            let product = Table::open(&content).unwrap().next().unwrap().product;
            let category = "garden".to_owned();
            prop_assert_eq!(product, Ok(ProductInput { name, category, price_cents, stock, description }));
        }
    }
}
