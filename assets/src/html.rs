//! Pages: what they load is named, checked and fetched early, and what they may run is told.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lol_html::html_content::{ContentType, Element};
use lol_html::{RewriteStrSettings, element, rewrite_str, text};
use sha2::{Digest, Sha256};

use crate::asset::Asset;
use crate::error::{BuildError, Flaw, Found, line_of};
use crate::format::{Format, css, script};
use crate::pipeline::{Built, missing};
use crate::reference::{Kind, Reference, Target, origin, resolve};

/// A finished page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its name, such as `products/_id.html`.
    pub name: String,
    /// The document.
    pub html: String,
    /// Its `Content-Security-Policy` (W3C CSP Level 3): it runs what it was built with.
    pub policy: String,
    /// Members of its `Link` field (RFC 8288): what a browser is to fetch along with it. A
    /// platform may send them ahead, as 103 (RFC 8297).
    pub links: Vec<String>,
    /// Paths of the assets that it names.
    pub paths: BTreeSet<String>,
}

/// What others do with pages, and the build can't know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Others<'a> {
    /// Paths that begin so are answered by somebody else, and left as they are.
    pub answer: &'a [&'a str],
    /// Scripts that somebody else adds, as the policy's sources name them: `'sha256-…'`.
    pub scripts: &'a [&'a str],
}

/// Attributes that name something to be loaded, by element.
const LOADED: [(&str, &str); 19] = [
    ("audio", "src"),
    ("embed", "src"),
    ("iframe", "src"),
    ("image", "href"),
    ("image", "xlink:href"),
    ("img", "src"),
    ("img", "srcset"),
    ("input", "src"),
    ("link", "href"),
    ("link", "imagesrcset"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("source", "srcset"),
    ("track", "src"),
    ("use", "href"),
    ("use", "xlink:href"),
    ("video", "poster"),
    ("video", "src"),
];

/// Relations of a `link` whose target is loaded.
const LOADED_RELATIONS: [&str; 7] =
    ["apple-touch-icon", "icon", "manifest", "modulepreload", "preload", "prefetch", "stylesheet"];

/// Types of scripts that are data.
const DATA_TYPES: [&str; 2] = ["application/json", "application/ld+json"];

impl Built {
    /// Finishes the page called `name`: what it loads has its hashed name and its integrity
    /// (W3C SRI), an import map has that of its modules, pictures have their size.
    ///
    /// # Errors
    /// It names what isn't there, or has what its policy wouldn't let run.
    pub fn page(&self, name: &str, html: &str, others: Others<'_>) -> Result<Page, BuildError> {
        // As a browser reads it: hashes are of what it has then (HTML, section 13.2.3.5).
        let html = &html.replace("\r\n", "\n").replace('\r', "\n");
        let first = Pass { built: self, name, html, others, import_map: None };
        let found = first.run().map_err(|found| found.of(name))?.1;
        let modules = self.modules(&found.modules);
        let import_map = (!modules.is_empty()).then(|| {
            let integrity: BTreeMap<&str, &str> =
                modules.iter().map(|asset| (asset.path.as_str(), asset.integrity.as_str())).collect();
            serde_json::json!({ "integrity": integrity }).to_string()
        });
        let second = Pass { import_map, ..first };
        let (html, mut found) = second.run().map_err(|found| found.of(name))?;
        for asset in modules {
            let link = format!("<{}>; rel=modulepreload; integrity=\"{}\"", asset.path, asset.integrity);
            if !found.links.contains(&link) {
                found.links.push(link);
            }
        }
        Ok(Page {
            name: name.to_owned(),
            policy: found.policy(),
            html,
            links: found.links,
            paths: found.paths,
        })
    }

    /// These modules and all that they import.
    fn modules(&self, roots: &BTreeSet<String>) -> Vec<&Asset> {
        let mut seen = BTreeSet::new();
        let mut left: Vec<&str> = roots.iter().map(String::as_str).collect();
        let mut modules = Vec::new();
        while let Some(name) = left.pop() {
            let Some(asset) = self.assets.get(name).filter(|_| Format::of(name) == Format::Script) else {
                continue;
            };
            if seen.insert(name) {
                left.extend(asset.references.iter().map(String::as_str));
                modules.push(asset);
            }
        }
        modules
    }

    fn at_path(&self, path: &str) -> Option<&Asset> {
        self.assets.values().find(|asset| asset.path == path)
    }
}

/// One way through a page.
struct Pass<'a> {
    built: &'a Built,
    name: &'a str,
    html: &'a str,
    others: Others<'a>,
    /// Written before the first module that is loaded.
    import_map: Option<String>,
}

