//! `tidewall chaos`: some of its faults on a real system, for a short time each. All of them, and longer,
//! are the command's.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![cfg(target_os = "linux")]

#[path = "support/mod.rs"]
mod support;

use serde_json::Value;

use crate::support::tidewall::{Folder, output};

#[test]
fn while_a_part_fails_users_notice_no_more_than_is_promised() {
    let folder = Folder::new();
    let data = folder.join("chaos");
    let faults = ["edge/kill", "origin-a/cut", "worker/kill", "primary/kill", "control/locked"];
    let args = [&["chaos", "--quick", "--json", "--data", data.to_str().unwrap()], &faults[..]].concat();
    let output = output(&args);
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let struck = report["faults"].as_array().unwrap();
    let mut names: Vec<&str> = struck.iter().map(|struck| struck["fault"].as_str().unwrap()).collect();
    names.sort_unstable();
    let mut expected = faults;
    expected.sort_unstable();
    assert_eq!(names, expected);
    for struck in struck {
        assert_eq!(struck["broken"], serde_json::json!([]), "{struck}\n{said}");
        assert!(struck["reads"]["asked"].as_u64().unwrap() > 20, "{struck}");
        assert!(struck["writes"]["asked"].as_u64().unwrap() > 5, "{struck}");
    }
    // What nobody can be spared is seen: the load isn't blind.
    let count = |fault: &str, kind: &str, what: &str| {
        let struck = struck.iter().find(|struck| struck["fault"] == fault).unwrap();
        struck[kind][what].as_u64().unwrap()
    };
    assert!(count("edge/kill", "reads", "failed") > 0, "{said}");
    let not_written = ["refused", "unknown"].map(|what| count("primary/kill", "writes", what));
    assert!(not_written.iter().sum::<u64>() > 0, "{said}");
    assert!(output.status.success(), "{said}");
    assert!(!data.join("system").exists(), "the system is gone");
}
