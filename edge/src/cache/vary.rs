//! `Vary`: on which request fields a response depends (RFC 9110, section 12.5.5;
//! RFC 9111, section 4.1).
//!
//! Each variant is stored under a key of its own, made from the values of the
//! nominated fields. `Accept-Encoding` makes no variants: bodies are stored without
//! a content coding, and the runtime codes them for each client.

use sha2::{Digest, Sha256};

use crate::cache::key::hexadecimal;
use crate::fields::{Fields, is_token, members, split_unquoted};
use crate::forward::is_rewritten;

/// Most request fields by which variants are told apart. Each multiplies the number
/// of variants; who names more doesn't mean to be stored.
const FIELDS_MAX: usize = 8;

/// Why a response's variants aren't told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unhandled {
    /// `*`: it depends on more than the request's fields.
    Any,
    /// `Cookie`: as good as one variant per person.
    Cookie,
    /// `Authorization`: the same.
    Authorization,
    /// `User-Agent`: thousands of values for a handful of meanings.
    UserAgent,
    /// A field that the edge drops or writes itself: what a client says in it doesn't
    /// reach the origin, so it can't be what tells variants apart.
    Rewritten,
    /// More than `FIELDS_MAX` fields, or something that is none.
    Fields,
}

impl Unhandled {
    /// The reason's name, a token.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "vary-any",
            Self::Cookie => "vary-cookie",
            Self::Authorization => "vary-authorization",
            Self::UserAgent => "vary-user-agent",
            Self::Rewritten => "vary-rewritten",
            Self::Fields => "vary-fields",
        }
    }
}

/// The request fields that select among a response's variants: in lower case,
/// sorted, each once. None for most responses.
pub fn selecting(response: &Fields) -> Result<Vec<String>, Unhandled> {
    let mut names: Vec<String> =
        members(response.get("vary").unwrap_or_default()).map(str::to_ascii_lowercase).collect();
    names.sort();
    names.dedup();
    let unhandled = names.iter().find_map(|name| match name.as_str() {
        "*" => Some(Unhandled::Any),
        "cookie" => Some(Unhandled::Cookie),
        "authorization" => Some(Unhandled::Authorization),
        "user-agent" => Some(Unhandled::UserAgent),
        name if is_rewritten(name) => Some(Unhandled::Rewritten),
        name if !is_token(name) => Some(Unhandled::Fields),
        _ => None,
    });
    names.retain(|name| name != "accept-encoding");
    match unhandled {
        Some(unhandled) => Err(unhandled),
        None if names.len() > FIELDS_MAX => Err(Unhandled::Fields),
        None => Ok(names),
    }
}

/// The key of the variant that `request`, as the origin gets it, selects.
pub fn variant_key(key: &str, selecting: &[String], request: &Fields) -> String {
    let mut digest = Sha256::new();
    digest.update(key);
    for name in selecting {
        // No value holds a line break, so none can pass for several.
        digest.update("\n");
        digest.update(name);
        if let Some(value) = request.get(name) {
            digest.update(":");
            digest.update(normalized(name, value));
        }
    }
    format!("variant:{}", hexadecimal(&digest.finalize()))
}

