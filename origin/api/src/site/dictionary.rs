//! Responses as dictionaries of later ones: RFC 9842.

/// Bytes of a SHA-256 that name a difference's file.
const NAMED_BYTES: usize = 8;
/// Letters of a SHA-256 in base64, without padding.
const DIGEST_LETTERS: usize = 43;

/// The hash in an `Available-Dictionary` field (section 2.2), in base64 without padding. It is
/// an item of the type Byte Sequence (RFC 9651, section 3.3.5); `None` where it is anything else.
pub(super) fn available(field: &str) -> Option<&str> {
    let (digest, parameters) = field.trim().strip_prefix(':')?.split_once(':')?;
    let digest = unpadded(digest);
    let is_item = parameters.is_empty() || parameters.starts_with(';');
    (is_item && digest.len() == DIGEST_LETTERS && digest.bytes().all(|letter| value(letter).is_some()))
        .then_some(digest)
}

/// Whether two hashes in base64 are the same, as they stand in fields and in manifests.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let plain = |digest| unpadded(str::strip_prefix(digest, "sha256-").unwrap_or(digest));
    plain(one) == plain(other)
}

/// What a difference's file has in its name of the dictionary: 16 digits of its hash.
pub(super) fn name(digest: &str) -> Option<String> {
    use std::fmt::Write as _;

    let digest = digest.strip_prefix("sha256-").unwrap_or(digest);
    let (mut bits, mut bits_held, mut bytes, mut name) = (0_u32, 0, 0, String::new());
    for letter in digest.bytes() {
        bits = (bits << 6) | u32::from(value(letter)?);
        bits_held += 6;
        if bits_held >= 8 {
            bits_held -= 8;
            // Writing to a string cannot fail.
            let _ = write!(name, "{:02x}", (bits >> bits_held) & 0xff);
            bytes += 1;
        }
        if bytes == NAMED_BYTES {
            return Some(name);
        }
    }
    None
}

/// `Use-As-Dictionary` for what answers paths of this pattern later (section 2.1). A String
/// holds printable ASCII alone (RFC 9651, section 3.3.3).
pub(super) fn use_as_dictionary(pattern: &str) -> Option<String> {
    let is_string = pattern.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let escaped = pattern.replace('\\', r"\\").replace('"', "\\\"");
    is_string.then(|| format!("match=\"{escaped}\""))
}

fn unpadded(digest: &str) -> &str {
    digest.trim_end_matches('=')
}

/// Six bits of base64 (RFC 4648, section 4).
fn value(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of nothing.
    const DIGEST: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    #[test]
    fn an_available_dictionary_is_a_byte_sequence_of_a_hash() {
        let digest = DIGEST.trim_end_matches('=');
        for field in [format!(":{DIGEST}:"), format!(" :{digest}: "), format!(":{DIGEST}:;a=1")] {
            assert_eq!(available(&field), Some(digest), "{field}");
        }
        for other in
            [DIGEST, "", ":", "::", ":YQ==:", &format!(":{DIGEST}"), &format!(":{DIGEST}:, :{DIGEST}:")]
        {
            assert_eq!(available(other), None, "{other}");
        }
        assert_eq!(available(&format!(":{}:", "-".repeat(43))), None);
    }

    #[test]
    fn a_difference_is_named_after_its_dictionary() {
        for digest in [DIGEST.to_owned(), format!("sha256-{DIGEST}"), "47DEQpj8HBS".to_owned()] {
            assert_eq!(name(&digest).as_deref(), Some("e3b0c44298fc1c14"), "{digest}");
        }
        for broken in ["", "47DEQpj8HB", "47DEQ*j8HBSa", "é"] {
            assert_eq!(name(broken), None, "{broken}");
        }
    }

    #[test]
    fn hashes_are_the_same_with_and_without_what_stands_around_them() {
        assert!(is_same(DIGEST, &format!("sha256-{DIGEST}")));
        assert!(is_same(DIGEST, DIGEST.trim_end_matches('=')));
        assert!(!is_same(DIGEST, "48DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="));
    }

    #[test]
    fn a_pattern_is_quoted() {
        let check = |pattern, expected| assert_eq!(use_as_dictionary(pattern).as_deref(), expected);
        check("/assets/app.*.js", Some("match=\"/assets/app.*.js\""));
        check("/a\"\\b", Some(r#"match="/a\"\\b""#));
        check("/é", None);
        check("/a\r\nset-cookie: x", None);
    }

    proptest! {
        #[test]
        fn whatever_is_said_to_be_available_is_a_hash_or_nothing(
            field in "(:|=|;|a| |é|-|[A-Za-z0-9+/]{42,44}){0,5}",
        ) {
            if let Some(digest) = available(&field) {
                prop_assert!(digest.len() == DIGEST_LETTERS && field.contains(digest));
                let name = name(digest).unwrap();
                prop_assert!(name.len() == 2 * NAMED_BYTES && name.bytes().all(|byte| byte.is_ascii_hexdigit()));
            }
        }

        #[test]
        fn a_pattern_is_quoted_whatever_is_in_it(pattern in "([ -~]|\r|\n|\0|é){0,16}") {
            let Some(field) = use_as_dictionary(&pattern) else { return Ok(()) };
            prop_assert!(field.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{field:?}");
            let quoted = field.strip_prefix("match=\"").and_then(|rest| rest.strip_suffix('"')).unwrap();
            let mut letters = quoted.chars();
            let mut read = String::new();
            while let Some(letter) = letters.next() {
                prop_assert!(letter != '"', "{field}");
                read.extend(if letter == '\\' { letters.next() } else { Some(letter) });
            }
            prop_assert_eq!(read, pattern);
        }
    }
}
