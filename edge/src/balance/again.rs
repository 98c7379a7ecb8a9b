//! Which requests may be sent to a second origin when the first gave no answer.
//!
//! A safe one may always (RFC 9110, section 9.2.2). One that changes something may have been
//! carried out though no answer came, so only where its client has said by an `Idempotency-Key`
//! that origins are to act on it once. What has a body must be kept whole to be sent again.

use std::time::Duration;

use crate::cache::invalidation::is_safe;
use crate::cache::storable::content_length;
use crate::fields::Fields;
use crate::time::Timestamp;

/// Longest body in bytes that is kept to be sent again. Orders, payments and the like are far
/// below; it waits until all is there, and lies in the memory that all requests of an isolate share,
/// so an upload is handed on as it comes.
pub const KEPT_BYTES_MAX: usize = 64 * 1_024;

/// How many bytes of such bodies an isolate keeps at a time, of its 128 MB; what comes beyond is
/// handed on as it comes.
pub const KEPT_BYTES_ALL_MAX: usize = 8 * 1_024 * 1_024;

/// Longest key in bytes; longer ones are no keys.
const KEY_BYTES_MAX: usize = 255;

/// The bodies that are kept. When a client goes away the runtime drops its request without a
/// word, so what is there for longer than a request can take is given back.
#[derive(Debug, Default)]
pub struct Kept {
    bodies: Vec<(u64, usize, Timestamp)>,
    next: u64,
}

impl Kept {
    /// Room for a body of so many bytes, to be given back by its number; `None` where there is
    /// none. It is lost after `lost_after`.
    pub fn take(&mut self, bytes: usize, lost_after: Duration, now: Timestamp) -> Option<u64> {
        self.bodies.retain(|(.., since)| now.since(*since) <= lost_after);
        let taken: usize = self.bodies.iter().map(|(_, bytes, _)| bytes).sum();
        if taken + bytes > KEPT_BYTES_ALL_MAX {
            return None;
        }
        self.next += 1;
        self.bodies.push((self.next, bytes, now));
        Some(self.next)
    }

    /// The body is needed no more.
    pub fn give_back(&mut self, number: u64) {
        self.bodies.retain(|(kept, ..)| *kept != number);
    }
}

/// How a request can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// Once: nobody knows what it has done, or its body is gone then.
    Once,
    /// As often as it takes, for it has no body.
    Again,
    /// The same, once its body of so many bytes is here.
    AgainWithBody(usize),
}

/// How a request with this method and these fields can be sent.
pub fn sending(method: &str, request: &Fields, has_body: bool) -> Sending {
    if !is_safe(method) && !has_key(request) {
        return Sending::Once;
    }
    if !has_body {
        return Sending::Again;
    }
    // Of one whose length isn't told nobody knows whether it can be kept.
    match content_length(request).filter(|bytes| *bytes <= KEPT_BYTES_MAX) {
        Some(bytes) => Sending::AgainWithBody(bytes),
        None => Sending::Once,
    }
}

/// Whether the client has made the request one that origins act on once.
fn has_key(request: &Fields) -> bool {
    let key = request.get("idempotency-key").unwrap_or_default().trim();
    // It is a string, in quotes, but most clients leave them out.
    !key.trim_matches('"').is_empty() && key.len() <= KEY_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, request: &str, has_body: bool, expected: Sending) {
        assert_eq!(sending(method, &Fields::from_lines(request), has_body), expected, "{method} {request}");
    }

    #[test]
    fn there_is_room_for_so_many_bodies_and_what_is_lost_is_given_back() {
        let at = Timestamp::from_millis;
        let lost_after = Duration::from_secs(40);
        let mut kept = Kept::default();
        let take = |kept: &mut Kept, ms| kept.take(KEPT_BYTES_ALL_MAX / 2, lost_after, at(ms));
        let first = take(&mut kept, 0).unwrap();
        assert!(take(&mut kept, 1_000).is_some() && take(&mut kept, 1_000).is_none());
        kept.give_back(first);
        assert!(take(&mut kept, 2_000).is_some() && take(&mut kept, 2_000).is_none());
        // Nobody gave these back.
        assert!(take(&mut kept, 41_000).is_none() && take(&mut kept, 41_001).is_some());
    }

    #[test]
    fn only_what_is_safe_or_has_a_key_is_sent_again() {
        for method in ["GET", "HEAD", "OPTIONS"] {
            check(method, "", false, Sending::Again);
        }
        // Even where it could be: that its effect is the same says nothing of what others did meanwhile.
        for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"] {
            check(method, "", false, Sending::Once);
            check(method, "idempotency-key\nk-1", false, Sending::Again);
        }
    }

    #[test]
    fn a_key_that_says_nothing_is_none() {
        let long = "k".repeat(256);
        for key in ["", " ", "\"\"", &long] {
            check("POST", &format!("idempotency-key\n{key}"), false, Sending::Once);
        }
        for key in ["1", "\"1\"", &long[..255]] {
            check("POST", &format!("idempotency-key\n{key}"), false, Sending::Again);
        }
    }

    #[test]
    fn a_body_is_kept_where_its_length_is_told_and_small() {
        let keyed = |length: &str| format!("idempotency-key\nk-1{length}");
        check("POST", &keyed("\ncontent-length\n0"), true, Sending::AgainWithBody(0));
        check("POST", &keyed("\ncontent-length\n65536"), true, Sending::AgainWithBody(65_536));
        check("POST", &keyed("\ncontent-length\n65537"), true, Sending::Once);
        check("POST", &keyed("\ncontent-length\n-1"), true, Sending::Once);
        check("POST", &keyed("\ntransfer-encoding\nchunked"), true, Sending::Once);
        check("OPTIONS", "content-length\n5", true, Sending::AgainWithBody(5));
        check("POST", "content-length\n5", true, Sending::Once);
    }
}
