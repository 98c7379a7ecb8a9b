//! What is drawn on a page, as instructions: positions in points from the top left corner.

/// A4.
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;

/// One page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) marks: Vec<Mark>,
}

/// One thing on it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    Text(Text),
    Rect(Rect),
}

/// A line of text on its baseline; what doesn't fit is cut off.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    /// Where it begins, is centred, or ends: see `align`.
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width_max: f32,
    pub(super) size: f32,
    pub(super) weight: Weight,
    pub(super) ink: Ink,
    pub(super) align: Align,
    pub(super) text: String,
}

/// A filled rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
    pub(super) ink: Ink,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    Bold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

/// What it is drawn in, by its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// What is to be read.
    Text,
    /// What says what that is.
    Label,
    /// Lines that guide the eye.
    Line,
    /// Bars.
    Bar,
}

/// `text` on one line and in at most `width_max`, its end cut off where it must be. `width_of`
/// is the width of one character.
pub(super) fn fit(text: &str, width_max: f32, width_of: impl Fn(char) -> f32) -> String {
    const CUT: char = '…';
    // Neither lines nor what turns the direction of all that follows.
    let shown = |c: char| {
        if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            ' '
        } else {
            c
        }
    };
    let room = width_max - width_of(CUT);
    let (mut width, mut kept) = (0.0, 0);
    let mut line = String::with_capacity(text.len());
    for c in text.chars().map(shown) {
        width += width_of(c);
        if width > width_max {
            line.truncate(kept);
            line.truncate(line.trim_end().len());
            line.push(CUT);
            return line;
        }
        line.push(c);
        if width <= room {
            kept = line.len();
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, width_max: f32, expected: &str) {
        assert_eq!(fit(text, width_max, |_| 1.0), expected, "{text:?} in {width_max}");
    }

    #[test]
    fn text_is_cut_off_where_it_does_not_fit() {
        check("Ada King", 8.0, "Ada King");
        check("Ada King", 7.0, "Ada Ki…");
        check("Ada King", 5.0, "Ada…");
        check("Ada King", 1.0, "…");
        check("", 0.0, "");
    }

    #[test]
    fn text_stays_on_its_line_and_in_its_direction() {
        check("a\r\nb\tc", 99.0, "a  b c");
        check("a\u{202e}b", 99.0, "a b");
    }

    proptest! {
        #[test]
        fn no_text_is_wider_than_it_may_be(text in ".{0,40}", width_max in 1.0f32..50.0) {
            prop_assert!(fit(&text, width_max, |_| 1.0).chars().count() as f32 <= width_max);
        }
    }
}
