//! What two looks at the origins' counters come to.

use std::collections::BTreeMap;

use tidewall_api::advice::{Route, Traffic};

use super::amount::amount;
use super::exposition::Sample;

const REQUESTS: &str = "tidewall_http_requests_total";
const SECONDS_SUM: &str = "tidewall_http_request_seconds_sum";
const SECONDS_BUCKET: &str = "tidewall_http_request_seconds_bucket";

/// Of one route.
#[derive(Default)]
struct Counted {
    requests: f64,
    failed: f64,
    seconds: f64,
    /// How many took at most so many seconds, by the seconds.
    at_most: Vec<(f64, f64)>,
}

/// The requests between two looks, `seconds` apart, at each of the origins that answered both times.
pub(super) fn between(origins: &[(Vec<Sample>, Vec<Sample>)], seconds: f64) -> Traffic {
    let mut routes: BTreeMap<(String, String), Counted> = BTreeMap::new();
    for (earlier, later) in origins {
        add(&mut routes, later, 1.0);
        // One that was started anew has counted from nothing.
        if requests(earlier) <= requests(later) {
            add(&mut routes, earlier, -1.0);
        }
    }
    let mut routes: Vec<_> = routes
        .into_iter()
        .filter(|(_, counted)| counted.requests > 0.0)
        .map(|((method, path), counted)| counted.finish(method, path))
        .collect();
    routes.sort_by(|one, other| {
        other.total_ms.unwrap_or_default().total_cmp(&one.total_ms.unwrap_or_default())
    });
    Traffic { seconds: Some(seconds), routes, ..Traffic::default() }
}

fn requests(samples: &[Sample]) -> f64 {
    let samples = samples.iter().filter(|sample| sample.name == REQUESTS && is_count(sample.value));
    samples.map(|sample| sample.value).sum()
}

fn is_count(value: f64) -> bool {
    amount(value).is_some()
}

fn add(routes: &mut BTreeMap<(String, String), Counted>, samples: &[Sample], sign: f64) {
    for sample in samples.iter().filter(|sample| is_count(sample.value)) {
        let key = (sample.label("method").to_owned(), sample.label("route").to_owned());
        let value = sample.value * sign;
        match sample.name.as_str() {
            REQUESTS => {
                let counted = routes.entry(key).or_default();
                counted.requests += value;
                let status = sample.label("status");
                counted.failed += if status.starts_with('5') { value } else { 0.0 };
            }
            SECONDS_SUM => routes.entry(key).or_default().seconds += value,
            SECONDS_BUCKET => {
                let limit = sample.label("le").parse().ok();
                let Some(limit) = limit.filter(|limit| is_count(*limit) || *limit == f64::INFINITY) else {
                    continue;
                };
                let at_most = &mut routes.entry(key).or_default().at_most;
                match at_most.iter_mut().find(|(known, _)| known.total_cmp(&limit).is_eq()) {
                    Some((_, count)) => *count += value,
                    None => at_most.push((limit, value)),
                }
            }
            _ => {}
        }
    }
}

impl Counted {
    fn finish(mut self, method: String, path: String) -> Route {
        self.at_most.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let ms = |share| self.quantile(share).map(|seconds| seconds * 1_000.0);
        Route {
            requests: self.requests,
            failed: self.failed.max(0.0),
            p50_ms: ms(0.5),
            p95_ms: ms(0.95),
            p99_ms: ms(0.99),
            total_ms: Some(self.seconds.max(0.0) * 1_000.0),
            method,
            path,
            ..Route::default()
        }
    }

    /// As Prometheus reckons it: within a bucket all are spread evenly.
    fn quantile(&self, share: f64) -> Option<f64> {
        let all = self.at_most.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let wanted = all * share;
        let (mut from, mut before) = (0.0, 0.0);
        for (limit, count) in &self.at_most {
            if *count >= wanted {
                let is_open = limit.is_infinite() || *count <= before;
                return Some(if is_open {
                    from
                } else {
                    from + (limit - from) * (wanted - before) / (count - before)
                });
            }
            (from, before) = (*limit, *count);
        }
        Some(from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::exposition::read;
    use super::*;

    fn page(gets: u32, failed: u32, fast: u32) -> Vec<Sample> {
        read(&format!(
            "tidewall_http_requests_total{{method=\"GET\",route=\"/a\",status=\"200\"}} {gets}\n\
             tidewall_http_requests_total{{method=\"GET\",route=\"/a\",status=\"503\"}} {failed}\n\
             tidewall_http_request_seconds_sum{{method=\"GET\",route=\"/a\"}} {}\n\
             tidewall_http_request_seconds_bucket{{le=\"0.1\",method=\"GET\",route=\"/a\"}} {fast}\n\
             tidewall_http_request_seconds_bucket{{le=\"0.5\",method=\"GET\",route=\"/a\"}} {}\n\
             tidewall_http_request_seconds_bucket{{le=\"+Inf\",method=\"GET\",route=\"/a\"}} {}\n",
            f64::from(gets) * 0.2,
            gets + failed,
            gets + failed,
        ))
    }

    #[test]
    fn what_came_between_two_looks_is_told_by_route() {
        let traffic = between(&[(page(10, 0, 5), page(100, 10, 55))], 10.0);
        assert_eq!((traffic.rate(), traffic.routes.len()), (Some(10.0), 1));
        let route = &traffic.routes[0];
        assert_eq!((route.failed, route.p50_ms), (10.0, Some(100.0)));
        assert!((route.p95_ms.unwrap() - 460.0).abs() < 1e-6);
        assert!((route.total_ms.unwrap() - 18_000.0).abs() < 1e-6);
    }

    #[test]
    fn an_origin_that_was_started_anew_takes_nothing_from_others() {
        let origins = [(page(100, 0, 5), page(10, 0, 5)), (page(100, 0, 50), page(200, 0, 100))];
        let traffic = between(&origins, 10.0);
        assert!((traffic.requests() - 110.0).abs() < 1e-9, "{traffic:?}");
    }

    proptest! {
        #[test]
        fn no_page_whatever_makes_figures_that_are_none(
            samples in prop::collection::vec(
                (
                    prop::sample::select(vec![REQUESTS, SECONDS_SUM, SECONDS_BUCKET]),
                    "(200|503|)",
                    "([0-9]{1,3}|\\+Inf|-Inf|NaN|0\\.1|1e308|-1)",
                    "([0-9]{1,25}|\\+Inf|-Inf|NaN|-1|1e[0-9]{1,3}|0\\.[0-9])",
                ),
                0..20,
            ),
            at in 0_usize..20,
        ) {
            let line = |(name, status, le, value): &(&str, String, String, String)| {
                format!("{name}{{method=\"GET\",route=\"/\",status=\"{status}\",le=\"{le}\"}} {value}\n")
            };
            let (before, after) = samples.split_at(at.min(samples.len()));
            let page = |samples: &[_]| read(&samples.iter().map(line).collect::<String>());
            let traffic = between(&[(page(before), page(after)), (page(after), page(&samples))], 10.0);
            for route in traffic.routes {
                let all = [route.p50_ms, route.p95_ms, route.p99_ms, route.total_ms, Some(route.requests)];
                prop_assert!(all.iter().flatten().all(|it| it.is_finite() && *it >= 0.0), "{route:?}");
            }
        }
    }
}