/// One way to write each value that means the same: section 4.1.
fn normalized(name: &str, value: &str) -> String {
    match name {
        "accept" | "accept-language" | "accept-charset" => preferences(value),
        // Of no other field is it known that it is a list, so only the space between
        // words is evened out, and in quotes not even that.
        _ if value.contains('"') => value.trim().to_owned(),
        _ => value.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// A list of ranges with weights (RFC 9110, section 12.4.2): without spaces, the most
/// wanted first, in lower case but for the values of parameters, in which case may
/// matter. Those of one weight keep their order, which some servers heed.
fn preferences(value: &str) -> String {
    let mut ranges: Vec<(u16, String)> = members(value)
        .map(|member| {
            let mut parts = split_unquoted(member, ';');
            let mut range = parts.next().unwrap_or_default().to_ascii_lowercase();
            let mut weight = 1_000;
            for part in parts {
                let (name, value) = part.split_at(part.find('=').unwrap_or(part.len()));
                let name = name.to_ascii_lowercase();
                match value.strip_prefix('=').and_then(thousandths).filter(|_| name == "q") {
                    Some(given) => weight = given,
                    None => {
                        range.push(';');
                        range.push_str(&name);
                        range.push_str(value);
                    }
                }
            }
            (weight, range)
        })
        .collect();
    ranges.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    let written = ranges.iter().map(|(weight, range)| format!("{range};q={weight}"));
    written.collect::<Vec<_>>().join(",")
}

/// A weight from 0 to 1 with at most three digits, in thousandths.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    let is_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !is_digits {
        return None;
    }
    let thousandths: u16 = format!("{whole}{fraction:0<3}").parse().ok()?;
    (thousandths <= 1_000).then_some(thousandths)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::tests::long_values;

    #[test]
    fn the_nominated_fields_are_named_once_and_in_order() {
        let check = |lines: &str, expected: &[&str]| {
            assert_eq!(selecting(&Fields::from_lines(lines)).unwrap(), expected, "{lines}");
        };
        check("", &[]);
        check("vary\n", &[]);
        check("vary\nAccept-Encoding", &[]);
        check("vary\naccept-encoding, ACCEPT-ENCODING", &[]);
        check("vary\nOrigin,, Accept-Language, origin", &["accept-language", "origin"]);
    }

    #[test]
    fn what_is_not_told_apart_is_refused_by_name() {
        let check = |value: &str, expected: &str| {
            let vary = Fields::from_lines(&format!("vary\n{value}"));
            assert_eq!(selecting(&vary).unwrap_err().as_str(), expected, "{value}");
        };
        check("*", "vary-any");
        check("Accept-Language, *", "vary-any");
        check("Accept-Encoding, Cookie", "vary-cookie");
        check("Authorization", "vary-authorization");
        check("User-Agent", "vary-user-agent");
        for name in ["X-Forwarded-For", "X-Forwarded-Proto", "Forwarded", "Via", "X-Request-ID", "Host"] {
            check(&format!("Origin, {name}"), "vary-rewritten");
        }
        for name in ["CF-IPCountry", "True-Client-IP", "X-Real-IP", "Range", "If-None-Match", "Connection"] {
            check(name, "vary-rewritten");
        }
        check("not a field", "vary-fields");
        check("a, b, c, d, e, f, g, h, i", "vary-fields");
    }

    fn key(name: &str, request: &str) -> String {
        variant_key("http://a/p", &[name.to_owned()], &Fields::from_lines(request))
    }

    #[test]
    fn values_that_mean_the_same_select_the_same_variant() {
        let same = |name: &str, one: &str, other: &str| {
            let value = |value: &str| key(name, &format!("{name}\n{value}"));
            assert_eq!(value(one), value(other), "{name}: {one} / {other}");
        };
        same("accept-language", "en-GB, de;q=0.5", "EN-gb,de ; q=0.500");
        same("accept-language", "de;q=0.5,en", "en;q=1.0, de;q=0.5");
        same("accept", "text/html; Level=1", "text/html;level=1;q=1");
        same("accept", "text/html;LEVEL=1;Q=0.5", "text/html;level=1;q=0.50");
        same("x-device", "a  b", "a b");
        same("x-device", " a\tb ", "a b");
    }

    #[test]
    fn values_that_mean_something_else_select_another() {
        let different = |one: &str, other: &str| {
            assert_ne!(key("accept-language", one), key("accept-language", other), "{one} / {other}");
        };
        different("", "accept-language\n");
        different("accept-language\nen", "accept-language\nde");
        different("accept-language\nen, de", "accept-language\nde, en");
        different("accept-language\nen;q=0.5", "accept-language\nen;q=0.4");
        different("accept-language\nen;q=0", "accept-language\nen");
        let profile = |value: &str| key("accept", &format!("accept\napplication/ld+json;profile={value}"));
        for (one, other) in [("a", "A"), ("\"a;q=0.5;b\"", "\"a;b\";q=0.5"), ("\"a, b\"", "\"b, a\"")] {
            assert_ne!(profile(one), profile(other), "{one} / {other}");
        }
        assert_ne!(key("x-a", "x-a\n\"v  w\""), key("x-a", "x-a\n\"v w\""));
        assert_ne!(key("x-a", "x-a\nv"), key("x-b", "x-b\nv"));
        assert_ne!(key("x-device", "x-device\nPhone"), key("x-device", "x-device\nphone"));
    }

    #[test]
    fn fields_that_are_not_nominated_select_nothing() {
        assert_eq!(key("accept-language", "x\n1"), key("accept-language", "x\n2"));
    }

    #[test]
    fn long_values_are_read_to_their_end() {
        for value in long_values().chain(["a;q=0.5,".repeat(12_000)]) {
            let mut fields = Fields::default();
            fields.set("vary", &*value);
            let _ = selecting(&fields);
            fields.set("accept", value);
            variant_key("http://a/p", &["accept".to_owned()], &fields);
        }
    }

    proptest! {
        #[test]
        fn no_value_whatever_makes_reading_panic(bytes: Vec<u8>) {
            let value = String::from_utf8_lossy(&bytes);
            preferences(&value);
            let mut response = Fields::default();
            response.set("vary", value);
            let _ = selecting(&response);
        }

        #[test]
        fn what_selects_is_a_few_names_each_once_and_in_order(
            value in "(accept|Accept-Language|x-[a-c]|origin|\\*|cookie|via|,| |\"|\\\\|é|\r|\0){0,20}",
        ) {
            if let Ok(names) = selecting(&Fields::from_lines(&format!("vary\n{value}"))) {
                let is_ordered = names.windows(2).all(|two| two[0] < two[1]);
                prop_assert!(is_ordered && names.len() <= FIELDS_MAX, "{names:?}");
                prop_assert!(names.iter().all(|name| is_token(name) && !is_rewritten(name)), "{names:?}");
            }
        }

        #[test]
        fn a_variants_key_has_one_form_and_a_value_with_more_in_it_another_key(
            value in "([a-z]{1,3}|;|q=|[01](\\.[0-9]{1,4})?|,|\"|\\\\| |é){0,12}",
        ) {
            for name in ["accept", "accept-language", "x-a"] {
                let one = key(name, &format!("{name}\n{value}"));
                prop_assert_eq!(one.len(), "variant:".len() + 64);
                prop_assert_ne!(one, key(name, &format!("{name}\n{value}{}", ",\"\",zz")), "{}", value);
            }
        }
    }
}
