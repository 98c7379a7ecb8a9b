//! Sites that tests make themselves, as a build would.

pub(crate) mod dictionaries;
pub(crate) mod serving;
pub(crate) mod skew;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brotli::enc::{BrotliEncoderParams, StandardAlloc};
use sha2::{Digest, Sha256};
use tidewall_api::manifest::{Asset, Delta, Encodings, FILE_NAME, File, Manifest, Page, Route, VERSION};

use crate::support::tidewall::Folder;

/// A site in a folder of its own.
pub(crate) struct Built {
    pub(crate) manifest: Manifest,
    folder: Folder,
}

impl Built {
    /// An empty one.
    pub(crate) fn new(build: &str) -> Self {
        let manifest = Manifest { version: VERSION, build: build.to_owned(), ..Manifest::default() };
        let site = Self { manifest, folder: Folder::new() };
        site.write_manifest();
        site
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// Adds an asset, as it is and with Brotli; its path. Its name is `name.ext`.
    pub(crate) fn asset(&mut self, name: &str, bytes: &[u8]) -> String {
        let (stem, extension) = name.rsplit_once('.').unwrap();
        let path = format!("/assets/{stem}.{}.{extension}", &hex(bytes)[..16]);
        let file = self.file(&path, content_type(extension), bytes);
        let asset = Asset { path: path.clone(), file, ..Asset::default() };
        self.manifest.assets.insert(name.to_owned(), asset);
        self.write_manifest();
        path
    }

    /// Makes an asset a dictionary of its later contents.
    pub(crate) fn dictionary(&mut self, name: &str) {
        let (stem, extension) = name.rsplit_once('.').unwrap();
        let pattern = format!("/assets/{stem}.*.{extension}");
        self.manifest.assets.get_mut(name).unwrap().dictionary_for = Some(pattern);
        self.write_manifest();
    }

    /// Adds an asset as the difference to what it was.
    pub(crate) fn delta(&mut self, name: &str, bytes: &[u8], before: &[u8]) {
        let delta = [b"\xffDCB", &*Sha256::digest(before), &*compress(bytes, before)].concat();
        let asset = self.manifest.assets.get_mut(name).unwrap();
        let path = format!("{}.{}.dcb", asset.path, &hex(before)[..16]);
        let dictionary = STANDARD.encode(Sha256::digest(before));
        asset.deltas.push(Delta { dictionary, dcb: Some(delta.len() as u64), dcz: None });
        self.write(&path, &delta);
        self.write_manifest();
    }

    /// Adds a page for a path.
    pub(crate) fn page(&mut self, path: &str, file: &str, html: &str) {
        let content = self.file(file, "text/html; charset=utf-8", html.as_bytes());
        let page = Page { file: file.to_owned(), content, ..Page::default() };
        match path {
            "" => self.manifest.not_found = Some(page),
            _ => self.manifest.routes.push(Route { path: path.to_owned(), page }),
        }
        self.write_manifest();
    }

    /// Adds a file that keeps its name.
    pub(crate) fn plain(&mut self, path: &str, text: &str) {
        let file = self.file(path, "text/plain", text.as_bytes());
        self.manifest.files.insert(path.to_owned(), file);
        self.write_manifest();
    }

    /// What is at a path of the site.
    pub(crate) fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.folder.join(path.trim_start_matches('/'))).unwrap()
    }

    fn file(&self, path: &str, content_type: &str, bytes: &[u8]) -> File {
        let compressed = compress(bytes, b"");
        self.write(path, bytes);
        self.write(&format!("{path}.br"), &compressed);
        File {
            integrity: format!("sha256-{}", STANDARD.encode(Sha256::digest(bytes))),
            size: bytes.len() as u64,
            content_type: content_type.to_owned(),
            encodings: Encodings { br: Some(compressed.len() as u64), zstd: None },
        }
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.folder.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn write_manifest(&self) {
        self.write(FILE_NAME, &serde_json::to_vec(&self.manifest).unwrap());
    }
}

/// Undoes Brotli.
pub(crate) fn decompress(bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    brotli::BrotliDecompress(&mut &bytes[..], &mut whole).unwrap();
    whole
}

/// Text that compresses, but not to nothing.
pub(crate) fn text(seed: usize, lines: usize) -> String {
    (0..lines).map(|line| format!("line {line} of {seed}: {}\n", (line + 7) * (seed + 13) * 7_919)).collect()
}

fn compress(bytes: &[u8], dictionary: &[u8]) -> Vec<u8> {
    let params = BrotliEncoderParams { quality: 11, lgwin: 24, ..BrotliEncoderParams::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompressCustomIoCustomDict(
        &mut brotli::IoReaderWrapper(&mut &bytes[..]),
        &mut brotli::IoWriterWrapper(&mut compressed),
        &mut [0; 4_096],
        &mut [0; 4_096],
        &params,
        StandardAlloc::default(),
        &mut |_, _, _, _| (),
        dictionary,
        std::io::Error::from(std::io::ErrorKind::UnexpectedEof),
    )
    .unwrap();
    compressed
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn content_type(extension: &str) -> &'static str {
    match extension {
        "js" => "text/javascript",
        "css" => "text/css",
        _ => "application/octet-stream",
    }
}
