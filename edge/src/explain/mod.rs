//! What the cache would do with a GET of a URL, and why, as an account for people and
//! programs: facts in, [`Explanation`] out.
//!
//! It decides nothing itself: the account is what the cache's own decisions say of the
//! same facts.
//!
//! - [`question`]: what is asked.
//! - [`key`], [`copies`], [`lifetime`], [`standing`], [`fresh`]: the account's parts: the
//!   URL's key, the copies that there are, for how long they may be used, where they
//!   stand in the logs, and what an origin answers now.
//! - [`reason`]: each reason in words, with advice.

pub mod copies;
pub mod fresh;
pub mod key;
pub mod lifetime;
pub mod question;
pub mod reason;
pub mod standing;

use serde::{Deserialize, Serialize};
use tidewall_api::bookmark::Bookmark;

use crate::cache::key::TrackingParameters;
use crate::cache::precondition::needs_origin;
use crate::cache::status::{CacheStatus, Forward, Outcome};
use crate::cache::target::Target;
use crate::cache::usable::{Basis, Situation, Usable, is_error, is_for};
use crate::cache::validation;
use crate::explain::copies::{Found, LevelAccount, Look};
use crate::explain::fresh::{Asked, FreshAccount};
use crate::explain::key::KeyAccount;
use crate::explain::reason::Reason;
use crate::explain::standing::ViewAccount;
use crate::fields::Fields;
use crate::forward::upgrades;
use crate::judge::Judge;
use crate::route::Route;

/// What the cache would do, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Of which URL.
    pub url: String,
    /// All of it in a sentence or two.
    pub summary: String,
    /// Who answers.
    pub answered_by: Handler,
    /// Under which key it is stored; `None` where the cache has no part in it, as in the
    /// following.
    pub key: Option<KeyAccount>,
    /// What the levels of the store have.
    pub levels: Vec<LevelAccount>,
    /// Where the edge and the reader stand.
    pub view: Option<ViewAccount>,
    /// What becomes of the request.
    pub decision: Option<Decision>,
    /// What an origin answers now; `None` where none was asked.
    pub fresh: Option<FreshAccount>,
}

/// Who answers a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handler {
    /// The origins, with the cache before them.
    Origins,
    /// The built site.
    Site,
    /// The edge's own interface.
    Edge,
    /// Nobody: it is a 404.
    Nobody,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it is answered from the store.
    pub is_hit: bool,
    /// The level that answers.
    pub level: Option<String>,
    /// Why it may: `fresh`, `stale-while-revalidate`, `max-stale`.
    pub basis: Option<String>,
    /// Seconds for which that stays fresh; less than zero where it is stale.
    pub ttl_s: Option<i64>,
    /// What `Cache-Status` would say.
    pub cache_status: String,
    /// Why it isn't answered from the store.
    pub reason: Option<Reason>,
    /// With which conditions an origin would be asked, so that a 304 renews what is stored.
    pub conditions: Vec<(String, String)>,
    /// Whether what is stored would be the answer if the origins failed.
    pub bridges_errors: bool,
}

/// A request, as it is assumed.
#[derive(Clone, Copy, Debug)]
pub struct Assumed<'a> {
    /// Its URL.
    pub target: &'a Target<'a>,
    /// Its fields, less the bookmark.
    pub fields: &'a Fields,
    /// What its reader has seen.
    pub bookmark: Bookmark,
    /// Its fields as an origin gets them.
    pub presented: &'a Fields,
}

/// What is known when the cache decides.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The request.
    pub request: Assumed<'a>,
    /// See [`TrackingParameters`].
    pub tracking: &'a TrackingParameters,
    /// What there is to judge it by.
    pub judge: Judge<'a>,
    /// What the levels have, in the order in which they are asked.
    pub looks: &'a [Look],
    /// What came of asking an origin, where one was asked.
    pub asked: Option<&'a Asked<'a>>,
}

impl From<Route> for Handler {
    fn from(route: Route) -> Self {
        match route {
            Route::Origin => Self::Origins,
            Route::Site | Route::SiteBroken => Self::Site,
            Route::Status | Route::Purge | Route::Explain => Self::Edge,
            Route::Nothing | Route::NotFound => Self::Nobody,
        }
    }
}

