//! Asking an origin whether a stored response still holds: RFC 9111, section 4.3.
//!
//! `stored + 304 -> Renewed | Confirmed | Other`, `stored + 200 to a HEAD -> …`. The
//! fields here are those of the stored response as its origin sent them.

use tidewall_api::entity_tag::{is_entity_tag, is_weak, strongly_equal, weakly_equal};

use crate::cache::storable::content_length;
use crate::cache::vary;
use crate::fields::Fields;
use crate::time::Timestamp;

/// Fields that say something about the body as it was sent then, which this exchange
/// had no part in; section 3.2.
const NOT_UPDATED: [&str; 4] = ["content-encoding", "content-length", "content-range", "age"];

/// What an answer says of the stored response it was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, with these fields from now on.
    Renewed(Fields),
    /// It holds, but by the letter of section 4.3.4 the answer must not change it,
    /// since it names no such validator, or no other than a weak one.
    Confirmed,
    /// It is about another response.
    Other,
}

/// The conditions under which only a change is sent (section 4.3.1). `None` where a
/// response has no validator.
pub fn conditions(stored: &Fields) -> Option<Fields> {
    let mut conditions = Fields::default();
    if let Some(etag) = stored.get("etag").filter(|etag| is_entity_tag(etag)) {
        conditions.set("if-none-match", etag);
    }
    if let Some(date) = stored.get("last-modified").filter(|date| Timestamp::from_http_date(date).is_some()) {
        conditions.set("if-modified-since", date);
    }
    (!conditions.is_empty()).then_some(conditions)
}

/// What a 304 to these conditions says (section 4.3.4).
pub fn not_modified(stored: &Fields, answer: &Fields) -> Verdict {
    let verdict = match (answer.get("etag"), answer.get("last-modified")) {
        (Some(new), _) => match stored.get("etag") {
            Some(old) if strongly_equal(new, old) => Verdict::Renewed(updated(stored, answer)),
            Some(old) if is_weak(new) && weakly_equal(new, old) => Verdict::Renewed(updated(stored, answer)),
            // Whoever codes bodies on their way makes tags weak, but not those of a 304.
            Some(old) if weakly_equal(new, old) => Verdict::Confirmed,
            _ => Verdict::Other,
        },
        (None, Some(new)) if stored.get("last-modified") == Some(new) => {
            Verdict::Renewed(updated(stored, answer))
        }
        (None, Some(_)) => Verdict::Other,
        // It was asked about one response, so it is about that one.
        (None, None) => Verdict::Confirmed,
    };
    match &verdict {
        // It would have to be stored as another variant.
        Verdict::Renewed(fields) if vary::selecting(fields) != vary::selecting(stored) => Verdict::Other,
        _ => verdict,
    }
}

/// What a 200 to a HEAD says of a stored 200 to a GET (section 4.3.5). `body_bytes`
/// is the length of the stored body as it was sent, where that is known.
pub fn head(stored: &Fields, body_bytes: Option<usize>, answer: &Fields) -> Verdict {
    let same = |name| answer.get(name).map(|value| stored.get(name) == Some(value));
    let length = answer
        .contains("content-length")
        .then(|| body_bytes.is_none_or(|stored| content_length(answer) == Some(stored)));
    let validators = [same("etag"), same("last-modified")];
    if validators.contains(&Some(false)) || length == Some(false) {
        return Verdict::Other;
    }
    let fields = updated(stored, answer);
    if !validators.contains(&Some(true)) || vary::selecting(&fields) != vary::selecting(stored) {
        return Verdict::Confirmed;
    }
    Verdict::Renewed(fields)
}

