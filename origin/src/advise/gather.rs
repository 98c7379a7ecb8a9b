//! What an access log comes to: for each route how often, how long, how much, and how often the
//! answer is the same. Bounded in memory, however long the log is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use tidewall_api::advice::{Route, Traffic};

use super::log_line::Entry;
use super::route;

/// Routes that are told apart.
const ROUTES_MAX: usize = 500;
/// Different words at one place of a path that are still words of an interface; of more, each names one
/// thing of many.
const WORDS_MAX: usize = 20;
/// Durations of a route that are kept; of more, as many are drawn.
const DURATIONS_MAX: usize = 2_000;
/// Targets that are known again.
const TARGETS_MAX: usize = 200_000;
/// Clients that are told apart.
const CLIENTS_MAX: usize = 1_000_000;
/// Seconds for which an answer could have been kept: as long as the demo's are.
const KEPT: f64 = 300.0;
/// Shorter answers, such as of an empty list, are the same without being so for all.
const BYTES_MIN: f64 = 100.0;
/// Places of paths whose words are told apart; what stands at another one is one of many.
const PLACES_MAX: usize = 10_000;
/// Times before are none: HTTP/1.0 is not older (RFC 1945, May 1996).
const AT_MIN: f64 = 830_908_800.0;
/// Nor are those from the year 10000 on, which no format can tell.
const AT_MAX: f64 = 253_402_300_800.0;
/// Methods that are told apart (RFC 9110, section 9.3, and RFC 5789).
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Where what isn't told apart is counted.
const OTHERS: &str = "/…";
const NOT_FOUND: &str = "/… (404)";

