//! Style sheets.

use lightningcss::printer::PrinterOptions;
use lightningcss::properties::custom::{CustomProperty, CustomPropertyName, Token, TokenList, TokenOrValue};
use lightningcss::rules::CssRule;
use lightningcss::rules::font_face::{FontFaceProperty, FontFaceRule};
use lightningcss::stylesheet::{MinifyOptions, ParserOptions, StyleSheet};
use lightningcss::values::image::Image;
use lightningcss::values::url::Url;
use lightningcss::visit_types;
use lightningcss::visitor::{Visit, VisitTypes, Visitor};
use parcel_sourcemap::SourceMap;

use crate::error::{Flaw, Found};
use crate::format::Rename;
use crate::reference::{Kind, Reference};

/// Style sheets and images that it loads, and its source map last.
pub(crate) fn references(source: &str) -> Result<Vec<Reference>, Found> {
    let mut sheet = parse(source)?;
    let mut walk = Walk { rename: &|_| None, found: Vec::new() };
    // The walk itself never fails.
    let _ = sheet.visit(&mut walk);
    if let Some(url) = sheet.source_map_url(0) {
        walk.found.push(Reference {
            url: url.clone(),
            line: source.lines().count() as u32,
            kind: Kind::Loaded,
        });
    }
    Ok(walk.found)
}

/// A style sheet as it is served.
pub(crate) struct Minified {
    pub(crate) code: String,
    /// Its source map, where it had `map`.
    pub(crate) map: Option<String>,
}

/// The style sheet with other URLs, and as short as it gets; fonts are shown in another
/// face until they are there. `map` is how `source` was made from something else.
pub(crate) fn minify(source: &str, map: Option<&str>, rename: Rename<'_>) -> Result<Minified, Found> {
    let mut sheet = parse(source)?;
    let _ = sheet.visit(&mut Walk { rename, found: Vec::new() });
    sheet.minify(MinifyOptions::default()).map_err(|error| {
        let line = error.loc.as_ref().map(|place| place.line + 1);
        Found { line, flaw: syntax(&error.kind) }
    })?;
    let mut own = map.map(|_| {
        let mut own = SourceMap::new("/");
        own.add_source("source.css");
        own
    });
    let options = PrinterOptions { minify: true, source_map: own.as_mut(), ..PrinterOptions::default() };
    let printed = sheet.to_css(options).map_err(|error| Found::somewhere(syntax(&error.kind)))?;
    let map = match (own, map) {
        (Some(mut own), Some(map)) => Some(super::source_map::compose(&mut own, map)?),
        _ => None,
    };
    Ok(Minified { code: printed.code, map })
}

fn parse(source: &str) -> Result<StyleSheet<'_>, Found> {
    StyleSheet::parse(source, ParserOptions::default()).map_err(|error| {
        let line = error.loc.as_ref().map(|place| place.line + 1);
        Found { line, flaw: syntax(&error.kind) }
    })
}

fn syntax(reason: &impl ToString) -> Flaw {
    Flaw::Syntax { language: "CSS", reason: reason.to_string() }
}

struct Walk<'a> {
    rename: Rename<'a>,
    found: Vec<Reference>,
}

impl Walk<'_> {
    fn meet(&mut self, url: &str, line: u32) -> Option<String> {
        let reference = Reference { url: url.to_owned(), line, kind: Kind::Loaded };
        let other = (self.rename)(&reference);
        self.found.push(reference);
        other
    }
}

