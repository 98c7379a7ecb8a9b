//! The site: what the edge serves besides the origins' answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tidewall_api::manifest::{self, Delta, Encodings, File, Kept, Manifest, Route};
use tidewall_app::paths;
use tidewall_app::prerender::{Script, Scripts};
use tidewall_app::program::Program;
use tidewall_assets::compress::{self, Effort};
use tidewall_assets::{
    Asset, Built, Others, PATH_PREFIX, Source, content_type, hash, hashed, integrity, is_compressible,
};
use tokio::task::JoinSet;

use crate::build::app::{self, App};
use crate::build::pictures;
use crate::build::releases::{Named, Releases};
use crate::failure::{Failure, IoContext};
use crate::progress::Progress;
use crate::workspace::{Flavor, Workspace};

#[allow(dead_code, reason = "names are checked where the pages are")]
mod public {
    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

/// What the origins answer, which pages may name.
const SERVED: [&str; 1] = ["/api/"];
/// The script with which `wrangler dev --live-reload` makes pages load themselves again, by its
/// hash. It is the same in each page, and changes with wrangler only.
const LIVE_RELOAD: [&str; 1] = ["'sha256-g5a3SrOYIecCloZ8S7M4xdT1pbYi6e7mjHrmwphRxfE='"];
/// Paths below which no page lies: those of the origins, of assets and of the edge's own.
const RESERVED: [&str; 3] = ["/api/", PATH_PREFIX, "/_tidewall/"];
/// Folder of the pages' files in the site.
const PAGES: &str = "pages/";
/// Smaller than this nothing is worth a second form.
const COMPRESSED_BYTES_MIN: usize = 128;

/// Builds the site.
///
/// # Errors
/// A source can't be read or built, the app doesn't compile, a page can't be rendered.
pub(super) async fn build(workspace: &Workspace, flavor: Flavor, progress: &Progress) -> Result<(), Failure> {
    let mut sources = authored(workspace)?;
    for App { program, loader, wasm } in app::build(workspace, flavor).await? {
        let (loader_name, wasm_name) = app::names(program);
        sources.extend([Source::new(loader_name, loader), Source::new(wasm_name, wasm)]);
    }
    sources.extend(pictures::all().map(|(name, svg)| Source::new(name, svg)));
    let built = tokio::task::spawn_blocking(move || tidewall_assets::build(sources))
        .await
        .map_err(|error| Failure::new(format!("building the site panicked: {error}")))?
        .map_err(|error| Failure::new(error.to_string()))?;
    check_names(&built)?;
    let others = Others { answer: &SERVED, scripts: if flavor == Flavor::Dev { &LIVE_RELOAD } else { &[] } };
    let (build, pages) = pages(&built, others)?;
    for name in unreferenced(&built, &pages) {
        progress.step(format!("nothing names public/{name}"));
    }
    let effort = if flavor == Flavor::Release { Effort::Most } else { Effort::Little };
    let folder = workspace.site(flavor);
    let site = Site { build, built, pages };
    let Finished { files, left, releases } = site.finish(&folder, effort).await?;
    write(&folder, &files, left)?;
    releases.write(&folder)
}

/// What is in `public/`.
fn authored(workspace: &Workspace) -> Result<Vec<Source>, Failure> {
    tidewall_assets::read_directory(&workspace.join("public"))
        .map_err(|error| Failure::new(error.to_string()))
}

/// The pages were compiled with names that must be those of now.
fn check_names(built: &Built) -> Result<(), Failure> {
    let is_same =
        |(name, path): &(&str, &str)| built.assets.get(*name).is_some_and(|asset| asset.path == *path);
    if public::PUBLIC.iter().all(is_same) {
        return Ok(());
    }
    Err(Failure::new("public/ has changed since this command was built; start it with `cargo run`"))
}

/// A finished page and the path that it answers.
#[derive(Debug)]
struct Page {
    route: String,
    /// In the site, such as `/pages/index.{hash}.html`: what is sent for a page is what its
    /// manifest says of it, also while another site takes its place.
    file: String,
    page: tidewall_assets::Page,
}

/// The app's pages, and those in `public/`; and the name of this build, which they know.
fn pages(built: &Built, others: Others<'_>) -> Result<(String, Vec<Page>), Failure> {
    let mut all = Vec::new();
    let mut add = |part: &[u8]| {
        all.extend((part.len() as u64).to_be_bytes());
        all.extend(part);
    };
    built.assets.values().for_each(|asset| add(asset.path.as_bytes()));
    built.files.values().for_each(|bytes| add(bytes));
    pages_of(built, "", others)?.iter().for_each(|page| add(page.page.html.as_bytes()));
    let build = hash(&all);
    let pages = pages_of(built, &build, others)?;
    Ok((build, pages))
}

fn pages_of(built: &Built, build: &str, others: Others<'_>) -> Result<Vec<Page>, Failure> {
    let script = |name: &str| {
        let asset = built.assets.get(name).ok_or_else(|| Failure::new(format!("{name} was not built")))?;
        Ok::<_, Failure>(Script { path: asset.path.clone(), integrity: asset.integrity.clone() })
    };
    let scripts = |program| {
        let (loader, wasm) = app::names(program);
        Ok::<_, Failure>(Scripts { module: script(&loader)?, wasm: script(&wasm)? })
    };
    let [shop, account, lab, toolkit, ops] = Program::ALL.map(scripts);
    let scripts = [shop?, account?, lab?, toolkit?, ops?];
    let rendered = tidewall_app::prerender::prerender(&scripts, build)
        .map_err(|error| Failure::new(format!("cannot render the pages: {error}")))?;
    let own = built.pages.iter().map(|(name, html)| (route_of(name), format!("/{name}"), html.clone()));
    let all = rendered.into_iter().map(|page| (page.route, page.file, page.html)).chain(own);
    let mut pages: Vec<Page> = Vec::new();
    for (route, file, html) in all {
        let name = file.trim_start_matches('/');
        if RESERVED.iter().any(|prefix| format!("{route}/").starts_with(prefix)) {
            return Err(Failure::new(format!(
                "{name} would answer {route}, which is never a page's; rename it"
            )));
        }
        if let Some(other) = pages.iter().find(|page| page.route == route) {
            return Err(Failure::new(format!(
                "{name} and {} would both answer {route}; rename one",
                other.page.name
            )));
        }
        let page = built.page(name, &html, others).map_err(|error| Failure::new(error.to_string()))?;
        let file = format!("/{PAGES}{}", hashed(name, page.html.as_bytes()));
        pages.push(Page { route, file, page });
    }
    // The most specific first: one with a parameter answers what no other does.
    pages.sort_by_key(|page| page.route.matches('{').count());
    Ok(pages)
}

/// The path that a page in `public/` answers: `/about` for `about.html`.
fn route_of(name: &str) -> String {
    let stem = name.trim_end_matches(".html");
    let stem = stem
        .strip_suffix("index")
        .filter(|folder| folder.is_empty() || folder.ends_with('/'))
        .unwrap_or(stem);
    format!("/{}", stem.trim_end_matches('/'))
}

/// Files in `public/` that no page, style sheet or script names, and that the app was not compiled with.
fn unreferenced(built: &Built, pages: &[Page]) -> Vec<String> {
    let wasm = Program::ALL.map(|program| app::names(program).1);
    let wasm: Vec<&[u8]> =
        wasm.iter().filter_map(|name| built.assets.get(name)).map(|asset| asset.bytes.as_slice()).collect();
    let in_pages = pages.iter().flat_map(|page| page.page.paths.iter().map(String::as_str));
    let unused = built.unreferenced(in_pages);
    let authored = unused.into_iter().filter(|name| public::PUBLIC.iter().any(|(other, _)| other == name));
    let is_in_wasm = |name: &&str| {
        let path = built.assets.get(*name).map(|asset| asset.path.as_bytes()).unwrap_or_default();
        wasm.iter().any(|wasm| wasm.windows(path.len().max(1)).any(|window| window == path))
    };
    authored.filter(|name| !is_in_wasm(name)).map(str::to_owned).collect()
}

/// What is to be written.
#[derive(Debug)]
struct Site {
    build: String,
    built: Built,
    pages: Vec<Page>,
}

/// Files by their path below the site's folder.
type Files = BTreeMap<String, Vec<u8>>;

/// A site that can take the place of the last.
struct Finished {
    files: Files,
    /// Files of earlier builds that stay where they are.
    left: BTreeSet<PathBuf>,
    releases: Releases,
}

impl Site {
    /// Every file of the site, and what stays of earlier ones.
    async fn finish(self, folder: &Path, effort: Effort) -> Result<Finished, Failure> {
        let mut releases = Releases::read(folder);
        let is_same_encoder = releases.encoder == effort.version();
        releases.encoder = effort.version().to_owned();
        releases.keep_only(|path, encodings| {
            forms(encodings).all(|(ending, _)| below(folder, &format!("{path}{ending}")).is_file())
        });

        let mut work = JoinSet::new();
        for asset in self.built.assets.values() {
            let job = Job {
                name: asset.path.trim_start_matches('/').to_owned(),
                bytes: asset.bytes.clone(),
                integrity: asset.integrity.clone(),
                content_type: asset.content_type,
                earlier: releases
                    .earlier(&asset.name, &asset.path)
                    .into_iter()
                    .map(|path| below(folder, path))
                    .collect(),
                // A hashed name has one content, and so has what was made of it.
                made: is_same_encoder.then(|| below(folder, &asset.path)),
                effort,
            };
            work.spawn_blocking(move || job.run());
        }
        let plain = |name: &str, bytes: &[u8]| Job {
            name: name.trim_start_matches('/').to_owned(),
            bytes: bytes.to_vec(),
            integrity: integrity(bytes),
            content_type: content_type(name),
            earlier: Vec::new(),
            made: None,
            effort,
        };
        let pages = self.pages.iter().map(|page| plain(&page.file, page.page.html.as_bytes()));
        let files = self.built.files.iter().map(|(name, bytes)| plain(name, bytes));
        for job in pages.chain(files) {
            work.spawn_blocking(move || job.run());
        }
        let mut made = BTreeMap::new();
        while let Some(outcome) = work.join_next().await {
            let one = outcome
                .map_err(|error| Failure::new(format!("compressing the site panicked: {error}")))??;
            made.insert(one.name.clone(), one);
        }
        let manifest = self.manifest(&made, &mut releases)?;
        let mut left = BTreeSet::new();
        for (path, kept) in &manifest.kept {
            left.extend(
                forms(&kept.file.encodings).map(|(ending, _)| below(folder, &format!("{path}{ending}"))),
            );
        }
        // Whoever serves the site may not have heard of this build yet.
        for file in releases.pages() {
            left.extend(forms(&ALL_FORMS).map(|(ending, _)| below(folder, &format!("{file}{ending}"))));
        }
        let mut all = Files::new();
        for one in made.into_values() {
            all.extend(one.forms);
            all.insert(one.name, one.bytes);
        }
        let json = serde_json::to_vec(&manifest)
            .map_err(|error| Failure::new(format!("cannot write the manifest: {error}")))?;
        all.insert(manifest::FILE_NAME.to_owned(), json);
        Ok(Finished { files: all, left, releases })
    }

