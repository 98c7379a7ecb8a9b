//! The build step: files as authored become files as served, leaf to root.
//!
//! A file's name holds the hash of what is served under it, and that holds the names of the
//! files it refers to. So a file is finished once all that it refers to is, and a change
//! renames the file and what refers to it, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::asset::Asset;
use crate::error::{BuildError, Flaw, Found};
use crate::format::{self, Format, css, image, script, svg, web_manifest};
use crate::name::{is_page, keeps_name};
use crate::nearest;
use crate::reference::{Kind, Reference, Target, origin, resolve};

/// How many names are offered for a wrong one.
const SUGGESTIONS: usize = 2;

/// A file as its author left it, or as a tool made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name, with `/` between folders, such as `pictures/07.svg`.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Source {
    /// A file.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into() }
    }
}

/// What a build has made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// Files with hashed names, by their authored ones.
    pub assets: BTreeMap<String, Asset>,
    /// Pages, which keep their names, as authored: `html` finishes them.
    pub pages: BTreeMap<String, String>,
    /// Other files that keep their names, such as `robots.txt`.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Other sites that style sheets and scripts load from, by the directive of a page's policy
    /// that is about it.
    pub outside: BTreeSet<(&'static str, String)>,
}

/// Builds `sources`; the order in which they come makes no difference.
///
/// # Errors
/// The first flaw by the files' names.
pub fn build(sources: Vec<Source>) -> Result<Built, BuildError> {
    let mut built = Built::default();
    let mut rest = BTreeMap::new();
    let mut folded: BTreeMap<String, String> = BTreeMap::new();
    for Source { name, bytes } in sources {
        check_name(&name)?;
        if let Some(other) = folded.insert(name.to_lowercase(), name.clone())
            && other != name
        {
            return Err(Found::somewhere(Flaw::SameButCase(other)).of(&name));
        }
        let is_same = if is_page(&name) {
            let text = format::text(&bytes).map_err(|found| found.of(&name))?.to_owned();
            built.pages.insert(name.clone(), text.clone()).is_none_or(|present| present == text)
        } else if keeps_name(&name) {
            built.files.insert(name.clone(), bytes.clone()).is_none_or(|present| present == bytes)
        } else {
            rest.insert(name.clone(), bytes.clone()).is_none_or(|present| present == bytes)
        };
        if !is_same {
            return Err(Found::somewhere(Flaw::TwoContents).of(&name));
        }
    }
    let keeping = built.files.keys().chain(built.pages.keys()).map(String::as_str).collect();
    let mut making = Making {
        sources: &rest,
        keeping,
        built: &mut built.assets,
        outside: &mut built.outside,
        mapped: BTreeSet::new(),
        open: Vec::new(),
    };
    for name in rest.keys() {
        making.finish(name)?;
    }
    check_hashes(&built.assets)?;
    Ok(built)
}

impl Built {
    /// Assets that nothing refers to, `named` being paths that are known to be used elsewhere.
    pub fn unreferenced<'a>(&'a self, named: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let mut used: BTreeSet<&str> = named.into_iter().collect();
        used.extend(
            self.assets
                .values()
                .flat_map(|asset| &asset.references)
                .filter_map(|name| self.assets.get(name).map(|asset| asset.path.as_str())),
        );
        let mut unused: Vec<&str> = self
            .assets
            .values()
            .filter(|asset| !used.contains(asset.path.as_str()))
            .map(|asset| asset.name.as_str())
            .collect();
        unused.sort_unstable();
        unused
    }
}

/// A name goes into URLs and patterns of URLs as it is.
fn check_name(name: &str) -> Result<(), BuildError> {
    match name.chars().find(|c| !(c.is_ascii_alphanumeric() || "._~@+-/".contains(*c))) {
        Some(wrong) => Err(Found::somewhere(Flaw::NameCharacter(wrong)).of(name)),
        None => Ok(()),
    }
}

