//! The form of what is stored. Under a URL's key lies its response, or, where `Vary`
//! makes variants, what tells them apart; then each variant is a response under a key
//! of its own. A response is one value that holds all there is to know.
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

use crate::cache::terms::{Reuse, Terms};
use crate::cache::{entity_tag, validation};
use crate::control::position::Position;
use crate::fields::Fields;
use crate::forward;
use crate::time::Timestamp;

/// Raised with each change to the form or to the meaning of a field.
pub const VERSION: u16 = 5;
const MAGIC: [u8; 2] = *b"TW";

/// Bytes before the head.
pub const PREFIX_BYTES: usize = 8;

/// Fields that are true only of the bytes that the origin sent.
const OF_CODED_BYTES: [&str; 6] =
    ["content-digest", "content-encoding", "content-length", "content-md5", "digest", "repr-digest"];

/// What lies under a key, without a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A response.
    Response(Envelope),
    /// The variants of a URL.
    Variants(Variants),
}

/// A stored response without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Status code.
    pub status: u16,
    /// The response's fields as they came from the origin, less what isn't stored.
    pub fields: Fields,
    /// When the request was sent.
    pub request_time: Timestamp,
    /// When the response arrived.
    pub response_time: Timestamp,
    /// Its age then.
    pub initial_age_ms: u64,
    /// On which terms it may be used.
    pub terms: Terms,
    /// Where it stands in the logs.
    pub position: Position,
    /// Its cache groups.
    pub groups: Vec<String>,
    /// Whether the body came in a content coding and is stored without.
    pub is_decoded: bool,
    /// Length of the body.
    pub body_bytes: usize,
}

/// What tells the variants of a URL apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variants {
    /// The request fields that select one; see [`vary`](crate::cache::vary).
    pub selecting: Vec<String>,
    /// Until when this is of use: as long as any variant.
    pub until: Timestamp,
}

impl Variants {
    /// The record once a variant that is of use until `until` has been added; `None`
    /// where the record there is says it already.
    pub fn with(earlier: Option<&Self>, selecting: &[String], until: Timestamp) -> Option<Self> {
        match earlier.filter(|earlier| earlier.selecting == selecting) {
            Some(earlier) if earlier.until >= until => None,
            _ => Some(Self { selecting: selecting.to_vec(), until }),
        }
    }
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

impl Record {
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
        let record: Self = serde_json::from_slice(head).map_err(|_| Broken::Head)?;
        let body_bytes = match &record {
            Self::Response(envelope) => envelope.body_bytes,
            Self::Variants(_) => 0,
        };
        let expected = body_bytes.checked_add(PREFIX_BYTES + head.len());
        if expected == Some(value_bytes) { Ok(record) } else { Err(Broken::Length) }
    }
}

impl Envelope {
    /// Age at `now`; RFC 9111, section 4.2.3.
    pub fn age(&self, now: Timestamp) -> Duration {
        Duration::from_millis(self.initial_age_ms).saturating_add(now.since(self.response_time))
    }

    /// Its fields as clients get them.
    pub fn to_client(&self) -> Fields {
        to_client(&self.fields, self.is_decoded, self.body_bytes)
    }

    /// About what its fields take in memory.
    pub fn fields_bytes(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>()).sum()
    }

    /// Whether it is to be stored in the place of `earlier`, whose body it has: not
    /// where only the date differs and it has to be validated each time all the same.
    /// Where it may be used stale that time begins anew with each confirmation (RFC
    /// 5861, sections 3 and 4).
    pub fn replaces(&self, earlier: &Self) -> bool {
        let undated = |envelope: &Self| {
            let mut fields = envelope.fields.clone();
            fields.remove("date");
            fields.sorted()
        };
        self.is_fresh() || self.terms.may_be_used_stale() || undated(self) != undated(earlier)
    }

    /// Whether it was of use to others, unasked, when it arrived.
    pub fn is_fresh(&self) -> bool {
        self.terms.reuse != Reuse::Validated && self.age(self.response_time) < self.terms.lifetime()
    }

    /// Until when it is of any use.
    pub fn useful_until(&self) -> Timestamp {
        let until_age = self.terms.useful_until_age(validation::conditions(&self.fields).is_some());
        self.response_time.after(until_age.saturating_sub(Duration::from_millis(self.initial_age_ms)))
    }
}

/// A response's fields as clients get them beside a body of `body_bytes` bytes. Where
/// its content coding was undone, the bytes are not those that a strong tag means.
pub fn to_client(origin: &Fields, is_decoded: bool, body_bytes: usize) -> Fields {
    let mut fields = forward::to_client(origin);
    if is_decoded {
        decoded(&mut fields);
    }
    fields.set("content-length", body_bytes.to_string());
    fields
}

