//! What is handed on between client and origin, and what isn't.

use core::net::IpAddr;

use tidewall_api::bookmark::Bookmark;
use tidewall_api::headers::{
    CDN_CACHE_CONTROL, ENDPOINT_LOAD_METRICS, TIDEWALL_BOOKMARK, TIDEWALL_DRAINING, TIDEWALL_ORIGIN,
    TIDEWALL_WRITE, X_REQUEST_ID,
};

use crate::cache::precondition::CACHE_PRECONDITIONS;
use crate::cache::range::RANGE_FIELDS;
use crate::control::bookmark::NOTHING;
use crate::fields::{Fields, members};

/// Fields that mean one connection only; RFC 9110, section 7.6.1.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields by which a proxy tells an origin who asked for what. An origin believes them, so
/// a client's own never pass: they would let it choose its address, or have an answer for
/// another URL stored under this one.
const SET_BY_PROXIES: [&str; 33] = [
    "base-url",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "front-end-https",
    "host-override",
    "proxy-host",
    "proxy-url",
    "remote-addr",
    "request-uri",
    "true-client-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-backend-host",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-host-override",
    "x-http-destinationurl",
    "x-http-host-override",
    "x-originating-ip",
    "x-override-url",
    "x-proxy-host",
    "x-proxy-url",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-rewrite-url",
    "x-scheme",
    "x-url-scheme",
];

/// The same by how they begin. `x-middleware-`: by these, servers of one framework tell
/// themselves what has been checked already.
const SET_BY_PROXIES_BEGIN: [&str; 4] = ["x-envoy-", "x-forwarded", "x-middleware-", "x-original-"];

/// Fields that Cloudflare writes, some of them in any case
/// (<https://developers.cloudflare.com/fundamentals/reference/http-headers/>). The others are a client's
/// where the zone's owner has not asked for them, so they aren't part of what may be stored.
const CLOUDFLARES_BEGIN: &str = "cf-";
const CLOUDFLARES: [&str; 3] = ["cf-ipcountry", "cf-ray", "cf-visitor"];

/// Fields about a body that comes with a request.
const OF_A_BODY_BEGIN: &str = "content-";

/// Content codings that the runtime undoes when a body is read.
pub const DECODABLE: [&str; 2] = ["br", "gzip"];

/// Fields that turn a GET into something else at some origins.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];

/// Further fields of a request that no client has the last word on: the edge, the
/// runtime or the platform writes them. `cf-*` as well: where Cloudflare doesn't, they end at the edge.
const WRITTEN_HERE: [&str; 5] = ["cdn-loop", "host", "via", TIDEWALL_BOOKMARK, X_REQUEST_ID];

/// The other form of what an origin reports of its load.
const ENDPOINT_LOAD_METRICS_BIN: &str = "endpoint-load-metrics-bin";

/// Fields that belong to one exchange, not to the response that is stored; and the
/// length, which follows from the stored body.
const NOT_STORED: [&str; 9] = [
    "age",
    "content-length",
    ENDPOINT_LOAD_METRICS,
    ENDPOINT_LOAD_METRICS_BIN,
    "server-timing",
    TIDEWALL_BOOKMARK,
    TIDEWALL_DRAINING,
    TIDEWALL_ORIGIN,
    X_REQUEST_ID,
];

/// What the edge itself knows of a request.
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// The client's address, as the platform tells it.
    pub client_address: Option<IpAddr>,
    /// Whether Cloudflare stands before the edge, and writes `CF-*` itself.
    pub is_behind_cloudflare: bool,
    /// Whether the request goes on without a body, as GET and HEAD do: there is nothing
    /// that one could mean (RFC 9110, section 9.3.1), and no key that would hold it.
    pub is_read: bool,
    /// The host the client asked.
    pub host: &'a str,
    /// The scheme it asked with.
    pub scheme: &'a str,
    /// The request's id.
    pub request_id: &'a str,
    /// The position that the origin must have reached.
    pub bookmark: Bookmark,
}

/// What a request is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// To hand the answer on.
    Pass,
    /// To answer with the whole response, which may be stored: so the request must
    /// not ask for less, nor hold what changes its meaning.
    Fill,
    /// The same where a stored response has these conditions
    /// ([`conditions`](crate::cache::validation::conditions)): so that only a change is sent.
    Validate(&'a Fields),
    /// To hand a part on, without the whole.
    Part,
    /// To change the protocol, such as to a WebSocket.
    Upgrade,
}

