//! Finished files in fewer bytes: compressed, and as the difference to an earlier content.

use std::io::{self, Write};

use brotli::enc::{BrotliCompressCustomIoCustomDict, BrotliEncoderParams, StandardAlloc};
use brotli::{IoReaderWrapper, IoWriterWrapper};
use brotli_decompressor::BrotliDecompressCustomDict;
use sha2::{Digest, Sha256};

/// Window of brotli as a power of two: 16 MiB, the most that there is without large windows.
const BROTLI_WINDOW_LOG: u32 = 24;
/// What a window lacks of its size (RFC 7932, section 9.1).
const BROTLI_WINDOW_SLACK: usize = 16;
/// Window of zstd: 8 MiB, the most that a client must have memory for (RFC 9659, section 3).
const ZSTD_WINDOW_LOG: u32 = 23;

/// Begins a Dictionary-Compressed Brotli stream (RFC 9842, section 4).
const DCB_MAGIC: [u8; 4] = [0xff, b'D', b'C', b'B'];
/// Begins a Dictionary-Compressed Zstandard stream (RFC 9842, section 5).
const DCZ_MAGIC: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 0x20, 0x00, 0x00, 0x00];

/// How much effort is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// As small as it gets: brotli 11, zstd 19. Seconds for a megabyte.
    Most,
    /// Quick: brotli 5, zstd 3.
    Little,
}

impl Effort {
    /// Says from what bytes come beside a file's own: another name may give others.
    pub fn version(self) -> &'static str {
        match self {
            Self::Most => "brotli-9.1.1-11-24 zstd-1.5.7-19",
            Self::Little => "brotli-9.1.1-5-24 zstd-1.5.7-3",
        }
    }

    fn brotli(self) -> i32 {
        match self {
            Self::Most => 11,
            Self::Little => 5,
        }
    }

    /// Qualities that a difference is tried with: what finds the most in a file of its own is
    /// not always best at saying that little has changed.
    fn brotli_after(self) -> &'static [i32] {
        match self {
            Self::Most => &[9, 11],
            Self::Little => &[5],
        }
    }

    fn zstd(self) -> i32 {
        match self {
            Self::Most => 19,
            Self::Little => 3,
        }
    }
}

/// `bytes` in brotli (RFC 7932).
///
/// # Errors
/// Memory is not to be had.
pub fn brotli(bytes: &[u8], effort: Effort) -> io::Result<Vec<u8>> {
    brotli_after(bytes, &[], effort.brotli())
}

/// `bytes` in Zstandard (RFC 8878).
///
/// # Errors
/// Memory is not to be had.
pub fn zstd(bytes: &[u8], effort: Effort) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), effort.zstd())?;
    zstd_with(&mut encoder, bytes)?;
    encoder.finish()
}

/// `bytes` as a Dictionary-Compressed Brotli stream (RFC 9842, section 4) whose dictionary is
/// the earlier content. `None` where both together don't fit in a window, or nothing comes out
/// that is `bytes` again.
///
/// # Errors
/// Memory is not to be had.
pub fn dcb(bytes: &[u8], earlier: &[u8], effort: Effort) -> io::Result<Option<Vec<u8>>> {
    // In a window's reach, what stands before the text and a dictionary beside it are one.
    let reach = (1 << BROTLI_WINDOW_LOG) - BROTLI_WINDOW_SLACK;
    if bytes.len().saturating_add(earlier.len()) > reach || earlier.len() < 2 {
        return Ok(None);
    }
    let mut best: Option<Vec<u8>> = None;
    for quality in effort.brotli_after() {
        let stream = brotli_after(bytes, earlier, *quality)?;
        // The encoder has been seen to fail with short, repetitive dictionaries.
        let is_shortest = best.as_ref().is_none_or(|best| stream.len() < best.len());
        if is_shortest && unbrotli_after(&stream, earlier).is_ok_and(|back| back == bytes) {
            best = Some(stream);
        }
    }
    Ok(best.map(|stream| [&DCB_MAGIC[..], &Sha256::digest(earlier)[..], &stream].concat()))
}

/// `bytes` as a Dictionary-Compressed Zstandard stream (RFC 9842, section 5) whose dictionary is
/// the earlier content. `None` where both together don't fit in a window.
///
/// # Errors
/// Memory is not to be had.
pub fn dcz(bytes: &[u8], earlier: &[u8], effort: Effort) -> io::Result<Option<Vec<u8>>> {
    if bytes.len().saturating_add(earlier.len()) > 1 << ZSTD_WINDOW_LOG {
        return Ok(None);
    }
    let mut stream = DCZ_MAGIC.to_vec();
    stream.extend(Sha256::digest(earlier));
    let mut encoder = zstd::Encoder::with_ref_prefix(stream, effort.zstd(), earlier)?;
    zstd_with(&mut encoder, bytes)?;
    let stream = encoder.finish()?;
    let mut back = Vec::new();
    let begun = DCZ_MAGIC.len() + <Sha256 as Digest>::output_size();
    io::copy(&mut zstd::Decoder::with_ref_prefix(&stream[begun..], earlier)?, &mut back)?;
    Ok((back == bytes).then_some(stream))
}

