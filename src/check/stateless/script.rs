//! A session as a list of steps.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Script {
    pub(super) steps: Vec<Step>,
}

/// One request of it. In path, fields and body `{unique}` is a text that no other replay has,
/// and `{name}` what an earlier step has saved under that name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) method: String,
    pub(super) path: String,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) json: Option<Value>,
    /// By name what is kept of the answer: a field, or a JSON pointer (RFC 6901) into its body.
    #[serde(default)]
    pub(super) save: BTreeMap<String, String>,
}

impl Script {
    /// Reads a JSON array of steps; says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let steps: Vec<Step> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if steps.is_empty() {
            return Err("it has no steps".to_owned());
        }
        match steps.iter().find(|step| !step.path.starts_with(['/', '{'])) {
            Some(step) => Err(format!("the path {:?} must begin with / or with what was saved", step.path)),
            None => Ok(Self { steps }),
        }
    }
}

impl Step {
    /// Whether it changes nothing (RFC 9110, section 9.2.1), so that it can be asked of all.
    pub(super) fn is_read(&self) -> bool {
        ["GET", "HEAD", "OPTIONS"].contains(&self.method.as_str())
    }

    /// The step with what was saved in place of its names.
    pub(super) fn filled(&self, saved: &BTreeMap<String, String>) -> Self {
        Self {
            method: self.method.clone(),
            path: fill(&self.path, saved),
            headers: self.headers.iter().map(|(name, value)| (name.clone(), fill(value, saved))).collect(),
            json: self.json.as_ref().map(|json| fill_json(json, saved)),
            save: self.save.clone(),
        }
    }
}

fn fill(text: &str, saved: &BTreeMap<String, String>) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn fill_json(json: &Value, saved: &BTreeMap<String, String>) -> Value {
    match json {
        Value::String(text) => Value::String(fill(text, saved)),
        Value::Array(items) => items.iter().map(|item| fill_json(item, saved)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), fill_json(value, saved))).collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_saved_takes_the_place_of_its_name() {
        let script = r#"[{"method":"POST","path":"/a/{x}","headers":{"k":"{x}{y}"},"json":{"l":["{x}",1]}}]"#;
        let step = &Script::parse(script).unwrap().steps[0];
        let filled = step.filled(&BTreeMap::from([("x".to_owned(), "7".to_owned())]));
        assert_eq!(filled.path, "/a/7");
        assert_eq!(filled.headers["k"], "7{y}");
        assert_eq!(filled.json, Some(json!({ "l": ["7", 1] })));
    }

    #[test]
    fn what_is_no_session_is_refused() {
        for (text, reason) in [
            ("[]", "no steps"),
            ("{}", "expected a sequence"),
            (r#"[{"method":"GET"}]"#, "missing field `path`"),
            (r#"[{"method":"GET","path":"a"}]"#, "must begin with /"),
            (r#"[{"method":"GET","path":"/","body":1}]"#, "unknown field `body`"),
        ] {
            let refused = Script::parse(text).unwrap_err();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }

    #[test]
    fn the_demos_session_can_be_read() {
        assert!(Script::parse(super::super::SHOP).unwrap().steps.len() > 10);
    }
}