    fn manifest(&self, made: &BTreeMap<String, Made>, releases: &mut Releases) -> Result<Manifest, Failure> {
        let found = |path: &str| {
            made.get(path.trim_start_matches('/'))
                .ok_or_else(|| Failure::new(format!("{path} was not built")))
        };
        let mut assets = BTreeMap::new();
        let mut named = BTreeMap::new();
        for asset in self.built.assets.values() {
            let made = found(&asset.path)?;
            let dictionary_for = dictionary_for(asset);
            let kept = Kept { file: made.file.clone(), dictionary_for: dictionary_for.clone() };
            named.insert(asset.path.clone(), Named { name: asset.name.clone(), kept });
            let entry = manifest::Asset {
                path: asset.path.clone(),
                file: made.file.clone(),
                dictionary_for,
                deltas: made.deltas.clone(),
            };
            assets.insert(asset.name.clone(), entry);
        }
        let page = |page: &Page| {
            Ok::<_, Failure>(manifest::Page {
                file: page.file.clone(),
                content: found(&page.file)?.file.clone(),
                policy: page.page.policy.clone(),
                links: page.page.links.clone(),
            })
        };
        let mut routes = Vec::new();
        let mut not_found = None;
        for one in &self.pages {
            // The page of a 404 answers no path of its own.
            if one.route == paths::NOT_FOUND {
                not_found = Some(page(one)?);
            } else {
                routes.push(Route { path: one.route.clone(), page: page(one)? });
            }
        }
        let pages = self.pages.iter().map(|page| page.file.clone()).collect();
        releases.add(&self.build, named, pages);
        let files = self.built.files.keys().map(|name| Ok((format!("/{name}"), found(name)?.file.clone())));
        Ok(Manifest {
            version: manifest::VERSION,
            build: self.build.clone(),
            assets,
            kept: releases.kept(),
            files: files.collect::<Result<_, Failure>>()?,
            routes,
            not_found,
        })
    }
}

/// What a later content of the asset will be called: whatever has its name and another hash.
fn dictionary_for(asset: &Asset) -> Option<String> {
    // Pictures have no second version that would be like the first.
    if !is_compressible(asset.content_type) || asset.content_type == "image/svg+xml" {
        return None;
    }
    let pattern = asset.pattern();
    // The one of a name's characters that means something else in a URL pattern.
    (!pattern.contains('+')).then_some(pattern)
}

fn below(folder: &Path, path: &str) -> PathBuf {
    folder.join(path.trim_start_matches('/'))
}

/// Endings of a file's forms, itself first, with their sizes where it isn't itself.
fn forms(encodings: &Encodings) -> impl Iterator<Item = (&'static str, Option<u64>)> {
    let compressed = [(".br", encodings.br), (".zst", encodings.zstd)];
    [("", None)].into_iter().chain(compressed.into_iter().filter(|(_, size)| size.is_some()))
}

/// As if a file had all of its forms.
const ALL_FORMS: Encodings = Encodings { br: Some(0), zstd: Some(0) };

/// One file that is to be compressed.
struct Job {
    /// Below the site's folder.
    name: String,
    bytes: Vec<u8>,
    integrity: String,
    content_type: &'static str,
    /// Files with its earlier contents.
    earlier: Vec<PathBuf>,
    /// Where it lies if it was built before, and its forms beside it.
    made: Option<PathBuf>,
    effort: Effort,
}

/// A file and its forms.
#[derive(Debug)]
struct Made {
    name: String,
    bytes: Vec<u8>,
    file: File,
    deltas: Vec<Delta>,
    forms: Files,
}

impl Job {
    fn run(self) -> Result<Made, Failure> {
        let file = File {
            integrity: self.integrity.clone(),
            size: self.bytes.len() as u64,
            content_type: self.content_type.to_owned(),
            encodings: Encodings::default(),
        };
        let mut made = Made {
            name: self.name.clone(),
            bytes: Vec::new(),
            file,
            deltas: Vec::new(),
            forms: Files::new(),
        };
        if is_compressible(self.content_type) && self.bytes.len() >= COMPRESSED_BYTES_MIN {
            let size = made.file.size;
            made.file.encodings = Encodings {
                br: self.form(&mut made.forms, ".br", size, || {
                    compress::brotli(&self.bytes, self.effort).map(Some)
                })?,
                zstd: self.form(&mut made.forms, ".zst", size, || {
                    compress::zstd(&self.bytes, self.effort).map(Some)
                })?,
            };
            for path in &self.earlier {
                let earlier = fs::read(path).or_fail("read", path)?;
                let digits = hash(&earlier);
                // One that is no shorter than the file is of no use to anybody.
                let least = made.file.encodings.br.unwrap_or(made.file.size);
                let dcb = self.form(&mut made.forms, &format!(".{digits}.dcb"), least, || {
                    compress::dcb(&self.bytes, &earlier, self.effort)
                })?;
                let dcz = self.form(&mut made.forms, &format!(".{digits}.dcz"), least, || {
                    compress::dcz(&self.bytes, &earlier, self.effort)
                })?;
                if dcb.is_some() || dcz.is_some() {
                    let dictionary = integrity(&earlier).trim_start_matches("sha256-").to_owned();
                    made.deltas.push(Delta { dictionary, dcb, dcz });
                }
            }
        }
        made.bytes = self.bytes;
        Ok(made)
    }

