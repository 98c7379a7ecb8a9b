//! What is asked: the query of `/_tidewall/explain`.
//!
//! ```text
//! url=<absolute URL or path>            of what is to be explained
//! header=<name>:<value>                 a field of the request that is assumed, repeatable
//! origin=0                              don't ask an origin
//! ```

use std::collections::BTreeMap;

use form_urlencoded::parse;

use crate::fields::{Fields, is_token};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The URL, absolute or beside the edge's own.
    pub url: String,
    /// Fields of the request that is assumed, beside those of the question's own request.
    pub fields: Vec<(String, String)>,
    /// Whether an origin is asked what it answers now.
    pub asks_origin: bool,
}

impl Question {
    /// Reads a query.
    ///
    /// # Errors
    /// What is wrong with each parameter.
    pub fn read(query: Option<&str>) -> Result<Self, BTreeMap<String, String>> {
        let (mut url, mut fields, mut asks_origin) = (None, Vec::new(), true);
        let mut errors = BTreeMap::new();
        let mut refuse = |name: &str, why: String| {
            errors.insert(name.to_owned(), why);
        };
        for (name, value) in parse(query.unwrap_or_default().as_bytes()) {
            match (&*name, &*value) {
                ("url", "") => {}
                ("url", _) if url.is_some() => refuse("url", "is there twice; ask for one".to_owned()),
                ("url", _) => url = Some(value.into_owned()),
                ("header", line) => match field(line) {
                    Some(field) => fields.push(field),
                    None => refuse("header", format!("is `{line}`: write <name>:<value>")),
                },
                ("origin", "0") => asks_origin = false,
                ("origin", "1") => asks_origin = true,
                ("origin", other) => refuse("origin", format!("is `{other}`: write 0 or 1")),
                (other, _) => refuse(other, "is not known: there are url, header and origin".to_owned()),
            }
        }
        if url.is_none() && !errors.contains_key("url") {
            errors.insert("url".to_owned(), "is missing: name the URL or path to explain".to_owned());
        }
        match url {
            Some(url) if errors.is_empty() => Ok(Self { url, fields, asks_origin }),
            _ => Err(errors),
        }
    }

    /// The fields of the request that is assumed: those that came with the question, whose
    /// `Authorization` is that of whoever asks, and those that the question names.
    pub fn assumed(&self, own: &Fields) -> Fields {
        let mut assumed = own.clone();
        assumed.remove("authorization");
        for (name, _) in &self.fields {
            assumed.remove(name);
        }
        for (name, value) in &self.fields {
            assumed.append(name, value);
        }
        assumed
    }
}

/// A field as it is written on a line.
pub fn field(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
    let is_value = !value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
    (is_token(&name) && is_value).then(|| (name, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_is_a_url_and_what_is_assumed() {
        let question =
            Question::read(Some("url=%2Fa%3Fb%3D1&header=Accept-Language:+de&header=cookie:a%3D1&origin=0"));
        let question = question.unwrap();
        assert_eq!(question.url, "/a?b=1");
        let fields = [("accept-language", "de"), ("cookie", "a=1")];
        assert_eq!(question.fields, fields.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(!question.asks_origin);
        assert!(Question::read(Some("url=/a")).unwrap().asks_origin);
    }

    #[test]
    fn what_can_not_be_meant_is_named() {
        let check = |query: Option<&str>, expected: &str| {
            let errors = Question::read(query).unwrap_err();
            assert!(errors.contains_key(expected), "{query:?}: {errors:?}");
        };
        check(None, "url");
        check(Some("url="), "url");
        check(Some("url=/a&url=/b"), "url");
        check(Some("url=/a&header=x"), "header");
        check(Some("url=/a&header=a+b:c"), "header");
        check(Some("url=/a&header=a:b%0Ac:d"), "header");
        check(Some("url=/a&origin=no"), "origin");
        check(Some("url=/a&method=PUT"), "method");
    }

    #[test]
    fn the_askers_own_token_is_not_assumed() {
        let own = Fields::from_lines("authorization\nBearer token\naccept\n*/*\ncookie\nx=1");
        let assumed = |query| Question::read(Some(query)).unwrap().assumed(&own);
        assert_eq!(assumed("url=/"), Fields::from_lines("accept\n*/*\ncookie\nx=1"));
        assert_eq!(
            assumed("url=/&header=Authorization:mine&header=accept:a&header=accept:b"),
            Fields::from_lines("cookie\nx=1\nauthorization\nmine\naccept\na, b")
        );
    }

    proptest! {
        #[test]
        fn whatever_is_asked_what_is_assumed_are_fields(
            query in "(url=|header=|origin=|&|a|b:|%0[aAdD0]|%[0-9a-f]{2}|%|\\+|=|é| ){0,16}",
        ) {
            if let Ok(question) = Question::read(Some(&query)) {
                for (name, value) in &question.fields {
                    prop_assert!(is_token(name) && *name == name.to_ascii_lowercase(), "{name}");
                    prop_assert!(!value.contains(['\r', '\n', '\0']), "{value:?}");
                }
                let assumed = question.assumed(&Fields::from_lines("authorization\nBearer token"));
                prop_assert!(assumed.iter().all(|(_, value)| value != "Bearer token"));
            }
        }

        #[test]
        fn a_field_that_is_written_is_read_again(name in "[a-z-]{1,9}", value in "[!-~é]{0,9}") {
            prop_assert_eq!(field(&format!("{name}: {value}")), Some((name, value)));
        }
    }
}
