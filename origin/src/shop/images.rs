//! Which picture shows which product.

use tidewall_api::manifest::Manifest;

use crate::http::site::Site;

/// Folder of the authored pictures in the manifest.
const FOLDER: &str = "pictures/";

/// Where the product pictures are.
#[derive(Clone, Debug)]
pub(super) struct Images(Option<Site>);

/// The paths of the product pictures, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pictures {
    paths: Vec<String>,
}

impl Images {
    /// In `site`; without one there are none.
    pub(super) fn new(site: Option<Site>) -> Self {
        Self(site)
    }

    /// Those that there are now.
    pub(super) fn now(&self) -> Pictures {
        self.0.as_ref().map(|site| Pictures::of(site.index().manifest())).unwrap_or_default()
    }
}

impl Pictures {
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

    fn pictures(names: &[&str]) -> Pictures {
        let asset = |name: &&str| {
            let path = format!("/assets/{name}");
            ((*name).to_owned(), Asset { path, ..Asset::default() })
        };
        let assets: BTreeMap<_, _> = names.iter().map(asset).collect();
        Pictures::of(&Manifest { assets, ..Manifest::default() })
    }

    #[test]
    fn a_product_has_the_picture_that_its_id_comes_round_to() {
        let pictures = pictures(&["app.js", "pictures/00.svg", "pictures/01.svg", "pictures/02.svg"]);
        for (id, path) in [(0, "00"), (1, "01"), (2, "02"), (3, "00"), (i64::MAX, "01"), (-1, "02")] {
            assert_eq!(pictures.path(id), format!("/assets/pictures/{path}.svg"), "{id}");
        }
    }

    #[test]
    fn without_pictures_a_product_has_none() {
        assert_eq!(Images::new(None).now().path(7), "");
        assert_eq!(pictures(&["app.js"]).path(7), "");
    }
}