fn zstd_with(encoder: &mut zstd::Encoder<'_, Vec<u8>>, bytes: &[u8]) -> io::Result<()> {
    encoder.include_checksum(false)?;
    encoder.window_log(ZSTD_WINDOW_LOG)?;
    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
    encoder.write_all(bytes)
}

fn brotli_after(bytes: &[u8], before: &[u8], quality: i32) -> io::Result<Vec<u8>> {
    let params = BrotliEncoderParams {
        quality,
        // It fits: a small number.
        lgwin: BROTLI_WINDOW_LOG as i32,
        size_hint: bytes.len(),
        ..BrotliEncoderParams::default()
    };
    let mut compressed = Vec::new();
    // As large as brotli's own blocks, which it takes one by one.
    let (mut input, mut output) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    BrotliCompressCustomIoCustomDict(
        &mut IoReaderWrapper(&mut &*bytes),
        &mut IoWriterWrapper(&mut compressed),
        &mut input,
        &mut output,
        &params,
        StandardAlloc::default(),
        &mut |_, _, _, _| (),
        before,
        io::ErrorKind::UnexpectedEof.into(),
    )?;
    Ok(compressed)
}

fn unbrotli_after(mut stream: &[u8], before: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut input, mut output) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    BrotliDecompressCustomDict(&mut stream, &mut bytes, &mut input, &mut output, before.to_vec())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unzstd(compressed: &[u8], before: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut decoder = zstd::Decoder::with_ref_prefix(compressed, before).unwrap();
        io::copy(&mut decoder, &mut bytes).unwrap();
        bytes
    }

    fn check(bytes: &[u8], earlier: &[u8], effort: Effort) {
        assert_eq!(unbrotli_after(&brotli(bytes, effort).unwrap(), &[]).unwrap(), bytes);
        assert_eq!(zstd::decode_all(&*zstd(bytes, effort).unwrap()).unwrap(), bytes);
        let digest = Sha256::digest(earlier);
        if effort == Effort::Most && earlier.len() > 1 {
            assert!(dcz(bytes, earlier, effort).unwrap().is_some(), "{bytes:?} after {earlier:?}");
        }
        if let Some(stream) = dcb(bytes, earlier, effort).unwrap() {
            assert_eq!((&stream[..4], &stream[4..36]), (&DCB_MAGIC[..], &digest[..]));
            assert_eq!(unbrotli_after(&stream[36..], earlier).unwrap(), bytes);
        }
        if let Some(stream) = dcz(bytes, earlier, effort).unwrap() {
            assert_eq!((&stream[..8], &stream[8..40]), (&DCZ_MAGIC[..], &digest[..]));
            assert_eq!(unzstd(&stream[40..], earlier), bytes);
        }
    }

    const SHEET: &str = include_str!("../../public/styles.css");

    #[test]
    fn a_changed_line_costs_a_twentieth_of_the_file() {
        let changed = SHEET.replacen("margin", "padding", 1);
        check(changed.as_bytes(), SHEET.as_bytes(), Effort::Most);
        let whole = brotli(changed.as_bytes(), Effort::Most).unwrap().len();
        let delta = dcb(changed.as_bytes(), SHEET.as_bytes(), Effort::Most).unwrap().unwrap().len();
        assert!(delta * 20 <= whole, "{delta} of {whole}");
    }

    #[test]
    fn empty_and_tiny_files_come_back() {
        for bytes in [&b""[..], b"a", b"ab"] {
            for earlier in [&b""[..], b"a", b"abc"] {
                check(bytes, earlier, Effort::Most);
            }
        }
    }

    #[test]
    fn what_does_not_fit_in_a_window_has_no_difference() {
        let large = vec![0; 9 << 20];
        assert_eq!(dcb(&large, &large, Effort::Little).unwrap(), None);
        assert_eq!(dcz(&large, b"abc", Effort::Little).unwrap(), None);
    }

    #[test]
    fn the_same_bytes_come_out_each_time() {
        for effort in [Effort::Most, Effort::Little] {
            assert_eq!(brotli(SHEET.as_bytes(), effort).unwrap(), brotli(SHEET.as_bytes(), effort).unwrap());
            assert_eq!(zstd(SHEET.as_bytes(), effort).unwrap(), zstd(SHEET.as_bytes(), effort).unwrap());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn whatever_is_compressed_comes_back(
            parts in proptest::collection::vec(("[a-z ]{0,40}", 1usize..20), 0..20),
            cut in 0usize..400,
            insert in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let earlier: Vec<u8> = parts.iter().flat_map(|(text, times)| text.repeat(*times).into_bytes()).collect();
            let mut bytes = earlier.clone();
            let cut = cut.min(bytes.len());
            bytes.splice(cut..cut, insert);
            check(&bytes, &earlier, Effort::Most);
            check(&bytes, &earlier, Effort::Little);
        }
    }
}
