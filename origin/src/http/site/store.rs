//! The folder of a built site. A site that is built again is served from then on; one that
//! can't be read leaves the last that could.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use tidewall_api::manifest::FILE_NAME;
use tidewall_api::site::Index;
use tokio::fs;
use tokio::sync::Mutex;

use super::contents::{self, SiteError};
use crate::telemetry::chain;

/// For what isn't the site itself, a look is no older than this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A built site; cheap to clone.
#[derive(Clone, Debug)]
pub struct Site(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    current: RwLock<Current>,
    /// Held while the manifest is read, so that who looks meanwhile waits for what comes of it.
    reading: Mutex<()>,
}

#[derive(Debug)]
struct Current {
    index: Arc<Index>,
    /// Of the manifest that was read last, or could not be.
    stamp: Option<Stamp>,
    looked: Instant,
}

/// By what a manifest is known to have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    bytes: u64,
}

impl Site {
    /// The site in `folder`.
    pub async fn open(folder: &Path) -> Result<Self, SiteError> {
        let manifest = folder.join(FILE_NAME);
        let stamp = stamp(&manifest).await;
        let index = Arc::new(load(&manifest).await?);
        let current = RwLock::new(Current { index, stamp, looked: Instant::now() });
        Ok(Self(Arc::new(Inner { folder: folder.to_owned(), current, reading: Mutex::default() })))
    }

    /// What it has, as of the last look.
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner).index)
    }

    /// Looks whether it was built again.
    pub(super) async fn look(&self) {
        let manifest = self.0.folder.join(FILE_NAME);
        // Taken before the manifest is read: what changes meanwhile is found by the next look.
        if self.is_known(stamp(&manifest).await) {
            return;
        }
        let _reading = self.0.reading.lock().await;
        let stamp = stamp(&manifest).await;
        if self.is_known(stamp) {
            return;
        }
        let loaded = load(&manifest).await;
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        current.stamp = stamp;
        match loaded {
            Ok(index) => {
                tracing::info!(build = index.manifest().build, "the site was built again");
                current.index = Arc::new(index);
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the site was changed, the last one is served on");
            }
        }
    }

    /// Whether the manifest with this stamp has been read, or could not be.
    fn is_known(&self, stamp: Option<Stamp>) -> bool {
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        current.looked = Instant::now();
        current.stamp == stamp
    }

    /// The same, unless somebody has looked just now.
    pub(super) async fn look_if_due(&self) {
        let looked = self.0.current.read().unwrap_or_else(PoisonError::into_inner).looked;
        if looked.elapsed() >= LOOK_EVERY {
            self.look().await;
        }
    }

    /// Where the file `named` by the manifest lies.
    pub(super) fn path(&self, named: &str) -> PathBuf {
        self.0.folder.join(named.trim_start_matches('/'))
    }
}

/// `None` where there is no manifest.
async fn stamp(manifest: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(manifest).await.ok()?;
    Some(Stamp { modified: metadata.modified().ok()?, bytes: metadata.len() })
}

async fn load(manifest: &Path) -> Result<Index, SiteError> {
    let json = fs::read(manifest)
        .await
        .map_err(|error| SiteError::Read { path: manifest.to_owned(), reason: error.kind() })?;
    contents::read(manifest, &json)
}
