//! Pictures: how large they are, and the same in fewer bytes.

use oxipng::{Options, StripChunks};

use crate::error::{Flaw, Found};
use crate::format::svg;
use crate::name::extension;

/// How hard PNGs are tried: the effort at which more gives less than a hundredth.
const PNG_EFFORT: u8 = 4;

/// Width and height in CSS pixels, before any style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

/// How large the picture called `name` is; `None` for what is no picture or doesn't say.
pub(crate) fn dimensions(name: &str, bytes: &[u8]) -> Option<Dimensions> {
    match extension(name)?.1 {
        "svg" => svg::dimensions(str::from_utf8(bytes).ok()?),
        "png" | "jpg" | "jpeg" | "webp" | "avif" | "gif" => {
            let size = imagesize::blob_size(bytes).ok()?;
            Some(Dimensions {
                width: u32::try_from(size.width).ok()?,
                height: u32::try_from(size.height).ok()?,
            })
        }
        _ => None,
    }
}

/// A PNG with the same pixels in fewer bytes, without what isn't shown.
pub(crate) fn smaller_png(bytes: &[u8]) -> Result<Vec<u8>, Found> {
    let options = Options { strip: StripChunks::Safe, ..Options::from_preset(PNG_EFFORT) };
    let smaller = oxipng::optimize_from_memory(bytes, &options)
        .map_err(|error| Found::somewhere(Flaw::Image(error.to_string())))?;
    Ok(if smaller.len() < bytes.len() { smaller } else { bytes.to_vec() })
}