/// What was met on the way.
#[derive(Debug, Default)]
struct Met {
    /// Authored names of modules that the page loads or imports itself.
    modules: BTreeSet<String>,
    links: Vec<String>,
    paths: BTreeSet<String>,
    /// Sources that the policy allows, by directive.
    sources: BTreeMap<&'static str, BTreeSet<String>>,
    has_import_map: bool,
    /// Of the script or style whose text comes next.
    inline: Option<Inline>,
    flaw: Option<Found>,
}

#[derive(Debug)]
struct Inline {
    text: String,
    start: usize,
    directive: &'static str,
}

impl Met {
    /// What a page may do: load from where it came, and run what was there when it was built.
    fn policy(&self) -> String {
        let fixed = [
            ("default-src", "'none'"),
            ("script-src", "'self' 'wasm-unsafe-eval'"),
            ("style-src", "'self'"),
            ("img-src", "'self' data:"),
            ("font-src", "'self'"),
            ("media-src", "'self'"),
            ("connect-src", "'self'"),
            ("manifest-src", "'self'"),
            ("worker-src", "'self'"),
            ("object-src", ""),
            ("frame-src", ""),
            ("base-uri", "'none'"),
            ("form-action", "'self'"),
            ("frame-ancestors", "'none'"),
        ];
        let directives = fixed.map(|(directive, sources)| {
            let more = self.sources.get(directive).into_iter().flatten().map(String::as_str);
            let mut all: Vec<&str> =
                [sources].into_iter().filter(|fixed| !fixed.is_empty()).chain(more).collect();
            if all.is_empty() {
                all.push("'none'");
            }
            format!("{directive} {}", all.join(" "))
        });
        directives.join("; ")
    }

    fn fail(&mut self, line: u32, flaw: Flaw) {
        self.flaw.get_or_insert(Found::at(line, flaw));
    }

    fn allow(&mut self, directive: &'static str, source: String) {
        self.sources.entry(directive).or_default().insert(source);
    }
}

