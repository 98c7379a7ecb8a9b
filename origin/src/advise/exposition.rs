//! A page that Prometheus reads (prometheus.io/docs/instrumenting/exposition_formats), as far as it is
//! needed: names, labels and values.

use std::collections::BTreeMap;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Sample {
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// All values of a page; lines that are none are passed over.
pub(super) fn read(page: &str) -> Vec<Sample> {
    page.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

/// `name{label="value",…} 1.5`
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            if let Some(behind) = rest.strip_prefix('}') {
                rest = behind;
                break;
            }
            let (label, behind) = rest.split_once("=\"")?;
            let (value, behind) = quoted(behind)?;
            labels.insert(label.to_owned(), value);
            rest = behind;
        }
    }
    let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// A text up to its quote, and what is behind.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((place, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[place + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_read_with_their_labels() {
        let page = "# HELP a b\na_total{method=\"GET\",route=\"/a\\\"{}\\n\",} 5 17\nb 1e3\nc{ 5\n\nd{x=\"1\"} +Inf\n";
        let samples = read(page);
        let seen: Vec<_> = samples.iter().map(|sample| (sample.name.as_str(), sample.value)).collect();
        assert_eq!(seen, [("a_total", 5.0), ("b", 1_000.0), ("d", f64::INFINITY)]);
        assert_eq!((samples[0].label("method"), samples[0].label("route")), ("GET", "/a\"{}\n"));
    }

    #[test]
    fn long_lines_are_read_to_their_end() {
        for part in ["a{", "=\"", "\"", "\\", ",", " ", "a=\"b\",", "}"] {
            let more = part.repeat(100_000 / part.len());
            assert!(read(&format!("{more}\na{{{more}\nb{{a=\"{more}\nc{{a=\"b\"{more}")).len() <= 4);
        }
    }

    proptest! {
        #[test]
        fn no_page_makes_it_fail(page in "\\PC*|[a-z{}=\", 0-9\\\\]{0,60}") {
            let _samples = read(&page);
        }

        #[test]
        fn a_value_that_is_written_is_read_again(
            name in "[a-z_]{1,9}",
            labels in prop::collection::btree_map("[a-z_]{1,5}", "(\\PC|\n|\"|\\\\){0,9}", 0..4),
            value in 0_u32..,
        ) {
            let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let written: Vec<_> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
            let page = format!("# TYPE {name} counter\n{name}{{{}}} {value}\n", written.join(","));
            prop_assert_eq!(read(&page), [Sample { name, labels, value: value.into() }]);
        }
    }
}