    /// The size of a form if that is less than `least`; then it lies beside the file.
    fn form(
        &self,
        forms: &mut Files,
        ending: &str,
        least: u64,
        make: impl FnOnce() -> std::io::Result<Option<Vec<u8>>>,
    ) -> Result<Option<u64>, Failure> {
        let before = self.made.as_ref().and_then(|path| {
            let mut path = path.clone().into_os_string();
            path.push(ending);
            fs::read(path).ok()
        });
        let made = match before {
            Some(before) => Some(before),
            None => {
                make().map_err(|error| Failure::new(format!("cannot compress {}: {error}", self.name)))?
            }
        };
        let Some(form) = made.filter(|form| (form.len() as u64) < least) else { return Ok(None) };
        let size = form.len() as u64;
        forms.insert(format!("{}{ending}", self.name), form);
        Ok(Some(size))
    }
}

/// Makes `folder` hold just `files`, and of what is there those that are `left`. The manifest is
/// written last, and only then are old files removed, so that the site can be served meanwhile. A
/// file that is right already isn't touched.
fn write(folder: &Path, files: &Files, left: BTreeSet<PathBuf>) -> Result<(), Failure> {
    let (manifest, named): (Vec<_>, Vec<_>) =
        files.iter().partition(|(name, _)| name.as_str() == manifest::FILE_NAME);
    for (name, bytes) in named.into_iter().chain(manifest) {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|present| present == *bytes) {
            continue;
        }
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).or_fail("create", parent)?;
        let partial = path.with_extension("partial");
        fs::write(&partial, bytes).or_fail("write", &partial)?;
        fs::rename(&partial, &path).or_fail("write", &path)?;
    }
    let mut wanted = left;
    wanted.extend(files.keys().map(|name| folder.join(name)));
    remove_others(folder, &wanted)
}

