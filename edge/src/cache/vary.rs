//! `Vary`: on which request fields a response depends (RFC 9110, section 12.5.5).

use crate::fields::{Fields, members};

/// Whether one stored response may answer every request for its key.
///
/// `Accept-Encoding` makes no variants here: bodies are stored without a content
/// coding, and the runtime codes them for each client. Any other field would.
pub fn has_one_variant(response: &Fields) -> bool {
    members(response.get("vary").unwrap_or_default())
        .all(|field| field.eq_ignore_ascii_case("accept-encoding"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_accept_encoding_makes_no_variants() {
        let check = |lines: &str, expected| {
            assert_eq!(has_one_variant(&Fields::from_lines(lines)), expected, "{lines}");
        };
        check("", true);
        check("vary\n", true);
        check("vary\nAccept-Encoding", true);
        check("vary\naccept-encoding, ACCEPT-ENCODING", true);
        check("vary\nAccept-Encoding, Cookie", false);
        check("vary\nOrigin", false);
        check("vary\n*", false);
    }
}
