//! Assets of earlier builds, kept for pages that are still open: which are, and for how long.
//!
//! A page that was loaded before a deployment goes on to load what its own build named, so
//! those files must outlive the site they came with. They lie in KV under their paths, with
//! what is known of them as metadata. The keeper of the control log copies them, as it is told
//! which build isolates serve, and it alone removes them.

pub mod ledger;
pub mod pace;

use tidewall_api::manifest::{Kept, Manifest};

/// Files that are copied with one alarm: each is a request to the site and one to KV, of which
/// an invocation has a limited number.
pub const FILES_MAX: usize = 40;
/// While origins are looked at as well, which must not wait.
pub const FILES_MAX_BESIDE: usize = 4;
/// Paths that are removed with one alarm, each with all of its forms.
pub const PATHS_REMOVED_MAX: usize = 40;

/// Digits of the hash in a path.
const HASH_DIGITS: usize = 16;

/// Longest key of KV in bytes, and its largest value:
/// <https://developers.cloudflare.com/kv/platform/limits/>.
const KEY_BYTES_MAX: usize = 512;
const VALUE_BYTES_MAX: u64 = 25 * 1024 * 1024;

/// Whether a path may be that of an asset: it holds a hash, as all that a build names do. Others
/// need not be looked for.
pub fn may_be_kept(path: &str) -> bool {
    path.split('.').any(|part| part.len() == HASH_DIGITS && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Under which key a form of an asset lies: its path behind what begins no other key, as what is
/// cached lies under URLs. The form stands before the path, so that no path is that of a form.
/// `None` where there is no such key.
pub fn key(path: &str, ending: &str) -> Option<String> {
    let key = format!("kept{ending}:{path}");
    (key.len() <= KEY_BYTES_MAX).then_some(key)
}

/// The keys of all that may be kept of an asset.
pub fn keys(path: &str) -> impl Iterator<Item = String> {
    ["", ".br", ".zst"].into_iter().filter_map(move |ending| key(path, ending))
}

/// A form of an asset that is to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// What follows the asset's path in that of the form.
    pub ending: &'static str,
    /// Its bytes.
    pub size: u64,
}

/// The forms of an asset, itself last: where it is, all of them are. The differences to other
/// contents aren't among them; they are of use for a while only.
pub fn forms(kept: &Kept) -> Vec<Form> {
    let encodings = kept.file.encodings;
    let sizes = [(".br", encodings.br), (".zst", encodings.zstd), ("", Some(kept.file.size))];
    sizes.into_iter().filter_map(|(ending, size)| Some(Form { ending, size: size? })).collect()
}

/// The assets of a build that can be kept, by path: pictures last, for a page can do without one
/// if the next build comes before all are copied.
pub fn assets(manifest: &Manifest) -> impl Iterator<Item = (&str, Kept)> {
    let of_kind = |is_picture| {
        let all = manifest.assets.values();
        all.filter(move |asset| asset.file.content_type.starts_with("image/") == is_picture)
    };
    of_kind(false).chain(of_kind(true)).filter_map(|asset| {
        let kept = Kept { file: asset.file.clone(), dictionary_for: asset.dictionary_for.clone() };
        let fits = |form: &Form| form.size <= VALUE_BYTES_MAX && key(&asset.path, form.ending).is_some();
        forms(&kept).iter().all(fits).then_some((asset.path.as_str(), kept))
    })
}

#[cfg(test)]
mod tests {
    use tidewall_api::manifest::{Asset, Encodings, File};

    use super::*;

    fn asset(path: &str, size: u64, br: Option<u64>) -> Asset {
        let encodings = Encodings { br, zstd: None };
        Asset { path: path.to_owned(), file: File { size, encodings, ..File::default() }, ..Asset::default() }
    }

    #[test]
    fn an_asset_is_copied_after_its_forms() {
        let file = asset("/assets/a.js", 10, Some(5)).file;
        let forms = forms(&Kept { file, dictionary_for: None }).into_iter().map(|form| form.ending);
        assert_eq!(forms.collect::<Vec<_>>(), [".br", ""]);
    }

    #[test]
    fn only_what_holds_a_hash_is_looked_for() {
        assert!(may_be_kept("/assets/app.0123456789abcdef.js"));
        assert!(may_be_kept("/assets/LICENSE.0123456789abcdef"));
        for path in
            ["/assets/app.js", "/assets/0123456789abcde.js", "/assets/app.0123456789abcdeg.js", "/assets/"]
        {
            assert!(!may_be_kept(path), "{path}");
        }
    }

    #[test]
    fn pictures_are_copied_last() {
        let asset = |path: &str, kind: &str| {
            let file = File { content_type: kind.to_owned(), ..File::default() };
            (path.to_owned(), Asset { path: path.to_owned(), file, ..Asset::default() })
        };
        let all = [asset("/assets/a.svg", "image/svg+xml"), asset("/assets/b.css", "text/css")];
        let manifest = Manifest { assets: all.into(), ..Manifest::default() };
        assert_eq!(
            assets(&manifest).map(|(path, _)| path).collect::<Vec<_>>(),
            ["/assets/b.css", "/assets/a.svg"]
        );
    }

    #[test]
    fn no_path_is_that_of_a_form() {
        let all = ["kept:/assets/a.js", "kept.br:/assets/a.js", "kept.zst:/assets/a.js"];
        assert_eq!(keys("/assets/a.js").collect::<Vec<_>>(), all);
        assert!(!all.contains(&&*key("/assets/a.js.br", "").unwrap()));
    }

    #[test]
    fn what_kv_would_not_take_is_not_kept() {
        let long = format!("/assets/{}.js", "a".repeat(500));
        let all = [
            asset("/assets/a.js", VALUE_BYTES_MAX, None),
            asset("/assets/b.js", VALUE_BYTES_MAX + 1, None),
            asset("/assets/c.js", 10, Some(VALUE_BYTES_MAX + 1)),
            asset(&long, 10, None),
        ];
        let assets = all.map(|asset| (asset.path.clone(), asset)).into();
        let manifest = Manifest { assets, ..Manifest::default() };
        assert_eq!(super::assets(&manifest).map(|(path, _)| path).collect::<Vec<_>>(), ["/assets/a.js"]);
    }
}
