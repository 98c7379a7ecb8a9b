//! Cache directives: `Cache-Control` (RFC 9111, section 5.2) and, obeyed first,
//! `CDN-Cache-Control` (RFC 9213).

use std::time::Duration;

use sfv::{BareItem, Dictionary, ListEntry, Parser};
use tidewall_api::headers::{CACHE_CONTROL, CDN_CACHE_CONTROL};

use crate::fields::{Fields, members};

/// A delta-seconds value is cut off here; RFC 9111, section 1.2.2.
const DELTA_SECONDS_MAX: u64 = 1 << 31;

/// The directives that this cache obeys. Where one occurs twice, the first counts
/// (RFC 9111, section 4.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Not to be stored.
    pub no_store: bool,
    /// Not to be used without validation. With field names it counts as without:
    /// stricter than asked, never laxer.
    pub no_cache: bool,
    /// Not to be stored by a shared cache. Field names: as for `no_cache`.
    pub private: bool,
    /// May be stored even where a rule on private requests says otherwise.
    pub public: bool,
    /// Freshness lifetime. One that can't be read counts as zero, which is stale
    /// (RFC 9111, section 4.2.1).
    pub max_age: Option<Duration>,
    /// Freshness lifetime for shared caches.
    pub s_maxage: Option<Duration>,
}

impl Directives {
    /// Reads `Cache-Control`. Arguments are taken quoted or not, names in any case.
    pub fn cache_control(value: &str) -> Self {
        let mut directives = Self::default();
        for member in members(value) {
            let (name, argument) = match member.split_once('=') {
                Some((name, argument)) => (name.trim_end(), Some(argument.trim_start())),
                None => (member, None),
            };
            match name.to_ascii_lowercase().as_str() {
                "no-store" => directives.no_store = true,
                "no-cache" => directives.no_cache = true,
                "private" => directives.private = true,
                "public" => directives.public = true,
                "max-age" => directives.max_age = directives.max_age.or(Some(delta_seconds(argument))),
                "s-maxage" => directives.s_maxage = directives.s_maxage.or(Some(delta_seconds(argument))),
                _ => {}
            }
        }
        directives
    }

    /// Reads a targeted field, which is a Dictionary of RFC 9651 with types that
    /// must fit. `None` where it is empty or broken, and so must be ignored.
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
        let seconds = |name: &str| match value_of(name) {
            Some(BareItem::Integer(value)) => u64::try_from(i64::from(*value)).ok().map(capped),
            _ => None,
        };
        Some(Self {
            no_store: forbids("no-store"),
            no_cache: forbids("no-cache"),
            private: forbids("private"),
            public: value_of("public") == Some(&BareItem::Boolean(true)),
            max_age: seconds("max-age"),
            s_maxage: seconds("s-maxage"),
        })
    }
}

/// What a response tells this cache to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy<'a> {
    /// The directives of the one field that counts.
    pub directives: Directives,
    /// `Expires`, unless a targeted field replaces it (RFC 9213, section 2.2).
    pub expires: Option<&'a str>,
}

impl<'a> Policy<'a> {
    /// The targeted field if there is a valid one, else `Cache-Control` and `Expires`.
    pub fn of(response: &'a Fields) -> Self {
        if let Some(directives) = response.get(CDN_CACHE_CONTROL).and_then(Directives::targeted) {
            return Self { directives, expires: None };
        }
        Self {
            directives: Directives::cache_control(response.get(CACHE_CONTROL).unwrap_or_default()),
            expires: response.get("expires"),
        }
    }
}

fn delta_seconds(argument: Option<&str>) -> Duration {
    let text = argument.unwrap_or_default();
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Duration::ZERO;
    }
    capped(text.parse().unwrap_or(u64::MAX))
}

fn capped(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(DELTA_SECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn none() -> Directives {
        Directives::default()
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
        check(
            r#"private="set-cookie, x", max-age=1"#,
            Directives { private: true, max_age: Some(SECOND), ..none() },
        );
        check(r#"ext="no-store, private""#, none());
        check("max-ages=60, xno-store", none());
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
        check("private=(\"a\" \"b\")", Some(Directives { private: true, ..none() }));
        check("public=1", Some(none()));
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
        assert_eq!(policy.expires, None);

        response.set("cdn-cache-control", "max-age=");
        let policy = Policy::of(&response);
        assert_eq!(policy.directives, Directives { no_store: true, ..none() });
        assert_eq!(policy.expires, Some("0"));
    }
}
