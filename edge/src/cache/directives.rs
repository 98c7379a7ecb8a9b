//! Directives of a response: `Cache-Control` (RFC 9111, section 5.2.2; RFC 5861) and,
//! obeyed first, `CDN-Cache-Control` (RFC 9213).
//!
//! What can't be read is read as the stricter: a lifetime as over, a list of field
//! names as all of them, and two directives that contradict each other as the one
//! that forbids more.

use std::time::Duration;

use sfv::{BareItem, Dictionary, ListEntry, Parser};
use tidewall_api::headers::{CACHE_CONTROL, CACHE_GROUPS, CDN_CACHE_CONTROL, TIDEWALL_LSN};

use crate::fields::{Fields, closes_quotes, is_token, members};

/// A delta-seconds value is cut off here; RFC 9111, section 1.2.2.
const DELTA_SECONDS_MAX: u64 = 1 << 31;

/// Fields without which what is stored is misread, or can't be kept right: by the cache
/// (variants, age, terms, validators, tags and positions) or by the client (what the
/// body is, where a redirect leads). So they can't be left out of a response. A
/// directive that names one is taken as if it named none, which sections 5.2.2.4 and
/// 5.2.2.7 say is how caches often handle the qualified form anyway.
const INDISPENSABLE: [&str; 13] = [
    CACHE_CONTROL,
    CACHE_GROUPS,
    CDN_CACHE_CONTROL,
    TIDEWALL_LSN,
    "content-encoding",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "location",
    "vary",
];

/// What `no-cache` or `private` covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Nothing: the directive isn't there.
    #[default]
    Nothing,
    /// These fields, in lower case; the response without them is not concerned.
    Fields(Vec<String>),
    /// All of the response.
    Response,
}

impl Scope {
    /// Whether all of the response is covered.
    pub fn is_response(&self) -> bool {
        *self == Self::Response
    }

    /// The fields that are covered where not all of the response is.
    pub fn fields(&self) -> &[String] {
        match self {
            Self::Fields(names) => names,
            Self::Nothing | Self::Response => &[],
        }
    }

    /// Of a list of field names. None, one that can't be a name, or one that can't be
    /// left out, means all.
    fn of(list: &str) -> Self {
        let names: Vec<_> = members(list).map(str::to_ascii_lowercase).collect();
        let can_be_omitted = |name: &String| is_token(name) && !INDISPENSABLE.contains(&name.as_str());
        let is_list = !names.is_empty() && names.iter().all(can_be_omitted);
        if is_list { Self::Fields(names) } else { Self::Response }
    }

    fn add(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Response, _) | (_, Self::Nothing) => {}
            (Self::Fields(names), Self::Fields(more)) => names.extend(more),
            (_, other) => *self = other,
        }
    }
}

/// The directives that this cache obeys. Where one with a number occurs twice, the
/// first counts (RFC 9111, section 4.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Not to be stored.
    pub no_store: bool,
    /// Not to be used without validation.
    pub no_cache: Scope,
    /// Not to be stored by a shared cache.
    pub private: Scope,
    /// May be stored even where a rule on private requests says otherwise.
    pub public: bool,
    /// Not to be used stale; RFC 9111, section 5.2.2.2.
    pub must_revalidate: bool,
    /// The same for shared caches, as this one is; section 5.2.2.8.
    pub proxy_revalidate: bool,
    /// May be stored in spite of `no-store` by who knows the status; section 5.2.2.3.
    pub must_understand: bool,
    /// The content is not to be changed, its coding included; section 5.2.2.6.
    pub no_transform: bool,
    /// Freshness lifetime. One that can't be read counts as zero, which is stale
    /// (RFC 9111, section 4.2.1).
    pub max_age: Option<Duration>,
    /// Freshness lifetime for shared caches.
    pub s_maxage: Option<Duration>,
    /// Time past the lifetime in which it may be used while it is revalidated;
    /// RFC 5861, section 3.
    pub stale_while_revalidate: Option<Duration>,
    /// Time past the lifetime in which it may be used instead of an error;
    /// RFC 5861, section 4.
    pub stale_if_error: Option<Duration>,
}

