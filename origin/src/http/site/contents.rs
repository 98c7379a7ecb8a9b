//! What a built site has, from its manifest.

use std::path::{Path, PathBuf};

use tidewall_api::manifest::{self, Manifest};
use tidewall_api::site::Index;

/// Why a site can't be served.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// Its manifest isn't there.
    #[error("the site's manifest {path} can't be read ({reason}); build the site first")]
    Read {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        reason: std::io::ErrorKind,
    },
    /// It isn't one.
    #[error("{path} is no manifest of a built site, or one of another version; build the site again")]
    Form {
        /// Where it lies.
        path: PathBuf,
    },
    /// It names something outside of the site.
    #[error("{path} names {named:?}, which is no file in the site's folder; build the site again")]
    Outside {
        /// Where it lies.
        path: PathBuf,
        /// What it names.
        named: String,
    },
}

/// The contents that `json` tells, which was read at `path`.
pub(super) fn read(path: &Path, json: &[u8]) -> Result<Index, SiteError> {
    let manifest = match serde_json::from_slice::<Manifest>(json) {
        Ok(manifest) if manifest.version == manifest::VERSION => manifest,
        Ok(_) | Err(_) => return Err(SiteError::Form { path: path.to_owned() }),
    };
    if let Some(named) = files(&manifest).find(|file| !is_inside(file)) {
        return Err(SiteError::Outside { path: path.to_owned(), named: named.to_owned() });
    }
    Ok(Index::new(manifest))
}

/// Every file that a manifest names. Their compressed forms and deltas are named after them.
fn files(manifest: &Manifest) -> impl Iterator<Item = &str> {
    let assets = manifest.assets.values().map(|asset| &asset.path);
    let pages = manifest.routes.iter().map(|route| &route.page).chain(&manifest.not_found);
    let named = assets.chain(manifest.kept.keys()).chain(manifest.files.keys());
    named.chain(pages.map(|page| &page.file)).map(String::as_str)
}

/// Whether a path stays below the folder that it is joined to.
fn is_inside(file: &str) -> bool {
    file.strip_prefix('/').is_some_and(|file| {
        file.split('/')
            .all(|segment| !matches!(segment, "" | "." | "..") && !segment.contains(['\\', '\0', ':']))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidewall_api::manifest::{Asset, File, Kept, Page, Route};

    use super::*;

    fn check(manifest: &Manifest, named: Option<&str>) {
        match read(Path::new("manifest.json"), &serde_json::to_vec(manifest).unwrap()) {
            Ok(index) => assert_eq!((index.manifest(), named), (manifest, None)),
            Err(SiteError::Outside { named: found, .. }) => assert_eq!(Some(found.as_str()), named),
            Err(error) => panic!("{error}"),
        }
    }

    fn site() -> Manifest {
        Manifest { version: manifest::VERSION, ..Manifest::default() }
    }

    #[test]
    fn files_in_the_sites_folder_are_served() {
        let page = Page { file: "/items/_id.html".to_owned(), ..Page::default() };
        let asset = Asset { path: "/assets/a.1.js".to_owned(), ..Asset::default() };
        check(
            &Manifest {
                assets: [("a.js".to_owned(), asset)].into(),
                kept: [("/assets/a.0.js".to_owned(), Kept::default())].into(),
                files: [("/.well-known/security.txt".to_owned(), File::default())].into(),
                routes: vec![Route { path: "/items/{id}".to_owned(), page: page.clone() }],
                not_found: Some(page),
                ..site()
            },
            None,
        );
    }

    #[test]
    fn files_outside_of_it_are_not_whatever_names_them() {
        for file in
            ["", "/", "a", "/..", "/../a", "/a/../b", "/a/./b", "//etc/passwd", "/a\\..\\b", "/c:/a", "/a\0b"]
        {
            let page = || Page { file: file.to_owned(), ..Page::default() };
            let asset = Asset { path: file.to_owned(), ..Asset::default() };
            check(&Manifest { assets: [("a".to_owned(), asset)].into(), ..site() }, Some(file));
            check(&Manifest { kept: [(file.to_owned(), Kept::default())].into(), ..site() }, Some(file));
            check(&Manifest { files: [(file.to_owned(), File::default())].into(), ..site() }, Some(file));
            let route = Route { path: "/".to_owned(), page: page() };
            check(&Manifest { routes: vec![route], ..site() }, Some(file));
            check(&Manifest { not_found: Some(page()), ..site() }, Some(file));
        }
    }

    #[test]
    fn what_is_no_manifest_of_this_version_is_refused() {
        let other = serde_json::to_vec(&Manifest { version: manifest::VERSION + 1, ..site() }).unwrap();
        for json in [&b""[..], b"{}", b"[]", &other] {
            assert!(matches!(read(Path::new("m"), json), Err(SiteError::Form { .. })));
        }
    }

    proptest! {
        #[test]
        fn no_manifest_leads_out_of_its_folder(file in "(/|\\.|\\.\\.|a|\\\\|:|é|%2e|\0| ){0,8}") {
            let named = Manifest { files: [(file.clone(), File::default())].into(), ..site() };
            let Ok(_) = read(Path::new("m"), &serde_json::to_vec(&named).unwrap()) else { return Ok(()) };
            let below = Path::new(file.strip_prefix('/').unwrap());
            prop_assert!(below.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{file}");
            prop_assert!(below.components().next().is_some());
        }

        #[test]
        fn no_bytes_whatever_make_reading_panic(place: prop::sample::Index, byte: u8, bytes: Vec<u8>) {
            let mut json = serde_json::to_vec(&site()).unwrap();
            let place = place.index(json.len());
            json[place] = byte;
            for json in [json, bytes] {
                let _ = read(Path::new("m"), &json);
            }
        }
    }
}
