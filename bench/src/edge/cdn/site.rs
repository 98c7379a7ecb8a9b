//! The site that is looked at: a copy of the built one, and a copy of that in which a line of
//! the style sheet is another.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tidewall_api::manifest::{Asset, Delta, Encodings, FILE_NAME, File, Manifest, Page};
use tidewall_assets::compress::{self, Effort};
use tidewall_assets::{hash, integrity};

use super::super::folder::Folder;
use crate::error::Reason;

/// The article's file: 500 KB.
pub(super) const FILE_BYTES: usize = 500_000;
/// Its path.
const FILE_PATH: &str = "/assets/bench/file.0000000000000000.bin";
/// What is changed.
const STYLES: &str = "styles.css";
/// The change: one line more, in the middle.
const LINE: &str = ".notice{outline:2px solid currentColor}";
/// Folder of the products' pictures in the manifest.
const PICTURES: &str = "pictures/";
/// How many of them a page of products shows.
const PICTURES_SHOWN: usize = 24;

/// A site in a folder of its own.
pub(super) struct Site {
    manifest: Manifest,
    folder: Folder,
}

/// What the home page loads, all by path.
pub(super) struct Home {
    /// What the page itself names: styles, program, icon.
    pub(super) parts: Vec<String>,
    /// What the program shows then.
    pub(super) pictures: Vec<String>,
}

/// What is known of a file of the site.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    file: &'a File,
    deltas: &'a [Delta],
}

impl Site {
    /// A copy of the built site in `folder`.
    pub(super) fn copy(folder: &Path) -> Result<Self, Reason> {
        let path = folder.join(FILE_NAME);
        let json = fs::read(&path).map_err(|error| {
            Reason::new(&format!("{} can't be read ({error}); `tidewall build` makes it", path.display()))
        })?;
        let site = Self { manifest: serde_json::from_slice(&json)?, folder: Folder::new()? };
        copy_all(folder, site.path())?;
        Ok(site)
    }

    /// Its folder.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a file that doesn't get smaller; its path.
    pub(super) fn add_file(&mut self) -> Result<String, Reason> {
        let mut bytes = vec![0; FILE_BYTES];
        // The same each time: what is sent must not change what is measured.
        fastrand::Rng::with_seed(1).fill(&mut bytes);
        let file = File {
            integrity: integrity(&bytes),
            size: FILE_BYTES as u64,
            content_type: "application/octet-stream".to_owned(),
            encodings: Encodings::default(),
        };
        self.write(FILE_PATH, &bytes)?;
        let asset = Asset { path: FILE_PATH.to_owned(), file, ..Asset::default() };
        self.manifest.assets.insert(FILE_PATH.to_owned(), asset);
        self.write_manifest()?;
        Ok(FILE_PATH.to_owned())
    }

    /// A copy in which the style sheet has a line more. Whatever names it is built again.
    pub(super) fn with_changed_styles(&self) -> Result<Self, Reason> {
        let mut site = Self { manifest: self.manifest.clone(), folder: Folder::new()? };
        copy_all(self.path(), site.path())?;
        let styles = self.manifest.assets.get(STYLES);
        let mut asset = styles.cloned().ok_or_else(|| Reason::new("the site has no style sheet"))?;
        let old = self.read(&asset.path)?;
        let new = with_line(&old)?;
        let (old_path, old_integrity) = (asset.path.clone(), asset.file.integrity.clone());
        let named = old_path.rsplit('.').nth(1).ok_or_else(|| Reason::new("a name without a hash"))?;
        asset.path = old_path.replacen(named, &hash(&new), 1);
        asset.file = site.finished(&asset.path, &asset.file.content_type, &new)?;
        asset.deltas = vec![site.delta(&asset.path, &new, &old)?];
        let renamed =
            |text: &str| text.replace(&old_path, &asset.path).replace(&old_integrity, &asset.file.integrity);
        for other in self.manifest.assets.values().filter(|other| other.path != old_path) {
            let names_it =
                self.read(&other.path)?.windows(old_path.len()).any(|part| part == old_path.as_bytes());
            if names_it {
                return Err(Reason::new(&format!(
                    "{} names the style sheet, and would change too",
                    other.path
                )));
            }
        }
        let mut manifest = self.manifest.clone();
        let pages = manifest.routes.iter_mut().map(|route| &mut route.page);
        for page in pages.chain(&mut manifest.not_found) {
            let html = renamed(&String::from_utf8(self.read(&page.file)?)?);
            page.content = site.finished(&page.file, &page.content.content_type, html.as_bytes())?;
            page.links = page.links.iter().map(|link| renamed(link)).collect();
        }
        manifest.build = hash(manifest.build.as_bytes());
        manifest.assets.insert(STYLES.to_owned(), asset);
        site.manifest = manifest;
        site.write_manifest()?;
        Ok(site)
    }

    /// What the home page loads.
    pub(super) fn home(&self) -> Result<Home, Reason> {
        let html = String::from_utf8(self.read(&self.home_page()?.file)?)?;
        let assets = self.manifest.assets.iter();
        let (pictures, others): (Vec<_>, Vec<_>) = assets.partition(|(name, _)| name.starts_with(PICTURES));
        let others: BTreeSet<_> = others.into_iter().map(|(_, asset)| asset.path.clone()).collect();
        let parts: Vec<_> = others.into_iter().filter(|path| html.contains(path.as_str())).collect();
        let pictures: Vec<_> =
            pictures.into_iter().take(PICTURES_SHOWN).map(|(_, asset)| asset.path.clone()).collect();
        if parts.is_empty() || pictures.len() < PICTURES_SHOWN {
            return Err(Reason::new("the home page loads less than a page of products"));
        }
        Ok(Home { parts, pictures })
    }