impl<'i> Visitor<'i> for Walk<'_> {
    type Error = std::convert::Infallible;

    fn visit_types(&self) -> VisitTypes {
        visit_types!(RULES | IMAGES | URLS)
    }

    fn visit_rule(&mut self, rule: &mut CssRule<'i>) -> Result<(), Self::Error> {
        match rule {
            CssRule::Import(import) => {
                // Lines of rules are counted from 0, those of URLs from 1.
                if let Some(other) = self.meet(import.url.as_ref(), import.loc.line + 1) {
                    import.url = other.into();
                }
            }
            CssRule::FontFace(face) => swap(face),
            _ => {}
        }
        rule.visit_children(self)
    }

    fn visit_image(&mut self, image: &mut Image<'i>) -> Result<(), Self::Error> {
        match image {
            // Its options are left out of the walk.
            Image::ImageSet(set) => {
                set.options.iter_mut().try_for_each(|option| self.visit_image(&mut option.image))
            }
            _ => image.visit_children(self),
        }
    }

    fn visit_url(&mut self, url: &mut Url<'i>) -> Result<(), Self::Error> {
        if let Some(other) = self.meet(url.url.as_ref(), url.loc.line) {
            url.url = other.into();
        }
        Ok(())
    }
}

/// Text is shown at once, in whatever face there is, unless the author has said otherwise.
fn swap(face: &mut FontFaceRule<'_>) {
    let is_said = face.properties.iter().any(|property| match property {
        FontFaceProperty::Custom(custom) => custom.name.as_ref().eq_ignore_ascii_case("font-display"),
        _ => false,
    });
    if !is_said {
        face.properties.push(FontFaceProperty::Custom(CustomProperty {
            name: CustomPropertyName::Unknown("font-display".into()),
            value: TokenList(vec![TokenOrValue::Token(Token::Ident("swap".into()))]),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(source: &str) -> Vec<(String, u32)> {
        references(source).unwrap().into_iter().map(|found| (found.url, found.line)).collect()
    }

    fn minified(source: &str) -> String {
        minify(source, None, &|found| Some(format!("/assets/{}", found.url))).unwrap().code
    }

    #[test]
    fn imports_images_and_fonts_are_found_with_their_lines() {
        let source = "@import 'base.css';\n@import url(print.css) print;\na { background: url(a.svg) }\n\
                      @font-face { font-family: f; src: url(\"f.woff2\") format('woff2') }\n\
                      b { cursor: url(c.png), auto; mask-image: image-set(url(d.png) 1x) }";
        let expected =
            [("base.css", 1), ("print.css", 2), ("a.svg", 3), ("f.woff2", 4), ("c.png", 5), ("d.png", 5)];
        assert_eq!(urls(source), expected.map(|(url, line)| (url.to_owned(), line)));
    }

    #[test]
    fn urls_in_custom_properties_count() {
        assert_eq!(urls(":root{--logo:url(logo.svg)}"), [("logo.svg".to_owned(), 1)]);
    }

    #[test]
    fn urls_in_comments_and_strings_are_none() {
        assert_eq!(urls("/* url(a.svg) */ a::before { content: 'url(b.svg)' }"), []);
    }

    #[test]
    fn urls_are_renamed_and_nothing_is_left_that_could_go() {
        assert_eq!(
            minified("a {\n  background: url(a.svg);\n  color: #ff0000;\n}\n"),
            "a{color:red;background:url(/assets/a.svg)}"
        );
        assert_eq!(minified("@import \"b.css\";"), "@import \"/assets/b.css\";");
    }

    #[test]
    fn fonts_are_swapped_in_unless_the_author_says_otherwise() {
        assert!(minified("@font-face{font-family:f;src:url(f.woff2)}").contains("font-display:swap"));
        let said = minified("@font-face{font-family:f;src:url(f.woff2);font-display:optional}");
        assert!(said.contains("font-display:optional") && !said.contains("swap"), "{said}");
    }

    #[test]
    fn what_is_not_css_is_refused_with_its_line() {
        let found = references("a { color: red }\nb { color: ").err();
        // CSS closes what is open at the end of a file; this is beyond that.
        assert_eq!(found, None);
        let found = references("a { color: red }\n\n} b {").unwrap_err();
        assert_eq!(found.line, Some(3));
        assert!(found.flaw.to_string().starts_with("not valid CSS: "), "{}", found.flaw);
    }
}