fn remove_others(folder: &Path, wanted: &BTreeSet<std::path::PathBuf>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).or_fail("read", folder)? {
        let path = entry.or_fail("read", folder)?.path();
        if path.is_dir() {
            remove_others(&path, wanted)?;
        } else if !wanted.contains(&path) {
            fs::remove_file(&path).or_fail("remove", &path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn later_contents_are_named_by_a_pattern() {
        let check = |name: &str, expected: Option<&str>| {
            let found = dictionary_for(&Asset::new(name, b"x".to_vec()));
            assert_eq!(found.as_deref(), expected, "{name}");
        };
        check("styles.css", Some("/assets/styles.*.css"));
        check("js/app.min.js", Some("/assets/js/app.min.*.js"));
        check("app+more.js", None);
        check("logo.svg", None);
        check("photo.jpg", None);
    }

    #[test]
    fn a_page_in_public_answers_its_path_without_the_ending() {
        for (name, route) in [
            ("about.html", "/about"),
            ("index.html", "/"),
            ("docs/index.html", "/docs"),
            ("docs/start.html", "/docs/start"),
        ] {
            assert_eq!(route_of(name), route);
        }
    }

    #[test]
    fn a_file_has_only_forms_that_are_shorter() {
        let job = |bytes: &[u8], content_type| Job {
            name: "a".to_owned(),
            bytes: bytes.to_vec(),
            integrity: integrity(bytes),
            content_type,
            earlier: Vec::new(),
            made: None,
            effort: Effort::Little,
        };
        let text = "a line\n".repeat(100);
        let made = job(text.as_bytes(), "text/plain; charset=utf-8").run().unwrap();
        assert_eq!(made.forms.keys().collect::<Vec<_>>(), ["a.br", "a.zst"]);
        let random: Vec<u8> = (0u8..12).flat_map(|number| Sha256::digest([number])).collect();
        for (bytes, content_type) in
            [(&random[..], "text/css"), (text.as_bytes(), "image/png"), (b"short", "text/css")]
        {
            let made = job(bytes, content_type).run().unwrap();
            assert_eq!(
                (made.forms, made.file.encodings),
                (Files::new(), Encodings::default()),
                "{content_type}"
            );
        }
    }

    #[test]
    fn a_site_holds_just_the_files_of_its_last_build() {
        let folder = std::env::temp_dir().join(format!("tidewall-site-{}", std::process::id()));
        let files = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect()
        };
        let left = BTreeSet::from([folder.join("assets/kept.4.css")]);
        let first = files(&["index.html", "assets/a.1.css", "assets/kept.4.css", "assets/old/b.2.css"]);
        write(&folder, &first, BTreeSet::new()).unwrap();
        write(&folder, &files(&["index.html", "assets/a.3.css"]), left).unwrap();
        let there = |name: &str| folder.join(name).is_file();
        let outcome = (
            there("index.html"),
            there("assets/a.3.css"),
            there("assets/a.1.css"),
            there("assets/old/b.2.css"),
            there("assets/kept.4.css"),
        );
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(outcome, (true, true, false, false, true));
    }
}
