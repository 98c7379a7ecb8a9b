//! Where things are in the checkout.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, IoContext};
use crate::leftovers::Records;
use crate::lock;

/// How the Wasm parts are built, and where the outcome lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Quick to build: what `tidewall dev` serves.
    Dev,
    /// Small: what is deployed.
    Release,
}

impl Flavor {
    /// Name of the Cargo profile for wasm32.
    pub(crate) fn cargo_profile(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "wasm-release",
        }
    }
}

/// The checkout that this command was built from.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    children: Records,
}

impl Workspace {
    /// Finds the checkout.
    ///
    /// # Errors
    /// It was moved or deleted since this command was built.
    pub(crate) fn find() -> Result<Self, Failure> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        if root.join("wrangler.toml").is_file() && root.join("package.json").is_file() {
            let children = Records::new(root.join("target/tidewall-children"));
            return Ok(Self { root, children });
        }
        Err(Failure::new(format!(
            "{} is not a Tidewall checkout any more; run `cargo run` in the one you have now",
            root.display()
        )))
    }

    /// A file or folder of the checkout.
    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// The checkout's root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Waits until nobody else builds or installs in this checkout: two stacks may start at once.
    /// The lock is held for as long as the file is open.
    pub(crate) async fn lock(&self) -> Result<File, Failure> {
        let folder = self.root.join("target");
        fs::create_dir_all(&folder).or_fail("create", &folder)?;
        lock::take(&folder.join("tidewall-build.lock")).await
    }

    /// Records of what is called to build and install here, whichever command calls it.
    pub(crate) fn children(&self) -> &Records {
        &self.children
    }

    fn output(&self, flavor: Flavor) -> PathBuf {
        match flavor {
            Flavor::Dev => self.root.join("target/dev"),
            Flavor::Release => self.root.join("target"),
        }
    }

    /// Folder of the built site.
    pub(crate) fn site(&self, flavor: Flavor) -> PathBuf {
        self.output(flavor).join("site")
    }

    /// Folder of the built Worker.
    pub(crate) fn worker(&self, flavor: Flavor) -> PathBuf {
        self.output(flavor).join("edge")
    }

    /// The edge as one program.
    pub(crate) fn edge_program(&self, flavor: Flavor) -> PathBuf {
        self.output(flavor).join("edge-program/tidewall-edge")
    }

    /// A program that a pinned npm package brings, such as `wrangler`.
    pub(crate) fn npm_program(&self, name: &str) -> PathBuf {
        self.root.join("node_modules/.bin").join(name)
    }
}
