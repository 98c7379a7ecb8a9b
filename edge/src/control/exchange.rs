//! What isolates and the keeper of the log say to each other, as JSON.

use serde::{Deserialize, Serialize};

use crate::balance::watch::Verdict;
use crate::control::log::{Append, Delta, Known};

/// A question to the keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// How far the isolate has read.
    pub known: Option<Known>,
    /// What is to be appended first.
    pub append: Option<Append>,
    /// Origins that the isolate has trouble with, by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<String>,
    /// Origins that the isolate has ejected for their answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<String>,
    /// A random number by which isolates are told apart.
    #[serde(default)]
    pub isolate: u64,
    /// The build of the site that the isolate serves, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
}

/// The keeper's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What was appended.
    pub logged: Option<Logged>,
    /// What the isolate lacks, the append included.
    pub delta: Delta,
    /// What is known of origins that were reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
}

/// An append that is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logged {
    /// Its position.
    pub seq: u64,
    /// For each scope the position of its entry before; 0 for none.
    pub previous: Vec<u64>,
    /// Whether the write was there already.
    pub is_duplicate: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::entry::tests::scope;
    use crate::control::entry::{Key, Mark, Scope, Severity};

    #[test]
    fn a_question_of_an_isolate_that_tells_less_is_understood() {
        let question: Question = serde_json::from_str(r#"{"known":null,"append":null}"#).unwrap();
        assert_eq!((question.isolate, question.build.as_deref()), (0, None));
        assert!(!serde_json::to_string(&question).unwrap().contains("build"));
        let told = Question { build: Some("b".to_owned()), ..question };
        assert_eq!(serde_json::from_str::<Question>(&serde_json::to_string(&told).unwrap()).unwrap(), told);
    }

    proptest! {
        #[test]
        fn what_is_said_is_understood(
            scopes in prop::collection::vec(scope(), 0..5),
            lsn: Option<u64>,
            write: Option<u64>,
            names in prop::collection::vec("\\PC{0,9}", 0..3),
            head: u64,
        ) {
            let severity = if head % 2 == 0 { Severity::Hard } else { Severity::Soft };
            let key = |scope: &Scope| (Key { scope: scope.clone(), severity }, Mark { seq: head, lsn });
            let entries: Vec<_> = scopes.iter().map(key).collect();
            let question = Question {
                known: write.map(|first| Known { first, head }),
                append: Some(Append { scopes, severity, lsn, write }),
                suspects: names.clone(),
                failing: names,
                isolate: head,
                build: None,
            };
            let answer = Answer {
                logged: None,
                delta: Delta { first: 1, head, is_whole: false, entries },
                verdicts: Vec::new(),
            };
            let said = serde_json::to_string(&question).unwrap();
            prop_assert_eq!(serde_json::from_str::<Question>(&said).unwrap(), question);
            let said = serde_json::to_string(&answer).unwrap();
            prop_assert_eq!(serde_json::from_str::<Answer>(&said).unwrap(), answer);
        }

        #[test]
        fn no_text_whatever_makes_understanding_panic(
            text in "(\\{|\\}|\\[|\\]|:|,|\"(known|append|scopes|a|g|delta|head)\"|null|-|[0-9]{1,21}){0,16}",
        ) {
            let _ = serde_json::from_str::<Question>(&text);
            let _ = serde_json::from_str::<Answer>(&text);
        }
    }
}
