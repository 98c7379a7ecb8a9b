//! The app's programs: Wasm and its loader.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use futures::future::join_all;
use tidewall_app::program::Program;
use walrus::ir::{Unreachable, Visitor, dfs_in_order};
use walrus::{FunctionId, LocalFunction, Module};
use wasm_bindgen_cli_support::Bindgen;

use crate::build::shrink::{Runs, shrink};
use crate::build::stamp::Stamp;
use crate::cargo::{self, Artifact};
use crate::failure::{Failure, IoContext};
use crate::workspace::{Flavor, Workspace};

/// A program of the app, as a browser loads it.
#[derive(Debug)]
pub(super) struct App {
    /// Which.
    pub(super) program: Program,
    /// The ES module that loads and binds the Wasm.
    pub(super) loader: Vec<u8>,
    /// The Wasm module.
    pub(super) wasm: Vec<u8>,
}

/// The name of a program's loader, and of the Wasm that it loads.
pub(super) fn names(program: Program) -> (String, String) {
    (format!("{}.js", program.name()), format!("{}_bg.wasm", program.name()))
}

/// Builds the app: each of its programs.
///
/// # Errors
/// It doesn't compile.
pub(super) async fn build(workspace: &Workspace, flavor: Flavor) -> Result<Vec<App>, Failure> {
    let targets = Program::ALL.map(Program::name);
    let artifact = Artifact::Programs("tidewall-app", flavor.cargo_profile());
    let compiled = cargo::build_each(workspace, artifact, &targets).await?;
    // Their steps use one core for the most part. None is left behind while it still writes.
    let each = Program::ALL.into_iter().zip(compiled);
    let apps = join_all(each.map(|(program, wasm)| assemble(workspace, flavor, program, wasm))).await;
    apps.into_iter().collect()
}

async fn assemble(
    workspace: &Workspace,
    flavor: Flavor,
    program: Program,
    compiled: PathBuf,
) -> Result<App, Failure> {
    let folder = workspace.site(flavor).with_file_name(format!("app-{}", program.name()));
    let stamp = Stamp::of(workspace, &folder, &[&compiled])?;
    let (loader, wasm) = names(program);
    let make = async {
        let to = folder.clone();
        tokio::task::spawn_blocking(move || bind(program, &compiled, &to))
            .await
            .map_err(|error| Failure::new(format!("binding the app panicked: {error}")))??;
        if flavor == Flavor::Release {
            shrink(workspace, &folder.join(&wasm), Runs::InBrowsers).await?;
        }
        Ok(())
    };
    stamp.unless_current(&[&loader, &wasm], make).await?;
    let read = |name: &str| fs::read(folder.join(name)).or_fail("read", &folder.join(name));
    Ok(App { program, loader: read(&loader)?, wasm: read(&wasm)? })
}

/// How the functions' names end that hydrate lazily loaded views, bit by bit: what makes the future,
/// and what runs it. Our programs are loaded whole and hydrate in one go (`hydrate_body`), but each
/// erased view refers to them: a tenth of the Wasm, never called.
const NEVER_CALLED: [&str; 2] = ["13hydrate_async17h", "13hydrate_async28_$u7b$$u7b$closure$u7d$$u7d$17h"];

fn bind(program: Program, wasm: &Path, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).or_fail("create", folder)?;
    let wasm = without_never_called(&fs::read(wasm).or_fail("read", wasm)?).map_err(cannot)?;
    Bindgen::new()
        .input_bytes(program.name(), wasm)
        .out_name(program.name())
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
        .map_err(cannot)
}

fn cannot(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("cannot bind the app's Wasm: {error:#}"))
}

/// The module with a trap in place of each function that is never called. The linker keeps one of
/// several functions that are alike, under whichever name: one that any other calls stays.
fn without_never_called(wasm: &[u8]) -> walrus::Result<Vec<u8>> {
    let mut module = Module::from_buffer(wasm)?;
    let calls: Vec<(FunctionId, HashSet<FunctionId>)> =
        module.funcs.iter_local().map(|(id, function)| (id, callees(function))).collect();
    let named = module.funcs.iter_local().map(|(id, _)| id);
    let mut unused: HashSet<FunctionId> =
        named.filter(|id| module.funcs.get(*id).name.as_deref().is_some_and(is_never_called)).collect();
    loop {
        let others = calls.iter().filter(|(caller, _)| !unused.contains(caller));
        let called: HashSet<FunctionId> = others.flat_map(|(_, callees)| callees).copied().collect();
        let before = unused.len();
        unused.retain(|id| !called.contains(id));
        if unused.len() == before {
            break;
        }
    }
    for id in unused {
        let local = module.funcs.get_mut(id).kind.unwrap_local_mut();
        let entry = local.entry_block();
        local.block_mut(entry).instrs = vec![(Unreachable {}.into(), Default::default())];
    }
    Ok(module.emit_wasm())
}

/// Whether a name (`_ZN…17h{16 digits}E`) is one of those.
fn is_never_called(name: &str) -> bool {
    let hash = name.len().saturating_sub(17);
    name.get(..hash).is_some_and(|name| NEVER_CALLED.iter().any(|end| name.ends_with(end)))
}

/// The functions that one calls by name.
fn callees(function: &LocalFunction) -> HashSet<FunctionId> {
    #[derive(Default)]
    struct Calls(HashSet<FunctionId>);
    impl<'instr> Visitor<'instr> for Calls {
        fn visit_function_id(&mut self, function: &FunctionId) {
            self.0.insert(*function);
        }
    }
    let mut calls = Calls::default();
    dfs_in_order(&mut calls, function, function.entry_block());
    calls.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_makes_and_runs_the_future_is_never_called() {
        for (name, is_never) in [
            ("_ZN6tachys13hydrate_async17h0123456789abcdefE", true),
            ("_ZN6tachys13hydrate_async28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE", true),
            ("_ZN6tachys13hydrate_async28_$u7b$$u7b$closure$u7d$$u7d$7inner_117h0123456789abcdefE", false),
            ("_ZN4core3ptr20drop_in_place$LT$hydrate_async$GT$17h0123456789abcdefE", false),
            ("_ZN6tachys7hydrate17h0123456789abcdefE", false),
            ("E", false),
        ] {
            assert_eq!(is_never_called(name), is_never, "{name}");
        }
    }
}
