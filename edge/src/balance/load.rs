//! The load that origins report of themselves, in the field `endpoint-load-metrics`: the form
//! that Envoy and gRPC know as ORCA.
//!
//! An isolate sees what it sends itself; an origin knows what it has to do for all of them, and
//! beside them. So what it reports makes it dearer or not, under the policy that goes by cost. A
//! report is as old as the last answer: it fades, or who was once busy would be avoided for ever.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::time::Timestamp;

/// Longest report in bytes that is read. It may name metrics of the origin's own, which say
/// nothing here.
const REPORT_BYTES_MAX: usize = 4 * 1_024;
/// Most metrics in it.
const METRICS_MAX: usize = 100;
/// Greatest utilisation that is believed, as a share: an origin may have more to do than it can,
/// but more than ten times as much is a mistake in its unit.
const UTILIZATION_MAX: f64 = 10.0;
/// The weight of a new report is one in so many: one request more or less is not to turn all
/// isolates round at once.
const SMOOTHING: f64 = 4.0;
/// After so long without a report half of it is believed.
const FADING: Duration = Duration::from_secs(2);
/// Up to so much more than the least loaded has, as a share, is no difference: else all would
/// rush to whoever reports a little less.
const SLACK: f64 = 0.1;
/// What a request costs at an origin with nothing free beside one that idles, as so many times
/// more: about the requests in flight at which it would be worth it.
const PRESSURE: f64 = 8.0;

/// The utilisation that a report tells, as a share of what the origin can do: of the application
/// where it tells that, else of the processor. `None` where it tells neither, or can't be read.
pub fn utilization(report: &str) -> Option<f64> {
    let report = report.trim();
    if report.len() > REPORT_BYTES_MAX {
        return None;
    }
    // A third form is a message of Protocol Buffers; whoever sends that can send these.
    let metrics = match report.split_once(' ')? {
        ("TEXT", text) => text_metrics(text)?,
        ("JSON", json) => json_metrics(json)?,
        _ => return None,
    };
    let told = |name: &str| metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let is_told = |value: &f64| value.is_finite() && (0.0..=UTILIZATION_MAX).contains(value);
    // A zero is what a report has that doesn't say it.
    let application = told("application_utilization").filter(is_told).filter(|value| *value > 0.0);
    application.or_else(|| told("cpu_utilization").filter(is_told))
}

/// `cpu_utilization=0.3,application_utilization=0.2`. A name that comes twice makes it no report.
fn text_metrics(text: &str) -> Option<Vec<(String, f64)>> {
    let mut names = BTreeSet::new();
    let mut metrics = Vec::new();
    for metric in text.split(',') {
        let (name, value) = metric.split_once('=')?;
        let name = name.trim();
        if !names.insert(name) || names.len() > METRICS_MAX {
            return None;
        }
        if let Ok(value) = value.trim().parse() {
            metrics.push((name.to_owned(), value));
        }
    }
    Some(metrics)
}

/// The same as an object, whose names may be written in either way that Protocol Buffers have.
fn json_metrics(json: &str) -> Option<Vec<(String, f64)>> {
    let Value::Object(metrics) = serde_json::from_str(json).ok()? else { return None };
    let named = |name: String| match &*name {
        "applicationUtilization" => "application_utilization".to_owned(),
        "cpuUtilization" => "cpu_utilization".to_owned(),
        _ => name,
    };
    Some(metrics.into_iter().filter_map(|(name, value)| Some((named(name), value.as_f64()?))).collect())
}

/// What an origin has reported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Load(Option<Report>);

#[derive(Clone, Copy, Debug)]
struct Report {
    smoothed: f64,
    at: Timestamp,
}

impl Load {
    /// An answer came with a report.
    pub fn reported(&mut self, utilization: f64, now: Timestamp) {
        let smoothed = match self.0 {
            None => utilization,
            Some(last) => {
                let weight = (1.0 - last.belief(now)).max(1.0 / SMOOTHING);
                last.smoothed + (utilization - last.smoothed) * weight
            }
        };
        self.0 = Some(Report { smoothed, at: now });
    }
}

impl Report {
    /// How much of it still counts.
    fn belief(self, now: Timestamp) -> f64 {
        1.0 / (1.0 + now.since(self.at).as_secs_f64() / FADING.as_secs_f64())
    }
}