impl Pass<'_> {
    fn run(&self) -> Result<(String, Met), Found> {
        let met = RefCell::new(Met::default());
        for (directive, origin) in &self.built.outside {
            met.borrow_mut().allow(directive, origin.clone());
        }
        for script in self.others.scripts {
            met.borrow_mut().allow("script-src", (*script).to_owned());
        }
        let settings = RewriteStrSettings::new()
            .append_element_content_handler(element!("*", |element| {
                self.element(element, &mut met.borrow_mut());
                Ok(())
            }))
            .append_element_content_handler(text!("script, style", |chunk| {
                let mut met = met.borrow_mut();
                let is_last = chunk.last_in_text_node();
                if let Some(inline) = &mut met.inline {
                    if inline.text.is_empty() {
                        inline.start = chunk.source_location().bytes().start;
                    }
                    inline.text.push_str(chunk.as_str());
                    // All of it is written at its end.
                    chunk.remove();
                }
                if is_last && let Some(inline) = met.inline.take() {
                    let text = self.inline(inline, &mut met);
                    chunk.after(&text, ContentType::Html);
                }
                Ok(())
            }));
        let html = rewrite_str(self.html, settings).map_err(|error| {
            Found::somewhere(Flaw::Syntax { language: "HTML", reason: error.to_string() })
        })?;
        let mut met = met.into_inner();
        match met.flaw.take() {
            Some(found) => Err(found),
            None => Ok((html, met)),
        }
    }

    fn element(&self, element: &mut Element<'_, '_>, met: &mut Met) {
        let line = line_of(self.html, element.source_location().bytes().start);
        let tag = element.tag_name();
        if tag == "base" {
            return met.fail(line, Flaw::Page("a `base` element changes what all names mean; remove it"));
        }
        let attributes: Vec<(String, String)> =
            element.attributes().iter().map(|attribute| (attribute.name(), attribute.value())).collect();
        let value =
            |name: &str| attributes.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        for (name, _) in &attributes {
            if name == "style" {
                met.fail(
                    line,
                    Flaw::Page("a `style` attribute does nothing under the page's policy; use a class"),
                );
            } else if name.starts_with("on") {
                met.fail(
                    line,
                    Flaw::Page("an `on…` attribute does nothing under the page's policy; listen in a script"),
                );
            }
        }
        let relation = value("rel").unwrap_or_default().to_ascii_lowercase();
        let is_module = tag == "script" && value("type") == Some("module");
        let begins_modules = is_module || (tag == "link" && relation == "modulepreload");
        if begins_modules && !met.has_import_map {
            met.has_import_map = true;
            if let Some(import_map) = &self.import_map {
                met.allow("script-src", hash_source(import_map));
                element.before(
                    &format!("<script type=\"importmap\">{import_map}</script>\n"),
                    ContentType::Html,
                );
            }
        }
        let mut loaded = None;
        for (_, name) in LOADED.iter().filter(|(of, _)| *of == tag) {
            let Some(text) = value(name) else { continue };
            if tag == "link" && !relation.split_ascii_whitespace().any(|one| LOADED_RELATIONS.contains(&one))
            {
                continue;
            }
            if matches!(*name, "srcset" | "imagesrcset") {
                if let Some(other) = self.source_set(text, line, met) {
                    set(element, name, text, &other);
                }
                continue;
            }
            let directive = directive(&tag, name, &relation, value("as"));
            let reference = Reference { url: text.to_owned(), line, kind: Kind::Loaded };
            if let Some((asset, url)) = self.asset(&reference, directive, met) {
                if matches!(directive, "object-src" | "frame-src") {
                    met.allow(directive, "'self'".to_owned());
                }
                set(element, name, text, &url);
                loaded = Some(asset);
            }
        }
        if tag == "a"
            && let Some(text) = value("href")
        {
            let reference = Reference { url: text.to_owned(), line, kind: Kind::Linked };
            if let Some((_, url)) = self.asset(&reference, "img-src", met) {
                set(element, "href", text, &url);
            }
        }
        if let Some(asset) = loaded {
            self.loaded(element, &tag, &relation, value("as"), asset, met);
            if tag == "img"
                && value("width").is_none()
                && value("height").is_none()
                && let Some(size) = asset.dimensions
            {
                set(element, "width", "", &size.width.to_string());
                set(element, "height", "", &size.height.to_string());
            }
            if is_module {
                met.modules.insert(asset.name.clone());
            }
        }
        let is_data = tag == "script" && value("type").is_some_and(|kind| DATA_TYPES.contains(&kind));
        if value("type") == Some("importmap") {
            met.fail(line, Flaw::Page("the build writes the import map; import modules by their paths"));
        }
        let is_inline = ((tag == "script" && value("src").is_none()) || tag == "style") && !is_data;
        // One without a text leaves nothing to the next.
        met.inline = is_inline.then(|| Inline {
            text: String::new(),
            start: 0,
            directive: if tag == "style" { "style-src" } else { "script-src" },
        });
    }

    /// Adds integrity to what is checked by it, and tells what a browser may fetch early.
    fn loaded(
        &self,
        element: &mut Element<'_, '_>,
        tag: &str,
        relation: &str,
        preload_as: Option<&str>,
        asset: &Asset,
        met: &mut Met,
    ) {
        let is_checked = match tag {
            "script" => true,
            "link" => match relation {
                "stylesheet" | "modulepreload" => true,
                // Of other kinds browsers check none, and say so.
                "preload" => matches!(preload_as, Some("script" | "style")),
                _ => false,
            },
            _ => false,
        };
        if is_checked {
            set(element, "integrity", "", &asset.integrity);
        }
        let integrity =
            if is_checked { format!("; integrity=\"{}\"", asset.integrity) } else { String::new() };
        let kind = match relation {
            _ if tag != "link" => return,
            "stylesheet" => "preload; as=style".to_owned(),
            "modulepreload" => "modulepreload".to_owned(),
            "preload" => {
                let crossorigin = if element.has_attribute("crossorigin") { "; crossorigin" } else { "" };
                format!("preload; as={}{crossorigin}", preload_as.unwrap_or("fetch"))
            }
            _ => return,
        };
        if relation == "modulepreload" {
            met.modules.insert(asset.name.clone());
        }
        met.links.push(format!("<{}>; rel={kind}{integrity}", asset.path));
    }

    /// The asset that is meant, and its URL. What is elsewhere is allowed by the policy.
    fn asset(
        &self,
        reference: &Reference,
        directive: &'static str,
        met: &mut Met,
    ) -> Option<(&Asset, String)> {
        let url = reference.url.trim();
        if self.others.answer.iter().any(|prefix| url.starts_with(prefix)) {
            return None;
        }
        let fail = |met: &mut Met, found: Found| {
            met.flaw.get_or_insert(found);
            None
        };
        let (asset, suffix) = match resolve(self.name, url, reference.kind) {
            Target::Elsewhere => {
                if reference.kind != Kind::Linked
                    && let Some(origin) = origin(url)
                {
                    met.allow(directive, origin);
                }
                return None;
            }
            Target::Outside | Target::Bare if reference.kind == Kind::Linked => return None,
            Target::Outside => return fail(met, Found::at(reference.line, Flaw::Outside(url.to_owned()))),
            Target::Bare => return fail(met, Found::at(reference.line, Flaw::Bare(url.to_owned()))),
            Target::Hashed(path) => match self.built.at_path(&path) {
                Some(asset) => (asset, String::new()),
                None => return fail(met, missing(self.built.assets.keys(), &path, reference)),
            },
            Target::File { name, suffix } => match self.built.assets.get(&name) {
                Some(asset) => (asset, suffix),
                None if reference.kind == Kind::Linked || self.keeps(&name) => return None,
                None => return fail(met, missing(self.built.assets.keys(), &name, reference)),
            },
        };
        met.paths.insert(asset.path.clone());
        Some((asset, format!("{}{suffix}", asset.path)))
    }

    fn keeps(&self, name: &str) -> bool {
        self.built.files.contains_key(name) || self.built.pages.contains_key(name)
    }

    /// `srcset`: URLs, each with a descriptor (HTML, section 4.8.4.2.1). `None`: none is ours.
    fn source_set(&self, text: &str, line: u32, met: &mut Met) -> Option<String> {
        let mut all = Vec::new();
        let mut is_renamed = false;
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (url, after) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
            let (descriptor, next) = match url.strip_suffix(',') {
                Some(_) => ("", after),
                None => after.split_once(',').unwrap_or((after, "")),
            };
            let reference = Reference { url: url.trim_end_matches(',').to_owned(), line, kind: Kind::Loaded };
            let ours = self.asset(&reference, "img-src", met).map(|(_, url)| url);
            is_renamed |= ours.is_some();
            let other = ours.unwrap_or(reference.url);
            all.push(format!("{other} {}", descriptor.trim()).trim_end().to_owned());
            rest = next.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        }
        is_renamed.then(|| all.join(", "))
    }

    /// The text of a script or style as it is written, which the policy allows by its hash.
    fn inline(&self, inline: Inline, met: &mut Met) -> String {
        let first_line = line_of(self.html, inline.start);
        let text = match self.followed(&inline, first_line, met) {
            Ok(text) => text,
            Err(found) => {
                let line = found.line.map(|line| line + first_line - 1);
                met.flaw.get_or_insert(Found { line, ..found });
                inline.text
            }
        };
        if !text.trim().is_empty() {
            met.allow(inline.directive, hash_source(&text));
        }
        text
    }

    /// The text with the names of what it imports or shows.
    fn followed(&self, inline: &Inline, first_line: u32, met: &mut Met) -> Result<String, Found> {
        let is_style = inline.directive == "style-src";
        let text = inline.text.as_str();
        let references = if is_style { css::references(text)? } else { script::references(text)? };
        let mut urls = BTreeMap::new();
        for reference in references {
            let placed = Reference { line: reference.line + first_line - 1, ..reference };
            let directive = if is_style { "img-src" } else { "script-src" };
            if let Some((asset, url)) = self.asset(&placed, directive, met) {
                if !is_style {
                    met.modules.insert(asset.name.clone());
                }
                urls.insert(placed.url, url);
            }
        }
        // What names nothing stays to the letter.
        if urls.is_empty() {
            return Ok(text.to_owned());
        }
        let rename = |reference: &Reference| urls.get(&reference.url).cloned();
        if is_style { Ok(css::minify(text, None, &rename)?.code) } else { script::renamed(text, &rename) }
    }
}

