//! Header fields of one message (RFC 9110, section 5).
//!
//! The Workers runtime hands them over in lower case and with repeated fields
//! combined, except `set-cookie`, so a list of pairs is all that is needed: it
//! crosses between JavaScript and Wasm in one string, and is stored as it is.

use serde::{Deserialize, Serialize};

/// Header fields in their order. Names are lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads names and values that follow each other, each on a line of its own.
    /// No field can hold a line break (RFC 9110, section 5.5), so none is split.
    pub fn from_lines(text: &str) -> Self {
        let mut lines = text.split('\n');
        let mut fields = Self::default();
        while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
            fields.0.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        fields
    }

    /// The value of `name`; the first, should there be several.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// Whether there is a field `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there is no field at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Replaces every field `name` by one with `value`.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.0.push((name.to_owned(), value.into()));
    }

    /// Adds a member to a list-based field (RFC 9110, section 5.6.1).
    pub fn append(&mut self, name: &str, member: &str) {
        match self.0.iter_mut().find(|(field, value)| field == name && !value.is_empty()) {
            Some((_, value)) => {
                value.push_str(", ");
                value.push_str(member);
            }
            None => self.set(name, member),
        }
    }

    /// Adds a field, beside others of its name.
    pub fn push(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Removes every field `name`.
    pub fn remove(&mut self, name: &str) {
        self.retain(|field| field != name);
    }

    /// Keeps the fields whose names `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// The same fields in the order of their names and values, to be compared.
    pub fn sorted(mut self) -> Self {
        self.0.sort();
        self
    }

    /// Names and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The members of a list-based field, split at commas outside quoted strings
/// (RFC 9110, section 5.6.1.2); empty members are skipped.
pub fn members(value: &str) -> impl Iterator<Item = &str> {
    split_unquoted(value, ',').filter(|member| !member.is_empty())
}

/// Whether this is a token, such as the name of a field (RFC 9110, section 5.6.2).
pub fn is_token(text: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_tchar)
}

/// Whether every quoted string in `value` ends.
pub fn closes_quotes(value: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for byte in value.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    !quoted
}

/// Splits at `separator` outside quoted strings, and trims optional whitespace.
pub fn split_unquoted(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    value
        .split(move |c| {
            let splits = c == separator && !quoted;
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ => {}
            }
            splits
        })
        .map(|part| part.trim_matches([' ', '\t']))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values of 100 kB of what parsers look for. Who reads all of one again for each of its parts
    /// doesn't come to its end.
    pub(crate) fn long_values() -> impl Iterator<Item = String> {
        let parts = ["a", ",", "\"", "\\", "\"a\",", "a=1,", "a;", "%", "/..", "(", " ", "9", "é"];
        parts.into_iter().map(|part| part.repeat(100_000 / part.len()))
    }

    #[test]
    fn long_values_are_read_to_their_end() {
        for value in long_values() {
            assert!(members(&value).map(str::len).sum::<usize>() <= value.len());
            let _ = closes_quotes(&value);
        }
    }

    #[test]
    fn fields_are_read_from_lines_and_keep_empty_values() {
        let fields = Fields::from_lines("accept\n*/*\nx-empty\n\nset-cookie\na=1\nset-cookie\nb=2");
        assert_eq!(fields.get("accept"), Some("*/*"));
        assert_eq!(fields.get("x-empty"), Some(""));
        assert_eq!(fields.iter().filter(|(name, _)| *name == "set-cookie").count(), 2);
        assert_eq!(Fields::from_lines(""), Fields::default());
    }

    #[test]
    fn a_member_is_appended_to_what_is_there() {
        let mut fields = Fields::default();
        fields.append("via", "1.1 a");
        fields.append("via", "1.1 b");
        assert_eq!(fields.get("via"), Some("1.1 a, 1.1 b"));
    }

    #[test]
    fn a_quotation_that_does_not_end_is_noticed() {
        for closed in ["", "a", r#"a="b", "c""#, r#""x\"""#, r#"\"a""#] {
            assert!(closes_quotes(closed), "{closed}");
        }
        for open in [r#"""#, r#"a="b"#, r#""x\""#] {
            assert!(!closes_quotes(open), "{open}");
        }
    }

    #[test]
    fn commas_inside_quotes_do_not_split() {
        let check = |value, expected: &[&str]| {
            assert_eq!(members(value).collect::<Vec<_>>(), expected, "{value}");
        };
        check(r#"a, b="c, d" ,, e"#, &["a", r#"b="c, d""#, "e"]);
        check(r#"a="x\", y", b"#, &[r#"a="x\", y""#, "b"]);
        check("", &[]);
        check(r#"a="never closed, b"#, &[r#"a="never closed, b"#]);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_field_of_more_than_a_line(text in "([a-zA-Z-]{0,4}|\n|\r|\0|é){0,12}") {
            let fields = Fields::from_lines(&text);
            prop_assert!(fields.iter().all(|(name, value)| !name.contains('\n') && !value.contains('\n')));
            prop_assert!(fields.iter().all(|(name, _)| !name.contains(|c: char| c.is_ascii_uppercase())));
        }

        #[test]
        fn members_are_the_same_when_they_are_joined_again(value in "[ab,\"\\\\ \t;=]{0,24}") {
            prop_assume!(closes_quotes(&value));
            let once: Vec<_> = members(&value).collect();
            let joined = once.join(", ");
            prop_assert_eq!(members(&joined).collect::<Vec<_>>(), once.clone());
            prop_assert!(once.iter().all(|member| closes_quotes(member)));
        }
    }
}