impl Directives {
    /// Reads `Cache-Control`. Arguments are taken quoted or not, names in any case.
    pub fn cache_control(value: &str) -> Self {
        let mut directives = Self::default();
        for (name, argument) in named(value) {
            let scope = || argument.map_or(Scope::Response, |list| Scope::of(&unquoted(list)));
            let first = |earlier: Option<Duration>| earlier.or(Some(delta_seconds(argument)));
            match name.as_str() {
                "no-store" => directives.no_store = true,
                "no-cache" => directives.no_cache.add(scope()),
                "private" => directives.private.add(scope()),
                "public" => directives.public = true,
                "must-revalidate" => directives.must_revalidate = true,
                "proxy-revalidate" => directives.proxy_revalidate = true,
                "must-understand" => directives.must_understand = true,
                "no-transform" => directives.no_transform = true,
                "max-age" => directives.max_age = first(directives.max_age),
                "s-maxage" => directives.s_maxage = first(directives.s_maxage),
                "stale-while-revalidate" => {
                    directives.stale_while_revalidate = first(directives.stale_while_revalidate);
                }
                "stale-if-error" => directives.stale_if_error = first(directives.stale_if_error),
                _ => {}
            }
        }
        directives
    }

    /// Reads a targeted field, which is a Dictionary of RFC 9651 with types that
    /// must fit: a directive whose value has another is not there. `None` where the
    /// field is empty or broken, and so must be ignored (RFC 9213, section 2.1).
    pub fn targeted(value: &str) -> Option<Self> {
        let dictionary: Dictionary = Parser::new(value).parse().ok()?;
        if dictionary.is_empty() {
            return None;
        }
        let value_of = |name: &str| match dictionary.get(name) {
            Some(ListEntry::Item(item)) => Some(&item.bare_item),
            _ => None,
        };
        // A prohibition holds whatever its argument, unless it is "false".
        let forbids =
            |name: &str| dictionary.contains_key(name) && value_of(name) != Some(&BareItem::Boolean(false));
        let scope = |name: &str| match value_of(name) {
            _ if !forbids(name) => Scope::Nothing,
            Some(BareItem::String(list)) => Scope::of(list.as_str()),
            _ => Scope::Response,
        };
        // A permission is there where it says so.
        let permits = |name: &str| value_of(name) == Some(&BareItem::Boolean(true));
        let seconds = |name: &str| match value_of(name) {
            Some(BareItem::Integer(value)) => u64::try_from(i64::from(*value)).ok().map(capped),
            _ => None,
        };
        Some(Self {
            no_store: forbids("no-store"),
            no_cache: scope("no-cache"),
            private: scope("private"),
            public: permits("public"),
            must_revalidate: forbids("must-revalidate"),
            proxy_revalidate: forbids("proxy-revalidate"),
            must_understand: permits("must-understand"),
            no_transform: forbids("no-transform"),
            max_age: seconds("max-age"),
            s_maxage: seconds("s-maxage"),
            stale_while_revalidate: seconds("stale-while-revalidate"),
            stale_if_error: seconds("stale-if-error"),
        })
    }
}

/// What a response tells this cache to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy<'a> {
    /// The directives of the one field that counts.
    pub directives: Directives,
    /// `Expires`, unless a targeted field replaces it (RFC 9213, section 2.2).
    pub expires: Option<&'a str>,
    /// Whether a targeted field decides. Then it is the whole policy: who addresses
    /// caches by name and names no lifetime doesn't want one guessed.
    pub is_targeted: bool,
}

impl<'a> Policy<'a> {
    /// The targeted field if there is a valid one, else `Cache-Control` and `Expires`.
    pub fn of(response: &'a Fields) -> Self {
        let cache_control = Directives::cache_control(response.get(CACHE_CONTROL).unwrap_or_default());
        if let Some(mut directives) = response.get(CDN_CACHE_CONTROL).and_then(Directives::targeted) {
            // Said to whoever hands the content on, not to caches.
            directives.no_transform |= cache_control.no_transform;
            return Self { directives, expires: None, is_targeted: true };
        }
        Self { directives: cache_control, expires: response.get("expires"), is_targeted: false }
    }
}

/// The directives of a `Cache-Control` field: names in lower case, arguments as
/// written. A quotation that doesn't end hides none that follow it.
pub fn named(value: &str) -> impl Iterator<Item = (String, Option<&str>)> {
    let (closed, open) = if closes_quotes(value) { (value, "") } else { ("", value) };
    let split = open.split(',').map(str::trim).filter(|member| !member.is_empty());
    members(closed).chain(split).map(|member| match member.split_once('=') {
        Some((name, argument)) => (name.trim_end().to_ascii_lowercase(), Some(argument.trim_start())),
        None => (member.to_ascii_lowercase(), None),
    })
}

/// An argument in seconds; zero where it can't be read.
pub fn delta_seconds(argument: Option<&str>) -> Duration {
    seconds(&unquoted(argument.unwrap_or_default())).unwrap_or(Duration::ZERO)
}

/// Reads delta-seconds: digits and nothing else, however many.
pub fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| capped(text.parse().unwrap_or(u64::MAX)))
}

/// A token or quoted string without its quotes and escapes; RFC 9110, section 5.6.4.
fn unquoted(argument: &str) -> String {
    let Some(quoted) = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return argument.to_owned();
    };
    let mut text = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