/// So many times what it would cost otherwise a request costs at each origin, for what they have
/// reported.
pub fn pressure(loads: &[Load], now: Timestamp) -> Vec<f64> {
    // Of one that answers no more, what it had to do once is no measure.
    let recent = loads.iter().filter_map(|load| load.0).filter(|report| report.belief(now) >= 0.5);
    let least = recent.map(|report| report.smoothed).reduce(f64::min);
    let pressure = |load: &Load| match (load.0, least) {
        (Some(report), Some(least)) => {
            1.0 + PRESSURE * (report.smoothed - least - SLACK).max(0.0) * report.belief(now)
        }
        // Who reports nothing is taken to be as the one that has least to do.
        _ => 1.0,
    };
    loads.iter().map(pressure).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn check(report: &str, expected: Option<f64>) {
        assert_eq!(utilization(report), expected, "{report}");
    }

    #[test]
    fn a_report_is_text_or_json() {
        check("TEXT cpu_utilization=0.3,application_utilization=0.2", Some(0.2));
        check("TEXT cpu_utilization=0.3, mem_utilization=0.9", Some(0.3));
        check(r#"JSON {"cpu_utilization": 0.3, "application_utilization": 1.5}"#, Some(1.5));
        check(r#"JSON {"cpuUtilization": 0.3}"#, Some(0.3));
        check(r#"JSON {"applicationUtilization": 0, "cpu_utilization": 0.4}"#, Some(0.4));
        check("TEXT application_utilization=0,cpu_utilization=0", Some(0.0));
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        check("TEXT named_metrics.queue=7,eps=1,rps_fractional=10,cpu_utilization=0.5,x=y", Some(0.5));
        check(r#"JSON {"named_metrics": {"queue": 7}, "cpu_utilization": 0.5}"#, Some(0.5));
        check("TEXT rps_fractional=10", None);
        check("BIN CZqZmZmZmbk/", None);
    }

    #[test]
    fn what_can_not_be_is_not_believed() {
        for value in ["-0.1", "11", "NaN", "inf", "1e999", "", "half"] {
            check(&format!("TEXT application_utilization={value},cpu_utilization=0.5"), Some(0.5));
            check(&format!("TEXT cpu_utilization={value}"), None);
        }
        for report in
            ["", "TEXT", "TEXT ", "TEXT cpu_utilization", "cpu_utilization=0.5", "JSON [0.5]", "JSON {"]
        {
            check(report, None);
        }
        check("TEXT cpu_utilization=0.1,cpu_utilization=0.9", None);
        let long = |bytes: usize| format!("TEXT cpu_utilization=0.5,x={}", "1".repeat(bytes));
        check(&long(4_000), Some(0.5));
        check(&long(5_000), None);
        let many = (0..101).map(|n| format!("m{n}=1")).collect::<Vec<_>>().join(",");
        check(&format!("TEXT cpu_utilization=0.5,{many}"), None);
    }

    fn loads(reported: &[f64]) -> Vec<Load> {
        let load = |utilization: &f64| {
            let mut load = Load::default();
            load.reported(*utilization, at(0));
            load
        };
        reported.iter().map(load).collect()
    }

    #[test]
    fn who_has_more_to_do_costs_more_and_a_little_is_no_difference() {
        assert_eq!(pressure(&loads(&[0.2, 0.25, 0.3]), at(0)), [1.0; 3]);
        assert_eq!(pressure(&loads(&[0.25, 0.85]), at(0)), [1.0, 5.0]);
        assert_eq!(pressure(&loads(&[0.9, 0.9]), at(0)), [1.0; 2], "where all are busy none is");
    }

    #[test]
    fn who_reports_nothing_costs_what_it_did() {
        let mut loads = loads(&[0.25, 0.85]);
        loads.push(Load::default());
        assert_eq!(pressure(&loads, at(0)), [1.0, 5.0, 1.0]);
        assert_eq!(pressure(&[Load::default(); 2], at(0)), [1.0; 2]);
    }

    #[test]
    fn a_report_fades() {
        let loads = loads(&[0.25, 0.85]);
        let of_second = |ms| pressure(&loads, at(ms))[1];
        assert_eq!([of_second(0), of_second(2_000)], [5.0, 3.0]);
        assert!(of_second(60_000) < 1.2);
    }

    #[test]
    fn reports_are_smoothed_and_a_late_one_counts_at_once() {
        let mut load = loads(&[0.0]);
        load[0].reported(0.8, at(0));
        assert_eq!(load[0].0.unwrap().smoothed, 0.2);
        load[0].reported(0.8, at(200_000));
        assert!(load[0].0.unwrap().smoothed > 0.79);
    }

    proptest! {
        #[test]
        fn whatever_is_reported_is_a_share_or_nothing(report in "(TEXT |JSON |BIN )?[ -~]{0,60}") {
            prop_assert!(utilization(&report).is_none_or(|share| (0.0..=UTILIZATION_MAX).contains(&share)));
        }

        #[test]
        fn whatever_is_reported_in_form_is_a_share_or_nothing(
            value in "(-|)([0-9]{1,3}(\\.[0-9]{1,3})?|[0-9]e[0-9]{1,3}|NaN|inf|true|\"1\")",
            more in "(,|=|:|\"|\\}|cpu_utilization|x|1| ){0,6}",
        ) {
            for report in [
                format!("TEXT cpu_utilization={value}{more}"),
                format!("JSON {{\"cpuUtilization\":{value}}}"),
                format!("JSON {{\"application_utilization\":{value}{more}}}"),
            ] {
                let share = utilization(&report);
                prop_assert!(share.is_none_or(|share| (0.0..=UTILIZATION_MAX).contains(&share)), "{report}");
            }
        }
    }
}