/// The stored fields with those of an answer in their place (section 3.2).
fn updated(stored: &Fields, answer: &Fields) -> Fields {
    let mut fields = stored.clone();
    // First all out, then all in, for a field may occur more than once.
    fields.retain(|name| NOT_UPDATED.contains(&name) || !answer.contains(name));
    for (name, value) in answer.iter().filter(|(name, _)| !NOT_UPDATED.contains(name)) {
        fields.push(name, value);
    }
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOV_6: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn check(stored: &str, answer: &str, expected: &str) {
        let verdict = not_modified(&Fields::from_lines(stored), &Fields::from_lines(answer));
        let words = match verdict {
            Verdict::Renewed(_) => "renewed",
            Verdict::Confirmed => "confirmed",
            Verdict::Other => "other",
        };
        assert_eq!(words, expected, "{stored} + {answer}");
    }

    #[test]
    fn the_validators_that_are_there_are_the_conditions() {
        let check = |stored: &str, expected: Option<&str>| {
            let conditions = conditions(&Fields::from_lines(stored));
            assert_eq!(conditions, expected.map(Fields::from_lines), "{stored}");
        };
        check("etag\n\"a\"", Some("if-none-match\n\"a\""));
        check("etag\nW/\"a\"", Some("if-none-match\nW/\"a\""));
        check(&format!("last-modified\n{NOV_6}"), Some(&format!("if-modified-since\n{NOV_6}")));
        check(
            &format!("etag\n\"a\"\nlast-modified\n{NOV_6}"),
            Some(&format!("if-none-match\n\"a\"\nif-modified-since\n{NOV_6}")),
        );
        check("etag\na\nlast-modified\nyesterday", None);
        check("date\nx", None);
    }

    #[test]
    fn a_304_is_about_the_response_whose_validator_it_names() {
        check("etag\n\"a\"", "etag\n\"a\"", "renewed");
        check("etag\nW/\"a\"", "etag\nW/\"a\"", "renewed");
        check("etag\n\"a\"", "etag\nW/\"a\"", "renewed");
        check("etag\nW/\"a\"", "etag\n\"a\"", "confirmed");
        check("etag\n\"a\"", "etag\n\"b\"", "other");
        check("etag\n\"a\"", "", "confirmed");
        check("last-modified\nx", "etag\n\"a\"\nlast-modified\nx", "other");
        check("last-modified\nx", "last-modified\nx", "renewed");
        check("last-modified\nx", "last-modified\ny", "other");
    }

    #[test]
    fn a_304_of_another_variant_is_about_another_response() {
        check("etag\n\"a\"\nvary\nOrigin", "etag\n\"a\"", "renewed");
        check("etag\n\"a\"\nvary\nOrigin", "etag\n\"a\"\nvary\norigin", "renewed");
        check("etag\n\"a\"\nvary\nOrigin", "etag\n\"a\"\nvary\n*", "other");
        check("etag\n\"a\"", "etag\n\"a\"\nvary\nOrigin", "other");
        // One that isn't told apart is no part of what is stored.
        for unhandled in ["*", "Cookie", "Authorization", "X-Forwarded-Host"] {
            check("etag\n\"a\"", &format!("etag\n\"a\"\nvary\n{unhandled}"), "other");
        }
    }

    #[test]
    fn a_304_replaces_fields_but_not_those_of_the_body() {
        let stored = Fields::from_lines(
            "etag\n\"a\"\nx-old\n1\nx-kept\n1\ncontent-length\n9\ncontent-encoding\ngzip\ndate\nthen",
        );
        let answer = Fields::from_lines(
            "etag\n\"a\"\nx-old\n2\nx-new\n1\ncontent-length\n0\ncontent-encoding\nbr\nage\n7\ndate\nnow",
        );
        let Verdict::Renewed(fields) = not_modified(&stored, &answer) else { panic!("not renewed") };
        let expected = "x-kept\n1\ncontent-length\n9\ncontent-encoding\ngzip\netag\n\"a\"\nx-old\n2\nx-new\n1\ndate\nnow";
        assert_eq!(fields, Fields::from_lines(expected));
    }

    #[test]
    fn a_head_renews_what_it_describes_and_ends_what_it_does_not() {
        let check = |stored: &str, length: Option<usize>, answer: &str, expected: &str| {
            let verdict = head(&Fields::from_lines(stored), length, &Fields::from_lines(answer));
            let words = match verdict {
                Verdict::Renewed(_) => "renewed",
                Verdict::Confirmed => "confirmed",
                Verdict::Other => "other",
            };
            assert_eq!(words, expected, "{stored} + {answer}");
        };
        check("etag\n\"a\"", Some(9), "etag\n\"a\"\ncontent-length\n9", "renewed");
        check("etag\n\"a\"", Some(9), "etag\n\"a\"", "renewed");
        check("etag\n\"a\"", None, "etag\n\"a\"\ncontent-length\n8", "renewed");
        check("etag\n\"a\"", Some(9), "etag\n\"a\"\ncontent-length\n8", "other");
        check("etag\n\"a\"", Some(9), "etag\n\"b\"\ncontent-length\n9", "other");
        check("", Some(9), "etag\n\"b\"\ncontent-length\n9", "other");
        check("etag\n\"a\"\nlast-modified\nx", Some(9), "etag\n\"a\"\nlast-modified\ny", "other");
        check("etag\n\"a\"", Some(9), "content-length\n9", "confirmed");
        check("etag\n\"a\"", Some(9), "content-length\nnine", "other");
        check("etag\n\"a\"", Some(9), "", "confirmed");
        check("etag\n\"a\"", Some(9), "etag\n\"a\"\nvary\norigin", "confirmed");
    }

    proptest! {
        #[test]
        fn the_same_304_twice_changes_nothing_more(
            stored in proptest::collection::vec(("[a-d]", "[x-z]{0,2}"), 0..6),
            answer in proptest::collection::vec(("[a-f]", "[x-z]{0,2}"), 0..6),
        ) {
            let fields = |pairs: &[(String, String)]| {
                let mut fields = Fields::default();
                for (name, value) in pairs {
                    fields.push(name, value);
                }
                fields
            };
            let (stored, answer) = (fields(&stored), fields(&answer));
            let once = updated(&stored, &answer);
            prop_assert_eq!(updated(&once, &answer), once);
        }

        #[test]
        fn what_a_request_is_made_conditional_by_is_a_tag_or_a_date(
            etag in "(W/|w/|\"|a|,| |\\\\|\r|\0|é){0,8}",
            date in "(Sun, 06 Nov 1994 08:49:37 GMT|0|yesterday|)",
        ) {
            let stored = Fields::from_lines(&format!("etag\n{etag}\nlast-modified\n{date}"));
            let conditions = conditions(&stored).unwrap_or_default();
            for (name, value) in conditions.iter() {
                prop_assert!(["if-none-match", "if-modified-since"].contains(&name));
                prop_assert!(!value.contains(|c: char| c.is_ascii_control()), "{value:?}");
            }
            prop_assert_eq!(conditions.get("if-modified-since").is_some(), date == NOV_6);
        }

        #[test]
        fn a_length_of_a_head_is_digits(length in "(\\+|-| |0|,){0,2}(9|[0-9]{1,25})") {
            let (stored, answer) = (Fields::default(), Fields::from_lines(&format!("content-length\n{length}")));
            let is_of_it = head(&stored, Some(9), &answer) != Verdict::Other;
            prop_assert_eq!(is_of_it, length.trim().trim_start_matches('0') == "9");
        }
    }
}
