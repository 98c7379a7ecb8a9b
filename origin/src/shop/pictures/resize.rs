//! A picture in the sizes that pages show, without what a camera wrote beside it.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageReader, Limits};
use sha2::{Digest as _, Sha256};

/// Longest sides, in pixels: a page of its own, and a card in a list on a dense screen.
const LARGE: u32 = 960;
const SMALL: u32 = 320;

/// More than any phone takes. A file of a few kilobytes can claim to have billions, which
/// would have to be held in memory.
const PIXELS_MAX: u64 = 64 * 1024 * 1024;
/// What decoding may take, of which the pixels are most: 64 million in colour, or half as many
/// where each takes more.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// No side is longer, however few pixels there are.
const SIDE_MAX: u32 = 16_384;

/// Where a JPEG shows no flaw on a screen, and is half of what it were at 95.
const JPEG_QUALITY: u8 = 82;

/// Digest bytes in a name: chance makes no two pictures share 128 bits.
const NAME_BYTES: usize = 16;

/// A picture, named by what is in it.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) large: File,
    pub(super) small: File,
}

/// One of its sizes.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum PictureError {
    /// It isn't one, or a broken one.
    #[error("it is no PNG, JPEG or WebP that can be read")]
    Unreadable(#[source] ImageError),
    /// It is too large.
    #[error("it has {width} by {height} pixels, more than can be read")]
    TooLarge { width: u32, height: u32 },
}

/// Makes the sizes of what was uploaded. Where it is smaller it stays as large as it is.
pub(super) fn resize(original: &[u8]) -> Result<Picture, PictureError> {
    let image = decode(original)?;
    let (large, small) = (shrink(&image, LARGE), shrink(&image, SMALL));
    drop(image);
    // Only what can be seen through needs a format that can; as JPEG others are much smaller.
    let is_clear = large.color().has_alpha() && large.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX);
    let (extension, large, small) = if is_clear {
        ("webp", webp(&large)?, webp(&small)?)
    } else {
        ("jpeg", jpeg(&large)?, jpeg(&small)?)
    };
    let digest = Sha256::new().chain_update(&large).chain_update(&small).finalize();
    let hash: String = digest.iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect();
    let file = |side: u32, content| File { name: format!("{hash}-{side}.{extension}"), content };
    Ok(Picture { large: file(LARGE, large), small: file(SMALL, small) })
}

fn decode(original: &[u8]) -> Result<DynamicImage, PictureError> {
    let mut reader = ImageReader::new(Cursor::new(original))
        .with_guessed_format()
        .map_err(|error| PictureError::Unreadable(ImageError::IoError(error)))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(BYTES_MAX);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX || decoder.total_bytes() > BYTES_MAX {
        return Err(PictureError::TooLarge { width, height });
    }
    // A camera that was held upright says so beside the pixels.
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn unreadable(error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(_) => PictureError::TooLarge { width: SIDE_MAX, height: SIDE_MAX },
        error => PictureError::Unreadable(error),
    }
}

/// The picture with no side longer than `side`.
fn shrink(image: &DynamicImage, side: u32) -> DynamicImage {
    if image.width().max(image.height()) <= side {
        return image.clone();
    }
    // Roughly first: the fine filter takes its time on millions of pixels.
    let rough = side * 3;
    let is_huge = image.width().max(image.height()) > rough;
    let near = is_huge.then(|| image.thumbnail(rough, rough));
    near.as_ref().unwrap_or(image).resize(side, side, FilterType::Lanczos3)
}

fn jpeg(image: &DynamicImage) -> Result<Vec<u8>, PictureError> {
    let mut content = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut content, JPEG_QUALITY);
    image.to_rgb8().write_with_encoder(encoder).map_err(PictureError::Unreadable)?;
    Ok(content)
}

