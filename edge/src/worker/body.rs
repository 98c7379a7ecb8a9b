//! Holding a body, up to a bound.

use js_sys::futures::JsFuture;
use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ReadableStream, ReadableStreamDefaultReader, Response};

/// A body that was read.
pub(super) enum Buffered {
    /// All of it.
    Whole(Uint8Array),
    /// It is longer than the bound: the stream, from the beginning.
    Larger(ReadableStream),
}

/// Reads a body without its content coding, in JavaScript's memory. `known_bytes`
/// is its length where the origin told it and no coding makes it another.
pub(super) async fn buffer(
    response: &Response,
    known_bytes: Option<usize>,
    bytes_max: usize,
) -> Result<Buffered, JsValue> {
    if known_bytes.is_some_and(|bytes| bytes <= bytes_max) {
        let buffer = JsFuture::from(response.array_buffer()?).await?;
        return Ok(Buffered::Whole(Uint8Array::new(&buffer)));
    }
    let Some(body) = response.body() else { return Ok(Buffered::Whole(Uint8Array::new_with_length(0))) };
    // One branch is read here; the other keeps what was read, in case it is to go
    // on to the client after all.
    let branches = body.tee();
    let read: ReadableStream = branches.get(0).dyn_into()?;
    let kept: ReadableStream = branches.get(1).dyn_into()?;
    let reader: ReadableStreamDefaultReader = read.get_reader().dyn_into()?;
    let chunks = Array::new();
    let mut bytes = 0;
    loop {
        let step = JsFuture::from(reader.read()).await?;
        if Reflect::get(&step, &"done".into())?.is_truthy() {
            let _ = kept.cancel();
            return Ok(Buffered::Whole(joined(&chunks, bytes)?));
        }
        let chunk: Uint8Array = Reflect::get(&step, &"value".into())?.dyn_into()?;
        bytes += chunk.length();
        if bytes as usize > bytes_max {
            let _ = reader.cancel();
            return Ok(Buffered::Larger(kept));
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