/// A path has one content.
fn check_hashes(assets: &BTreeMap<String, Asset>) -> Result<(), BuildError> {
    let mut paths: BTreeMap<&str, &Asset> = BTreeMap::new();
    for asset in assets.values() {
        if let Some(other) = paths.insert(&asset.path, asset)
            && other.bytes != asset.bytes
        {
            return Err(Found::somewhere(Flaw::SameHash(other.name.clone())).of(&asset.name));
        }
    }
    Ok(())
}

struct Making<'a> {
    sources: &'a BTreeMap<String, Vec<u8>>,
    /// Names of files that keep theirs.
    keeping: BTreeSet<&'a str>,
    outside: &'a mut BTreeSet<(&'static str, String)>,
    /// Source maps that are of a file already.
    mapped: BTreeSet<String>,
    built: &'a mut BTreeMap<String, Asset>,
    /// Files that wait for those they refer to, the outermost first.
    open: Vec<String>,
}

impl Making<'_> {
    fn finish(&mut self, name: &str) -> Result<(), BuildError> {
        if self.built.contains_key(name) {
            return Ok(());
        }
        let Some(bytes) = self.sources.get(name) else { return Ok(()) };
        let format = Format::of(name);
        let references = format.references(bytes).map_err(|found| found.of(name))?;
        self.open.push(name.to_owned());
        let mut referred = Vec::new();
        for reference in &references {
            self.outside.extend(outside(format, reference));
            let Some(other) = self.file(name, reference).map_err(|found| found.of(name))? else { continue };
            if let Some(start) = self.open.iter().position(|open| *open == other) {
                let mut cycle = self.open[start..].to_vec();
                cycle.push(other);
                return Err(Found::at(reference.line, Flaw::Cycle(cycle)).of(name));
            }
            self.finish(&other)?;
            if !referred.contains(&other) {
                referred.push(other);
            }
        }
        self.open.pop();
        let made = self.make(name, format, bytes, &references).map_err(|found| found.of(name))?;
        for mut asset in made {
            if asset.name == name {
                asset.references.clone_from(&referred);
            } else if !self.mapped.insert(asset.name.clone()) {
                return Err(Found::somewhere(Flaw::MappedTwice(asset.name)).of(name));
            }
            self.built.insert(asset.name.clone(), asset);
        }
        Ok(())
    }

    /// The file that `referrer` means, if it is one of ours.
    fn file(&self, referrer: &str, reference: &Reference) -> Result<Option<String>, Found> {
        let url = || reference.url.clone();
        match resolve(referrer, &reference.url, reference.kind) {
            Target::Elsewhere => Ok(None),
            Target::Outside => Err(Found::at(reference.line, Flaw::Outside(url()))),
            Target::Bare => Err(Found::at(reference.line, Flaw::Bare(url()))),
            Target::Hashed(path) => match self.built.values().find(|asset| asset.path == path) {
                Some(asset) => Ok(Some(asset.name.clone())),
                None => Err(missing(self.sources.keys(), &path, reference)),
            },
            Target::File { name, .. } if self.sources.contains_key(&name) => Ok(Some(name)),
            Target::File { name, .. } if self.keeping.contains(name.as_str()) => Ok(None),
            Target::File { .. } if reference.kind == Kind::Linked => Ok(None),
            Target::File { name, .. } => Err(missing(self.sources.keys(), &name, reference)),
        }
    }

    /// Whatever comes of one source: itself, and its source map, of which the name depends on
    /// what the file has become.
    fn make(
        &self,
        name: &str,
        format: Format,
        bytes: &[u8],
        references: &[Reference],
    ) -> Result<Vec<Asset>, Found> {
        let rename = |reference: &Reference| self.url(name, reference);
        let one = |bytes: Vec<u8>| Ok(vec![Asset::new(name, bytes)]);
        match format {
            Format::Opaque | Format::SourceMap => one(bytes.to_vec()),
            Format::Png => one(image::smaller_png(bytes)?),
            Format::Svg => one(svg::minify(format::text(bytes)?, &rename)?.into_bytes()),
            Format::WebManifest => one(web_manifest::minify(format::text(bytes)?, &rename)?.into_bytes()),
            Format::Css | Format::Script => {
                let text = format::text(bytes)?;
                let map = references.iter().filter_map(|reference| self.map(name, reference)).next_back();
                let earlier = map.map(|(_, text)| text);
                let minified = match format {
                    Format::Css => css::minify(text, earlier, &rename)?,
                    _ => script::minify(text, earlier, &rename)?,
                };
                let (Some((map_name, _)), Some(map)) = (map, minified.map) else {
                    return one(minified.code.into_bytes());
                };
                let map = Asset::new(map_name, map.into_bytes());
                let comment = match format {
                    Format::Css => format!("\n/*# sourceMappingURL={} */", map.path),
                    _ => script::map_comment(&map.path),
                };
                Ok(vec![Asset::new(name, (minified.code + &comment).into_bytes()), map])
            }
        }
    }

    /// The source map that a reference means.
    fn map(&self, referrer: &str, reference: &Reference) -> Option<(&str, &str)> {
        let Target::File { name, .. } = resolve(referrer, &reference.url, reference.kind) else {
            return None;
        };
        if Format::of(&name) != Format::SourceMap {
            return None;
        }
        let (name, bytes) = self.sources.get_key_value(&name)?;
        Some((name, str::from_utf8(bytes).ok()?))
    }

    fn url(&self, referrer: &str, reference: &Reference) -> Option<String> {
        let Target::File { name, suffix } = resolve(referrer, &reference.url, reference.kind) else {
            return None;
        };
        if self.keeping.contains(name.as_str()) {
            return Some(format!("/{name}{suffix}"));
        }
        Some(format!("{}{suffix}", self.built.get(&name)?.path))
    }
}

