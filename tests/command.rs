//! Bad input of the command line: one plain sentence, an exit code, nothing half started.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::net::TcpListener;

use crate::support::tidewall::{Folder, command};

/// Runs `tidewall ARGS`; it must fail with a sentence that has all of `words`.
fn check(args: &[&str], words: &[&str]) {
    check_with(args, &[], words);
}

fn check_with(args: &[&str], env: &[(&str, &str)], words: &[&str]) {
    let output = command().args(args).envs(env.iter().copied()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{args:?}");
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
    assert!(!error.contains("panicked"), "{error}");
}

/// `tidewall dev` on free ports with its data in `folder`, and `more` arguments.
fn dev(folder: &Folder, more: &[&str]) -> Vec<String> {
    let data = folder.join("data").display().to_string();
    let mut args: Vec<String> =
        ["dev", "--no-open", "--edge-port", "0", "--origin-port", "0", "--pg-port", "0", "--data", &data]
            .map(String::from)
            .into();
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    args
}

fn as_str(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[test]
fn an_unknown_flag_is_named() {
    check(&["dev", "--colour"], &["--colour", "--help"]);
    check(&["brew"], &["brew"]);
}

#[test]
fn numbers_out_of_range_are_refused() {
    check(&["dev", "--origins", "0"], &["--origins", "1..=26"]);
    check(&["dev", "--edge-port", "70000"], &["--edge-port"]);
}

#[test]
fn a_taken_port_is_named_with_its_flag() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let folder = Folder::new();
    let data = folder.join("data");
    check(
        &[
            "dev",
            "--no-open",
            "--data",
            data.to_str().unwrap(),
            "--origin-port",
            "0",
            "--pg-port",
            "0",
            "--edge-port",
            &port,
        ],
        &[&format!("port {port} is taken"), "--edge-port"],
    );
    check(
        &["edge", "--origin", "http://127.0.0.1:1", "--edge-port", &port],
        &[&format!("port {port} is taken")],
    );
}

#[test]
fn an_origin_that_is_no_url_is_refused() {
    check(&["edge", "--origin", "localhost"], &["--origin localhost is no HTTP URL"]);
    check(&["edge"], &["--origin"]);
}

#[test]
fn a_data_directory_of_another_version_is_refused() {
    let folder = Folder::new();
    fs::create_dir(folder.join("data")).unwrap();
    fs::write(folder.join("data/format"), "0").unwrap();
    check(&as_str(&dev(&folder, &[])), &["another version", "--data"]);
}

#[test]
fn a_database_of_another_major_version_is_refused() {
    let folder = Folder::new();
    fs::create_dir_all(folder.join("data/postgres/primary")).unwrap();
    fs::write(folder.join("data/postgres/primary/PG_VERSION"), "12\n").unwrap();
    check(&as_str(&dev(&folder, &[])), &["PostgreSQL 12", "--data"]);
}

#[test]
fn a_database_url_that_does_not_answer_is_named_without_its_password() {
    let folder = Folder::new();
    let args = dev(&folder, &[]);
    let url = "postgres://me:hunter2@127.0.0.1:1/shop";
    let output = command().args(&args).env("DATABASE_URL", url).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains("DATABASE_URL does not answer"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let folder = Folder::new();
    fs::write(folder.join("data"), "a file").unwrap();
    check(&as_str(&dev(&folder, &[])), &["cannot create the data directory", "data"]);
}

#[test]
fn without_npm_the_advice_is_to_install_node() {
    let folder = Folder::new();
    // A machine that has the packages already needs no npm: only rustc is asked for.
    check_with(&as_str(&dev(&folder, &[])), &[("PATH", "/nowhere")], &["install"]);
}