/// Why the store isn't even looked at, if it isn't.
pub fn bypass(request: &Fields, has_store: bool) -> Option<&'static str> {
    if upgrades("GET", request) {
        Some("the request asks for another protocol with `Upgrade`")
    } else if !has_store {
        Some("no store is bound: wrangler.toml has no `CACHE` among its `kv_namespaces`")
    } else if needs_origin(request) {
        Some("`If-Match` or `If-Unmodified-Since` asks for the origin's state of now")
    } else {
        None
    }
}

/// Explains a URL that isn't the cache's to answer.
pub fn elsewhere(target: &Target<'_>, handler: Handler) -> Explanation {
    let summary = match handler {
        Handler::Origins => "An origin answers.",
        Handler::Site => "The site's own files answer: the cache has no part in it.",
        Handler::Edge => "The edge's own interface answers: the cache has no part in it.",
        Handler::Nobody => {
            "Nobody answers: it is no page or file of the site, and `ORIGIN_PATHS` sends it to no origin."
        }
    };
    Explanation {
        url: url(target),
        summary: summary.to_owned(),
        answered_by: handler,
        key: None,
        levels: Vec::new(),
        view: None,
        decision: None,
        fresh: None,
    }
}

/// Explains a request that goes by the store, and why.
pub fn bypassed(request: &Assumed<'_>, tracking: &TrackingParameters, why: &str) -> Explanation {
    let (forward, outcome) = (Forward::Bypass, Outcome::Passed);
    let reason = Reason { why: why.to_owned(), ..reason::forward(forward) };
    let decision = Decision {
        is_hit: false,
        level: None,
        basis: None,
        ttl_s: None,
        cache_status: CacheStatus::Forwarded { why: forward, origin_status: None, outcome }.to_string(),
        reason: Some(reason),
        conditions: Vec::new(),
        bridges_errors: false,
    };
    Explanation {
        summary: format!("An origin answers, and nothing is stored: {why}."),
        key: Some(KeyAccount::of(request.target, tracking, None, request.presented)),
        decision: Some(decision),
        ..elsewhere(request.target, Handler::Origins)
    }
}

/// Explains a request that the cache may answer.
pub fn explain(facts: &Facts<'_>) -> Explanation {
    let Facts { request, tracking, judge, looks, asked } = *facts;
    let found = copies::find(looks, &judge);
    let selecting = found.variants.map(|variants| variants.selecting.as_slice());
    let fresh = asked.map(|asked| FreshAccount::of(asked, &judge));
    let decision = Decision::of(&found, asked, &judge);
    Explanation {
        summary: summary(&decision, fresh.as_ref()),
        key: Some(KeyAccount::of(request.target, tracking, selecting, request.presented)),
        levels: looks.iter().map(|look| LevelAccount::of(look, &found, &judge)).collect(),
        view: Some(ViewAccount::of(judge.view, judge.is_view_current, request.bookmark)),
        decision: Some(decision),
        fresh,
        ..elsewhere(request.target, Handler::Origins)
    }
}

impl Decision {
    fn of(found: &Found<'_>, asked: Option<&Asked<'_>>, judge: &Judge<'_>) -> Self {
        let usable = match found.copy {
            Some((_, envelope)) => judge.usable(envelope, Situation::Lookup),
            None if found.variants.is_some() => Err(Forward::VaryMiss),
            None => Err(Forward::UriMiss),
        };
        let bridges = |(_, envelope)| judge.usable(envelope, Situation::OriginFailed).is_ok();
        let bridges_errors = found.copy.is_some_and(bridges);
        match usable {
            Ok(hit) => Self::hit(found, hit, bridges_errors),
            Err(_) if judge.asked.only_if_cached => Self {
                cache_status: CacheStatus::OnlyIfCached.to_string(),
                reason: Some(reason::only_if_cached()),
                ..Self::miss(bridges_errors)
            },
            Err(why) => {
                let renewable = found.copy.filter(|(_, envelope)| is_for(envelope, judge.privacy));
                let conditions = renewable
                    .and_then(|(_, envelope)| validation::conditions(&envelope.fields))
                    .unwrap_or_default();
                let (origin_status, outcome) = outcome(asked, judge, bridges_errors);
                Self {
                    cache_status: CacheStatus::Forwarded { why, origin_status, outcome }.to_string(),
                    reason: Some(reason::forward(why)),
                    conditions: conditions
                        .iter()
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .collect(),
                    ..Self::miss(bridges_errors)
                }
            }
        }
    }

