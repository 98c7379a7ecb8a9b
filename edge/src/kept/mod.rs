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

/// Longest key of KV in bytes, and its largest value:
/// <https://developers.cloudflare.com/kv/platform/limits/>.
const KEY_BYTES_MAX: usize = 512;
const VALUE_BYTES_MAX: u64 = 25 * 1024 * 1024;

/// Before the path in a key: what is cached lies under URLs.
const KEY_PREFIX: &str = "kept:";
/// What follows the path of a form.
const ENDINGS: [&str; 3] = ["", ".br", ".zst"];

/// Under which key a file lies; `None` where there is no such key.
pub fn key(file: &str) -> Option<String> {
    let key = format!("{KEY_PREFIX}{file}");
    (key.len() <= KEY_BYTES_MAX).then_some(key)
}

/// The keys of all that may be kept of an asset.
pub fn keys(path: &str) -> impl Iterator<Item = String> {
    ENDINGS.iter().filter_map(move |ending| key(&format!("{path}{ending}")))
}

/// A form of an asset that is to be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Its path in the site.
    pub file: String,
    /// Its bytes.
    pub size: u64,
}

/// The forms of an asset, itself last: where it is, all of them are. The differences to other
/// contents aren't among them; they are of use for a while only.
pub fn forms(path: &str, kept: &Kept) -> Vec<Form> {
    let encodings = kept.file.encodings;
    let sizes = [(".br", encodings.br), (".zst", encodings.zstd), ("", Some(kept.file.size))];
    let form =
        |(ending, size): (&str, Option<u64>)| Some(Form { file: format!("{path}{ending}"), size: size? });
    sizes.into_iter().filter_map(form).collect()
}

/// The assets of a build that can be kept, by path.
pub fn assets(manifest: &Manifest) -> impl Iterator<Item = (&str, Kept)> {
    manifest.assets.values().filter_map(|asset| {
        let kept = Kept { file: asset.file.clone(), dictionary_for: asset.dictionary_for.clone() };
        let fits = |form: &Form| form.size <= VALUE_BYTES_MAX && key(&form.file).is_some();
        forms(&asset.path, &kept).iter().all(fits).then_some((asset.path.as_str(), kept))
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
        let Asset { path, file, .. } = asset("/assets/a.js", 10, Some(5));
        let files = forms(&path, &Kept { file, dictionary_for: None }).into_iter().map(|form| form.file);
        assert_eq!(files.collect::<Vec<_>>(), ["/assets/a.js.br", "/assets/a.js"]);
        let all = ["kept:/assets/a.js", "kept:/assets/a.js.br", "kept:/assets/a.js.zst"];
        assert_eq!(keys("/assets/a.js").collect::<Vec<_>>(), all);
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
