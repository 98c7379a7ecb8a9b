//! `tidewall edge`: the edge alone, before any HTTP origin.

pub(crate) mod place;
mod run;

use tidewall_edge::config::{self, ConfigError, Vars};

use crate::build::{self, Part};
use crate::cli::EdgeArgs;
use crate::data;
use crate::edge::place::Place;
use crate::failure::Failure;
use crate::ports::Ports;
use crate::progress::Progress;
use crate::ready::{self, ReadyFile};
use crate::service::Supervisor;
use crate::signals::told_to_stop;
use crate::workerd::Workerd;
use crate::workspace::{Flavor, Workspace};
use crate::wrangler::{Config, Origin, origin_id};
use crate::{cargo, npm};

/// Runs the edge until it is told to stop.
///
/// # Errors
/// An origin's URL is none, a port is taken, or something can't be built or started.
pub(crate) async fn run(args: EdgeArgs, progress: &Progress) -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    let config = Config::read(&workspace)?;
    let origins = origins(&args.origins)?;
    let ready_file = ReadyFile::new(args.ready_file)?;
    workspace.children().end_leftovers(progress).await?;
    let place = Place::open(args.data.as_deref(), &workspace, progress).await?;
    // What a killed run has left listens no more.
    let port = Ports::new(data::random_u32()?).take(args.edge_port, 1, "--edge-port")?[0];
    let supervisor = Supervisor::new(place.records(), *progress);
    let flavor = if args.release { Flavor::Release } else { Flavor::Dev };

    let bring_up = async {
        npm::ensure(&workspace, progress).await?;
        cargo::ensure_wasm_target(&workspace).await?;
        build::build(&workspace, flavor, &[Part::Worker], progress).await?;
        let purge_token = secret("PURGE_TOKEN", || place.secret(data::PURGE_TOKEN))?;
        let sticky_secret = secret("STICKY_SECRET", || place.secret(data::STICKY_SECRET))?;
        config.check(&args.client_address_field, &purge_token, &sticky_secret)?;
        if place.begin(&origins)? {
            progress
                .step("the origins are others, or the machine has started anew: what was stored is removed");
        }
        let folder = place.folder();
        let edge = Workerd {
            workspace: &workspace,
            config: &config,
            origins: &origins,
            client_address_field: &args.client_address_field,
            worker: workspace.worker(flavor),
            site: None,
            host: args.edge_host,
            port,
            purge_token: &purge_token,
            sticky_secret: &sticky_secret,
            state: place.state(),
            logs: folder.clone(),
            folder,
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
    if outcome.is_ok() {
        place.end();
    }
    outcome
}

/// The secret that the environment has under this name, for arguments can be read by others; else one of
/// the edge's own. A variable that is set to nothing is not set.
fn secret(name: &str, own: impl FnOnce() -> Result<String, Failure>) -> Result<String, Failure> {
    match std::env::var(name) {
        Ok(secret) if !secret.trim().is_empty() => Ok(secret),
        _ => own(),
    }
}

/// The origins at `urls`, as the edge will accept them.
fn origins(urls: &[String]) -> Result<Vec<Origin>, Failure> {
    let mut origins = Vec::new();
    for (index, url) in urls.iter().enumerate() {
        let is_url = reqwest::Url::parse(url)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !is_url {
            return Err(Failure::new(format!(
                "--origin {url} is no HTTP URL; pass one such as http://127.0.0.1:3000"
            )));
        }
        let origin = serde_json::json!([{ "id": origin_id(index), "url": url }]).to_string();
        match config::Config::parse(&Vars { origins: Some(origin), ..Vars::default() }) {
            Ok(config) => origins.extend(config.origins),
            // It names the field, which the person who typed the URL has never seen.
            Err(ConfigError::Invalid { problem, .. }) => {
                return Err(Failure::new(format!("--origin {problem}")));
            }
            Err(error) => return Err(Failure::new(format!("--origin {url} can't be used: {error}"))),
        }
    }
    Ok(origins)
}