/// What a page that loads the file must let it load from elsewhere.
fn outside(format: Format, reference: &Reference) -> Vec<(&'static str, String)> {
    let directives: &[&'static str] = match format {
        // Which of the three a URL is the name doesn't say.
        Format::Css => &["font-src", "img-src", "style-src"],
        Format::Script if reference.kind == Kind::Imported => &["script-src"],
        _ => &[],
    };
    let origin = origin(&reference.url);
    directives.iter().filter_map(|directive| Some((*directive, origin.clone()?))).collect()
}

pub(crate) fn missing<'a>(
    names: impl Iterator<Item = &'a String>,
    wanted: &str,
    reference: &Reference,
) -> Found {
    let mut near: Vec<(usize, &String)> = names
        .map(|name| (nearest::distance(wanted, name), name))
        .filter(|(distance, _)| nearest::is_near(*distance, wanted))
        .collect();
    near.sort();
    let nearest = near.into_iter().take(SUGGESTIONS).map(|(_, name)| name.clone()).collect();
    Found::at(reference.line, Flaw::Missing { url: reference.url.clone(), nearest })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sources(files: &[(&str, &str)]) -> Vec<Source> {
        files.iter().map(|(name, text)| Source::new(*name, *text)).collect()
    }

    fn built(files: &[(&str, &str)]) -> Built {
        build(sources(files)).unwrap()
    }

    fn refused(files: &[(&str, &str)], expected: &str) {
        assert_eq!(build(sources(files)).unwrap_err().to_string(), expected);
    }

    fn text<'a>(built: &'a Built, name: &str) -> &'a str {
        str::from_utf8(&built.assets[name].bytes).unwrap()
    }

    const SHOP: [(&str, &str); 6] = [
        (
            "app.js",
            "import { cart } from './lib/cart.js';\nconsole.log(cart, new URL('app.wasm', import.meta.url));\n",
        ),
        ("app.wasm", "\0asm"),
        ("css/site.css", "@import 'base.css';\nbody { background: url(../logo.svg) }\n"),
        ("css/base.css", "html { margin: 0 }\n"),
        ("lib/cart.js", "export const cart = 1;\n"),
        ("logo.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
    ];

    #[test]
    fn files_refer_to_each_other_by_their_hashed_names() {
        let built = built(&SHOP);
        let path = |name: &str| built.assets[name].path.clone();
        assert!(text(&built, "css/site.css").contains(&path("css/base.css")));
        assert!(text(&built, "css/site.css").contains(&path("logo.svg")));
        assert!(text(&built, "app.js").contains(&path("lib/cart.js")));
        assert!(text(&built, "app.js").contains(&path("app.wasm")));
        assert_eq!(built.assets["app.js"].references, ["lib/cart.js", "app.wasm"]);
    }

    #[test]
    fn a_change_renames_the_file_and_its_referrers_and_nothing_else() {
        let before = built(&SHOP);
        let check = |changed: &str, text: &str, expected: &[&str]| {
            let files = SHOP.map(|(name, old)| (name, if name == changed { text } else { old }));
            let after = built(&files);
            let renamed: Vec<&str> = after
                .assets
                .values()
                .filter(|asset| before.assets[&asset.name].path != asset.path)
                .map(|asset| asset.name.as_str())
                .collect();
            assert_eq!(renamed, expected, "{changed}");
        };
        check("lib/cart.js", "export const cart = 2;\n", &["app.js", "lib/cart.js"]);
        check("css/base.css", "html { margin: 1px }\n", &["css/base.css", "css/site.css"]);
        check(
            "logo.svg",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><g/></svg>",
            &["css/site.css", "logo.svg"],
        );
        check("app.js", "console.log(1)", &["app.js"]);
    }

    #[test]
    fn a_circle_is_refused_with_its_path() {
        refused(
            &[("a.js", "import './b.js';"), ("b.js", "\nimport './c.js';"), ("c.js", "import './a.js';")],
            "c.js:1: files refer to each other in a circle, so none can be named first: a.js -> b.js -> c.js -> a.js",
        );
        refused(
            &[("a.css", "@import 'a.css';")],
            "a.css:1: files refer to each other in a circle, so none can be named first: a.css -> a.css",
        );
    }

    #[test]
    fn what_is_not_there_is_refused_with_its_place_and_what_it_may_be() {
        refused(
            &[
                ("site.css", "a{}\nb { background: url(lgo.svg) }"),
                ("logo.svg", "<svg/>"),
                ("other.svg", "<svg/>"),
            ],
            "site.css:2: there is no `lgo.svg`; is it `logo.svg`?",
        );
        refused(&[("a.js", "import './nothing.js';")], "a.js:1: there is no `./nothing.js`");
        refused(
            &[("a.webmanifest", "{\"icons\":[{\"src\":\"x.png\"}]}")],
            "a.webmanifest:1: there is no `x.png`",
        );
    }

    #[test]
    fn what_lies_outside_is_refused() {
        refused(
            &[("site.css", "a { background: url(../secret.png) }")],
            "site.css:1: `../secret.png` leads out of the folder; put the file inside, and name it there",
        );
    }

    #[test]
    fn a_name_has_one_content_on_every_file_system() {
        refused(
            &[("a.txt", "1"), ("a.txt", "2")],
            "a.txt: two files have this name, and different contents; rename one",
        );
        assert_eq!(built(&[("a.txt", "1"), ("a.txt", "1")]).assets.len(), 1);
        refused(
            &[("Logo.svg", "<svg/>"), ("logo.svg", "<svg/>")],
            "logo.svg: its name differs from `Logo.svg` by case alone, which not every file system tells apart; rename one",
        );
    }

    #[test]
    fn a_name_must_do_in_a_url_as_it_is() {
        refused(
            &[("my logo.svg", "<svg/>")],
            "my logo.svg: ` ` can't be in the name of an asset; use letters, digits and . _ ~ @ + -",
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let error = build(vec![Source::new("a.css", b"a{}\nb{content:'\xff'}".to_vec())]).unwrap_err();
        assert_eq!(error.to_string(), "a.css:2: this is not UTF-8; save the file as UTF-8");
    }

    #[test]
    fn a_source_map_is_of_what_is_served() {
        let map = r#"{"version":3,"sources":["main.ts"],"names":[],"mappings":"AAAA"}"#;
        let built =
            built(&[("a.js", "globalThis.a = 1;\n//# sourceMappingURL=a.js.map\n"), ("a.js.map", map)]);
        let script = text(&built, "a.js");
        assert!(
            script.ends_with(&format!("//# sourceMappingURL={}", built.assets["a.js.map"].path)),
            "{script}"
        );
        assert!(text(&built, "a.js.map").contains("main.ts"));
        let sheet = super::tests::built(&[
            ("a.css", "a { color: red }\n/*# sourceMappingURL=a.css.map */"),
            ("a.css.map", map),
        ]);
        let path = &sheet.assets["a.css.map"].path;
        assert!(
            text(&sheet, "a.css").ends_with(&format!("/*# sourceMappingURL={path} */")),
            "{}",
            text(&sheet, "a.css")
        );
    }

    #[test]
    fn pages_and_files_that_are_looked_for_by_name_keep_theirs() {
        let built = built(&[
            ("about.html", "<p>"),
            ("robots.txt", "User-agent: *"),
            (".well-known/security.txt", "x"),
            ("notes.txt", "x"),
        ]);
        assert_eq!(built.pages.keys().collect::<Vec<_>>(), ["about.html"]);
        assert_eq!(built.files.keys().collect::<Vec<_>>(), [".well-known/security.txt", "robots.txt"]);
        assert_eq!(built.assets.keys().collect::<Vec<_>>(), ["notes.txt"]);
    }

    #[test]
    fn assets_may_name_what_keeps_its_name() {
        let built =
            built(&[("favicon.ico", "x"), ("a/a.webmanifest", "{\"icons\":[{\"src\":\"../favicon.ico\"}]}")]);
        assert!(text(&built, "a/a.webmanifest").contains("\"/favicon.ico\""));
    }

    #[test]
    fn other_sites_that_files_load_from_are_known() {
        let built = built(&[
            ("a.css", "@import 'https://fonts.example/css?x';"),
            ("b.js", "import 'https://cdn.example/x.js'"),
        ]);
        let expected = [
            ("font-src", "https://fonts.example"),
            ("img-src", "https://fonts.example"),
            ("script-src", "https://cdn.example"),
            ("style-src", "https://fonts.example"),
        ];
        assert_eq!(
            built.outside,
            BTreeSet::from(expected.map(|(directive, origin)| (directive, origin.to_owned())))
        );
    }

    #[test]
    fn a_source_map_is_of_one_file() {
        let map = r#"{"version":3,"sources":["main.ts"],"names":[],"mappings":"AAAA"}"#;
        refused(
            &[
                ("a.js", "a();\n//# sourceMappingURL=m.map"),
                ("b.js", "b();\n//# sourceMappingURL=m.map"),
                ("m.map", map),
            ],
            "b.js: `m.map` is the source map of another file already; give each its own",
        );
    }

    #[test]
    fn what_nothing_refers_to_is_listed() {
        let built = built(&SHOP);
        let named = [built.assets["app.js"].path.as_str()];
        assert_eq!(built.unreferenced(named), ["css/site.css"]);
    }

    proptest! {
        #[test]
        fn the_order_of_the_sources_makes_no_difference(order in Just(SHOP.to_vec()).prop_shuffle()) {
            prop_assert_eq!(built(&order), built(&SHOP));
        }
    }
}
