//! Names of the header fields that Tidewall reads or writes, in lower case as
//! HTTP/2 (RFC 9113, section 8.2) and the `http` crate want them.

/// Who may answer for how long; RFC 9111, section 5.2.
pub const CACHE_CONTROL: &str = "cache-control";
/// The same for shared caches only, obeyed first; RFC 9213, section 2.
pub const CDN_CACHE_CONTROL: &str = "cdn-cache-control";
/// How caches handled the request; RFC 9211.
pub const CACHE_STATUS: &str = "cache-status";
/// Tags of a response; RFC 9875, section 2.
pub const CACHE_GROUPS: &str = "cache-groups";
/// Tags that an unsafe request's answer invalidates; RFC 9875, section 3.
pub const CACHE_GROUP_INVALIDATION: &str = "cache-group-invalidation";
/// Which origin answered, by its id in the edge's configuration.
pub const TIDEWALL_ORIGIN: &str = "tidewall-origin";
/// An origin that is stopping says so with each answer, `?1` (RFC 9651, section 3.3.6), so
/// that it is sent no more.
pub const TIDEWALL_DRAINING: &str = "tidewall-draining";
/// The load that an origin reports with an answer: ORCA's field, as Envoy and gRPC know it.
pub const ENDPOINT_LOAD_METRICS: &str = "endpoint-load-metrics";
/// Identifies one request in every log it reaches.
pub const X_REQUEST_ID: &str = "x-request-id";
/// The WAL position an answer was read at, decimal, or [`LSN_PRIMARY`]; of a
/// write, a position at which its commit can be seen.
pub const TIDEWALL_LSN: &str = "tidewall-lsn";
/// The value of [`TIDEWALL_LSN`] for what was read on the primary itself.
pub const LSN_PRIMARY: &str = "primary";
/// Which transaction a write's answer stands for, as a decimal `xid8`: by it the edge
/// knows an invalidation that reaches it a second time.
pub const TIDEWALL_WRITE: &str = "tidewall-write";
/// A [`Bookmark`](crate::bookmark::Bookmark), from and to the client.
pub const TIDEWALL_BOOKMARK: &str = "tidewall-bookmark";
/// Which shapes of bodies the sender reads and writes, as a decimal
/// [`API_VERSION`](crate::api_version::API_VERSION): in requests of those who mind, and in
/// every answer below `/api/`.
pub const TIDEWALL_API_VERSION: &str = "tidewall-api-version";
/// Name of the cookie in which a browser keeps its [`Bookmark`](crate::bookmark::Bookmark).
pub const TW_BOOKMARK: &str = "tw_bookmark";
/// A client's name for a write, by which a repeated one acts once;
/// draft-ietf-httpapi-idempotency-key-header.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
