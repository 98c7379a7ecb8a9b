//! Bad input of the command line: one plain sentence, an exit code, nothing half started.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::tidewall::{Folder, command};
use crate::support::{poll, processes};

/// Longest wait for a process to start or to end.
const DEADLINE: Duration = Duration::from_secs(60);

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
fn an_origin_that_the_edge_would_refuse_is_refused_before_it_runs() {
    let refused = |url: &str, why: &str| check(&["edge", "--origin", url], &["--origin is", url, why]);
    refused("http://127.0.0.1:1/base", "must end after the host");
    refused("http://127.0.0.1:1/?q", "must end after the host");
    refused("http://user:password@127.0.0.1:1", "must not hold a user name or password");
}

#[test]
fn a_fault_that_is_none_is_refused_with_those_that_there_are() {
    check(&["chaos", "moon/full"], &["there is no fault `moon/full`", "origin-a/kill", "primary/disk-full"]);
    check(&["chaos", "--soak", "10", "worker/kill"], &["--soak"]);
}

#[test]
fn what_can_not_be_explained_is_refused_with_what_to_do() {
    check(&["explain"], &["<URL>"]);
    check(&["explain", "/api/products"], &["/api/products is no URL", "--ready-file"]);
    check(&["explain", "https://h/a"], &["https", "curl", "http"]);
    check(&["explain", "http://h/a"], &["purge token", "--token", "TIDEWALL_PURGE_TOKEN", "--ready-file"]);
    check(&["explain", "http://h/a", "-H", "no field"], &["--header no field is no field"]);
    check(&["explain", "/a", "--ready-file", "/nowhere"], &["there is no ready file /nowhere"]);
}

#[test]
fn what_a_running_system_is_needed_for_says_so() {
    let folder = Folder::new();
    let data = folder.join("data").display().to_string();
    for asked in [&["jobs", "list"][..], &["webhooks", "list"], &["webhooks", "remove", "https://h/"]] {
        let args = [asked, &["--data", &data]].concat();
        check(&args, &["there is no ready file", &data, "--database-url"]);
    }
    check(&["jobs", "list", "--state", "lost"], &["lost", "discarded"]);
    check(&["webhooks", "add", "https://h/"], &["--event"]);
}

#[test]
fn an_edge_that_does_not_answer_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/a");
    check(
        &["explain", &url, "--token", "t"],
        &[&format!("no edge can be reached at http://127.0.0.1:{port}")],
    );
    check_with(&["explain", &url], &[("TIDEWALL_PURGE_TOKEN", "t")], &["no edge can be reached"]);
}

#[test]
fn a_ready_file_tells_the_edge_and_its_token_and_no_other_edge_gets_it() {
    let folder = Folder::new();
    let path = folder.join("ready.json").display().to_string();
    let ready = r#"{"edge":"http://127.0.0.1:1","purge_token":"t","pid":1}"#;
    fs::write(&path, ready).unwrap();
    check(&["explain", "/a", "--ready-file", &path], &["no edge can be reached at http://127.0.0.1:1"]);
    check(&["explain", "http://h/a", "--ready-file", &path], &["ready file is about http://127.0.0.1:1"]);
    fs::write(&path, "{}").unwrap();
    check(&["explain", "/a", "--ready-file", &path], &["is no ready file"]);
}

#[test]
fn a_ready_file_in_a_missing_folder_is_refused() {
    let folder = Folder::new();
    let path = folder.join("missing/ready.json").display().to_string();
    check(&as_str(&dev(&folder, &["--ready-file", &path])), &["cannot write", "missing", "--ready-file"]);
    check(
        &["edge", "--origin", "http://127.0.0.1:1", "--edge-port", "0", "--ready-file", &path],
        &["--ready-file"],
    );
}

#[test]
fn a_folder_that_holds_something_else_is_no_data_directory_and_stays_as_it_was() {
    let folder = Folder::new();
    fs::create_dir_all(folder.join("data/run")).unwrap();
    fs::write(folder.join("data/run/thesis"), "years of work").unwrap();
    check(&as_str(&dev(&folder, &[])), &["is not empty and no data directory", "--data"]);
    assert_eq!(fs::read_to_string(folder.join("data/run/thesis")).unwrap(), "years of work");
    assert_eq!(fs::read_dir(folder.join("data")).unwrap().count(), 1, "nothing was added");
}

