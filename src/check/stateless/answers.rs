//! Whether two origins have given the same answer.

use std::collections::BTreeSet;

use serde_json::Value;

/// What matters of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The values of a field, whose name is in lower case.
    pub(super) fn field<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The body, if it is JSON.
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// How `other` differs from `first`, where not in what differs between `first` and `again`,
/// which the same origin has answered.
pub(super) fn difference(first: &Answer, again: &Answer, other: &Answer) -> Option<String> {
    if first.status != other.status {
        return (first.status == again.status).then(|| format!("{} and {}", other.status, first.status));
    }
    match (first.json(), again.json(), other.json()) {
        (Some(first), Some(again), Some(other)) => {
            let mut changing = BTreeSet::new();
            collect(&first, &again, String::new(), &mut changing);
            let mut differing = BTreeSet::new();
            collect(&first, &other, String::new(), &mut differing);
            let own =
                differing.into_iter().find(|at| !changing.iter().any(|changing| at.starts_with(changing)))?;
            let value = |json: &Value| json.pointer(&own).map_or("nothing".to_owned(), Value::to_string);
            let at = if own.is_empty() { "the body" } else { &own };
            Some(format!("{at} is {} and {}", value(&other), value(&first)))
        }
        _ if first.body == again.body && first.body != other.body => Some("another body".to_owned()),
        _ => None,
    }
}

/// Where two values differ, as JSON pointers (RFC 6901).
fn collect(one: &Value, other: &Value, at: String, into: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for name in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (one.get(name), other.get(name)) {
                    (Some(one), Some(other)) => collect(one, other, at, into),
                    _ => drop(into.insert(at)),
                }
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                collect(one, other, format!("{at}/{index}"), into);
            }
        }
        _ if one != other => drop(into.insert(at)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(first: (u16, &str), again: (u16, &str), other: (u16, &str), expected: Option<&str>) {
        let answer = |(status, body): (u16, &str)| Answer {
            status,
            body: body.as_bytes().to_vec(),
            ..Answer::default()
        };
        assert_eq!(difference(&answer(first), &answer(again), &answer(other)).as_deref(), expected);
    }

    #[test]
    fn the_same_answer_is_the_same() {
        check((200, r#"{"a":1}"#), (200, r#"{"a":1}"#), (200, r#"{ "a": 1 }"#), None);
        check((204, ""), (204, ""), (204, ""), None);
        check((200, "text"), (200, "text"), (200, "text"), None);
    }

    #[test]
    fn another_answer_is_told() {
        check((200, "{}"), (200, "{}"), (401, "{}"), Some("401 and 200"));
        check(
            (200, r#"{"a":[1,2]}"#),
            (200, r#"{"a":[1,2]}"#),
            (200, r#"{"a":[1,3]}"#),
            Some("/a/1 is 3 and 2"),
        );
        check((200, r#"{"a":1}"#), (200, r#"{"a":1}"#), (200, "{}"), Some("/a is nothing and 1"));
        check((200, "[1]"), (200, "[1]"), (200, "[]"), Some("the body is [] and [1]"));
        check((200, "text"), (200, "text"), (200, "other"), Some("another body"));
    }

    #[test]
    fn what_changes_at_one_origin_tells_nothing() {
        let at = |now: u8, user: &str| format!(r#"{{"now":{now},"user":"{user}"}}"#);
        check((200, &at(1, "ada")), (200, &at(2, "ada")), (200, &at(3, "ada")), None);
        check(
            (200, &at(1, "ada")),
            (200, &at(2, "ada")),
            (200, &at(3, "bob")),
            Some(r#"/user is "bob" and "ada""#),
        );
        check((200, "1 of text"), (200, "2 of text"), (200, "3 of text"), None);
        check((200, "{}"), (503, "{}"), (503, "{}"), None);
    }
}
