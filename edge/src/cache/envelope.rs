//! The form of a stored response: one value that holds all there is to know.
//!
//! ```text
//! "TW" | version, u16 | length of the head, u32 | head, JSON | body
//! ```
//!
//! Numbers are big-endian. Prefix and head are written and read here; the body
//! stays with the runtime and never passes through Wasm. A value of another
//! version, or one that is broken or cut short, is no error but a miss.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fields::Fields;
use crate::time::Timestamp;

/// Raised with each change to the form or to the meaning of a field.
const VERSION: u16 = 1;
const MAGIC: [u8; 2] = *b"TW";

/// Bytes before the head.
pub const PREFIX_BYTES: usize = 8;

/// A stored response without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Status code.
    pub status: u16,
    /// The response's fields, as clients get them.
    pub fields: Fields,
    /// When the response arrived.
    pub response_time: Timestamp,
    /// Its age then.
    pub initial_age_ms: u64,
    /// Its freshness lifetime.
    pub lifetime_ms: u64,
    /// Whether it is for everyone, private requests included.
    pub shared: bool,
    /// Length of the body.
    pub body_bytes: usize,
}

/// Why a stored value isn't usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It wasn't written by this program.
    #[error("not a stored response")]
    Foreign,
    /// It was written by another version of this program.
    #[error("version {0}, expected {VERSION}")]
    Version(u16),
    /// Its parts don't fit its lengths.
    #[error("cut short")]
    Length,
    /// Its head can't be read.
    #[error("broken head")]
    Head,
}

impl Envelope {
    /// What goes before the body.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let head = serde_json::to_vec(self)?;
        // A head is bounded by what the runtime takes as header fields, far below 4 GiB.
        let length = u32::try_from(head.len()).map_err(serde::ser::Error::custom)?;
        Ok([&MAGIC[..], &VERSION.to_be_bytes(), &length.to_be_bytes(), &head].concat())
    }

    /// Reads the head of a value that is `value_bytes` long in all, once
    /// [`head_bytes`] has told how much of it to fetch.
    pub fn decode(head: &[u8], value_bytes: usize) -> Result<Self, Broken> {
        let envelope: Self = serde_json::from_slice(head).map_err(|_| Broken::Head)?;
        let expected = envelope.body_bytes.checked_add(PREFIX_BYTES + head.len());
        if expected == Some(value_bytes) { Ok(envelope) } else { Err(Broken::Length) }
    }

    /// Age at `now`; RFC 9111, section 4.2.3.
    pub fn age(&self, now: Timestamp) -> Duration {
        Duration::from_millis(self.initial_age_ms).saturating_add(now.since(self.response_time))
    }

    /// Freshness lifetime.
    pub fn lifetime(&self) -> Duration {
        Duration::from_millis(self.lifetime_ms)
    }
}

/// Length of the head that follows `prefix`, the first [`PREFIX_BYTES`] of a value
/// that is `value_bytes` long.
pub fn head_bytes(prefix: &[u8], value_bytes: usize) -> Result<usize, Broken> {
    let &[m0, m1, v0, v1, l0, l1, l2, l3] = prefix else { return Err(Broken::Foreign) };
    if [m0, m1] != MAGIC {
        return Err(Broken::Foreign);
    }
    let version = u16::from_be_bytes([v0, v1]);
    if version != VERSION {
        return Err(Broken::Version(version));
    }
    let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    if length > value_bytes.saturating_sub(PREFIX_BYTES) { Err(Broken::Length) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn envelope(body_bytes: usize) -> Envelope {
        Envelope {
            status: 200,
            fields: Fields::from_lines("content-type\ntext/plain\netag\n\"ü\""),
            response_time: Timestamp::from_millis(1_000),
            initial_age_ms: 250,
            lifetime_ms: 60_000,
            shared: true,
            body_bytes,
        }
    }

    fn read(value: &[u8]) -> Result<Envelope, Broken> {
        let head = head_bytes(value.get(..PREFIX_BYTES).ok_or(Broken::Foreign)?, value.len())?;
        Envelope::decode(&value[PREFIX_BYTES..PREFIX_BYTES + head], value.len())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let value = [envelope(4).encode().unwrap(), b"body".to_vec()].concat();
        assert_eq!(read(&value), Ok(envelope(4)));
    }

    #[test]
    fn a_value_of_another_version_is_named() {
        let mut value = envelope(0).encode().unwrap();
        value[3] = 9;
        assert_eq!(read(&value), Err(Broken::Version(9)));
    }

    #[test]
    fn a_value_cut_short_or_prolonged_is_broken() {
        let value = [envelope(4).encode().unwrap(), b"body".to_vec()].concat();
        for length in 0..value.len() {
            assert!(read(&value[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(read(&[value, vec![0]].concat()), Err(Broken::Length));
    }

    #[test]
    fn age_counts_from_the_age_on_arrival() {
        assert_eq!(envelope(0).age(Timestamp::from_millis(3_000)), Duration::from_millis(2_250));
        assert_eq!(envelope(0).age(Timestamp::from_millis(0)), Duration::from_millis(250));
    }

    proptest! {
        #[test]
        fn no_value_whatever_makes_reading_panic(value: Vec<u8>) {
            let _ = read(&value);
            let _ = read(&[&MAGIC[..], &VERSION.to_be_bytes(), &value].concat());
        }
    }
}