/// Makes fields fit a body whose content coding was undone: the bytes, their number and
/// their digests are others (RFC 9110, section 8.8.3.3; RFC 9530, sections 2 and 3).
pub fn decoded(fields: &mut Fields) {
    entity_tag::weaken(fields);
    fields.retain(|name| !OF_CODED_BYTES.contains(&name));
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
    use crate::cache::directives::Directives;
    use crate::cache::freshness::Lifetime;
    use crate::cache::privacy::Privacy;
    use crate::cache::request::RequestDirectives;
    use crate::cache::usable::{Situation, usable};
    use crate::control::log::Known;
    use crate::control::position::ReadAt;
    use crate::control::view::Validity;

    fn envelope(body_bytes: usize) -> Envelope {
        let directives = Directives::cache_control("public, max-age=60, stale-if-error=5");
        Envelope {
            status: 200,
            fields: Fields::from_lines("content-type\ntext/plain\nx-title\nü"),
            request_time: Timestamp::from_millis(900),
            response_time: Timestamp::from_millis(1_000),
            initial_age_ms: 250,
            terms: Terms::new(&directives, Lifetime::Explicit(Duration::from_secs(60))),
            position: Position { fence: Known { first: 1, head: 7 }, read_at: ReadAt::Lsn(u64::MAX) },
            groups: vec!["g".to_owned()],
            is_decoded: true,
            body_bytes,
        }
    }

    fn response(body: &[u8]) -> Vec<u8> {
        [Record::Response(envelope(body.len())).encode().unwrap(), body.to_vec()].concat()
    }

    fn read(value: &[u8]) -> Result<Record, Broken> {
        let head = head_bytes(value.get(..PREFIX_BYTES).ok_or(Broken::Foreign)?, value.len())?;
        Record::decode(&value[PREFIX_BYTES..PREFIX_BYTES + head], value.len())
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(read(&response(b"body")), Ok(Record::Response(envelope(4))));
        let variants = Record::Variants(Variants {
            selecting: vec!["accept-language".to_owned()],
            until: Timestamp::from_millis(2),
        });
        assert_eq!(read(&variants.encode().unwrap()), Ok(variants));
    }

    #[test]
    fn a_value_of_another_version_is_named() {
        let mut value = response(b"");
        for version in [4, 9] {
            value[3] = version;
            assert_eq!(read(&value), Err(Broken::Version(version.into())));
        }
    }

    #[test]
    fn a_value_cut_short_or_prolonged_is_broken() {
        let value = response(b"body");
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

    #[test]
    fn clients_get_what_was_stored_and_not_what_the_edge_was_told() {
        let stored = "etag\n\"a\"\ncdn-cache-control\nmax-age=60\ncontent-encoding\ngzip";
        let envelope = Envelope { fields: Fields::from_lines(stored), ..envelope(4) };
        assert_eq!(envelope.to_client(), Fields::from_lines("etag\nW/\"a\"\ncontent-length\n4"));
    }

    #[test]
    fn what_is_said_of_coded_bytes_is_not_said_of_others() {
        let origin = Fields::from_lines(
            "etag\n\"a\"\nrepr-digest\nx\ncontent-digest\nx\ncontent-encoding\nbr\ncontent-length\n9\nvary\nOrigin",
        );
        let check = |is_decoded, expected| {
            assert_eq!(to_client(&origin, is_decoded, 4).sorted(), Fields::from_lines(expected).sorted());
        };
        check(true, "etag\nW/\"a\"\nvary\nOrigin\ncontent-length\n4");
        check(
            false,
            "etag\n\"a\"\nrepr-digest\nx\ncontent-digest\nx\ncontent-encoding\nbr\ncontent-length\n4\nvary\nOrigin",
        );
        let mut fields = origin.clone();
        decoded(&mut fields);
        assert_eq!(fields.sorted(), Fields::from_lines("etag\nW/\"a\"\nvary\nOrigin").sorted());
    }

    #[test]
    fn a_confirmation_alone_is_not_worth_a_write() {
        let with = |cache_control: &str, fields: &str| {
            let directives = Directives::cache_control(cache_control);
            let lifetime = Lifetime::Explicit(directives.max_age.unwrap_or_default());
            let (terms, fields) = (Terms::new(&directives, lifetime), Fields::from_lines(fields));
            Envelope { terms, fields, ..envelope(0) }
        };
        let check = |cache_control: &str, fields, expected| {
            let earlier = with(cache_control, "x\n1\ny\n2\ndate\nthen");
            assert_eq!(with(cache_control, fields).replaces(&earlier), expected, "{cache_control} {fields}");
        };
        check("no-cache", "y\n2\nx\n1\ndate\nnow", false);
        check("no-cache, max-age=60", "x\n1\ny\n2\ndate\nnow", false);
        check("max-age=0", "x\n1\ny\n2\ndate\nnow", false);
        check("no-cache", "x\n1\ny\n3\ndate\nnow", true);
        check("max-age=60", "x\n1\ny\n2\ndate\nnow", true);
        for window in ["stale-while-revalidate=5", "stale-if-error=5"] {
            let confirmed = "x\n1\ny\n2\ndate\nnow";
            check(&format!("max-age=0, {window}"), confirmed, true);
            check(&format!("s-maxage=0, {window}"), confirmed, true);
            check(&format!("max-age=0, must-revalidate, {window}"), confirmed, false);
            check(&format!("no-cache, {window}"), confirmed, false);
        }
    }

    #[test]
    fn it_is_useful_until_its_windows_end() {
        assert_eq!(envelope(0).useful_until(), Timestamp::from_millis(1_000 + 65_000 - 250));
    }

    #[test]
    fn what_tells_variants_apart_is_written_when_it_changes_or_ends_too_soon() {
        let ms = Timestamp::from_millis;
        let (names, others) = (["accept-language".to_owned()], ["origin".to_owned()]);
        let first = Variants::with(None, &names, ms(5_000)).unwrap();
        assert_eq!(first, Variants { selecting: names.to_vec(), until: ms(5_000) });
        assert_eq!(Variants::with(Some(&first), &names, ms(5_000)), None);
        assert_eq!(Variants::with(Some(&first), &names, ms(6_000)).unwrap().until, ms(6_000));
        let changed = Variants::with(Some(&first), &others, ms(1)).unwrap();
        assert_eq!(changed, Variants { selecting: others.to_vec(), until: ms(1) });
    }

    proptest! {
        #[test]
        fn no_value_whatever_makes_reading_panic(value: Vec<u8>) {
            let _ = read(&value);
            let _ = read(&[&MAGIC[..], &VERSION.to_be_bytes(), &value].concat());
        }

        #[test]
        fn whatever_is_written_is_read_again(
            status: u16,
            fields in prop::collection::vec(("[a-z-]{1,8}", "\\PC{0,12}"), 0..5),
            initial_age_ms: u64,
            body: Vec<u8>,
        ) {
            let lines: String = fields.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect();
            let fields = Fields::from_lines(lines.trim_end_matches('\n'));
            let stored = Record::Response(Envelope { status, fields, initial_age_ms, ..envelope(body.len()) });
            let value = [stored.encode().unwrap(), body].concat();
            prop_assert_eq!(read(&value), Ok(stored));
        }

        #[test]
        fn a_value_that_was_changed_is_read_or_broken(place: prop::sample::Index, byte: u8) {
            let mut value = response(b"body");
            let place = place.index(value.len());
            value[place] = byte;
            if let Ok(Record::Response(envelope)) = read(&value) {
                prop_assert_eq!(envelope.body_bytes, 4);
            }
        }

        #[test]
        fn no_number_that_is_stored_makes_using_it_panic(numbers: [u64; 6], now: u64, purged: u64) {
            let mut json = serde_json::to_value(envelope(0)).unwrap();
            let places = ["/request_time", "/response_time", "/initial_age_ms", "/terms/lifetime_ms"];
            let windows = ["/terms/stale_while_revalidate_ms", "/terms/stale_if_error_ms"];
            for (place, number) in places.iter().chain(&windows).zip(numbers) {
                *json.pointer_mut(place).unwrap() = number.into();
            }
            let stored: Envelope = serde_json::from_value(json).unwrap();
            prop_assert!(stored.useful_until() >= stored.response_time);
            let (now, since) = (Timestamp::from_millis(now), Validity::StaleSince(Timestamp::from_millis(purged)));
            for (situation, validity) in [(Situation::Lookup, Validity::Valid), (Situation::OriginFailed, since)] {
                let asked = RequestDirectives::default();
                if let Ok(found) = usable(&stored, &asked, Privacy::Anonymous, situation, validity, now) {
                    prop_assert!(found.age == stored.age(now) && found.ttl_s().unsigned_abs() <= u64::MAX / 1_000);
                }
            }
        }
    }
}
