//! Asset names as Rust source, so that a wrong name is a compile error.

use std::fmt::Write;

use crate::Asset;

/// The functions that find the nearest names; they run in the compiler.
const NEAREST: &str = include_str!("nearest.rs");

/// The rest of what runs in the compiler.
const LOOKUP: &str = r#"
/// The path of a file in `public/`; for any other name a compile error at the caller's line.
#[track_caller]
pub(crate) const fn path(name: &'static str) -> &'static str {
    let mut index = 0;
    while index < PUBLIC.len() {
        if is_same(PUBLIC[index].0, name) {
            return PUBLIC[index].1;
        }
        index += 1;
    }
    let mut near = usize::MAX;
    let mut nearest = "";
    index = 0;
    while index < PUBLIC.len() {
        let distance = distance(PUBLIC[index].0, name);
        if distance < near && is_near(distance, name) {
            near = distance;
            nearest = PUBLIC[index].0;
        }
        index += 1;
    }
    let (text, length) = sentence(name, nearest);
    match core::str::from_utf8(text.split_at(length).0) {
        Ok(text) => panic!("{}", text),
        Err(_) => panic!("there is no such file in public/"),
    }
}

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

const fn sentence(name: &str, nearest: &str) -> ([u8; 512], usize) {
    let all: &[&str] = match nearest.len() {
        0 => &["there is no file `", name, "` in public/"],
        _ => &["there is no file `", name, "` in public/; is it `", nearest, "`?"],
    };
    let mut text = [0; 512];
    let mut length = 0;
    let mut part = 0;
    while part < all.len() {
        let bytes = all[part].as_bytes();
        let mut index = 0;
        while index < bytes.len() && length < text.len() {
            text[length] = bytes[index];
            length += 1;
            index += 1;
        }
        part += 1;
    }
    (text, length)
}
"#;

/// Source of a macro `asset!("name")` that is the hashed path of an authored file, and for any
/// other name a compile error at the caller's line that says which name is nearest; and of
/// `PUBLIC`, the table of all `(name, path)`. It is to be included in a module called `public`
/// at the crate's root.
pub fn rust_source<'a>(assets: impl IntoIterator<Item = &'a Asset>) -> String {
    let mut rows = String::new();
    for Asset { name, path, .. } in assets {
        // Writing to a string cannot fail.
        let _ = writeln!(rows, "    ({name:?}, {path:?}),");
    }
    let nearest: String = NEAREST
        .lines()
        .filter(|line| !line.starts_with("//!"))
        .fold(String::new(), |all, line| all + line + "\n");
    format!(
        "/// Path of the file in `public/` that has this name.\n\
         #[allow(unused_macros, reason = \"not every package that includes the table uses the macro\")]\n\
         macro_rules! asset {{\n    ($name:literal) => {{{{ const PATH: &str = $crate::public::path($name); PATH }}}};\n}}\n\
         /// Every file in `public/`: its name and its path on the site.\n\
         pub(crate) const PUBLIC: &[(&str, &str)] = &[\n{rows}];\n{LOOKUP}{nearest}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nearest::{distance, is_near};

    #[test]
    fn every_file_has_a_row() {
        let asset = Asset::new("a.css", b"a{}".to_vec());
        let source = rust_source([&asset]);
        assert!(source.contains(&format!("(\"a.css\", {:?}),", asset.path)), "{source}");
    }

    #[test]
    fn a_distance_is_the_fewest_changes() {
        for (one, other, expected) in [
            ("logo.svg", "logo.svg", 0),
            ("lgo.svg", "logo.svg", 1),
            ("logo.png", "logo.svg", 2),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
        assert!(is_near(distance("lgo.svg", "logo.svg"), "lgo.svg"));
        assert!(!is_near(distance("photo.jpg", "styles.css"), "photo.jpg"));
    }
}
