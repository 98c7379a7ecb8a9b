//! The app's Wasm and its loader.

use std::fs;
use std::path::Path;
use wasm_bindgen_cli_support::Bindgen;

use crate::build::shrink::{Runs, shrink};
use crate::build::stamp::Stamp;
use crate::cargo::{self, Artifact};
use crate::failure::{Failure, IoContext};
use crate::workspace::{Flavor, Workspace};

/// The app as a browser loads it.
#[derive(Debug)]
pub(super) struct App {
    /// The ES module that loads and binds the Wasm.
    pub(super) loader: Vec<u8>,
    /// The Wasm module.
    pub(super) wasm: Vec<u8>,
}

/// Builds the app.
///
/// # Errors
/// It doesn't compile.
pub(super) async fn build(workspace: &Workspace, flavor: Flavor) -> Result<App, Failure> {
    let wasm = cargo::build(workspace, Artifact::Wasm("tidewall-app", flavor.cargo_profile())).await?;
    let folder = workspace.site(flavor).with_file_name("app");
    let stamp = Stamp::of(workspace, &folder, &[&wasm])?;
    let make = async {
        let to = folder.clone();
        tokio::task::spawn_blocking(move || bind(&wasm, &to))
            .await
            .map_err(|error| Failure::new(format!("binding the app panicked: {error}")))??;
        if flavor == Flavor::Release {
            shrink(workspace, &folder.join("app_bg.wasm"), Runs::InBrowsers).await?;
        }
        Ok(())
    };
    stamp.unless_current(&["app.js", "app_bg.wasm"], make).await?;
    let read = |name: &str| fs::read(folder.join(name)).or_fail("read", &folder.join(name));
    Ok(App { loader: read("app.js")?, wasm: read("app_bg.wasm")? })
}

fn bind(wasm: &Path, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).or_fail("create", folder)?;
    Bindgen::new()
        .input_path(wasm)
        .out_name("app")
        .web(true)
        .and_then(|bindgen| {
            bindgen
                .typescript(false)
                // The page says where the Wasm is: under its hashed name.
                .omit_default_module_path(true)
                .remove_name_section(true)
                .remove_producers_section(true)
                .generate(folder)
        })
        .map_err(|error| Failure::new(format!("cannot bind the app's Wasm: {error:#}")))
}