#[test]
fn replicas_of_no_database_are_refused_by_dev_alone() {
    let folder = Folder::new();
    let replicas = ("REPLICA_URLS", "postgres://127.0.0.1:1/shop");
    check_with(&as_str(&dev(&folder, &[])), &[replicas], &["REPLICA_URLS", "DATABASE_URL"]);
    // Commands that use no database get as far as their own complaints.
    check_with(&["edge", "--origin", "localhost"], &[replicas], &["--origin localhost is no HTTP URL"]);
    check_with(&["build"], &[replicas, ("PATH", "/nowhere")], &["cannot run rustc"]);
}

#[test]
fn variables_that_are_set_to_nothing_are_not_set() {
    let folder = Folder::new();
    // What is refused next is the major version: the variables were not.
    database_of_version(&folder, "12");
    let nothing = [("DATABASE_URL", ""), ("REPLICA_URLS", "")];
    check_with(&as_str(&dev(&folder, &[])), &nothing, &["PostgreSQL 12"]);
    check_with(&as_str(&dev(&folder, &[])), &nothing[1..], &["PostgreSQL 12"]);
}

#[test]
fn a_synchronous_commit_needs_a_replica_of_our_own() {
    let folder = Folder::new();
    check(&as_str(&dev(&folder, &["--synchronous", "--replicas", "0"])), &["--synchronous", "--replicas"]);
    let foreign = [("DATABASE_URL", "postgres://127.0.0.1:1/shop")];
    check_with(&as_str(&dev(&folder, &["--synchronous"])), &foreign, &["--synchronous", "DATABASE_URL"]);
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
    database_of_version(&folder, "12");
    check(&as_str(&dev(&folder, &[])), &["PostgreSQL 12", "--data"]);
}

#[test]
fn a_folder_in_the_place_of_the_database_is_not_removed() {
    let folder = Folder::new();
    database_of_version(&folder, "18");
    fs::rename(folder.join("data/postgres/primary/PG_VERSION"), folder.join("data/postgres/primary/thesis"))
        .unwrap();
    check(&as_str(&dev(&folder, &[])), &["holds no database", "--data"]);
    assert!(folder.join("data/postgres/primary/thesis").is_file());
}

/// A data directory whose database is of another major version.
fn database_of_version(folder: &Folder, major: &str) {
    fs::create_dir_all(folder.join("data/postgres/primary")).unwrap();
    fs::write(folder.join("data/format"), "1").unwrap();
    fs::write(folder.join("data/postgres/primary/PG_VERSION"), format!("{major}\n")).unwrap();
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
fn without_rust_the_advice_is_to_install_it() {
    let folder = Folder::new();
    check_with(
        &as_str(&dev(&folder, &[])),
        &[("PATH", "/nowhere")],
        &["cannot run rustc", "https://rustup.rs"],
    );
}

#[test]
fn a_build_that_is_told_to_stop_ends_what_it_has_started() {
    let folder = Folder::new();
    // The first program that a build calls, in a form that never ends.
    let rustc = folder.join("rustc");
    fs::write(&rustc, "#!/bin/sh\n/bin/sleep 600 &\necho > \"$0.runs\"\nwait\n").unwrap();
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).unwrap();
    let build = command().arg("build").env("PATH", &folder.0).stderr(Stdio::piped()).spawn().unwrap();
    let runs = poll::until(DEADLINE, || folder.join("rustc.runs").exists().then_some(()));
    let started = processes::descendants(build.id());
    processes::signal(build.id(), Signal::TERM);
    let output = build.wait_with_output().unwrap();
    assert!(runs.is_some() && started.len() >= 2, "{started:?}");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("stopped before everything was built"));
    assert!(processes::still_running(&started, DEADLINE).is_empty(), "{started:?}");
}