/// Whether a request asks for another protocol, as far as the edge hands that on: with a
/// GET (RFC 6455, section 4.1). A write that asks for one is a write.
pub fn upgrades(method: &str, request: &Fields) -> bool {
    method == "GET" && request.get("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"))
}

/// Whether a field of a request may be dropped or written anew on its way, so that an
/// origin doesn't see in it what the client said. No response can be told by it from
/// its variants.
pub fn is_rewritten(name: &str) -> bool {
    let names: [&[&str]; 5] =
        [&HOP_BY_HOP, &METHOD_OVERRIDES, &RANGE_FIELDS, &CACHE_PRECONDITIONS, &WRITTEN_HERE];
    name.starts_with(CLOUDFLARES_BEGIN)
        || is_set_by_proxies(name)
        || names.iter().any(|names| names.contains(&name))
}

fn is_set_by_proxies(name: &str) -> bool {
    SET_BY_PROXIES.contains(&name) || SET_BY_PROXIES_BEGIN.iter().any(|begin| name.starts_with(begin))
}

/// What is left of an `Accept-Encoding` for an answer that may be stored: the codings that
/// can be undone. With others an answer could not be stored, so that anyone could keep it
/// from everyone by asking for them.
fn decodable(accept_encoding: &str) -> Option<String> {
    let accepted = |coding: &str| {
        members(accept_encoding).any(|member| {
            let (name, weight) = member.split_once(';').unwrap_or((member, ""));
            let is_refused = weight
                .trim()
                .strip_prefix("q=")
                .is_some_and(|weight| weight.trim().parse::<f32>().is_ok_and(|weight| weight == 0.0));
            !is_refused && name.trim().eq_ignore_ascii_case(coding)
        })
    };
    let codings: Vec<&str> = DECODABLE.into_iter().filter(|coding| accepted(coding)).collect();
    (!codings.is_empty()).then(|| codings.join(", "))
}

/// The fields an origin gets.
pub fn to_origin(client: &Fields, via: &Via<'_>, purpose: Purpose<'_>) -> Fields {
    let mut fields = end_to_end(client);
    let for_the_whole = matches!(purpose, Purpose::Fill | Purpose::Validate(_));
    let for_the_store = for_the_whole || purpose == Purpose::Part;
    fields.retain(|name| {
        let is_cloudflares = via.is_behind_cloudflare && (!for_the_store || CLOUDFLARES.contains(&name));
        let spoofed = is_set_by_proxies(name) || (name.starts_with(CLOUDFLARES_BEGIN) && !is_cloudflares);
        let of_no_body = via.is_read && (name.starts_with(OF_A_BODY_BEGIN) || name == "expect");
        let partial = RANGE_FIELDS.contains(&name) || CACHE_PRECONDITIONS.contains(&name);
        let unkeyed = (for_the_whole && partial) || (for_the_store && METHOD_OVERRIDES.contains(&name));
        name != "host" && !spoofed && !of_no_body && !unkeyed
    });
    if let (true, Some(accepted)) = (for_the_whole, client.get("accept-encoding")) {
        match decodable(accepted) {
            Some(codings) => fields.set("accept-encoding", codings),
            None => fields.remove("accept-encoding"),
        }
    }
    if let Purpose::Validate(conditions) = purpose {
        for (name, value) in conditions.iter() {
            fields.set(name, value);
        }
    }
    if let (Purpose::Upgrade, Some(protocol)) = (purpose, client.get("upgrade")) {
        fields.set("upgrade", protocol);
    }
    if let Some(address) = via.client_address {
        fields.set("x-forwarded-for", address.to_string());
    }
    fields.set("x-forwarded-host", via.host);
    fields.set("x-forwarded-proto", via.scheme);
    fields.set(X_REQUEST_ID, via.request_id);
    // The client's own was taken out when the request was read.
    fields.remove(TIDEWALL_BOOKMARK);
    if via.bookmark != NOTHING {
        fields.set(TIDEWALL_BOOKMARK, via.bookmark.to_string());
    }
    fields.append("via", "1.1 tidewall");
    fields
}

/// Whether an answer with this status can be handed on: it is a final one (RFC 9110,
/// section 15), or changes the protocol as was asked.
pub fn can_be_handed_on(status: u16, purpose: Purpose<'_>) -> bool {
    matches!(status, 200..=599) || (status == 101 && purpose == Purpose::Upgrade)
}

