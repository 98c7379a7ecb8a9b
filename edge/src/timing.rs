//! `Server-Timing`: how long each step of an answer took.

use std::time::Duration;

use crate::fields::Fields;

/// Steps and their durations, in the order in which they were taken.
#[derive(Clone, Debug, Default)]
pub struct Timings(Vec<(&'static str, Duration)>);

impl Timings {
    /// Notes a step.
    pub fn record(&mut self, step: &'static str, took: Duration) {
        self.0.push((step, took));
    }

    /// Notes the steps of another, behind these.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Adds the steps to what the origin said about its own.
    pub fn append_to(&self, response: &mut Fields) {
        for (step, took) in &self.0 {
            response.append("server-timing", &format!("{step};dur={}", took.as_millis()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_those_of_the_origin() {
        let mut timings = Timings::default();
        timings.record("kv", Duration::from_millis(2));
        timings.record("origin", Duration::from_millis(31));
        let mut fields = Fields::from_lines("server-timing\ndb;dur=9");
        timings.append_to(&mut fields);
        assert_eq!(fields.get("server-timing"), Some("db;dur=9, kv;dur=2, origin;dur=31"));
    }
}
