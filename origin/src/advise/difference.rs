//! What came between two looks at a database's statements.

use std::collections::{BTreeMap, HashMap};

/// What is counted of a statement, in all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Count {
    pub(super) calls: f64,
    pub(super) ms: f64,
    pub(super) rows: f64,
}

/// A statement, of one role.
pub(super) type Id = (i64, u32);

/// A statement, in all and of late.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ran {
    pub(super) text: String,
    pub(super) kind: Kind,
    /// It asks the same each time.
    pub(super) is_constant: bool,
    pub(super) all: Count,
    pub(super) lately: Count,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    /// It begins something, or sets it up, or isn't known to do nothing but read.
    Other,
}

/// Statements with what came since `earlier`, the longest of late first, within `seconds`.
pub(super) fn since(earlier: &HashMap<Id, Count>, later: Vec<(Id, Count, String)>, seconds: f64) -> Vec<Ran> {
    let mut by_text: BTreeMap<String, (Count, Count)> = BTreeMap::new();
    for (id, all, text) in later {
        let before = earlier.get(&id).copied().unwrap_or_default();
        // They were set back in between, or this one was dropped for others and has come again.
        let before = if before.calls > all.calls { Count::default() } else { before };
        let calls = all.calls - before.calls;
        // One that ends meanwhile is told with all of its time, which for the most part was before.
        let ms = (all.ms - before.ms).clamp(0.0, calls * seconds * 1_000.0);
        let lately = Count { calls, ms, rows: (all.rows - before.rows).max(0.0) };
        let (known, known_lately) = by_text.entry(text).or_default();
        *known += all;
        *known_lately += lately;
    }
    let mut all: Vec<_> = by_text
        .into_iter()
        .map(|(text, (all, lately))| {
            let kind = kind(&text);
            let is_constant =
                kind == Kind::Read && !text.contains('$') && !text.to_ascii_lowercase().contains("fetch");
            Ran { kind, is_constant, all, lately, text }
        })
        .collect();
    all.sort_by(|one, other| {
        other.lately.ms.total_cmp(&one.lately.ms).then(other.all.ms.total_cmp(&one.all.ms))
    });
    all
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.ms += other.ms;
        self.rows += other.rows;
    }
}

/// By its words. Whoever locks rows can't do that at a replica.
fn kind(text: &str) -> Kind {
    let text = without_comments(text).to_ascii_lowercase();
    let words: Vec<_> = text
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
        .collect();
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    let locks =
        words.windows(2).any(|two| two[0] == "for" && ["update", "share", "no", "key"].contains(&two[1]));
    match words.first().copied().unwrap_or_default() {
        "select" | "table" | "values" if !locks => Kind::Read,
        "with" if !locks && !has(&["insert", "update", "delete", "merge"]) => Kind::Read,
        "copy" if has(&["to"]) && !has(&["from"]) => Kind::Read,
        "select" | "with" | "insert" | "update" | "delete" | "merge" | "copy" | "commit" => Kind::Write,
        _ => Kind::Other,
    }
}

impl Ran {
    /// Milliseconds of a call: of late, where there was one.
    pub(super) fn mean_ms(&self) -> f64 {
        let count = if self.lately.calls > 0.0 { self.lately } else { self.all };
        count.ms / count.calls.max(1.0)
    }
}

fn without_comments(text: &str) -> &str {
    let mut text = text.trim_start();
    loop {
        let behind = if let Some(rest) = text.strip_prefix("/*") {
            rest.split_once("*/").map(|(_, behind)| behind)
        } else if let Some(rest) = text.strip_prefix("--") {
            rest.split_once('\n').map(|(_, behind)| behind)
        } else {
            return text.trim_start_matches('(');
        };
        let Some(behind) = behind else { return "" };
        text = behind.trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(calls: f64, ms: f64) -> Count {
        Count { calls, ms, rows: calls }
    }

    #[test]
    fn what_was_counted_before_is_taken_off_unless_it_was_set_back() {
        let earlier = HashMap::from([((1, 9), count(10.0, 100.0)), ((2, 9), count(50.0, 5.0))]);
        let later = vec![
            ((2, 9), count(5.0, 1.0), "b".to_owned()),
            ((1, 9), count(30.0, 500.0), "a".to_owned()),
            ((1, 8), count(2.0, 8.0), "a".to_owned()),
        ];
        let ran = since(&earlier, later, 10.0);
        let seen: Vec<_> =
            ran.iter().map(|ran| (ran.text.as_str(), ran.lately.calls, ran.lately.ms)).collect();
        assert_eq!(seen, [("a", 22.0, 408.0), ("b", 5.0, 1.0)]);
        assert!((ran[0].all.calls - 32.0).abs() < 1e-9);
    }

    #[test]
    fn what_was_begun_long_before_takes_no_more_than_the_time_between() {
        let later = vec![((1, 9), count(1.0, 600_000.0), "SELECT 1".to_owned())];
        assert!((since(&HashMap::new(), later, 10.0)[0].lately.ms - 10_000.0).abs() < 1e-9);
    }

    #[test]
    fn a_statement_reads_or_writes_by_its_words() {
        for (text, expected) in [
            ("SELECT 1", Kind::Read),
            ("/* app */ -- x\n (select $1)", Kind::Read),
            ("WITH a AS (SELECT 1) SELECT * FROM a", Kind::Read),
            ("with a as (delete from b returning 1) select * from a", Kind::Write),
            ("SELECT * FROM a WHERE b FOR UPDATE SKIP LOCKED", Kind::Write),
            ("SELECT for_update FROM a", Kind::Read),
            ("INSERT INTO a SELECT 1", Kind::Write),
            ("COPY a TO STDOUT", Kind::Read),
            ("COPY a FROM STDIN", Kind::Write),
            ("COMMIT", Kind::Write),
            ("BEGIN", Kind::Other),
            ("CALL a()", Kind::Other),
            ("", Kind::Other),
            ("/* never ends", Kind::Other),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn a_statement_without_values_asks_the_same_each_time_however_long_it_is() {
        let columns = vec!["\"table\".\"column\""; 40].join(", ");
        let by_key = format!("SELECT {columns} FROM things WHERE id = $1");
        for (text, expected) in [
            ("SELECT count(*) FROM a", true),
            (by_key.as_str(), false),
            ("FETCH NEXT FROM c", false),
            ("DELETE FROM a", false),
        ] {
            let ran = since(&HashMap::new(), vec![((1, 1), count(1.0, 1.0), text.to_owned())], 1.0);
            assert_eq!(ran[0].is_constant, expected, "{text}");
        }
    }
}
