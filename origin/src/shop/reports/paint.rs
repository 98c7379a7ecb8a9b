//! Pages as PDF.
//!
//! The font is DejaVu Sans, which has Latin, Greek, Cyrillic, Arabic, Hebrew and more; of it
//! a document carries what it uses. What it lacks is shown as an empty box.

use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect as Area};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::text::{Font, TextDirection};

use super::page::{Align, HEIGHT, Ink, Mark, Page, Rect, Text, WIDTH, Weight, fit};

/// Why pages could not be made a document.
#[derive(Debug, thiserror::Error)]
pub(super) enum PaintError {
    #[error("the font can't be read")]
    Font,
    #[error("a page has no size")]
    Page,
    #[error("the document could not be put together: {0}")]
    Document(String),
}

/// A font, and how wide its characters are.
struct Face {
    font: Font,
    measures: ttf_parser::Face<'static>,
}

impl Face {
    fn new(data: &'static [u8]) -> Result<Self, PaintError> {
        let font = Font::new(data.into(), 0).ok_or(PaintError::Font)?;
        let measures = ttf_parser::Face::parse(data, 0).map_err(|_| PaintError::Font)?;
        Ok(Self { font, measures })
    }

    /// The width of a character, in points.
    fn width(&self, c: char, size: f32) -> f32 {
        // Glyph 0 is drawn where there is none.
        let glyph = self.measures.glyph_index(c).unwrap_or_default();
        let advance = self.measures.glyph_hor_advance(glyph).unwrap_or_default();
        f32::from(advance) * size / f32::from(self.measures.units_per_em())
    }
}

/// The pages as a document of this title.
pub(super) fn paint(title: String, pages: &[Page]) -> Result<Vec<u8>, PaintError> {
    let regular = Face::new(dejavu::sans_condensed::regular())?;
    let bold = Face::new(dejavu::sans_condensed::bold())?;
    let mut document = Document::new();
    document.set_metadata(Metadata::new().title(title).language("en".to_owned()));
    for page in pages {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).ok_or(PaintError::Page)?;
        let mut sheet = document.start_page_with(settings);
        let mut surface = sheet.surface();
        for mark in &page.marks {
            match mark {
                Mark::Rect(Rect { x, y, width, height, ink }) => {
                    // One without an extent has nothing to fill.
                    let Some(area) = Area::from_xywh(*x, *y, *width, *height) else { continue };
                    let mut path = PathBuilder::new();
                    path.push_rect(area);
                    if let Some(path) = path.finish() {
                        surface.set_fill(Some(fill(*ink)));
                        surface.draw_path(&path);
                    }
                }
                Mark::Text(Text { x, y, width_max, size, weight, ink, align, text }) => {
                    let face = if *weight == Weight::Bold { &bold } else { &regular };
                    let width_of = |c| face.width(c, *size);
                    let line = fit(text, *width_max, width_of);
                    let width: f32 = line.chars().map(width_of).sum();
                    let before = match align {
                        Align::Left => 0.0,
                        Align::Centre => width / 2.0,
                        Align::Right => width,
                    };
                    surface.set_fill(Some(fill(*ink)));
                    let at = Point::from_xy(x - before, *y);
                    surface.draw_text(at, face.font.clone(), *size, &line, false, TextDirection::Auto);
                }
            }
        }
        surface.finish();
        sheet.finish();
    }
    document.finish().map_err(|error| PaintError::Document(format!("{error:?}")))
}

fn fill(ink: Ink) -> Fill {
    let colour = match ink {
        Ink::Text => rgb::Color::new(0x1b, 0x26, 0x31),
        Ink::Label => rgb::Color::new(0x6b, 0x77, 0x85),
        Ink::Line => rgb::Color::new(0xe3, 0xe7, 0xeb),
        Ink::Bar => rgb::Color::new(0x2f, 0x6f, 0x8f),
    };
    Fill { paint: colour.into(), ..Fill::default() }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::super::layout::{self, tests::example};
    use super::*;

    fn painted(customer: &str, email: &str) -> Vec<u8> {
        let mut contents = example(date!(2026 - 01 - 01), date!(2026 - 03 - 31), 3);
        for order in &mut contents.orders {
            (order.customer, order.email) = (customer.to_owned(), email.to_owned());
        }
        paint("Orders".to_owned(), &layout::pages(&contents)).unwrap()
    }

    /// Whether `text` stands in the document, where that isn't compressed.
    fn has(document: &[u8], text: &str) -> bool {
        document.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn a_document_has_its_pages_and_carries_its_fonts() {
        let document = painted("Ada King", "ada@example.com");
        assert!(document.starts_with(b"%PDF-1.") && document.trim_ascii_end().ends_with(b"%%EOF"));
        assert!(has(&document, "/Type/Pages/Count 9/"));
        assert!(has(&document, "+DejaVuSansCondensed/") && has(&document, "+DejaVuSansCondensed-Bold/"));
        assert!(document.len() < 200_000, "{} bytes: the fonts are not whole in it", document.len());
    }

    #[test]
    fn names_of_any_script_are_drawn() {
        for name in [
            "Ἀριστοτέλης",
            "Анна Каренина",
            "عمر الخيام",
            "שלום עליכם",
            "王小明",
            "さくら",
            "김민준",
            "नमस्ते",
            "😀👩‍👩‍👧‍👦",
            "Z͈̤̭͖̉͑́a",
            "\u{10ffff}\u{200b}\u{fffd}",
            "",
        ] {
            assert!(painted(name, name).starts_with(b"%PDF-1."), "{name}");
        }
    }
}
