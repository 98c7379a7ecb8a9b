//! `asset!`, as the compiler takes it.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use tidewall_assets::{Source, build, rust_source};

/// What the compiler says of a program that names `name`.
fn compile(test: &str, name: &str) -> Result<(), String> {
    let folder = env::temp_dir().join(format!("tidewall-asset-macro-{}-{test}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let built = build(vec![
        Source::new("logo.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
        Source::new("css/site.css", "a{}"),
    ]);
    fs::write(folder.join("assets.rs"), rust_source(built.unwrap().assets.values())).unwrap();
    let program = format!(
        "#[macro_use]\n#[allow(dead_code)]\nmod public {{ include!(\"assets.rs\"); }}\n\nfn main() {{\n    \
         println!(\"{{}}\", asset!({name:?}));\n}}\n"
    );
    fs::write(folder.join("main.rs"), program).unwrap();
    let rustc = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let output = Command::new(rustc)
        .current_dir(&folder)
        .args(["--edition", "2024", "--emit", "metadata", "main.rs"])
        .output()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn a_name_that_is_there_compiles() {
    assert_eq!(compile("there", "css/site.css"), Ok(()));
}

#[test]
fn another_name_is_an_error_at_its_line_with_the_nearest_name() {
    let error = compile("near", "lgo.svg").unwrap_err();
    assert!(error.contains("there is no file `lgo.svg` in public/; is it `logo.svg`?"), "{error}");
    assert!(error.contains("main.rs:6:20"), "{error}");
}

#[test]
fn where_nothing_is_near_nothing_is_offered() {
    let error = compile("far", "photograph.jpeg").unwrap_err();
    assert!(error.contains("there is no file `photograph.jpeg` in public/\n"), "{error}");
}