/// The fields of an origin's answer that go on to a client.
pub fn to_client(origin: &Fields) -> Fields {
    let mut fields = end_to_end(origin);
    fields.remove(CDN_CACHE_CONTROL);
    fields.remove(TIDEWALL_WRITE);
    fields.remove(TIDEWALL_DRAINING);
    // How busy an origin is, an attacker would like to know as well.
    fields.remove(ENDPOINT_LOAD_METRICS);
    fields.remove(ENDPOINT_LOAD_METRICS_BIN);
    // The edge knows more positions than the origin: it tells them itself.
    fields.remove(TIDEWALL_BOOKMARK);
    fields
}

/// The fields of an origin's answer that are stored. The client's are made from them
/// by [`to_client`], and the terms of use are read from them when they are renewed.
pub fn to_store(origin: &Fields) -> Fields {
    let mut fields = end_to_end(origin);
    fields.retain(|name| !NOT_STORED.contains(&name));
    fields
}

fn end_to_end(fields: &Fields) -> Fields {
    let mut nominated: Vec<String> =
        members(fields.get("connection").unwrap_or_default()).map(str::to_ascii_lowercase).collect();
    // In order, to be found among: whoever sends many fields may name as many.
    nominated.sort_unstable();
    let is_nominated = |name: &str| nominated.binary_search_by(|nominee| nominee.as_str().cmp(name)).is_ok();
    let mut kept = fields.clone();
    kept.retain(|name| !HOP_BY_HOP.contains(&name) && !is_nominated(name));
    kept
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const VIA: Via<'_> = Via {
        client_address: Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9))),
        is_behind_cloudflare: false,
        is_read: true,
        host: "a.example",
        scheme: "https",
        request_id: "id-1",
        bookmark: NOTHING,
    };
    /// Some that the edge writes itself, whatever was said.
    const WRITTEN_BEFORE: [&str; 6] =
        ["host", X_REQUEST_ID, TIDEWALL_BOOKMARK, "x-forwarded-x", "x-original-y", "x-middleware-z"];
    const OWN: &str = "x-forwarded-for\n203.0.113.9\nx-forwarded-host\na.example\n\
                       x-forwarded-proto\nhttps\nx-request-id\nid-1\nvia\n1.1 tidewall";

    fn check(client: &str, purpose: Purpose<'_>, expected: &str) {
        let expected = if expected.is_empty() { OWN.to_owned() } else { format!("{expected}\n{OWN}") };
        assert_eq!(to_origin(&Fields::from_lines(client), &VIA, purpose), Fields::from_lines(&expected));
    }

    #[test]
    fn what_proxies_say_is_said_by_the_edge_alone() {
        let spoofed = "x-forwarded-for\n1.1.1.1\nx-forwarded-host\nevil\nx-forwarded-proto\nftp\n\
                       x-forwarded-anything\nx\nforwarded\nfor=1.1.1.1\nx-original-url\n/admin\n\
                       x-rewrite-url\n/admin\nx-real-ip\n1.1.1.1\ncf-connecting-ip\n1.1.1.1\n\
                       x-host\nevil\nx-request-id\nother\nhost\nevil\nx-forwarded\nevil\n\
                       x-http-host-override\nevil\nx-original-uri\n/admin\nx-envoy-original-path\n/admin\n\
                       x-middleware-subrequest\n1";
        check(spoofed, Purpose::Pass, "");
        check(spoofed, Purpose::Fill, "");
    }

    #[test]
    fn what_cloudflare_says_is_believed_where_it_stands_before_the_edge() {
        let said = Fields::from_lines("cf-ipcountry\nDE\ncf-anything\nx");
        check("cf-ipcountry\nDE\ncf-anything\nx", Purpose::Fill, "");
        let via = Via { is_behind_cloudflare: true, ..VIA };
        for (purpose, anything) in [(Purpose::Fill, None), (Purpose::Pass, Some("x"))] {
            let fields = to_origin(&said, &via, purpose);
            assert_eq!((fields.get("cf-ipcountry"), fields.get("cf-anything")), (Some("DE"), anything));
        }
    }

    #[test]
    fn only_a_get_asks_for_another_protocol() {
        let fields = Fields::from_lines("upgrade\nWebSocket");
        assert!(upgrades("GET", &fields));
        assert!(!upgrades("POST", &fields) && !upgrades("GET", &Fields::default()));
        assert!(!upgrades("GET", &Fields::from_lines("upgrade\nh2c")));
    }

    #[test]
    fn an_unknown_client_address_is_not_made_up() {
        let via = Via { client_address: None, ..VIA };
        let fields = to_origin(&Fields::from_lines("x-forwarded-for\n1.1.1.1"), &via, Purpose::Pass);
        assert!(!fields.contains("x-forwarded-for"));
    }

    #[test]
    fn fields_of_one_connection_stay_on_it() {
        check(
            "connection\nkeep-alive, X-Mine\nkeep-alive\n5\nx-mine\n1\nte\ntrailers\nupgrade\nh2c\naccept\n*/*",
            Purpose::Pass,
            "accept\n*/*",
        );
        check("upgrade\nwebsocket\nconnection\nUpgrade", Purpose::Upgrade, "upgrade\nwebsocket");
    }

    #[test]
    fn a_fill_asks_for_the_whole_response_and_nothing_else() {
        let partial = "range\nbytes=0-1\nif-range\n\"a\"\nif-none-match\n\"a\"\nif-modified-since\nx\n\
                       x-http-method-override\nDELETE";
        check(partial, Purpose::Fill, "");
        check(
            partial,
            Purpose::Part,
            "range\nbytes=0-1\nif-range\n\"a\"\nif-none-match\n\"a\"\nif-modified-since\nx",
        );
        check(partial, Purpose::Pass, partial);
        check("cookie\na=1\nauthorization\nx", Purpose::Fill, "cookie\na=1\nauthorization\nx");
    }

    #[test]
    fn what_is_said_of_a_body_goes_only_where_there_is_one() {
        let body = "content-type\na/b\ncontent-encoding\ngzip\ncontent-length\n5\nexpect\n100-continue";
        for purpose in [Purpose::Pass, Purpose::Fill, Purpose::Part] {
            check(body, purpose, "");
        }
        let via = Via { is_read: false, ..VIA };
        let fields = to_origin(&Fields::from_lines(body), &via, Purpose::Pass);
        assert_eq!(fields, Fields::from_lines(&format!("{body}\n{OWN}")));
    }

    #[test]
    fn a_fill_asks_for_codings_that_can_be_undone_and_no_others() {
        let check = |said: &str, expected: Option<&str>| {
            let client = Fields::from_lines(&format!("accept-encoding\n{said}"));
            let fields = to_origin(&client, &VIA, Purpose::Fill);
            assert_eq!(fields.get("accept-encoding"), expected, "{said}");
            let passed = to_origin(&client, &VIA, Purpose::Pass);
            assert_eq!(passed.get("accept-encoding"), Some(said));
        };
        check("gzip, deflate, br, zstd", Some("br, gzip"));
        check("GZip;q=0.5, br;q=0", Some("gzip"));
        check("gzip ; q=0.0, br; q=1", Some("br"));
        check("zstd, <script>", None);
        check("identity", None);
        check("*", None);
        check("", None);
        assert!(!to_origin(&Fields::default(), &VIA, Purpose::Fill).contains("accept-encoding"));
    }

    #[test]
    fn a_validation_has_conditions_of_its_own() {
        let conditions = Fields::from_lines("if-none-match\n\"stored\"");
        let client = "range\nbytes=0-1\nif-none-match\n\"a\"\nif-modified-since\nx\naccept\n*/*";
        check(client, Purpose::Validate(&conditions), "accept\n*/*\nif-none-match\n\"stored\"");
    }

    #[test]
    fn what_does_not_reach_an_origin_as_it_was_said_is_rewritten() {
        let conditions = Fields::from_lines("if-none-match\n\"stored\"");
        for name in ["accept", "accept-language", "cookie", "origin", "x-api-key", "x-hosts", "x-cf"] {
            assert!(!is_rewritten(name), "{name}");
            for purpose in [Purpose::Fill, Purpose::Validate(&conditions), Purpose::Part] {
                let fields = to_origin(&Fields::from_lines(&format!("{name}\nsaid")), &VIA, purpose);
                assert_eq!(fields.get(name), Some("said"), "{name}");
            }
        }
        let names: [&[&str]; 4] = [&HOP_BY_HOP, &SET_BY_PROXIES, &METHOD_OVERRIDES, &RANGE_FIELDS];
        let more = ["via", "host", "x-request-id", "x-forwarded-for", "x-forwarded-port", "if-none-match"];
        for name in names.concat().into_iter().chain(more) {
            assert!(is_rewritten(name), "{name}");
            let fields = to_origin(&Fields::from_lines(&format!("{name}\nsaid")), &VIA, Purpose::Fill);
            assert_ne!(fields.get(name), Some("said"), "{name}");
        }
        for name in ["cf-ipcountry", "cf-connecting-ip", "cdn-loop", "tidewall-bookmark"] {
            assert!(is_rewritten(name), "{name}");
        }
    }

    #[test]
    fn proxies_before_this_one_stay_in_via() {
        let fields = to_origin(&Fields::from_lines("via\n1.1 other"), &VIA, Purpose::Pass);
        assert_eq!(fields.get("via"), Some("1.1 other, 1.1 tidewall"));
    }

    #[test]
    fn a_status_that_is_none_is_not_handed_on() {
        for status in [200, 304, 404, 599] {
            assert!(can_be_handed_on(status, Purpose::Fill), "{status}");
        }
        for status in [0, 100, 101, 103, 199, 600, 999] {
            assert!(!can_be_handed_on(status, Purpose::Fill), "{status}");
        }
        assert!(can_be_handed_on(101, Purpose::Upgrade));
    }

    #[test]
    fn what_is_addressed_to_the_edge_ends_there() {
        let origin = Fields::from_lines(
            "cache-control\nno-cache\ncdn-cache-control\nmax-age=300\n\
             endpoint-load-metrics\nTEXT cpu_utilization=1\nconnection\nclose\nset-cookie\na\nset-cookie\nb",
        );
        let client = to_client(&origin);
        assert_eq!(client, Fields::from_lines("cache-control\nno-cache\nset-cookie\na\nset-cookie\nb"));
    }

    #[test]
    fn the_version_of_shapes_is_handed_on_both_ways_and_stored() {
        for purpose in [Purpose::Pass, Purpose::Fill] {
            check("tidewall-api-version\n1", purpose, "tidewall-api-version\n1");
        }
        let answer = Fields::from_lines("tidewall-api-version\n1");
        assert_eq!(to_store(&answer), answer);
        assert_eq!(to_client(&to_store(&answer)), answer);
    }

    #[test]
    fn what_belongs_to_one_exchange_is_not_stored() {
        let fields = Fields::from_lines(
            "etag\n\"a\"\nage\n5\nx-request-id\n1\ntidewall-origin\na\nserver-timing\ndb;dur=1\n\
             content-length\n5\nendpoint-load-metrics\nTEXT eps=1\nendpoint-load-metrics-bin\nA\ncdn-cache-control\nmax-age=1\nconnection\nx-hop\nx-hop\n1",
        );
        assert_eq!(to_store(&fields), Fields::from_lines("etag\n\"a\"\ncdn-cache-control\nmax-age=1"));
    }

    #[test]
    fn however_many_fields_a_connection_names_all_of_them_stay_on_it() {
        let names: Vec<String> = (0..20_000).map(|number| format!("x{number}")).collect();
        let mut fields = Fields::default();
        fields.set("connection", names.join(","));
        for name in &names {
            fields.push(name, "said");
        }
        assert!(to_client(&fields).is_empty());
        assert!(to_store(&fields).is_empty());
    }

    proptest! {
        #[test]
        fn no_client_says_what_proxies_say_nor_what_is_of_one_connection(
            name in prop::sample::select([&HOP_BY_HOP[..], &SET_BY_PROXIES, &WRITTEN_BEFORE].concat()),
            connection in "([a-z-]{1,12}|close|,| |\"|\\\\|é){0,8}",
        ) {
            let mut client = Fields::from_lines(&format!("connection\n{connection}"));
            client.push(name, "said");
            for purpose in [Purpose::Pass, Purpose::Fill, Purpose::Part] {
                let said = to_origin(&client, &VIA, purpose);
                prop_assert!(said.iter().all(|field| field != (name, "said")), "{said:?}");
            }
        }

        #[test]
        fn what_a_connection_names_stays_on_it(
            before in "([a-z]{1,3}|, | ,){0,3}", name in "[a-z]{1,4}", after in "(,[a-z\"\\\\ ]{0,3}){0,3}",
        ) {
            let named = name.to_ascii_uppercase();
            let fields = Fields::from_lines(&format!("connection\n{before},{named}{after}\n{name}\nsaid"));
            prop_assert!(!to_client(&fields).contains(&name) && !to_store(&fields).contains(&name));
        }

        #[test]
        fn of_any_wish_for_codings_those_that_can_be_undone_are_left(
            said in "(br|gzip|GZIP|zstd|\\*|;|q=|0|1|\\.|NaN|,| |é){0,16}",
        ) {
            prop_assert!(matches!(decodable(&said).as_deref(), None | Some("br" | "gzip" | "br, gzip")), "{said}");
        }
    }
}