    fn hit(found: &Found<'_>, hit: Usable, bridges_errors: bool) -> Self {
        Self {
            is_hit: true,
            level: found.copy.map(|(level, _)| level.as_str().to_owned()),
            basis: Some(hit.basis.as_str().unwrap_or("fresh").to_owned()),
            ttl_s: Some(hit.ttl_s()),
            cache_status: CacheStatus::Hit(hit).to_string(),
            ..Self::miss(bridges_errors)
        }
    }

    fn miss(bridges_errors: bool) -> Self {
        Self {
            is_hit: false,
            level: None,
            basis: None,
            ttl_s: None,
            cache_status: String::new(),
            reason: None,
            conditions: Vec::new(),
            bridges_errors,
        }
    }
}

/// What would come of forwarding the request, as far as an origin's answer tells.
fn outcome(asked: Option<&Asked<'_>>, judge: &Judge<'_>, bridges_errors: bool) -> (Option<u16>, Outcome) {
    match asked {
        Some(Asked::Answered(answer, _)) if is_error(answer.status) && bridges_errors => {
            (Some(answer.status), Outcome::StaleIfError)
        }
        Some(Asked::Answered(answer, body)) => match judge.storable(&answer.answered()).and(*body) {
            Ok(()) => (None, Outcome::Stored),
            Err(reason) => (None, Outcome::Unstored(reason)),
        },
        Some(Asked::Failed(_)) if bridges_errors => (None, Outcome::StaleIfError),
        Some(Asked::Failed(_)) | None => (None, Outcome::Passed),
    }
}

fn summary(decision: &Decision, fresh: Option<&FreshAccount>) -> String {
    let fate = match decision {
        Decision { is_hit: true, level, basis, ttl_s, .. } => {
            let (level, ttl_s) = (level.as_deref().unwrap_or("the store"), ttl_s.unwrap_or(0));
            match basis.as_deref() {
                Some(basis) if Some(basis) == Basis::WhileRevalidate.as_str() => {
                    format!(
                        "Answered from {level}, stale by {} s, and renewed in the background ({basis}).",
                        -ttl_s
                    )
                }
                Some(basis) if Some(basis) == Basis::MaxStale.as_str() => {
                    format!(
                        "Answered from {level}, stale by {} s, which the request allows ({basis}).",
                        -ttl_s
                    )
                }
                _ => format!("Answered from {level}, fresh for another {ttl_s} s."),
            }
        }
        Decision { reason: Some(reason), .. } if *reason == reason::only_if_cached() => {
            format!("Not answered: {}.", reason.why)
        }
        Decision { reason, conditions, .. } => {
            let why = reason.as_ref().map_or("", |reason| reason.why.as_str());
            let how = if conditions.is_empty() { "" } else { ", whom it asks for a change only" };
            format!("Answered by an origin{how}: {why}.")
        }
    };
    let fresh = match fresh {
        None => String::new(),
        Some(FreshAccount { failure: Some(why), .. }) if decision.bridges_errors => {
            format!(" No origin answers now ({why}): what is stored stands in.")
        }
        Some(FreshAccount { failure: Some(why), .. }) => format!(" No origin answers now: {why}."),
        Some(FreshAccount { is_stored: true, .. }) => {
            " What an origin answers now would be stored.".to_owned()
        }
        Some(FreshAccount { reason, .. }) => {
            let why = reason.as_ref().map_or("", |reason| reason.why.as_str());
            format!(" What an origin answers now would not be stored: {why}.")
        }
    };
    format!("{fate}{fresh}")
}

