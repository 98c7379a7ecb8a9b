//! What a command prints for people on a terminal.
//!
//! Much of it comes from elsewhere, such as what a handler said of a payload. A terminal obeys
//! control characters, whoever wrote them, so they are shown and not sent.

use std::io::{self, Write as _};

use serde::Serialize;

/// Whether a character does something instead of being seen. Of what goes before others or turns
/// them round, also.
fn is_unseen(char: char) -> bool {
    !matches!(char, '\\' | '\'' | '"') && char.escape_debug().len() > 1
}

/// A cell of a table: one line, in which everything is seen.
pub(super) fn cell(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if is_unseen(char) {
            shown.extend(char.escape_debug());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Lines of a text, in which everything is seen.
pub(super) fn text(lines: &str) -> String {
    lines.lines().map(cell).collect::<Vec<_>>().join("\n")
}

/// JSON in lines, in which everything is seen. JSON itself escapes no more than what is below
/// the space.
pub(super) fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        // Outside of strings there are line breaks, and in them none that isn't escaped.
        if char != '\n' && is_unseen(char) {
            let mut units = [0; 2];
            shown.extend(char.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Prints it on standard output, and waits until it is there.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", text.trim_end())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn control_characters_are_shown_in_a_cell_and_nothing_else_is_changed() {
        for (text, expected) in [
            ("", ""),
            ("it said \"no\", 'C:\\x' größer 日本 🎉", "it said \"no\", 'C:\\x' größer 日本 🎉"),
            ("a\nb\r\tc\0", "a\\nb\\r\\tc\\0"),
            ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("\u{7f}\u{85}\u{9b}2J", "\\u{7f}\\u{85}\\u{9b}2J"),
            ("a\u{202e}b\u{2028}c\u{200b}", "a\\u{202e}b\\u{2028}c\\u{200b}"),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_escaped_in_json_and_it_says_the_same() {
        let value =
            serde_json::json!({ "a\u{9b}": ["\u{1b}[2J\n", "\u{7f}\u{202e}\u{e0041}", "größer \"🎉\" \\"] });
        let text = json(&value);
        assert!(text.chars().all(|char| char == '\n' || !is_unseen(char)), "{text:?}");
        assert!(text.contains("größer \\\"🎉\\\" \\\\"), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