/// A route: method, path, whether it is a file.
type Key = (&'static str, String, bool);

/// Takes in one line after the other.
#[derive(Default)]
pub(super) struct Reader {
    first: Option<f64>,
    last: Option<f64>,
    clients: HashSet<u64>,
    targets: HashMap<u64, Asked>,
    /// What stands behind each beginning of a path.
    words: HashMap<String, HashSet<String>>,
    routes: BTreeMap<Key, Gathered>,
    unread: u64,
}

/// What was asked for, the last time.
struct Asked {
    answer: u64,
    client: Option<u64>,
    at: Option<f64>,
}

#[derive(Default)]
struct Gathered {
    requests: u64,
    failed: u64,
    cached: u64,
    bytes: f64,
    sized: u64,
    total_ms: f64,
    durations: Vec<f64>,
    timed: u64,
    repeated: u64,
    same: u64,
}

impl Reader {
    /// A line that isn't one of an access log.
    pub(super) fn unread(&mut self) {
        self.unread += 1;
    }

    /// A request.
    pub(super) fn add(&mut self, entry: &Entry) {
        let at = entry.at.filter(|at| (AT_MIN..AT_MAX).contains(at));
        if let Some(at) = at {
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
            self.last = Some(self.last.map_or(at, |last| last.max(at)));
        }
        let client = entry.client.as_ref().map(hash);
        if let Some(client) = client
            && self.clients.len() < CLIENTS_MAX
        {
            self.clients.insert(client);
        }
        let is_repeated = self.is_repeated(entry, client, at);
        let key = self.key(entry);
        let gathered = self.routes.entry(key).or_default();
        gathered.requests += 1;
        gathered.failed += u64::from(entry.status >= 500);
        gathered.cached += u64::from(entry.is_cached);
        gathered.bytes += entry.bytes.unwrap_or_default();
        gathered.sized += u64::from(entry.bytes.is_some());
        if let Some(ms) = entry.ms {
            gathered.time(ms, hash(&entry.target));
        }
        if let Some(is_same) = is_repeated {
            gathered.repeated += 1;
            gathered.same += u64::from(is_same);
        }
    }

    /// Where a request is counted.
    fn key(&mut self, entry: &Entry) -> Key {
        let method = METHODS.into_iter().find(|known| *known == entry.method).unwrap_or("OTHER");
        // Whoever looks for holes asks for thousands of paths that aren't there.
        if entry.status == 404 {
            return (method, NOT_FOUND.to_owned(), false);
        }
        let is_file = matches!(method, "GET" | "HEAD") && route::is_static(&entry.target);
        let path = self.in_words(&route::of(&entry.target));
        let key = (method, path, is_file);
        let has_room = self.routes.len() < ROUTES_MAX || self.routes.contains_key(&key);
        if has_room { key } else { (method, OTHERS.to_owned(), is_file) }
    }

    /// A path with `{}` at each place where more words stood than an interface has.
    fn in_words(&mut self, path: &str) -> String {
        let mut known = String::new();
        for segment in path.split('/').skip(1).filter(|segment| !segment.is_empty()) {
            let is_open = segment.starts_with(['{', '*']);
            let has_room = self.words.len() < PLACES_MAX || self.words.contains_key(&known);
            let is_kept = is_open
                || (has_room && {
                    let words = self.words.entry(known.clone()).or_default();
                    if words.len() <= WORDS_MAX {
                        words.insert(segment.to_owned());
                    }
                    words.len() <= WORDS_MAX
                });
            known.push('/');
            known.push_str(if is_kept { segment } else { "{}" });
        }
        if known.is_empty() { "/".to_owned() } else { known }
    }

    /// Whether an answer is the same as somebody else had a while ago. `None`: it isn't known, or is
    /// nobody else's business.
    fn is_repeated(&mut self, entry: &Entry, client: Option<u64>, at: Option<f64>) -> Option<bool> {
        // What an answer without a body says of the next one is nothing.
        let bytes = entry.bytes.filter(|bytes| *bytes >= BYTES_MIN)?;
        let may_be_kept = entry.method == "GET" && matches!(entry.status, 200 | 203 | 410);
        if !may_be_kept || entry.is_personal || entry.is_cached {
            return None;
        }
        let asked = Asked { answer: hash(&(entry.status, bytes.to_bits())), client, at };
        let target = hash(&entry.target);
        let has_room = self.targets.len() < TARGETS_MAX;
        let Some(known) = self.targets.get_mut(&target) else {
            if has_room {
                self.targets.insert(target, asked);
            }
            return None;
        };
        let is_same = known.answer == asked.answer;
        let is_recent = at.zip(known.at).is_none_or(|(at, before)| at - before <= KEPT);
        // One reader's own copy is in their browser.
        let is_others = client.zip(known.client).is_none_or(|(client, before)| client != before);
        *known = asked;
        (is_recent && is_others).then_some(is_same)
    }

    /// What it all comes to.
    pub(super) fn finish(mut self) -> Traffic {
        // What stood for a word before there were so many of them is one of many as well.
        let mut merged: BTreeMap<Key, Gathered> = BTreeMap::new();
        for ((method, path, is_file), gathered) in std::mem::take(&mut self.routes) {
            let path = if path.starts_with(OTHERS) { path } else { self.in_words(&path) };
            merged.entry((method, path, is_file)).or_default().merge(gathered);
        }
        let mut routes: Vec<_> = merged.into_iter().map(|(key, gathered)| gathered.finish(key)).collect();
        let weight = |route: &Route| route.total_ms.unwrap_or(route.requests);
        routes.sort_by(|one, other| weight(other).total_cmp(&weight(one)));
        let span = self.first.zip(self.last).map(|(first, last)| last - first);
        Traffic {
            seconds: span.filter(|seconds| *seconds > 0.0),
            clients: Some(self.clients.len() as f64),
            routes,
            unread: self.unread,
        }
    }
}

impl Gathered {
    /// Takes a duration in. Of many, as many are kept as there is room for, each with the same
    /// chance (Vitter, "Random sampling with a reservoir", 1985, algorithm R).
    fn time(&mut self, ms: f64, random: u64) {
        self.total_ms += ms;
        self.timed += 1;
        if self.durations.len() < DURATIONS_MAX {
            self.durations.push(ms);
            return;
        }
        let place = usize::try_from(hash(&(random, self.timed)) % self.timed).unwrap_or(usize::MAX);
        if let Some(kept) = self.durations.get_mut(place) {
            *kept = ms;
        }
    }

    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.cached += other.cached;
        self.bytes += other.bytes;
        self.sized += other.sized;
        self.total_ms += other.total_ms;
        self.timed += other.timed;
        self.repeated += other.repeated;
        self.same += other.same;
        self.durations.extend(other.durations);
    }

    fn finish(mut self, (method, path, is_static): Key) -> Route {
        self.durations.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let last = self.durations.len().checked_sub(1)?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a length"
            )]
            self.durations.get((last as f64 * share).round() as usize).copied()
        };
        let requests = self.requests as f64;
        // What most requests tell is taken for all.
        let of_all = |sum: f64, known: u64| {
            (known > 0 && known * 2 >= self.requests).then(|| sum * requests / known as f64)
        };
        Route {
            method: method.to_owned(),
            path,
            is_static,
            requests,
            failed: self.failed as f64,
            cached: self.cached as f64,
            bytes: of_all(self.bytes, self.sized),
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            total_ms: of_all(self.total_ms, self.timed),
            same_share: (self.repeated > 0).then(|| self.same as f64 / self.repeated as f64),
            repeated_share: self.repeated as f64 / requests.max(1.0),
        }
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of another reader each time.
    fn entry(number: u32, target: &str, bytes: f64) -> Entry {
        Entry {
            at: Some(1e9 + f64::from(number)),
            client: Some(format!("c{}", number % 10)),
            method: "GET".to_owned(),
            target: target.to_owned(),
            status: 200,
            bytes: Some(bytes),
            ms: Some(f64::from(number)),
            ..Entry::default()
        }
    }

    fn read(entries: impl IntoIterator<Item = Entry>) -> Traffic {
        let mut reader = Reader::default();
        for entry in entries {
            reader.add(&entry);
        }
        reader.finish()
    }

    #[test]
    fn durations_come_to_percentiles() {
        let traffic = read((0..=100).map(|ms| entry(ms, "/a", 500.0)));
        let route = &traffic.routes[0];
        assert_eq!((route.p50_ms, route.p95_ms, route.p99_ms), (Some(50.0), Some(95.0), Some(99.0)));
        assert_eq!((traffic.seconds, traffic.clients), (Some(100.0), Some(10.0)));
    }

    #[test]
    fn of_many_durations_a_fair_part_is_kept() {
        let entries = (0..50_000)
            .map(|number| Entry { ms: Some(f64::from(number % 1_000)), ..entry(number, "/a", 500.0) });
        let p50 = read(entries).routes[0].p50_ms.unwrap();
        assert!((450.0..550.0).contains(&p50), "{p50}");
    }

    #[track_caller]
    fn check_cacheable(entries: impl IntoIterator<Item = Entry>, expected: f64) {
        let share = read(entries).routes[0].cacheable_share();
        assert!((share - expected).abs() < 1e-9, "{share}");
    }

    #[test]
    fn what_a_cache_would_answer_is_what_somebody_else_had_a_while_ago() {
        let numbers = || 0..10_u32;
        check_cacheable(numbers().map(|number| entry(number, "/a/1", 500.0)), 0.9);
        // It changes each time; each is asked for once.
        check_cacheable(numbers().map(|number| entry(number, "/a/1", 500.0 + f64::from(number))), 0.0);
        check_cacheable(numbers().map(|number| entry(number, &format!("/a/{number}"), 500.0)), 0.0);
        // A day later; by the same reader; next to nothing.
        check_cacheable(numbers().map(|number| entry(number * 86_401, "/a/1", 500.0)), 0.0);
        check_cacheable(numbers().map(|number| entry(number * 10, "/a/1", 500.0)), 0.0);
        check_cacheable(numbers().map(|number| entry(number, "/a/1", 12.0)), 0.0);
        // Somebody's own; by a cache already.
        let personal = |number| Entry { is_personal: true, ..entry(number, "/a/1", 500.0) };
        check_cacheable(numbers().map(personal), 0.0);
        let cached = |number| Entry { is_cached: true, ..entry(number, "/a/1", 500.0) };
        check_cacheable(numbers().map(cached), 0.0);
    }

    fn word(number: u32) -> String {
        let digits = format!("{number:06}");
        digits.bytes().map(|digit| char::from(b'a' + digit - b'0')).collect()
    }

    #[test]
    fn however_many_paths_there_are_as_many_routes_are_told_apart_as_there_is_room_for() {
        let path =
            |number: u32| format!("/{}/{}/{}", word(number % 15), word(number / 15 % 15), word(number / 225));
        let paths = (0..2_000).map(|number| entry(number, &path(number), 500.0));
        let methods = (0..2_000)
            .map(|number| Entry { method: word(number).to_uppercase(), ..entry(number, "/a", 500.0) });
        let traffic = read(paths.chain(methods));
        assert!(traffic.routes.len() <= ROUTES_MAX + 2, "{}", traffic.routes.len());
        assert!((traffic.requests() - 4_000.0).abs() < 1e-9);
    }

    #[test]
    fn a_place_with_many_words_is_one_of_many_things_also_those_that_came_first() {
        let traffic =
            read((0..100).map(|number| entry(number, &format!("/u/{}/posts", word(number)), 500.0)));
        let paths: Vec<_> = traffic.routes.iter().map(|route| route.path.as_str()).collect();
        assert_eq!(paths, ["/u/{}/posts"]);
        assert!((traffic.routes[0].requests - 100.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_there_is_no_route_and_a_file_makes_none_of_others() {
        let missing = (0..50)
            .map(|number| Entry { status: 404, ..entry(number, &format!("/{}.php", word(number)), 500.0) });
        let traffic = read(missing.chain([entry(51, "/a.css", 500.0), entry(52, "/b", 500.0)]));
        let seen: Vec<_> =
            traffic.routes.iter().map(|route| (route.path.as_str(), route.is_static)).collect();
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(seen.contains(&("/*.css", true)) && seen.contains(&("/b", false)));
    }

    #[test]
    fn sizes_and_durations_of_a_few_are_not_those_of_all() {
        let some = |known: u32| {
            let traffic = read((0..10).map(|number| Entry {
                bytes: (number < known).then_some(100.0),
                ms: (number < known).then_some(5.0),
                ..entry(number, "/a", 0.0)
            }));
            (traffic.routes[0].bytes, traffic.routes[0].total_ms)
        };
        assert_eq!(some(2), (None, None));
        assert_eq!(some(5), (Some(1_000.0), Some(50.0)));
    }

    #[test]
    fn however_many_words_there_are_as_many_places_are_known_as_there_is_room_for() {
        let mut reader = Reader::default();
        for number in 0..20_000_u32 {
            let words = [number % 20, number / 20 % 20, number / 400 % 20, number / 8_000, number];
            let target: String = words.iter().map(|number| format!("/{}", word(*number))).collect();
            reader.add(&entry(number, &target, 500.0));
        }
        assert!(reader.words.len() <= PLACES_MAX, "{}", reader.words.len());
        assert!((reader.finish().requests() - 20_000.0).abs() < 1e-9);
    }
}
