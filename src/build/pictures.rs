//! Product pictures, drawn from their number: the same on every machine.
//!
//! Each is a still life of simple shapes on a table: a backdrop, a light, one to
//! three objects with a shadow. Hue, objects and places come from the number.

use std::fmt::Write;

/// How many different pictures there are.
const COUNT: u32 = 100;
/// Width and height of the drawing's coordinates.
const SIDE: u32 = 400;
/// Where the table begins.
const HORIZON: u32 = 270;

/// Every picture: its authored name and its SVG source.
pub(super) fn all() -> impl Iterator<Item = (String, String)> {
    (0..COUNT).map(|number| (format!("pictures/{number:02}.svg"), draw(number)))
}

fn draw(number: u32) -> String {
    let mut chance = Chance(number);
    // Neighbours in a list get hues far apart: steps of the golden angle.
    let hue = number * 137 % 360;
    let mut objects = String::new();
    let count = 1 + chance.below(3);
    for index in 0..count {
        let width = 150 - 26 * count + chance.below(40);
        let middle = SIDE * (2 * index + 1) / (2 * count);
        let base = HORIZON + 40 + chance.below(36);
        let object_hue = (hue + 150 + index * 42 + chance.below(30)) % 360;
        let height = width + chance.below(70);
        object(&mut objects, chance.below(6), Placed { middle, base, width, height, hue: object_hue });
    }
    let (light_x, light_y) = (90 + chance.below(220), 60 + chance.below(70));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SIDE} {SIDE}\" width=\"{SIDE}\" height=\"{SIDE}\">\
         <rect width=\"{SIDE}\" height=\"{SIDE}\" fill=\"hsl({hue} 34% 88%)\"/>\
         <circle cx=\"{light_x}\" cy=\"{light_y}\" r=\"150\" fill=\"hsl({hue} 60% 96%)\" opacity=\".7\"/>\
         <rect y=\"{HORIZON}\" width=\"{SIDE}\" height=\"{}\" fill=\"hsl({hue} 26% 78%)\"/>{objects}</svg>\n",
        SIDE - HORIZON
    )
}

/// Where an object stands and what colour it has.
struct Placed {
    middle: u32,
    base: u32,
    width: u32,
    height: u32,
    hue: u32,
}

fn object(svg: &mut String, shape: u32, at: Placed) {
    let Placed { middle, base, width, height, hue } = at;
    let (left, half, top) = (middle - width / 2, width / 2, base - height);
    let body = format!("hsl({hue} 46% 52%)");
    let dark = format!("hsl({hue} 46% 42%)");
    let pale = format!("hsl({hue} 52% 68%)");
    let shine = (left + width / 5, width / 9);
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<ellipse cx=\"{}\" cy=\"{base}\" rx=\"{}\" ry=\"{}\" fill=\"#000\" opacity=\".14\"/>",
        middle + half / 4,
        half + 14,
        width / 9
    );
    let _ = match shape {
        // A box with a lid.
        0 => write!(
            svg,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"{body}\"/>\
             <rect x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{}\" rx=\"8\" fill=\"{dark}\"/>",
            left - 6,
            width + 12,
            height / 5
        ),
        // A bottle.
        1 => write!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"{dark}\"/>\
             <rect x=\"{left}\" y=\"{}\" width=\"{width}\" height=\"{}\" rx=\"{}\" fill=\"{body}\"/>",
            middle - width / 8,
            top - height / 5,
            width / 4,
            height / 2,
            top + height / 6,
            height - height / 6,
            half * 3 / 4
        ),
        // A ball.
        2 => write!(
            svg,
            "<circle cx=\"{middle}\" cy=\"{}\" r=\"{half}\" fill=\"{body}\"/>\
             <path d=\"M{left} {}a{half} {} 0 0 0 {width} 0z\" fill=\"{dark}\" opacity=\".6\"/>",
            base - half,
            base - half,
            half * 3 / 4
        ),
        // A cup with a handle.
        3 => write!(
            svg,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"none\" stroke=\"{dark}\" stroke-width=\"{}\"/>\
             <path d=\"M{left} {t}h{width}l-{i} {h}h-{w}z\" fill=\"{body}\" stroke=\"{body}\" stroke-width=\"10\" stroke-linejoin=\"round\"/>\
             <ellipse cx=\"{middle}\" cy=\"{t}\" rx=\"{half}\" ry=\"{}\" fill=\"{dark}\"/>",
            left + width,
            base - half,
            width / 4,
            width / 11,
            width / 10,
            t = base - width,
            h = width - 4,
            i = width / 7,
            w = width - 2 * (width / 7)
        ),
        // A cone with a rounded foot.
        4 => write!(
            svg,
            "<path d=\"M{middle} {top}L{} {base}q-{half} {} -{width} 0z\" fill=\"{body}\" stroke=\"{body}\" stroke-width=\"8\" stroke-linejoin=\"round\"/>",
            left + width,
            width / 8
        ),
        // Three books.
        _ => write!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{h}\" rx=\"4\" fill=\"{dark}\"/>\
             <rect x=\"{left}\" y=\"{}\" width=\"{width}\" height=\"{h}\" rx=\"4\" fill=\"{pale}\"/>\
             <rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{h}\" rx=\"4\" fill=\"{body}\"/>",
            left - 8,
            base - height / 4,
            width + 12,
            base - height / 2,
            left + 10,
            base - height * 3 / 4,
            width - 6,
            h = height / 4
        ),
    };
    if shape < 3 {
        let _ = write!(
            svg,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\" fill=\"{pale}\" opacity=\".55\"/>",
            shine.0,
            base - height * 2 / 3,
            shine.1,
            height / 3,
            shine.1 / 2
        );
    }
}

/// A picture's own sequence of small numbers: SplitMix32.
struct Chance(u32);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9);
        let mut z = self.0;
        z = (z ^ (z >> 16)).wrapping_mul(0x85eb_ca6b);
        z = (z ^ (z >> 13)).wrapping_mul(0xc2b2_ae35);
        (z ^ (z >> 16)) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_a_hundred_different_pictures() {
        let mut drawings: Vec<String> = all().map(|(_, svg)| svg).collect();
        drawings.sort();
        drawings.dedup();
        assert_eq!(drawings.len(), 100);
    }

    #[test]
    fn a_number_always_gives_the_same_picture() {
        assert_eq!(draw(42), draw(42));
    }
}
