//! `tidewall edge`: the edge alone, before any HTTP origin.

use std::fs;
use std::path::PathBuf;

use crate::build::{self, Part};
use crate::cli::EdgeArgs;
use crate::data;
use crate::failure::{Failure, IoContext};
use crate::leftovers::Records;
use crate::ports::Ports;
use crate::progress::Progress;
use crate::ready::{self, ReadyFile};
use crate::service::Supervisor;
use crate::signals::told_to_stop;
use crate::workspace::{Flavor, Workspace};
use crate::wrangler::{Config, Local, Origin, origin_id};
use crate::{cargo, npm};

/// Runs the edge until it is told to stop.
///
/// # Errors
/// An origin's URL is none, a port is taken, or something can't be built or started.
pub(crate) async fn run(args: EdgeArgs, progress: &Progress) -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    let config = Config::read(&workspace)?;
    let origins = origins(&args.origins)?;
    let mut ports = Ports::new(data::random_u32()?);
    let port = ports.take(args.edge_port, 1, "--edge-port")?[0];
    let inspector_port = ports.take(0, 1, "--edge-port")?[0];
    let ready_file = ReadyFile::new(args.ready_file)?;
    let state = State::create()?;
    let supervisor = Supervisor::new(Records::new(state.0.clone()), *progress);

    let bring_up = async {
        npm::ensure(&workspace, progress).await?;
        cargo::ensure_wasm_target().await?;
        build::build(&workspace, Flavor::Dev, &[Part::Worker], progress).await?;
        let purge_token = data::random_hex()?;
        let edge = Local {
            workspace: &workspace,
            config: &config,
            origins: &origins,
            serves_site: false,
            port,
            inspector_port,
            purge_token: &purge_token,
            folder: state.0.clone(),
            logs: state.0.clone(),
            live_reload: false,
        };
        edge.start(&supervisor).await?;
        ready_file.write(&ready::Edge {
            edge: edge.url(),
            purge_token: purge_token.clone(),
            pid: std::process::id(),
        })?;
        progress.table(&[("edge".into(), edge.url()), ("origins".into(), args.origins.join(" "))]);
        std::future::pending::<Result<(), Failure>>().await
    };
    let outcome = tokio::select! {
        outcome = bring_up => outcome,
        () = told_to_stop() => {
            progress.step("stopping");
            Ok(())
        }
    };
    supervisor.stop().await;
    outcome
}

fn origins(urls: &[String]) -> Result<Vec<Origin>, Failure> {
    let mut origins = Vec::new();
    for (index, url) in urls.iter().enumerate() {
        let parsed = reqwest::Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if parsed.is_none() {
            return Err(Failure::new(format!(
                "--origin {url} is no HTTP URL; pass one such as http://127.0.0.1:3000"
            )));
        }
        origins.push(Origin { id: origin_id(index), url: url.clone() });
    }
    Ok(origins)
}

/// The configuration and storage of one run: an edge before other origins must not find their answers.
struct State(PathBuf);

impl State {
    fn create() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("tidewall-edge-{}", &data::random_hex()?[..16]));
        fs::create_dir(&path).or_fail("create", &path)?;
        Ok(Self(path))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // What can't be removed is in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
