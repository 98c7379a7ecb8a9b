//! Product pictures, drawn from their number: the same on every machine.
//!
//! A picture doesn't know its product, so it shows no thing: each is a wall of
//! nine tiles in the five colours of one palette.

use std::fmt::Write;

/// How many different pictures there are: a prime, so that things that come in
/// turns, as the demo's categories do, don't share few of them.
const COUNT: u32 = 101;
/// Tiles in a row, and rows.
const TILES: u32 = 3;
/// Width and height of a tile in the drawing's coordinates.
const TILE: u32 = 100;

/// Two light colours for grounds, then three for figures.
type Palette = [&'static str; 5];

/// Neighbours in a list get different ones.
const PALETTES: [Palette; 10] = [
    ["#f3ece0", "#e0cdb0", "#1f4e5f", "#d9653b", "#eeb04d"],
    ["#e9f0ee", "#bfd8d2", "#14535e", "#2f8f83", "#f2b263"],
    ["#f6e9e4", "#efc7b8", "#7a2e3a", "#d4573f", "#2f4b59"],
    ["#eceaf4", "#c9c3e2", "#3c3569", "#7b6cc2", "#f0a08c"],
    ["#f4f1e4", "#d9dcae", "#3f5a36", "#8fa64a", "#e3a33b"],
    ["#e8eff6", "#b9d2e8", "#1e3f66", "#4684bd", "#f3c65d"],
    ["#f8ece8", "#f3bfb0", "#40364f", "#e5735e", "#6fa8a1"],
    ["#f1efe9", "#d5cfc1", "#3a3f44", "#a0856a", "#c9573c"],
    ["#eaf3ee", "#b5dcc6", "#1d4a43", "#3fa07c", "#ef7f63"],
    ["#f5eff3", "#dfc1d4", "#56304f", "#a85b8b", "#e9b44c"],
];

/// Figures, as path data in a tile whose middle is 0, 0.
const FIGURES: [&str; 7] = [
    // A quarter of a disc.
    "M-50-50H50A100 100 0 0 1-50 50z",
    // The same as a band.
    "M0-50H50A100 100 0 0 1-50 50V0A50 50 0 0 0 0-50z",
    // Half a disc.
    "M-50-50H50A50 50 0 0 1-50-50z",
    // Two of them: waves.
    "M-50-50H50A50 50 0 0 1-50-50zM-50 0H50A50 50 0 0 1-50 0z",
    // A leaf.
    "M-50-50A100 100 0 0 1 50 50A100 100 0 0 1-50-50z",
    // A disc.
    "M-34 0A34 34 0 0 1 34 0A34 34 0 0 1-34 0z",
    // Half a tile.
    "M-50-50H50L-50 50z",
];

/// Every picture: its authored name and its SVG source.
pub(super) fn all() -> impl Iterator<Item = (String, String)> {
    (0..COUNT).map(|number| (format!("pictures/{number:03}.svg"), draw(number)))
}

fn draw(number: u32) -> String {
    let mut chance = Chance(number);
    let palette = &PALETTES[number as usize % PALETTES.len()];
    let side = TILES * TILE;
    let (mut grounds, mut figures) = (String::new(), String::new());
    for place in 0..TILES * TILES {
        let (x, y) = (place % TILES * TILE, place / TILES * TILE);
        let tile = Tile::new(palette, &mut chance);
        // Writing to a string cannot fail.
        let _ = write!(grounds, "<path fill=\"{}\" d=\"M{x} {y}h{TILE}v{TILE}h-{TILE}z\"/>", tile.ground);
        let _ = write!(
            figures,
            "<path fill=\"{}\" transform=\"translate({} {})rotate({})\" d=\"{}\"/>",
            tile.colour,
            x + TILE / 2,
            y + TILE / 2,
            tile.turn,
            tile.figure,
        );
    }
    // Smoothed edges would leave a seam between grounds of one colour.
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"{side}\" height=\"{side}\">\
         <g shape-rendering=\"crispEdges\">{grounds}</g>{figures}</svg>\n"
    )
}

/// One figure on its ground.
struct Tile {
    ground: &'static str,
    colour: &'static str,
    figure: &'static str,
    /// In degrees.
    turn: usize,
}

impl Tile {
    fn new(palette: &Palette, chance: &mut Chance) -> Self {
        let [light, soft, strong @ ..] = palette;
        let (ground, colour) = match chance.below(6) {
            0 => (chance.one_of(strong), *light),
            1..=3 => (*soft, chance.one_of(strong)),
            _ => (*light, chance.one_of(strong)),
        };
        Self { ground, colour, figure: chance.one_of(&FIGURES), turn: chance.below(4) * 90 }
    }
}

/// A picture's own sequence of small numbers: SplitMix32.
struct Chance(u32);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9);
        let mut z = self.0;
        z = (z ^ (z >> 16)).wrapping_mul(0x85eb_ca6b);
        z = (z ^ (z >> 13)).wrapping_mul(0xc2b2_ae35);
        (z ^ (z >> 16)) as usize % bound
    }

    fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pictures_are_different() {
        let mut drawings: Vec<String> = all().map(|(_, svg)| svg).collect();
        drawings.sort();
        drawings.dedup();
        assert_eq!(drawings.len(), COUNT as usize);
    }

    #[test]
    fn a_number_always_gives_the_same_picture() {
        assert_eq!(draw(42), draw(42));
    }
}
