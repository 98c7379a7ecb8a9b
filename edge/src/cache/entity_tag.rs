//! Entity tags: RFC 9110, section 8.8.3.

use crate::fields::Fields;

/// Whether this is an entity tag, and so fit for a condition.
pub fn is_entity_tag(text: &str) -> bool {
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().all(|byte| byte == 0x21 || (byte >= 0x23 && byte != 0x7f)))
}

/// Whether equal bytes are not promised by it.
pub fn is_weak(tag: &str) -> bool {
    tag.starts_with("W/")
}

/// Same bytes; section 8.8.3.2.
pub fn strongly_equal(one: &str, other: &str) -> bool {
    !is_weak(one) && one == other
}

/// Same meaning; section 8.8.3.2.
pub fn weakly_equal(one: &str, other: &str) -> bool {
    one.strip_prefix("W/").unwrap_or(one) == other.strip_prefix("W/").unwrap_or(other)
}

/// Makes a strong entity tag weak: the bytes differ from those the origin sent,
/// though they mean the same (section 8.8.3.3).
pub fn weaken(response: &mut Fields) {
    if let Some(etag) = response.get("etag").filter(|etag| !is_weak(etag)) {
        let weak = format!("W/{etag}");
        response.set("etag", weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly_and_strongly() {
        let check = |one, other, weakly, strongly| {
            assert_eq!(weakly_equal(one, other), weakly, "{one} {other}");
            assert_eq!(strongly_equal(one, other), strongly, "{one} {other}");
        };
        check(r#"W/"1""#, r#"W/"1""#, true, false);
        check(r#"W/"1""#, r#"W/"2""#, false, false);
        check(r#"W/"1""#, r#""1""#, true, false);
        check(r#""1""#, r#"W/"1""#, true, false);
        check(r#""1""#, r#""1""#, true, true);
    }

    #[test]
    fn a_tag_is_quoted() {
        for tag in [r#""""#, r#""a""#, r#"W/"a""#, r#""a,b""#] {
            assert!(is_entity_tag(tag), "{tag}");
        }
        for other in ["", "a", r#"""#, r#"w/"a""#, r#""a"b""#, r#""a b""#, r#"W/a"#, r#""a"#] {
            assert!(!is_entity_tag(other), "{other}");
        }
    }

    #[test]
    fn a_strong_tag_is_weakened_once() {
        let mut fields = Fields::from_lines("etag\n\"a\"");
        weaken(&mut fields);
        weaken(&mut fields);
        assert_eq!(fields.get("etag"), Some("W/\"a\""));
    }
}