fn url(target: &Target<'_>) -> String {
    let query = target.query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}://{}{}{query}", target.scheme, target.host, target.path)
}

impl Explanation {
    /// All reasons that are given, each once.
    pub fn reasons(&self) -> Vec<&Reason> {
        let decision = self.decision.as_ref().and_then(|decision| decision.reason.as_ref());
        let fresh = self.fresh.as_ref().and_then(|fresh| fresh.reason.as_ref());
        let mut reasons: Vec<&Reason> = decision.into_iter().chain(fresh).collect();
        reasons.dedup();
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::envelope::{Envelope, Variants};
    use crate::cache::level::Level;
    use crate::cache::privacy::{Privacy, PrivateNames};
    use crate::cache::request::{ClientCacheControl, RequestDirectives};
    use crate::cache::storable::Unstored;
    use crate::cache::terms::millis;
    use crate::control::bookmark::{Brought, NOTHING, demand};
    use crate::control::entry::{Key, Mark, Scope, Severity};
    use crate::control::log::{Delta, Known};
    use crate::control::view::View;
    use crate::explain::copies::Held;
    use crate::explain::fresh::Answer;
    use crate::time::Timestamp;

    /// When what is stored arrived; also where the view was then.
    const THEN_MS: u64 = 1_000_000;
    const URL: &str = "https://h/a?b=2&utm_id=x&a=1";

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn fence(head: u64) -> Known {
        Known { first: 1, head }
    }

    /// A case: what is there, and what is asked.
    struct Case {
        entries: Vec<(Scope, Severity, Mark)>,
        has_view: bool,
        looks: Vec<Look>,
        request: &'static str,
        bookmark: Bookmark,
        /// Milliseconds since what is stored arrived.
        later_ms: u64,
        /// What an origin answers.
        origin: Option<(u16, &'static str)>,
    }

    impl Default for Case {
        fn default() -> Self {
            Self {
                entries: Vec::new(),
                has_view: true,
                looks: Level::ALL.map(|level| Look { level, url: Held::Nothing, variant: None }).into(),
                request: "",
                bookmark: NOTHING,
                later_ms: 1_000,
                origin: None,
            }
        }
    }

    impl Case {
        fn with_view<T>(&self, look: impl FnOnce(&View) -> T) -> T {
            let entries = self.entries.iter().cloned();
            let entries = entries.map(|(scope, severity, mark)| (Key { scope, severity }, mark)).collect();
            let head = THEN_MS + 500;
            look(&View::new(Delta { first: 1, head, is_whole: true, entries }, at(THEN_MS)))
        }

        /// What a level has of an answer that arrived then.
        fn holding(mut self, level: Level, response: &str) -> Self {
            let held = self.envelope(response);
            self.looks[level as usize].url = Held::Response(Box::new(held));
            self
        }

        fn envelope(&self, response: &str) -> Envelope {
            let fields = Fields::from_lines(response);
            let (request_time, response_time) = (at(THEN_MS), at(THEN_MS));
            let answer = Answer {
                origin: "a",
                status: 200,
                fields: &fields,
                request_time,
                response_time,
                fence: Some(fence(THEN_MS)),
            };
            let now = response_time;
            let (storable, position) = Self::default()
                .with_view(|view| {
                    Self::default().judge(view, &Fields::default(), now).storable(&answer.answered())
                })
                .unwrap();
            Envelope {
                status: 200,
                request_time,
                response_time,
                initial_age_ms: millis(storable.initial_age),
                terms: storable.terms,
                position,
                groups: storable.groups,
                is_decoded: false,
                body_bytes: 5,
                fields,
            }
        }

        fn judge<'a>(&self, view: &'a View, request: &Fields, now: Timestamp) -> Judge<'a> {
            let private = PrivateNames { fields: Vec::new(), cookies: vec!["session".to_owned()] };
            Judge {
                key: "https://h/a?a=1&b=2",
                path: "/a",
                asked: RequestDirectives::of(request, ClientCacheControl::Obey),
                privacy: Privacy::of(request, &private),
                view: Some(view),
                is_view_current: self.has_view,
                demand: demand(Brought::one(self.bookmark), view.known(), true),
                now,
            }
        }

        fn explained(&self) -> Explanation {
            let request = Fields::from_lines(self.request);
            let tracking = TrackingParameters::new(vec!["utm_*".to_owned()]);
            let target = Target::parse(URL).unwrap();
            let now = at(THEN_MS + self.later_ms);
            let answered = self.origin.map(|(status, fields)| (status, Fields::from_lines(fields)));
            let asked = answered.as_ref().map(|(status, fields)| {
                let answer = Answer {
                    origin: "a",
                    status: *status,
                    fields,
                    request_time: now,
                    response_time: now,
                    fence: Some(fence(THEN_MS + 500)),
                };
                match status {
                    0 => Asked::Failed("no connection"),
                    _ => Asked::Answered(answer, Ok(())),
                }
            });
            self.with_view(|view| {
                explain(&Facts {
                    request: Assumed {
                        target: &target,
                        fields: &request,
                        bookmark: self.bookmark,
                        presented: &request,
                    },
                    tracking: &tracking,
                    judge: self.judge(view, &request, now),
                    looks: &self.looks,
                    asked: asked.as_ref(),
                })
            })
        }

        fn check(&self, summary: &str, cache_status: &str) -> Explanation {
            let explanation = self.explained();
            assert_eq!(explanation.summary, summary);
            assert_eq!(explanation.decision.as_ref().unwrap().cache_status, cache_status);
            let json = serde_json::to_string(&explanation).unwrap();
            assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation, "{json}");
            explanation
        }
    }

    fn group(name: &str) -> Scope {
        Scope::Group(name.to_owned())
    }

    #[test]
    fn nothing_stored_and_an_answer_that_would_be() {
        let case =
            Case { origin: Some((200, "cdn-cache-control\nmax-age=300\nvary\naccept")), ..Case::default() };
        let found = case.check(
            "Answered by an origin: nothing is stored for it. What an origin answers now would be stored.",
            "tidewall; fwd=uri-miss; stored",
        );
        let key = found.key.unwrap();
        assert_eq!((key.key.as_str(), key.dropped), ("https://h/a?a=1&b=2", vec!["utm_id=x".to_owned()]));
        let fresh = found.fresh.unwrap();
        assert_eq!(fresh.lifetime.unwrap().words(), "lifetime 300 s, of CDN-Cache-Control: max-age");
        assert_eq!(
            (fresh.varies_by, fresh.position.unwrap().fence),
            (vec!["accept".to_owned()], THEN_MS + 500)
        );
    }

    #[test]
    fn an_answer_that_would_not_be_stored_comes_with_its_reason() {
        let case =
            Case { origin: Some((200, "cache-control\nmax-age=9\nset-cookie\na=secret")), ..Case::default() };
        let found = case.check(
            "Answered by an origin: nothing is stored for it. What an origin answers now would not be stored: it sets a cookie.",
            "tidewall; fwd=uri-miss; detail=set-cookie",
        );
        let names: Vec<&str> = found.reasons().iter().map(|reason| reason.name.as_str()).collect();
        assert_eq!(names, ["uri-miss", "set-cookie"]);
        assert!(!serde_json::to_string(&found).unwrap().contains("secret"));
    }

    #[test]
    fn the_nearest_copy_that_may_be_used_decides() {
        let stored = "cdn-cache-control\nmax-age=300\ncache-groups\n\"g\"\netag\n\"e\"";
        let case = Case::default().holding(Level::CacheApi, stored).holding(Level::Kv, stored);
        let found = case.check("Answered from cache_api, fresh for another 299 s.", "tidewall; hit; ttl=299");
        let decisive: Vec<bool> = found.levels.iter().map(|level| level.is_decisive).collect();
        assert_eq!(decisive, [false, true, false]);
        let copy = found.levels[1].copy.clone().unwrap();
        assert_eq!((copy.age_s, copy.groups, copy.ttl_s), (1, vec!["g".to_owned()], Some(299)));
        assert_eq!(copy.conditions, [("if-none-match".to_owned(), "\"e\"".to_owned())]);
    }

    #[test]
    fn what_is_stale_is_used_as_far_as_it_says() {
        let stored = "cache-control\nmax-age=10, stale-while-revalidate=60, stale-if-error=900\netag\n\"e\"";
        let case =
            |later_ms, origin| Case { later_ms, origin, ..Case::default() }.holding(Level::Memory, stored);
        case(12_000, None).check(
            "Answered from memory, stale by 2 s, and renewed in the background (stale-while-revalidate).",
            "tidewall; hit; ttl=-2; detail=stale-while-revalidate",
        );
        let late = case(90_000, Some((200, "cache-control\nmax-age=10"))).check(
            "Answered by an origin, whom it asks for a change only: what is stored is stale. What an origin answers now would be stored.",
            "tidewall; fwd=stale; stored",
        );
        assert!(late.decision.unwrap().bridges_errors);
        case(90_000, Some((0, ""))).check(
            "Answered by an origin, whom it asks for a change only: what is stored is stale. No origin answers now (no connection): what is stored stands in.",
            "tidewall; fwd=stale; detail=stale-if-error",
        );
        case(90_000, Some((503, ""))).check(
            "Answered by an origin, whom it asks for a change only: what is stored is stale. What an origin answers now would not be stored: its status is none that is stored: what fails for a moment must not last.",
            "tidewall; fwd=stale; fwd-status=503; detail=stale-if-error",
        );
    }

    #[test]
    fn an_invalidation_is_shown_beside_the_copy_it_ends() {
        let entries = vec![
            (group("g"), Severity::Hard, Mark { seq: THEN_MS + 100, lsn: Some(7) }),
            (Scope::Path("/a".to_owned()), Severity::Hard, Mark { seq: THEN_MS - 100, lsn: None }),
        ];
        let case = Case { entries, ..Case::default() };
        let found = case.holding(Level::Kv, "cache-control\nmax-age=300\ncache-groups\n\"g\"").check(
            "Answered by an origin: one of its groups was invalidated after it was read.",
            "tidewall; fwd=stale; detail=invalidated-group",
        );
        let copy = found.levels[2].copy.clone().unwrap();
        assert_eq!(copy.reason.unwrap().name, "invalidated-group");
        let entries: Vec<_> =
            copy.entries.iter().map(|it| (it.scope.as_str(), it.seq, it.is_passed)).collect();
        assert_eq!(entries, [("group", THEN_MS + 100, false), ("path", THEN_MS - 100, true)]);
        assert_eq!(found.view.unwrap().lsn, 7);
    }

    #[test]
    fn a_soft_purge_is_no_reason_to_store_an_answer_that_is_behind_it() {
        let case = Case {
            entries: vec![(group("g"), Severity::Soft, Mark { seq: THEN_MS + 100, lsn: Some(7) })],
            origin: Some((200, "cache-control\nmax-age=300\ncache-groups\n\"g\"\ntidewall-lsn\n6")),
            ..Case::default()
        };
        let found = case.explained();
        assert_eq!(found.fresh.unwrap().reason.unwrap().name, Unstored::Invalidated.as_str());
    }

    #[test]
    fn without_a_current_view_nothing_is_used() {
        let case = Case { has_view: false, ..Case::default() };
        let found = case.holding(Level::Memory, "cache-control\nmax-age=300").check(
            "Answered by an origin: the control log is out of reach, so nobody knows what is out of date.",
            "tidewall; fwd=stale; detail=no-view",
        );
        assert!(!found.view.unwrap().is_current);
    }

    #[test]
    fn a_reader_who_has_seen_more_is_not_answered_from_the_store() {
        let stored = "cache-control\nmax-age=300\ncache-groups\n\"g\"\ntidewall-lsn\n5";
        let case = Case { bookmark: Bookmark::of_lsn(9), ..Case::default() };
        let found = case.holding(Level::Memory, stored).check(
            "Answered by an origin: the reader has seen what is stored doesn't show.",
            "tidewall; fwd=request; detail=behind-bookmark",
        );
        assert_eq!(found.view.unwrap().bookmark.as_deref(), Some("0.9"));
    }

    #[test]
    fn a_request_may_be_one_persons_or_want_something_else() {
        let stored = "cache-control\nmax-age=300";
        let check = |request, summary: &str, cache_status: &str| {
            Case { request, ..Case::default() }.holding(Level::Memory, stored).check(summary, cache_status)
        };
        check(
            "cookie\nsession=1",
            "Answered by an origin: the request is one person's, and what is stored isn't said to be for everyone.",
            "tidewall; fwd=request; detail=private-request",
        );
        check(
            "cache-control\nno-cache",
            "Answered by an origin: the request says `no-cache`.",
            "tidewall; fwd=request; detail=request-no-cache",
        );
        check(
            "cache-control\nonly-if-cached, max-age=0",
            "Not answered: the request asks for a stored answer or none, and there is none that may be used: it is a 504.",
            "tidewall; detail=only-if-cached",
        );
    }

    #[test]
    fn a_variant_is_looked_for_under_its_own_key() {
        let variants = Held::Variants(Variants { selecting: vec!["accept".to_owned()], until: at(u64::MAX) });
        let mut case = Case { request: "accept\ntext/csv", ..Case::default() };
        case.looks[2].url = variants;
        for look in &mut case.looks {
            look.variant = Some(Held::Nothing);
        }
        let found = case.check(
            "Answered by an origin: other variants are stored for it, and not the one that these request fields select.",
            "tidewall; fwd=vary-miss",
        );
        let selected_by = found.key.unwrap().variant.unwrap().selected_by;
        assert_eq!(selected_by, [("accept".to_owned(), Some("text/csv".to_owned()))]);
        assert_eq!(found.levels[2].varies_by, Some(vec!["accept".to_owned()]));

        let envelope = case.envelope("cache-control\nmax-age=300\nvary\naccept");
        case.looks[2].variant = Some(Held::Response(Box::new(envelope)));
        case.check("Answered from kv, fresh for another 299 s.", "tidewall; hit; ttl=299");
    }

    #[test]
    fn a_level_that_can_not_be_read_is_passed_over_and_named() {
        let mut case = Case::default().holding(Level::Kv, "cache-control\nmax-age=300");
        case.looks[1].url = Held::Unknown("it took longer than 500 ms".to_owned());
        let found = case.check("Answered from kv, fresh for another 299 s.", "tidewall; hit; ttl=299");
        assert_eq!(found.levels[1].unknown.as_deref(), Some("it took longer than 500 ms"));
    }

    #[test]
    fn what_goes_by_the_store_is_told_with_its_cause() {
        let request = |lines| Fields::from_lines(lines);
        assert_eq!(bypass(&request("accept\n*/*"), true), None);
        assert!(bypass(&request("accept\n*/*"), false).unwrap().contains("`CACHE`"));
        assert!(bypass(&request("upgrade\nWebSocket"), true).unwrap().contains("`Upgrade`"));
        let fields = request("if-match\n\"a\"");
        let why = bypass(&fields, true).unwrap();
        let target = Target::parse(URL).unwrap();
        let assumed = Assumed { target: &target, fields: &fields, bookmark: NOTHING, presented: &fields };
        let found = bypassed(&assumed, &TrackingParameters::default(), why);
        assert_eq!(found.decision.unwrap().cache_status, "tidewall; fwd=bypass");
        assert!(found.summary.contains("`If-Match`"), "{}", found.summary);
    }

    #[test]
    fn the_cache_has_no_part_in_what_others_answer() {
        let target = Target::parse(URL).unwrap();
        for (route, handler) in [
            (Route::Site, Handler::Site),
            (Route::Nothing, Handler::Nobody),
            (Route::Explain, Handler::Edge),
            (Route::NotFound, Handler::Nobody),
        ] {
            let found = elsewhere(&target, Handler::from(route));
            assert_eq!((found.url.as_str(), found.answered_by), (URL, handler));
            assert!(found.decision.is_none() && found.key.is_none());
        }
        assert_eq!(Handler::from(Route::Origin), Handler::Origins);
    }
}
