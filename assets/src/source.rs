//! Asset names as Rust source, so that a wrong name is a compile error.

use std::fmt::Write;

use crate::Asset;

/// Source of a macro `asset!("name")` that is the hashed path of an authored
/// file and a compile error at the caller's line for any other name, and of
/// `PUBLIC`, the table of all `(name, path)`.
pub fn rust_source(assets: &[Asset]) -> String {
    let mut arms = String::new();
    let mut rows = String::new();
    for Asset { name, path, .. } in assets {
        // Writing to a string cannot fail.
        let _ = writeln!(arms, "    ({name:?}) => {{ {path:?} }};");
        let _ = writeln!(rows, "    ({name:?}, {path:?}),");
    }
    format!(
        "/// Path of the file in `public/` that has this name.\n\
         #[allow(unused_macros, reason = \"not every package that includes the table uses the macro\")]\n\
         macro_rules! asset {{\n{arms}    ($other:literal) => {{ \
         compile_error!(concat!(\"there is no file `\", $other, \"` in public/\")) }};\n}}\n\
         /// Every file in `public/`: its name and its path on the site.\n\
         #[allow(dead_code, reason = \"not every package that includes the table uses it\")]\n\
         pub(crate) const PUBLIC: &[(&str, &str)] = &[\n{rows}];\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_an_arm_and_a_row() {
        let source = rust_source(&[Asset::new("a.css", b"a{}".to_vec())]);
        let path = Asset::new("a.css", b"a{}".to_vec()).path;
        assert!(source.contains(&format!("(\"a.css\") => {{ {path:?} }};")), "{source}");
        assert!(source.contains(&format!("(\"a.css\", {path:?}),")), "{source}");
    }
}