/// Which directive of the policy is about what an element loads by an attribute.
fn directive(tag: &str, attribute: &str, relation: &str, preload_as: Option<&str>) -> &'static str {
    match (tag, relation, preload_as) {
        ("script", ..) | ("link", "modulepreload", _) | ("link", "preload", Some("script")) => "script-src",
        ("link", "stylesheet", _) | ("link", "preload", Some("style")) => "style-src",
        ("link", "preload", Some("font")) => "font-src",
        ("link", "preload", Some("fetch")) => "connect-src",
        ("link", "preload", Some("audio" | "video" | "track")) => "media-src",
        ("link", "manifest", _) => "manifest-src",
        ("embed" | "object", ..) => "object-src",
        ("iframe", ..) => "frame-src",
        ("audio" | "video" | "source" | "track", ..) if attribute == "src" => "media-src",
        _ => "img-src",
    }
}

/// How a policy names a text (CSP Level 3, section 2.3.1).
fn hash_source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

fn set(element: &mut Element<'_, '_>, name: &str, old: &str, new: &str) {
    if old != new {
        // The names here are all valid ones.
        let _ = element.set_attribute(name, &escaped(new));
    }
}

/// A value in double quotes. What was read had its entities, and has them still.
fn escaped(value: &str) -> String {
    value.replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Source, build};

    fn built() -> Built {
        build(vec![
            Source::new("site.css", "a{}"),
            Source::new("app.js", "import { b } from './b.js'; b();"),
            Source::new("b.js", "export const b = () => 1;"),
            Source::new("app.wasm", "\0asm"),
            Source::new("logo.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"30\" height=\"20\"/>"),
            Source::new("guide.pdf", "%PDF"),
        ])
        .unwrap()
    }

    fn page(html: &str) -> Page {
        built().page("index.html", html, Others { answer: &["/api/"], scripts: &[] }).unwrap()
    }

    fn path(name: &str) -> String {
        built().assets[name].path.clone()
    }

    fn integrity(name: &str) -> String {
        built().assets[name].integrity.clone()
    }

    fn refused(html: &str, expected: &str) {
        assert_eq!(built().page("index.html", html, Others::default()).unwrap_err().to_string(), expected);
    }

    #[test]
    fn style_sheets_and_scripts_have_their_names_and_integrity() {
        let page =
            page("<link rel=stylesheet href=site.css><script src=\"/app.js\" type=\"module\"></script>");
        assert!(
            page.html.contains(&format!(
                "href=\"{}\" integrity=\"{}\"",
                path("site.css"),
                integrity("site.css")
            )),
            "{}",
            page.html
        );
        assert!(page.html.contains(&format!("src=\"{}\"", path("app.js"))), "{}", page.html);
        assert!(page.html.contains(&integrity("app.js")), "{}", page.html);
    }

    #[test]
    fn what_is_named_by_its_hash_already_gets_its_integrity_all_the_same() {
        let html = format!("<link rel=\"stylesheet\" href=\"{}\">", path("site.css"));
        assert!(page(&html).html.contains(&integrity("site.css")));
    }

    #[test]
    fn the_import_map_has_the_integrity_of_all_modules_and_stands_before_the_first() {
        for html in [
            "<p>x</p><script type=\"module\" src=\"app.js\"></script>",
            "<p>x</p><link rel=\"modulepreload\" href=\"app.js\">",
            "<p>x</p><script type=\"module\">import './app.js';</script>",
        ] {
            let page = page(html);
            let map = format!(
                "<p>x</p><script type=\"importmap\">{}</script>",
                serde_json::json!({ "integrity": {
                    path("app.js"): integrity("app.js"),
                    path("b.js"): integrity("b.js"),
                } })
            );
            assert!(page.html.starts_with(&map), "{}", page.html);
        }
        assert!(!page("<p>x</p>").html.contains("importmap"));
    }

    #[test]
    fn the_policy_allows_just_the_inline_scripts_and_styles_that_are_there() {
        let page =
            page("<script>go()</script><style>a{}</style><script type=\"application/json\">{}</script>");
        let script = page.policy.split("; ").find(|directive| directive.starts_with("script-src")).unwrap();
        assert_eq!(script, format!("script-src 'self' 'wasm-unsafe-eval' {}", hash_source("go()")));
        assert!(page.policy.contains(&format!("style-src 'self' {}", hash_source("a{}"))), "{}", page.policy);
        assert!(!page.policy.contains("unsafe-inline"));
    }

    #[test]
    fn a_hash_is_of_the_script_as_it_is_written() {
        let page = page("<script type=\"module\">\nimport b from './b.js';\nb();\n</script>");
        let start = page.html.find("<script type=\"module\">").unwrap() + "<script type=\"module\">".len();
        let text = &page.html[start..page.html.rfind("</script>").unwrap()];
        assert_eq!(text, format!("\nimport b from {:?};\nb();\n", path("b.js")));
        assert!(page.policy.contains(&hash_source(text)), "{}", page.policy);
    }

    #[test]
    fn a_page_tells_what_to_fetch_along_with_it() {
        let page = page(
            "<link rel=\"stylesheet\" href=\"site.css\"><link rel=\"modulepreload\" href=\"app.js\">\
             <link rel=\"preload\" as=\"fetch\" href=\"app.wasm\" crossorigin><link rel=\"icon\" href=\"logo.svg\">",
        );
        assert_eq!(
            page.links,
            [
                format!(
                    "<{}>; rel=preload; as=style; integrity=\"{}\"",
                    path("site.css"),
                    integrity("site.css")
                ),
                format!("<{}>; rel=modulepreload; integrity=\"{}\"", path("app.js"), integrity("app.js")),
                format!("<{}>; rel=preload; as=fetch; crossorigin", path("app.wasm")),
                format!("<{}>; rel=modulepreload; integrity=\"{}\"", path("b.js"), integrity("b.js")),
            ]
        );
        assert_eq!(page.paths.len(), 4);
    }

    #[test]
    fn pictures_have_their_size_unless_they_say_one() {
        assert!(page("<img src=\"logo.svg\">").html.contains("width=\"30\" height=\"20\""));
        assert!(!page("<img src=\"logo.svg\" width=\"60\">").html.contains("height"));
    }

    #[test]
    fn each_candidate_of_a_source_set_is_named() {
        let html = page("<img srcset=\"logo.svg 1x, logo.svg#big 2x\" alt=\"\">").html;
        assert!(html.contains(&format!("srcset=\"{0} 1x, {0}#big 2x\"", path("logo.svg"))), "{html}");
    }

    #[test]
    fn links_to_pages_stay_and_links_to_files_follow() {
        let html = page("<a href=\"/products/7\">a</a><a href=\"../up\">u</a><a href=\"guide.pdf\">b</a><img src=\"/api/files/x\">").html;
        assert!(html.contains("href=\"/products/7\"") && html.contains("src=\"/api/files/x\""), "{html}");
        assert!(html.contains(&path("guide.pdf")), "{html}");
    }

    #[test]
    fn other_sites_are_allowed_by_name_for_what_is_loaded_from_them() {
        let policy =
            page("<script src=\"https://cdn.example/x.js\"></script><img src=\"//img.example/a.png\">")
                .policy;
        assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval' https://cdn.example;"), "{policy}");
        assert!(policy.contains("img-src 'self' data: https://img.example;"), "{policy}");
    }

    #[test]
    fn lines_end_as_a_browser_reads_them() {
        let page = page("<script>\r\ngo();\r</script>");
        assert_eq!(page.html, "<script>\ngo();\n</script>");
        assert!(page.policy.contains(&hash_source("\ngo();\n")), "{}", page.policy);
    }

    #[test]
    fn entities_stay_as_they_are() {
        let html = "<img src=\"https://a.example/?x=1&amp;y=2\"><img srcset=\"https://a.example/?x=1&amp;y=2 1x,\n  https://a.example/b 2x\">";
        assert_eq!(page(html).html, html);
        let html = page("<img src=\"logo.svg?a=1&amp;b=2\">").html;
        assert!(html.contains(&format!("{}?a=1&amp;b=2", path("logo.svg"))), "{html}");
    }

    #[test]
    fn inline_styles_and_scripts_of_the_old_kind_are_followed_too() {
        let html =
            page("<style>a { background: url(logo.svg) }</style><script>import('./app.js')</script>").html;
        assert!(html.contains(&format!("url({})", path("logo.svg"))), "{html}");
        assert!(html.contains(&format!("import({:?})", path("app.js"))), "{html}");
        refused(
            "<style>\na { background: url(lgo.svg) }</style>",
            "index.html:2: there is no `lgo.svg`; is it `logo.svg`?",
        );
    }

    #[test]
    fn data_behind_an_empty_script_stays_data() {
        let html = "<script></script><script type=\"application/json\">{\"a\":1}</script>";
        let page = page(html);
        assert_eq!(page.html, html);
        assert!(!page.policy.contains("sha256"), "{}", page.policy);
    }

    #[test]
    fn what_is_embedded_has_directives_of_its_own() {
        let policy = page("<p>").policy;
        assert!(policy.contains("object-src 'none'; frame-src 'none'"), "{policy}");
        let policy = page("<object data=\"guide.pdf\"></object><iframe src=\"https://map.example/x\"></iframe><video poster=\"https://img.example/p.jpg\"></video>").policy;
        assert!(policy.contains("object-src 'self'; frame-src https://map.example"), "{policy}");
        assert!(policy.contains("img-src 'self' data: https://img.example"), "{policy}");
    }

    #[test]
    fn what_would_not_work_is_refused_with_its_line() {
        refused("<p>\n<img src=\"lgo.svg\">", "index.html:2: there is no `lgo.svg`; is it `logo.svg`?");
        refused(
            "<img src=\"../x.svg\">",
            "index.html:1: `../x.svg` leads out of the folder; put the file inside, and name it there",
        );
        refused(
            "<p style=\"color:red\">",
            "index.html:1: a `style` attribute does nothing under the page's policy; use a class",
        );
        refused(
            "\n<p onclick=\"x()\">",
            "index.html:2: an `on…` attribute does nothing under the page's policy; listen in a script",
        );
        refused(
            "<base href=\"/x/\">",
            "index.html:1: a `base` element changes what all names mean; remove it",
        );
        refused(
            "<script type=\"module\">\n\nimport './c.js';</script>",
            "index.html:3: there is no `./c.js`; is it `b.js`?",
        );
        refused(
            "<script type=\"module\">\nlet = ;</script>",
            "index.html:2: not valid JavaScript: Unexpected token",
        );
    }
}
