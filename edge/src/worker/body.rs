//! Holding a body until it ends, up to a bound and for a while.
//!
//! A body is split in two: one branch is read here, the other keeps what was read. Where
//! the first comes to its end, the second is dropped; else the first is, and the second
//! goes on to the client. So who cancels that one cancels both, and the origin's answer
//! with them.

use std::time::Duration;

use js_sys::futures::JsFuture;
use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ReadableStream, ReadableStreamDefaultReader, Response};

use crate::cache::storable::Unstored;
use crate::worker::deadline::within;

/// A body that was read.
pub(super) enum Buffered {
    /// All of it.
    Whole(Uint8Array),
    /// Its end was not to be waited for, and why: the stream, from the beginning.
    Unfinished(ReadableStream, Unstored),
}

/// Reads a body without its content coding, in JavaScript's memory. `known_bytes`
/// is its length where the origin told it and no coding makes it another.
pub(super) async fn buffer(
    response: &Response,
    known_bytes: Option<usize>,
    bytes_max: usize,
    wait_max: Duration,
) -> Result<Buffered, JsValue> {
    let Some(body) = response.body() else { return Ok(Buffered::Whole(Uint8Array::new_with_length(0))) };
    let branches = body.tee();
    let read: ReadableStream = branches.get(0).dyn_into()?;
    let kept: ReadableStream = branches.get(1).dyn_into()?;
    let reader: ReadableStreamDefaultReader = read.get_reader().dyn_into()?;
    let reason = match within(wait_max, whole(&reader, bytes_max)).await {
        Some(Ok(Some(body))) => {
            let _ = kept.cancel();
            // RFC 9111, section 3.3: what is cut short must not pass for the whole.
            return match known_bytes.filter(|known| *known != body.length() as usize) {
                None => Ok(Buffered::Whole(body)),
                Some(known) => Err(format!("{} of {known} bytes came", body.length()).into()),
            };
        }
        Some(Err(error)) => {
            let _ = kept.cancel();
            return Err(error);
        }
        Some(Ok(None)) => Unstored::TooLarge,
        None => Unstored::Slow,
    };
    let _ = reader.cancel();
    Ok(Buffered::Unfinished(kept, reason))
}

/// All that a reader has to read; `None` where that is more than the bound.
async fn whole(
    reader: &ReadableStreamDefaultReader,
    bytes_max: usize,
) -> Result<Option<Uint8Array>, JsValue> {
    let chunks = Array::new();
    let mut bytes = 0;
    loop {
        let step = JsFuture::from(reader.read()).await?;
        if Reflect::get(&step, &"done".into())?.is_truthy() {
            return joined(&chunks, bytes).map(Some);
        }
        let chunk: Uint8Array = Reflect::get(&step, &"value".into())?.dyn_into()?;
        bytes += chunk.length();
        if bytes as usize > bytes_max {
            return Ok(None);
        }
        chunks.push(&chunk);
    }
}

fn joined(chunks: &Array, bytes: u32) -> Result<Uint8Array, JsValue> {
    let whole = Uint8Array::new_with_length(bytes);
    let mut offset = 0;
    for chunk in chunks.iter() {
        let chunk: Uint8Array = chunk.dyn_into()?;
        whole.set(&chunk, offset);
        offset += chunk.length();
    }
    Ok(whole)
}