fn webp(image: &DynamicImage) -> Result<Vec<u8>, PictureError> {
    let mut content = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut content);
    image.to_rgba8().write_with_encoder(encoder).map_err(PictureError::Unreadable)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Rgba, RgbaImage};
    use proptest::prelude::*;

    use super::*;

    fn picture(width: u32, height: u32, alpha: u8) -> DynamicImage {
        RgbaImage::from_fn(width, height, |x, y| Rgba([x as u8, y as u8, 99, alpha])).into()
    }

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut content = Cursor::new(Vec::new());
        // A JPEG has no alpha.
        let image = if format == ImageFormat::Jpeg { &DynamicImage::from(image.to_rgb8()) } else { image };
        image.write_to(&mut content, format).unwrap();
        content.into_inner()
    }

    fn check(
        width: u32,
        height: u32,
        alpha: u8,
        format: ImageFormat,
        expected: [(u32, u32); 2],
        extension: &str,
    ) {
        let made = resize(&encoded(&picture(width, height, alpha), format)).unwrap();
        for (file, size) in [&made.large, &made.small].into_iter().zip(expected) {
            assert!(file.name.ends_with(extension), "{}", file.name);
            assert_eq!(
                image::load_from_memory(&file.content).map(|image| (image.width(), image.height())).unwrap(),
                size
            );
        }
    }

    #[test]
    fn a_picture_fits_into_its_sizes_and_keeps_its_shape() {
        check(1_920, 960, 255, ImageFormat::Png, [(960, 480), (320, 160)], ".jpeg");
        check(400, 1_000, 255, ImageFormat::Jpeg, [(384, 960), (128, 320)], ".jpeg");
        check(4_000, 3_000, 255, ImageFormat::Jpeg, [(960, 720), (320, 240)], ".jpeg");
        check(5_000, 1, 255, ImageFormat::Png, [(960, 1), (320, 1)], ".jpeg");
    }

    #[test]
    fn a_small_picture_stays_as_it_is() {
        check(200, 100, 255, ImageFormat::WebP, [(200, 100), (200, 100)], ".jpeg");
        check(1, 1, 255, ImageFormat::Png, [(1, 1), (1, 1)], ".jpeg");
    }

    #[test]
    fn what_can_be_seen_through_still_can() {
        check(640, 640, 128, ImageFormat::Png, [(640, 640), (320, 320)], ".webp");
        let made = resize(&encoded(&picture(640, 640, 128), ImageFormat::WebP)).unwrap();
        assert_eq!(
            image::load_from_memory(&made.large.content).unwrap().to_rgba8().get_pixel(7, 7).0[3],
            128
        );
    }

    #[test]
    fn the_name_is_of_the_content() {
        let name = |alpha| resize(&encoded(&picture(64, 64, alpha), ImageFormat::Png)).unwrap().large.name;
        assert_eq!(name(255), name(255));
        assert_ne!(name(255), name(127));
    }

    /// A PNG of `width` by `height` that has no pixels.
    fn claims(width: u32, height: u32) -> Vec<u8> {
        let mut png = encoded(&picture(1, 1, 255), ImageFormat::Png);
        png[16..20].copy_from_slice(&width.to_be_bytes());
        png[20..24].copy_from_slice(&height.to_be_bytes());
        let checksum = crc(&png[12..29]);
        png[29..33].copy_from_slice(&checksum.to_be_bytes());
        png
    }

    /// The checksum of a chunk (PNG, annex D).
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8)
                .fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }

    #[test]
    fn a_picture_that_claims_too_many_pixels_is_refused_before_they_are_held() {
        for (width, height) in [(16_000, 16_000), (60_000, 1), (1, 60_000), (u32::MAX >> 1, u32::MAX >> 1)] {
            let outcome = resize(&claims(width, height)).map(|_| ());
            assert!(
                matches!(outcome, Err(PictureError::TooLarge { .. })),
                "{width} by {height}: {outcome:?}"
            );
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let whole = encoded(&picture(640, 640, 255), ImageFormat::Png);
        for content in
            [&b""[..], b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", &whole[..99], &claims(9, 9)]
        {
            assert!(
                matches!(resize(content), Err(PictureError::Unreadable(_))),
                "{:?}",
                &content[..content.len().min(8)]
            );
        }
    }

    proptest! {
        #[test]
        fn no_content_makes_it_panic(
            format in prop::sample::select(vec![ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        ) {
            let mut content = encoded(&picture(20, 30, 200), format);
            for (position, byte) in changes {
                let position = position.index(content.len());
                content[position] = byte;
            }
            let _ = resize(&content);
        }
    }
}