fn capped(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(DELTA_SECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::tests::long_values;

    const SECOND: Duration = Duration::from_secs(1);

    fn none() -> Directives {
        Directives::default()
    }

    fn fields(names: &[&str]) -> Scope {
        Scope::Fields(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn cache_control_is_read_in_any_case_and_quoted_or_not() {
        let check =
            |value, expected: Directives| assert_eq!(Directives::cache_control(value), expected, "{value}");
        check("", none());
        check("nO-StOrE", Directives { no_store: true, ..none() });
        check("max-age=60", Directives { max_age: Some(60 * SECOND), ..none() });
        check(r#"Max-Age="60""#, Directives { max_age: Some(60 * SECOND), ..none() });
        check("max-age = 60", Directives { max_age: Some(60 * SECOND), ..none() });
        check(
            "public,s-maxage=5 , max-age=0",
            Directives { public: true, s_maxage: Some(5 * SECOND), max_age: Some(Duration::ZERO), ..none() },
        );
        check(r#"ext="no-store, private""#, none());
        check("max-ages=60, xno-store", none());
        check(r#"ext="never closed, no-store"#, Directives { no_store: true, ..none() });
        check(
            "must-revalidate, Proxy-Revalidate, must-understand, no-transform",
            Directives {
                must_revalidate: true,
                proxy_revalidate: true,
                must_understand: true,
                no_transform: true,
                ..none()
            },
        );
        check(
            "stale-while-revalidate=5, stale-if-error=\"6\"",
            Directives {
                stale_while_revalidate: Some(5 * SECOND),
                stale_if_error: Some(6 * SECOND),
                ..none()
            },
        );
    }

    #[test]
    fn no_cache_and_private_may_cover_some_fields_only() {
        let check = |argument: &str, expected: Scope| {
            let value = format!("no-cache{argument}, private{argument}");
            let directives = Directives::cache_control(&value);
            assert_eq!((&directives.no_cache, &directives.private), (&expected, &expected), "{value}");
        };
        check("", Scope::Response);
        check(r#"="set-cookie, X-User""#, fields(&["set-cookie", "x-user"]));
        check(r#"="x\-user""#, fields(&["x-user"]));
        check("=x-user", fields(&["x-user"]));
        check(r#"="""#, Scope::Response);
        check(r#"=", ,""#, Scope::Response);
        check("=", Scope::Response);
        check(r#"="not a name""#, Scope::Response);
    }

    #[test]
    fn a_list_of_fields_that_does_not_end_is_no_list() {
        let directives = Directives::cache_control(r#"max-age=1, private="x-user, no-store"#);
        assert!(directives.private.is_response() && directives.no_store);
    }

    #[test]
    fn a_list_with_a_field_that_cannot_be_left_out_covers_the_response() {
        for name in INDISPENSABLE {
            let list = format!("\"x-user, {}\"", name.to_ascii_uppercase());
            let expected =
                Directives { no_cache: Scope::Response, private: Scope::Response, ..Directives::default() };
            let written = format!("no-cache={list}, private={list}");
            assert_eq!(Directives::cache_control(&written), expected, "{written}");
            assert_eq!(Directives::targeted(&written), Some(expected), "{written}");
        }
    }

    #[test]
    fn of_two_scopes_the_wider_holds() {
        let check = |value, expected: Scope| {
            assert_eq!(Directives::cache_control(value).private, expected, "{value}");
        };
        check(r#"private, private="a""#, Scope::Response);
        check(r#"private="a", private"#, Scope::Response);
        check(r#"private="a", private="b""#, fields(&["a", "b"]));
    }

    #[test]
    fn the_first_of_two_lifetimes_counts() {
        assert_eq!(Directives::cache_control("max-age=1, max-age=100").max_age, Some(SECOND));
    }

    #[test]
    fn a_lifetime_that_cannot_be_read_is_over() {
        for value in ["max-age", "max-age=", "max-age=abc", "max-age=-1", "max-age=1.5", "max-age=+1"] {
            assert_eq!(Directives::cache_control(value).max_age, Some(Duration::ZERO), "{value}");
        }
    }

    #[test]
    fn a_lifetime_beyond_all_measure_is_capped() {
        let capped = Some(Duration::from_secs(1 << 31));
        assert_eq!(Directives::cache_control("max-age=99999999999999999999999").max_age, capped);
        assert_eq!(Directives::targeted("max-age=999999999999999").unwrap().max_age, capped);
    }

    #[test]
    fn a_targeted_field_must_have_the_right_types() {
        let check = |value, expected: Option<Directives>| {
            assert_eq!(Directives::targeted(value), expected, "{value}")
        };
        check("max-age=60, public", Some(Directives { max_age: Some(60 * SECOND), public: true, ..none() }));
        check(r#"max-age="60""#, Some(none()));
        check("max-age=1.5", Some(none()));
        check("max-age=-5", Some(none()));
        check("max-age=60;ext=1", Some(Directives { max_age: Some(60 * SECOND), ..none() }));
        check("no-store=?0, max-age=1", Some(Directives { max_age: Some(SECOND), ..none() }));
        check("private=(\"a\" \"b\")", Some(Directives { private: Scope::Response, ..none() }));
        check(r#"private="a, B""#, Some(Directives { private: fields(&["a", "b"]), ..none() }));
        check("no-cache", Some(Directives { no_cache: Scope::Response, ..none() }));
        check("no-cache=?0", Some(none()));
        check("public=1", Some(none()));
        check("must-understand=1, must-revalidate=1", Some(Directives { must_revalidate: true, ..none() }));
        // Of two members with one key the last counts; RFC 9651, section 4.2.2.
        check("max-age=1, max-age=2", Some(Directives { max_age: Some(2 * SECOND), ..none() }));
    }

    #[test]
    fn a_broken_or_empty_targeted_field_is_none() {
        for value in ["", "max-age=", "Max-Age=60", "max-age=60,", "no-store; ="] {
            assert_eq!(Directives::targeted(value), None, "{value}");
        }
    }

    #[test]
    fn the_targeted_field_replaces_cache_control_and_expires() {
        let mut response = Fields::default();
        response.set("cache-control", "no-store");
        response.set("expires", "0");
        response.set("cdn-cache-control", "max-age=300");
        let policy = Policy::of(&response);
        assert_eq!(policy.directives, Directives { max_age: Some(300 * SECOND), ..none() });
        assert_eq!((policy.expires, policy.is_targeted), (None, true));

        response.set("cdn-cache-control", "max-age=");
        let policy = Policy::of(&response);
        assert_eq!(policy.directives, Directives { no_store: true, ..none() });
        assert_eq!((policy.expires, policy.is_targeted), (Some("0"), false));
    }

    #[test]
    fn long_values_are_read_to_their_end() {
        for value in long_values().chain(["private=\"a\",".repeat(8_000), "max-age=1,".repeat(10_000)]) {
            let _ = Directives::cache_control(&value);
            let _ = Directives::targeted(&value);
        }
    }

    /// Nearly a field, or one.
    const NEAR: &str = "(no-store|no-cache|private|public|max-age|s-maxage|stale-if-error|must-understand|\
                        =|,|;|\\?[01]|\\(|\\)|\"|\\\\| |\t|[0-9]{1,22}|x-a|Vary|é|-|\r|\0){0,14}";

    proptest! {
        #[test]
        fn no_value_whatever_makes_reading_panic(bytes: Vec<u8>) {
            let value = String::from_utf8_lossy(&bytes);
            let _ = Directives::targeted(&value);
            let _ = Directives::cache_control(&value);
        }

        #[test]
        fn what_forbids_is_found_among_anything(before in "[a-z=,\\\\ ]{0,12}", after in "[a-z=\",\\\\ ]{0,12}") {
            let value = format!("{before}, no-store, private,{after}");
            let directives = Directives::cache_control(&value);
            prop_assert!(directives.no_store && directives.private.is_response(), "{}", value);
        }

        #[test]
        fn what_is_read_is_within_its_bounds(value in NEAR) {
            let read = [Some(Directives::cache_control(&value)), Directives::targeted(&value)];
            for directives in read.into_iter().flatten() {
                let Directives { max_age, s_maxage, stale_while_revalidate, stale_if_error, .. } = directives;
                let windows = [max_age, s_maxage, stale_while_revalidate, stale_if_error];
                let longest = Duration::from_secs(DELTA_SECONDS_MAX);
                prop_assert!(windows.iter().flatten().all(|window| *window <= longest));
                for name in [directives.no_cache.fields(), directives.private.fields()].concat() {
                    prop_assert!(is_token(&name) && name == name.to_ascii_lowercase(), "{name}");
                    prop_assert!(!INDISPENSABLE.contains(&name.as_str()), "{name}");
                }
            }
        }

        #[test]
        fn lifetimes_that_are_written_are_read_again(
            max_age in 0..=DELTA_SECONDS_MAX, stale in 0..=DELTA_SECONDS_MAX,
        ) {
            let expected = Directives {
                max_age: Some(Duration::from_secs(max_age)),
                stale_if_error: Some(Duration::from_secs(stale)),
                ..none()
            };
            let written = format!("max-age={max_age}, stale-if-error={stale}");
            prop_assert_eq!(Directives::cache_control(&written), expected.clone());
            prop_assert_eq!(Directives::targeted(&written), Some(expected));
        }
    }
}
