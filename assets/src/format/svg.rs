//! SVG drawings.

use std::borrow::Cow;

use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, Writer};

use crate::error::{Flaw, Found, line_of};
use crate::format::Rename;
use crate::format::image::Dimensions;
use crate::reference::{Kind, Reference};

/// Elements in which white space is text.
const TEXTUAL: [&str; 7] = ["desc", "foreignObject", "style", "text", "textPath", "title", "tspan"];

/// The drawings and pictures that it shows.
pub(crate) fn references(source: &str) -> Result<Vec<Reference>, Found> {
    let mut found = Vec::new();
    let mut reader = Reader::from_str(source);
    loop {
        let line = line(source, &reader);
        match reader.read_event().map_err(|error| syntax(source, &reader, &error))? {
            Event::Start(element) | Event::Empty(element) => {
                for attribute in element.attributes() {
                    let attribute = attribute.map_err(|error| syntax(source, &reader, &error))?;
                    found.extend(reference(&element, &attribute, line));
                }
            }
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

/// The drawing with other URLs, without comments and without space between elements: what is
/// seen stays the same.
pub(crate) fn minify(source: &str, rename: Rename<'_>) -> Result<String, Found> {
    let mut reader = Reader::from_str(source);
    let mut writer = Writer::new(Vec::new());
    // Elements that are open, with whether white space counts in them.
    let mut keeps_space = vec![false];
    loop {
        let line = line(source, &reader);
        let event = reader.read_event().map_err(|error| syntax(source, &reader, &error))?;
        let written = match event {
            Event::Comment(_) | Event::Decl(_) => continue,
            Event::Text(text)
                if !keeps_space.last().is_some_and(|keeps| *keeps) && text.trim_ascii().is_empty() =>
            {
                continue;
            }
            Event::Start(element) => {
                let keeps = TEXTUAL.contains(&element.local_name().as_ref())
                    || keeps_space.last().is_some_and(|keeps| *keeps)
                    || element.attributes().flatten().any(|attribute| attribute.key.as_ref() == "xml:space");
                keeps_space.push(keeps);
                writer.write_event(Event::Start(renamed(&element, line, rename)))
            }
            Event::Empty(element) => writer.write_event(Event::Empty(renamed(&element, line, rename))),
            Event::End(element) => {
                keeps_space.pop();
                writer.write_event(Event::End(element))
            }
            Event::Eof => break,
            other => writer.write_event(other),
        };
        written
            .map_err(|error| Found::at(line, Flaw::Syntax { language: "SVG", reason: error.to_string() }))?;
    }
    // Made of text, piece by piece.
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

/// How large it is where nobody says so: `width` and `height`, or else the view box.
pub(crate) fn dimensions(source: &str) -> Option<Dimensions> {
    let mut reader = Reader::from_str(source);
    loop {
        let element = match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) => element,
            Event::Eof => return None,
            _ => continue,
        };
        let value = |name: &str| {
            let attribute = element.try_get_attribute(name).ok()??;
            Some(attribute.value.into_owned())
        };
        let length = |name: &str| pixels(value(name)?.trim().trim_end_matches("px"));
        return match (length("width"), length("height")) {
            (Some(width), Some(height)) => Some(Dimensions { width, height }),
            _ => {
                let view_box = value("viewBox")?;
                let mut numbers = view_box.split([' ', ',']).filter(|part| !part.is_empty()).skip(2);
                Some(Dimensions { width: pixels(numbers.next()?)?, height: pixels(numbers.next()?)? })
            }
        };
    }
}

fn pixels(text: &str) -> Option<u32> {
    let number: f64 = text.trim().parse().ok()?;
    // Beyond it no picture is of use, and the cast is exact up to it.
    (number > 0.0 && number < 100_000.0).then(|| (number.round() as u32).max(1))
}

fn renamed<'a>(element: &BytesStart<'_>, line: u32, rename: Rename<'_>) -> BytesStart<'a> {
    let mut copy = BytesStart::new(element.name().as_ref().to_owned());
    // They were read once before, so all are well-formed.
    for attribute in element.attributes().flatten() {
        let other = reference(element, &attribute, line).and_then(|reference| rename(&reference));
        let value = other.map_or(attribute.value, Cow::Owned);
        // As it is: what was escaped stays so.
        copy.push_attribute(Attribute { key: attribute.key, value });
    }
    copy
}

fn reference(element: &BytesStart<'_>, attribute: &Attribute<'_>, line: u32) -> Option<Reference> {
    if attribute.key.local_name().as_ref() != "href" {
        return None;
    }
    let url = attribute.value.clone().into_owned();
    // `a` has it for a person to follow.
    let kind = if element.local_name().as_ref() == "a" { Kind::Linked } else { Kind::Loaded };
    Some(Reference { url, line, kind })
}

fn line(source: &str, reader: &Reader<&[u8]>) -> u32 {
    line_of(source, usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX))
}

fn syntax(source: &str, reader: &Reader<&[u8]>, reason: &impl ToString) -> Found {
    let offset = usize::try_from(reader.error_position()).unwrap_or(usize::MAX);
    Found::at(line_of(source, offset), Flaw::Syntax { language: "SVG", reason: reason.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWING: &str = "<?xml version=\"1.0\"?>\n<!-- by hand -->\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 30 20\">\n  \
                           <image href=\"photo.png\"/>\n  <use xlink:href=\"#a\"/>\n  <text> two  words </text>\n</svg>\n";

    #[test]
    fn pictures_in_a_drawing_are_found() {
        let found = references(DRAWING).unwrap();
        assert_eq!((found[0].url.as_str(), found[0].line), ("photo.png", 4));
    }

    #[test]
    fn comments_and_space_between_elements_go_and_text_stays() {
        let minified =
            minify(DRAWING, &|found| (found.url == "photo.png").then(|| "/assets/p.png".to_owned())).unwrap();
        assert_eq!(
            minified,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 30 20\"><image href=\"/assets/p.png\"/>\
             <use xlink:href=\"#a\"/><text> two  words </text></svg>"
        );
    }

    #[test]
    fn a_drawing_is_as_large_as_it_says_or_as_its_view_box() {
        assert_eq!(dimensions(DRAWING), Some(Dimensions { width: 30, height: 20 }));
        let check = |svg: &str, expected: Option<(u32, u32)>| {
            assert_eq!(
                dimensions(svg),
                expected.map(|(width, height)| Dimensions { width, height }),
                "{svg}"
            );
        };
        check("<svg width=\"10\" height=\"7.6px\" viewBox=\"0 0 1 1\"/>", Some((10, 8)));
        check("<svg width=\"100%\" height=\"10\"/>", None);
        check("<svg/>", None);
        check("", None);
    }

    #[test]
    fn what_is_not_xml_is_refused_with_its_line() {
        let found = references("<svg>\n<g>\n</svg>").unwrap_err();
        assert_eq!(found.line, Some(3));
    }
}
