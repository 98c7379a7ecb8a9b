//! A statement's text without the values in it, which may be secrets.

/// The statement in one line, of at most `chars_max` characters, with `?` for
/// every literal: strings in quotes or dollar quotes, and numbers. Parameters
/// (`$1`) and quoted names stay, but for control characters in them. Comments, which may quote
/// anything, go.
///
/// Lexical structure: PostgreSQL documentation, section 4.1.
pub(crate) fn redact(statement: &str, chars_max: usize) -> String {
    let mut shown = String::new();
    let mut rest = statement;
    let mut shown_chars = 0;
    while let Some(first) = rest.chars().next() {
        let (piece, length) = next(rest, first, shown.chars().next_back());
        rest = &rest[length..];
        if piece == " " && (shown.is_empty() || shown.ends_with(' ')) {
            continue;
        }
        shown_chars += piece.chars().count();
        if shown_chars > chars_max {
            shown.push('…');
            break;
        }
        shown.extend(piece.chars().map(|letter| if letter.is_control() { ' ' } else { letter }));
    }
    shown.truncate(shown.trim_end().len());
    shown
}

/// What the beginning of `rest` is shown as, and how many bytes of it that is.
fn next(rest: &str, first: char, before: Option<char>) -> (&str, usize) {
    let follows_word = before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '"'));
    if first == '\'' {
        ("?", quoted(rest, '\'', false))
    } else if matches!(first, 'e' | 'E') && rest[1..].starts_with('\'') && !follows_word {
        // Here alone a backslash escapes.
        ("?", 1 + quoted(&rest[1..], '\'', true))
    } else if first == '"' {
        let length = quoted(rest, '"', false);
        (&rest[..length], length)
    } else if let Some(tag) = dollar_tag(rest).filter(|_| !follows_word) {
        let body = &rest[tag.len()..];
        ("?", body.find(tag).map_or(rest.len(), |end| end + 2 * tag.len()))
    } else if first.is_ascii_digit() && !follows_word {
        let number = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
        ("?", rest.find(number).unwrap_or(rest.len()))
    } else if rest.starts_with("--") {
        (" ", rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (" ", comment(rest))
    } else if first.is_whitespace() {
        (" ", first.len_utf8())
    } else {
        (&rest[..first.len_utf8()], first.len_utf8())
    }
}

/// Bytes of a comment, in which others may stand, or of all that is left where it
/// doesn't end.
fn comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while let Some(mark) = text[at..].find(['/', '*']) {
        let rest = &text[at + mark..];
        let step = match rest.get(..2) {
            Some("/*") => 1,
            Some("*/") => -1,
            _ => 0,
        };
        depth += step;
        at += mark + if step == 0 { 1 } else { 2 };
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Bytes of what stands in quotes, or of all that is left where they don't end.
fn quoted(text: &str, quote: char, backslash: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if backslash && c == '\\' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, c)| *c == quote).is_none() {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// The tag that begins a dollar-quoted string: `$$` or `$name$`.
fn dollar_tag(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let end = name.find('$')?;
    let is_name = name[..end].chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name && !name.starts_with(|c: char| c.is_ascii_digit())).then(|| &text[..end + 2])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(statement: &str, shown: &str) {
        assert_eq!(redact(statement, 100), shown);
    }

    #[test]
    fn literals_are_hidden_and_parameters_are_not() {
        check("SELECT a FROM t WHERE id = $1", "SELECT a FROM t WHERE id = $1");
        check("SELECT 'it''s', 1.5e3, 0x1F, t1.a2 FROM t1", "SELECT ?, ?, ?, t1.a2 FROM t1");
        check(r"SELECT E'a\'b' || 'c'", "SELECT ? || ?");
        check(r"a LIKE $1 ESCAPE '\' AND b = 'secret'", "a LIKE $1 ESCAPE ? AND b = ?");
        check(r"SELECT type'a\'", "SELECT type?");
        check("SELECT $$secret$$, $q$ $$ $q$, $2", "SELECT ?, ?, $2");
        check(r#"SELECT "a ""1""" FROM "t 2""#, r#"SELECT "a ""1""" FROM "t 2""#);
    }

    #[test]
    fn the_text_is_one_short_line_without_comments() {
        check("\n  SELECT a, -- 'why'\n      /* because */ b\n", "SELECT a, b");
        check("SELECT /* a /* b */ 'secret' */ c", "SELECT c");
        assert_eq!(redact("SELECT abcdef", 9), "SELECT ab…");
    }

    #[test]
    fn what_does_not_end_is_hidden_to_its_end() {
        check("SELECT 'secret", "SELECT ?");
        check("SELECT $$secret", "SELECT ?");
        check("SELECT /* secret", "SELECT");
        check(r"SELECT e'secret\", "SELECT ?");
        check("SELECT /* /* */ secret", "SELECT");
    }

    #[test]
    fn long_texts_are_read_to_their_end() {
        for part in ["'", "\"", "$", "$a", "$a$", "/*", "*/", "--", "\\", "e'", "1", "a ", "é"] {
            let text = part.repeat(100_000 / part.len());
            for chars_max in [100, 200_000] {
                assert!(redact(&text, chars_max).chars().count() <= chars_max + 1, "{part}");
            }
        }
    }

    proptest! {
        // With a blank before its quote no literal in `before` is an escape string,
        // whose last backslash would keep it open.
        #[test]
        fn nothing_in_quotes_is_ever_shown(before in r"[a-z ,=(]{0,8}( '[a-z\\]{0,3}' )?", secret in "[A-Z]{3,9}", after in ".{0,9}") {
            let shown = redact(&format!("{before}'{secret}'{after}"), 1_000);
            prop_assert!(!shown.contains(&secret) || after.contains(&secret), "{}", shown);
        }

        #[test]
        fn any_text_is_read_to_its_end(text in ".{0,60}") {
            redact(&text, 1_000);
        }

        #[test]
        fn whatever_is_shown_is_one_line_within_its_bound(
            text in "('|\"|\\$|\\$a\\$|--|/\\*|\\*/|\\\\|[eEuU]|&|[0-9]|\r|\n|\0|\x1b| |é|x){0,24}",
            chars_max in 0_usize..30,
        ) {
            let shown = redact(&text, chars_max);
            prop_assert!(shown.chars().count() <= chars_max + 1 && !shown.contains(char::is_control), "{shown:?}");
        }

        #[test]
        fn no_quote_is_left_of_a_text(text in "('|\\$|\\$a\\$|--|/\\*|\\*/|\\\\|[eEuU]|&|[0-9]|\n| |é|x){0,24}") {
            prop_assert!(!redact(&text, 1_000).contains('\''));
        }
    }
}
