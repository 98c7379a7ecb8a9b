//! The site: what the edge serves besides the origins' answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use tidewall_api::manifest::{self, Manifest, Route};
use tidewall_app::paths;
use tidewall_app::prerender::{Page, Script, Scripts};
use tidewall_assets::{Asset, PATH_PREFIX};

use crate::build::{app, pictures};
use crate::failure::{Failure, IoContext};
use crate::workspace::{Flavor, Workspace};

mod public {
    include!(concat!(env!("OUT_DIR"), "/assets.rs"));
}

/// Builds the site.
///
/// # Errors
/// A source can't be read, the app doesn't compile, a page can't be rendered.
pub(super) async fn build(workspace: &Workspace, flavor: Flavor) -> Result<(), Failure> {
    let mut assets = authored(workspace)?;
    let app = app::build(workspace, flavor).await?;
    let loader = Asset::new("app.js", app.loader);
    let wasm = Asset::new("app_bg.wasm", app.wasm);
    let script = |asset: &Asset| Script { path: asset.path.clone(), integrity: asset.integrity.clone() };
    let pages =
        tidewall_app::prerender::prerender(&Scripts { module: script(&loader), wasm: script(&wasm) }, "")
            .map_err(|error| Failure::new(format!("cannot render the pages: {error}")))?;
    assets.extend([loader, wasm]);
    assets.extend(pictures::all().map(|(name, svg)| Asset::new(name, svg.into_bytes())));
    write(&workspace.site(flavor), &files(assets, pages)?)
}

/// What is in `public/`, under the very names that the pages were compiled with.
fn authored(workspace: &Workspace) -> Result<Vec<Asset>, Failure> {
    let assets = tidewall_assets::read_directory(&workspace.join("public"))
        .map_err(|error| Failure::new(error.to_string()))?;
    if assets
        .iter()
        .map(|asset| (asset.name.as_str(), asset.path.as_str()))
        .eq(public::PUBLIC.iter().copied())
    {
        return Ok(assets);
    }
    Err(Failure::new("public/ has changed since this command was built; start it with `cargo run`"))
}

/// Every file of the site by its path below the site's folder.
fn files(assets: Vec<Asset>, pages: Vec<Page>) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let mut files = BTreeMap::new();
    // The page of a 404 answers no path of its own.
    let (unrouted, routed): (Vec<_>, Vec<_>) = pages.iter().partition(|page| page.route == paths::NOT_FOUND);
    let manifest = Manifest {
        version: manifest::VERSION,
        assets: assets.iter().map(|asset| (asset.name.clone(), entry(asset))).collect(),
        routes: routed
            .iter()
            .map(|page| Route { path: page.route.clone(), page: page_entry(page) })
            .collect(),
        not_found: unrouted.first().map(|page| page_entry(page)),
        ..Manifest::default()
    };
    let json = serde_json::to_vec(&manifest)
        .map_err(|error| Failure::new(format!("cannot write the manifest: {error}")))?;
    files.insert(manifest::FILE_NAME.to_owned(), json);
    for asset in assets {
        debug_assert!(asset.path.starts_with(PATH_PREFIX));
        files.insert(asset.path.trim_start_matches('/').to_owned(), asset.bytes);
    }
    for page in pages {
        files.insert(page.file.trim_start_matches('/').to_owned(), page.html.into_bytes());
    }
    Ok(files)
}

fn entry(asset: &Asset) -> manifest::Asset {
    manifest::Asset {
        path: asset.path.clone(),
        file: manifest::File {
            integrity: asset.integrity.clone(),
            size: asset.bytes.len() as u64,
            content_type: asset.content_type.to_owned(),
            encodings: manifest::Encodings::default(),
        },
        dictionary_for: None,
        deltas: Vec::new(),
    }
}

fn page_entry(page: &Page) -> manifest::Page {
    manifest::Page {
        file: page.file.clone(),
        content: entry(&Asset::new(page.file.clone(), page.html.clone().into_bytes())).file,
        policy: String::new(),
        links: Vec::new(),
    }
}

/// Makes `folder` hold just `files`. Hashed files are written before the pages
/// that name them, and only then are old ones removed, so that the site can be
/// served meanwhile. A file that is right already isn't touched.
fn write(folder: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<(), Failure> {
    let (hashed, rest): (Vec<_>, Vec<_>) =
        files.iter().partition(|(name, _)| name.starts_with(PATH_PREFIX.trim_start_matches('/')));
    for (name, bytes) in hashed.into_iter().chain(rest) {
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
    let wanted: BTreeSet<_> = files.keys().map(|name| folder.join(name)).collect();
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
    use super::*;

    #[test]
    fn a_site_holds_just_the_files_of_its_last_build() {
        let folder = std::env::temp_dir().join(format!("tidewall-site-{}", std::process::id()));
        let files = |names: &[&str]| {
            names.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect()
        };
        write(&folder, &files(&["index.html", "assets/a.1.css", "assets/old/b.2.css"])).unwrap();
        write(&folder, &files(&["index.html", "assets/a.3.css"])).unwrap();
        let there = |name: &str| folder.join(name).is_file();
        let outcome = (
            there("index.html"),
            there("assets/a.3.css"),
            there("assets/a.1.css"),
            there("assets/old/b.2.css"),
        );
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(outcome, (true, true, false, false));
    }
}
