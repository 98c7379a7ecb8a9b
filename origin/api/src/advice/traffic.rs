//! Requests by route: how often, how long, how much, and how often the answer is the same.

use serde::{Deserialize, Serialize};

/// The requests of a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// From the first to the last. Unknown where no line has a time.
    pub seconds: Option<f64>,
    /// Different clients, where they are told apart.
    pub clients: Option<f64>,
    /// The routes, by the time that they take.
    pub routes: Vec<Route>,
    /// Lines of an access log that couldn't be read.
    pub unread: u64,
}

/// The requests of one route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// `GET`.
    pub method: String,
    /// Its path, with `{}` for what names one of many.
    pub path: String,
    /// A file that is the same for all.
    pub is_static: bool,
    /// How many.
    pub requests: f64,
    /// Of these, answered with a status from 500 on.
    pub failed: f64,
    /// Of these, answered by a cache before the server, as the log says.
    pub cached: f64,
    /// Bytes of all answers. Unknown where none has its size.
    pub bytes: Option<f64>,
    /// Milliseconds: median, 95th and 99th percentile. Unknown where the log has no durations.
    pub p50_ms: Option<f64>,
    /// The same.
    pub p95_ms: Option<f64>,
    /// The same.
    pub p99_ms: Option<f64>,
    /// Milliseconds of all together.
    pub total_ms: Option<f64>,
    /// Of the requests for what somebody else had asked for a while before, how many had an answer of
    /// the same size. Unknown where nothing is asked for twice, or requests aren't told apart.
    pub same_share: Option<f64>,
    /// Of all requests, those for what somebody else had asked for a while before, and which no cache
    /// answered.
    pub repeated_share: f64,
}

impl Traffic {
    /// Requests.
    pub fn requests(&self) -> f64 {
        self.routes.iter().map(|route| route.requests).sum()
    }

    /// Requests in a second.
    pub fn rate(&self) -> Option<f64> {
        Some(self.requests() / self.seconds?)
    }

    /// Whether it is known what was asked for twice: counters don't tell, logs do.
    pub(super) fn tells_targets_apart(&self) -> bool {
        self.clients.is_some() || self.routes.iter().any(|route| route.same_share.is_some())
    }

    /// Those that aren't files.
    pub(super) fn answers(&self) -> impl Iterator<Item = &Route> + Clone {
        self.routes.iter().filter(|route| !route.is_static)
    }

    /// Those that are.
    pub(super) fn files(&self) -> impl Iterator<Item = &Route> + Clone {
        self.routes.iter().filter(|route| route.is_static)
    }

    /// Milliseconds of all answers together. Unknown where one isn't known.
    pub(super) fn answers_ms(&self) -> Option<f64> {
        self.answers().map(|route| route.total_ms).sum()
    }

    /// Bytes of files that are the same for all, and of everything, as far as the server sent them.
    pub(super) fn bytes(&self) -> Option<(f64, f64)> {
        let of = |route: &Route| Some(route.bytes? * (1.0 - route.cached / route.requests.max(1.0)));
        Some((self.files().map(of).sum::<Option<f64>>()?, self.routes.iter().map(of).sum::<Option<f64>>()?))
    }
}

impl Route {
    /// As people know it.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Of all requests, those that a cache would have answered: for what was asked for before, and
    /// is the same.
    pub fn cacheable_share(&self) -> f64 {
        match self.same_share {
            Some(same) if self.method == "GET" && !self.is_static => same * self.repeated_share,
            _ => 0.0,
        }
    }

    /// Milliseconds of those.
    pub(super) fn cacheable_ms(&self) -> f64 {
        self.total_ms.unwrap_or_default() * self.cacheable_share()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, path: &str, requests: f64) -> Route {
        Route { method: method.to_owned(), path: path.to_owned(), requests, ..Route::default() }
    }

    #[test]
    fn what_a_cache_would_answer_was_asked_for_before_is_the_same_and_is_only_read() {
        let of = |method: &str, same_share, repeated_share| {
            Route { same_share, repeated_share, ..route(method, "/a", 10.0) }.cacheable_share()
        };
        assert!((of("GET", Some(0.5), 0.8) - 0.4).abs() < 1e-9);
        assert!(of("POST", Some(1.0), 1.0).abs() < 1e-9);
        assert!(of("GET", None, 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_one_route_does_not_tell_is_not_known_of_all() {
        let timed = Route { total_ms: Some(5.0), bytes: Some(7.0), ..route("GET", "/a", 3.0) };
        let mut traffic = Traffic { seconds: Some(2.0), routes: vec![timed], ..Traffic::default() };
        assert_eq!((traffic.answers_ms(), traffic.bytes()), (Some(5.0), Some((0.0, 7.0))));
        traffic.routes.push(route("POST", "/b", 1.0));
        assert_eq!((traffic.answers_ms(), traffic.bytes()), (None, None));
        assert_eq!(traffic.rate(), Some(2.0));
    }
}
