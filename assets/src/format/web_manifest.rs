//! Web application manifests (W3C Web Application Manifest).

use serde_json::Value;

use crate::error::{Flaw, Found, line_of};
use crate::format::Rename;
use crate::reference::{Kind, Reference};

/// The icons and screenshots that it names.
pub(crate) fn references(source: &str) -> Result<Vec<Reference>, Found> {
    let mut found = Vec::new();
    let mut manifest = parse(source)?;
    each_image(&mut manifest, &mut |url| found.push(reference(source, url)));
    Ok(found)
}

/// The manifest with other URLs, and no space between them.
pub(crate) fn minify(source: &str, rename: Rename<'_>) -> Result<String, Found> {
    let mut manifest = parse(source)?;
    each_image(&mut manifest, &mut |url| {
        if let Some(other) = rename(&reference(source, url)) {
            *url = other;
        }
    });
    Ok(manifest.to_string())
}

fn reference(source: &str, url: &str) -> Reference {
    let line = source.find(&format!("\"{url}\"")).map_or(1, |offset| line_of(source, offset));
    Reference { url: url.to_owned(), line, kind: Kind::Loaded }
}

fn parse(source: &str) -> Result<Value, Found> {
    serde_json::from_str(source).map_err(|error| {
        // Lines of a file fit.
        let line = error.line() as u32;
        Found::at(line, Flaw::Syntax { language: "web manifest", reason: error.to_string() })
    })
}

/// `icons`, `screenshots`, and the icons of `shortcuts`.
fn each_image(manifest: &mut Value, visit: &mut dyn FnMut(&mut String)) {
    for list in ["icons", "screenshots", "shortcuts"] {
        for entry in manifest.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(Value::String(url)) = entry.get_mut("src") {
                visit(url);
            }
            each_image(entry, visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r#"{
  "name": "Shop", "start_url": "/",
  "icons": [{ "src": "icon.png", "sizes": "192x192" }],
  "shortcuts": [{ "name": "Cart", "url": "/cart", "icons": [{ "src": "cart.svg" }] }]
}"#;

    #[test]
    fn icons_are_found_also_those_of_shortcuts() {
        let found: Vec<_> =
            references(SOURCE).unwrap().into_iter().map(|found| (found.url, found.line)).collect();
        assert_eq!(found, [("icon.png".to_owned(), 3), ("cart.svg".to_owned(), 4)]);
    }

    #[test]
    fn pages_are_not_files() {
        let minified = minify(SOURCE, &|found| Some(format!("/assets/{}", found.url))).unwrap();
        assert!(
            minified.contains(r#""start_url":"/""#) && minified.contains(r#""url":"/cart""#),
            "{minified}"
        );
        assert!(minified.contains(r#""src":"/assets/icon.png""#), "{minified}");
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_line() {
        assert_eq!(references("{\n  \"name\": }").unwrap_err().line, Some(2));
    }
}
