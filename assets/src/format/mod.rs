//! How each kind of file names others, read by its own parser.

pub(crate) mod css;

pub(crate) mod image;
pub(crate) mod script;
pub(crate) mod source_map;
pub(crate) mod svg;
pub(crate) mod web_manifest;

use crate::error::{Flaw, Found};
use crate::name::extension;
use crate::reference::Reference;

/// What a file is to the build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Css,
    Script,
    SourceMap,
    Svg,
    WebManifest,
    Png,
    /// Bytes that name nothing, and stay as they are.
    Opaque,
}

/// The URL that stands in for one in a file; `None` leaves it.
pub(crate) type Rename<'a> = &'a dyn Fn(&Reference) -> Option<String>;

impl Format {
    pub(crate) fn of(name: &str) -> Self {
        match extension(name).map(|(_, extension)| extension) {
            Some("css") => Self::Css,
            Some("js" | "mjs") => Self::Script,
            Some("map") => Self::SourceMap,
            Some("svg") => Self::Svg,
            Some("webmanifest") => Self::WebManifest,
            Some("png") => Self::Png,
            _ => Self::Opaque,
        }
    }

    /// What the file refers to, in order.
    pub(crate) fn references(self, bytes: &[u8]) -> Result<Vec<Reference>, Found> {
        match self {
            Self::Css => css::references(text(bytes)?),
            Self::Script => script::references(text(bytes)?),
            Self::Svg => svg::references(text(bytes)?),
            Self::WebManifest => web_manifest::references(text(bytes)?),
            Self::SourceMap => {
                source_map::check(text(bytes)?)?;
                Ok(Vec::new())
            }
            Self::Png | Self::Opaque => Ok(Vec::new()),
        }
    }
}

pub(crate) fn text(bytes: &[u8]) -> Result<&str, Found> {
    str::from_utf8(bytes).map_err(|error| {
        let before =
            String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default()).into_owned();
        Found::at(crate::error::line_of(&before, before.len()), Flaw::NotUtf8)
    })
}