    /// Whether an asset is at a path.
    pub(super) fn is_asset(&self, path: &str) -> bool {
        self.manifest.assets.values().any(|asset| asset.path == path)
    }

    /// What is known of what a path is answered with.
    pub(super) fn known(&self, path: &str) -> Result<Known<'_>, Reason> {
        if let Some(asset) = self.manifest.assets.values().find(|asset| asset.path == path) {
            return Ok(Known { file: &asset.file, deltas: &asset.deltas });
        }
        let page = self.manifest.page(path);
        let page = page.ok_or_else(|| Reason::new(&format!("the site has no {path}")))?;
        Ok(Known { file: &page.content, deltas: &[] })
    }

    fn home_page(&self) -> Result<&Page, Reason> {
        self.manifest.page("/").ok_or_else(|| Reason::new("the site has no home page"))
    }

    /// Writes a file with its compressed forms, as a release has them.
    fn finished(&self, path: &str, content_type: &str, bytes: &[u8]) -> Result<File, Reason> {
        let (br, zstd) = (compress::brotli(bytes, Effort::Most)?, compress::zstd(bytes, Effort::Most)?);
        self.write(path, bytes)?;
        self.write(&format!("{path}.br"), &br)?;
        self.write(&format!("{path}.zst"), &zstd)?;
        Ok(File {
            integrity: integrity(bytes),
            size: bytes.len() as u64,
            content_type: content_type.to_owned(),
            encodings: Encodings { br: Some(br.len() as u64), zstd: Some(zstd.len() as u64) },
        })
    }

    /// Writes a file as the difference to what it was.
    fn delta(&self, path: &str, bytes: &[u8], earlier: &[u8]) -> Result<Delta, Reason> {
        let mut delta = Delta { dictionary: digest(&integrity(earlier)), dcb: None, dcz: None };
        if let Some(dcb) = compress::dcb(bytes, earlier, Effort::Most)? {
            self.write(&format!("{path}.{}.dcb", hash(earlier)), &dcb)?;
            delta.dcb = Some(dcb.len() as u64);
        }
        if let Some(dcz) = compress::dcz(bytes, earlier, Effort::Most)? {
            self.write(&format!("{path}.{}.dcz", hash(earlier)), &dcz)?;
            delta.dcz = Some(dcz.len() as u64);
        }
        Ok(delta)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Reason> {
        let read = fs::read(self.path().join(path.trim_start_matches('/')));
        read.map_err(|error| Reason::new(&format!("the site's {path} can't be read: {error}")))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Reason> {
        let file = self.path().join(path.trim_start_matches('/'));
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(fs::write(file, bytes)?)
    }

    fn write_manifest(&self) -> Result<(), Reason> {
        self.write(FILE_NAME, &serde_json::to_vec(&self.manifest)?)
    }
}

impl Known<'_> {
    /// SHA-256 of the content, in base64.
    pub(super) fn digest(self) -> String {
        digest(&self.file.integrity)
    }

    /// Bytes of its Brotli form.
    pub(super) fn brotli_bytes(self) -> Option<u64> {
        self.file.encodings.br
    }

    /// Bytes without any coding.
    pub(super) fn bytes(self) -> u64 {
        self.file.size
    }

    /// Whether it has that many bytes in this coding.
    pub(super) fn is_as_long(self, coding: Option<&str>, bytes: u64) -> bool {
        let Encodings { br, zstd } = self.file.encodings;
        match coding {
            None => self.file.size == bytes,
            Some("br") => br == Some(bytes),
            Some("zstd") => zstd == Some(bytes),
            Some("dcb") => self.deltas.iter().any(|delta| delta.dcb == Some(bytes)),
            Some("dcz") => self.deltas.iter().any(|delta| delta.dcz == Some(bytes)),
            Some(_) => false,
        }
    }
}

/// A style sheet with one line more.
fn with_line(styles: &[u8]) -> Result<Vec<u8>, Reason> {
    let text = std::str::from_utf8(styles)?;
    let half = text.floor_char_boundary(text.len() / 2);
    let end = text[half..].find('}').ok_or_else(|| Reason::new("the style sheet has no rules"))?;
    let (before, after) = text.split_at(half + end + 1);
    Ok([before, LINE, after].concat().into_bytes())
}

/// The hash in an integrity value.
fn digest(integrity: &str) -> String {
    integrity.trim_start_matches("sha256-").to_owned()
}

fn copy_all(from: &Path, to: &Path) -> Result<(), Reason> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy_all(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_added_between_two_rules() {
        let changed = with_line(b"a{color:red}b{color:tan}c{top:0}").unwrap();
        assert_eq!(
            String::from_utf8(changed).unwrap(),
            format!("a{{color:red}}b{{color:tan}}{LINE}c{{top:0}}")
        );
        assert!(with_line(b"/* nothing */").is_err());
    }

    #[test]
    fn a_body_is_as_long_as_its_coding_is_known_to_be() {
        let encodings = Encodings { br: Some(30), zstd: None };
        let file = File { size: 100, encodings, ..File::default() };
        let deltas = [Delta { dictionary: String::new(), dcb: Some(5), dcz: None }];
        let known = Known { file: &file, deltas: &deltas };
        for (coding, bytes, expected) in [
            (None, 100, true),
            (None, 30, false),
            (Some("br"), 30, true),
            (Some("zstd"), 30, false),
            (Some("dcb"), 5, true),
            (Some("dcz"), 5, false),
            (Some("gzip"), 30, false),
        ] {
            assert_eq!(known.is_as_long(coding, bytes), expected, "{coding:?} {bytes}");
        }
    }
}
