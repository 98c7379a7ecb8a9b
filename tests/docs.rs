//! What the documentation names is there: commands and their options, files, metrics, results of benches.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::tidewall::output;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages, with their paths from the root.
fn pages() -> Vec<(PathBuf, String)> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let all = ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name));
    let all =
        all.into_iter().chain(docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    all.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Lines of code blocks, and code within lines.
fn code(page: &str) -> Vec<String> {
    let mut code = Vec::new();
    for (nth, part) in page.split("```").enumerate() {
        match nth % 2 {
            1 => code.extend(part.replace("\\\n", " ").lines().skip(1).map(str::to_owned)),
            _ => code.extend(part.split('`').skip(1).step_by(2).map(|inline| inline.replace('\n', " "))),
        }
    }
    code
}

/// What follows a way to call the command.
fn arguments(code: &str) -> Option<&str> {
    let ways = ["cargo run -- ", "cargo run --release -- ", "tidewall "];
    // Variables may stand before it.
    let begin = ways.iter().find_map(|way| code.find(way).map(|at| (at, way)))?;
    let is_first = code[..begin.0].split(' ').filter(|word| !word.is_empty()).all(|word| word.contains('='));
    let rest = code[begin.0 + begin.1.len()..].split(['|', '>', ';', '&', '#']).next()?;
    is_first.then_some(rest)
}

fn help(subcommands: &[&str]) -> Option<String> {
    let output = output(&[subcommands, &["--help"]].concat());
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn commands_and_their_options_are_there() {
    let mut checked = BTreeSet::new();
    for (path, page) in pages() {
        for code in code(&page) {
            let Some(arguments) = arguments(&code) else { continue };
            let words: Vec<&str> = arguments.split(' ').filter(|word| !word.is_empty()).collect();
            let is_name = |word: &&&str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            let first = words.iter().take(1).filter(is_name).filter(|word| !word.starts_with('-'));
            let mut subcommands: Vec<&str> = first.copied().collect();
            let mut told = help(&subcommands)
                .unwrap_or_else(|| panic!("{}: there is no command `{code}`", path.display()));
            // Of `jobs list` and the like.
            if let Some(second) = words.get(1).filter(|word| is_name(word) && !word.starts_with('-'))
                && told.contains("\nCommands:")
            {
                subcommands.push(second);
                told = help(&subcommands)
                    .unwrap_or_else(|| panic!("{}: there is no command `{code}`", path.display()));
            }
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let name = option.split(['=', '`', ',', '.', ')']).next().unwrap();
                let is_there = told.split([' ', '\n', ',', '=', '[']).any(|word| word == name);
                assert!(is_there, "{}: `{code}`: {subcommands:?} has no {name}", path.display());
            }
            checked.insert(code);
        }
    }
    assert!(checked.len() >= 30, "only {} were found: {checked:?}", checked.len());
}

#[test]
fn files_and_pages_that_are_linked_are_there() {
    let mut checked = 0;
    for (path, page) in pages() {
        for link in page.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") || link.starts_with('#') || link.starts_with("mailto:") {
                continue;
            }
            let (file, place) = link.split_once('#').unwrap_or((link, ""));
            let file = path.parent().unwrap().join(file);
            assert!(file.exists(), "{} links to {link}", path.display());
            if !place.is_empty() {
                let other = fs::read_to_string(&file).unwrap();
                let headings = other.lines().filter(|line| line.starts_with('#'));
                let mut names = headings.map(|heading| {
                    let kept = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
                    kept.chars()
                        .filter(|one| one.is_alphanumeric() || "-_".contains(*one))
                        .collect::<String>()
                });
                assert!(names.any(|name| name == place), "{}: {link}", path.display());
            }
            checked += 1;
        }
    }
    assert!(checked >= 20, "only {checked} were found");
}

#[test]
fn metrics_that_are_named_are_measured() {
    let mut sources = String::new();
    let mut folders = vec![root().join("origin/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => sources.push_str(&fs::read_to_string(path).unwrap_or_default()),
            }
        }
    }
    let mut checked = 0;
    for (path, page) in pages() {
        for code in code(&page) {
            let Some(name) = code.strip_prefix("tidewall_").filter(|_| !code.contains("::")) else {
                continue;
            };
            let name = name.split(['{', ' ', ':', '=']).next().unwrap();
            // Of what the database has, some begin so as well.
            if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
                continue;
            }
            // A counter is registered without what it ends in.
            let name = format!("tidewall_{}", name.trim_end_matches("_total").trim_end_matches("_bucket"));
            let is_there = sources.contains(&format!("\"{name}\"")) || name == "tidewall_origin";
            assert!(is_there, "{} names {name}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 0);
}
