//! Which picture shows which product.

use std::path::{Path, PathBuf};

use tidewall_api::manifest::{self, Manifest};

/// Folder of the authored pictures in the manifest.
const FOLDER: &str = "pictures/";

/// The paths of the product pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    paths: Vec<String>,
}

/// Why the manifest can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ImagesError {
    /// It isn't there.
    #[error("the manifest {path} can't be read ({reason}); build the site first")]
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
}

impl Images {
    /// Reads the manifest at `path`.
    pub fn load(path: &Path) -> Result<Self, ImagesError> {
        let json = std::fs::read(path)
            .map_err(|error| ImagesError::Read { path: path.to_owned(), reason: error.kind() })?;
        match serde_json::from_slice::<Manifest>(&json) {
            Ok(manifest) if manifest.version == manifest::VERSION => Ok(Self::of(&manifest)),
            Ok(_) | Err(_) => Err(ImagesError::Form { path: path.to_owned() }),
        }
    }

    fn of(manifest: &Manifest) -> Self {
        let pictures = manifest.assets.iter().filter(|(name, _)| name.starts_with(FOLDER));
        Self { paths: pictures.map(|(_, asset)| asset.path.clone()).collect() }
    }

    /// The picture of the product `id`; empty where there are none.
    pub(super) fn path(&self, id: i64) -> &str {
        match i64::try_from(self.paths.len()) {
            Ok(count) if count > 0 => usize::try_from(id.rem_euclid(count))
                .ok()
                .and_then(|index| self.paths.get(index))
                .map_or("", String::as_str),
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tidewall_api::manifest::Asset;

    use super::*;

    fn images(names: &[&str]) -> Images {
        let asset = |name: &&str| {
            let path = format!("/assets/{name}");
            ((*name).to_owned(), Asset { path, ..Asset::default() })
        };
        let assets: BTreeMap<_, _> = names.iter().map(asset).collect();
        Images::of(&Manifest { version: manifest::VERSION, assets, ..Manifest::default() })
    }

    #[test]
    fn a_product_has_the_picture_that_its_id_comes_round_to() {
        let images = images(&["app.js", "pictures/00.svg", "pictures/01.svg", "pictures/02.svg"]);
        for (id, path) in [(0, "00"), (1, "01"), (2, "02"), (3, "00"), (i64::MAX, "01"), (-1, "02")] {
            assert_eq!(images.path(id), format!("/assets/pictures/{path}.svg"), "{id}");
        }
    }

    #[test]
    fn without_pictures_a_product_has_none() {
        assert_eq!(Images::default().path(7), "");
        assert_eq!(images(&["app.js"]).path(7), "");
    }
}
