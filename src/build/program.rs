//! The edge as one program: workerd, the built Worker and how it is run, in one file that needs nothing
//! else, for a server of one's own.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use tidewall_edge::workerd::{Deployment, FILES, OBJECTS};
use tokio::process::Command;

use crate::child;
use crate::failure::{Failure, IoContext as _};
use crate::workerd::{self, CONFIG};
use crate::workspace::{Flavor, Workspace};
use crate::wrangler::Config;

/// What the program takes from its environment. Everything else is as wrangler.toml has it.
const FROM_ENVIRONMENT: [&str; 5] =
    ["ORIGINS", "BALANCE", "CLIENT_ADDRESS_FIELD", "PURGE_TOKEN", "STICKY_SECRET"];
/// Where it answers and keeps things, unless it is told otherwise.
const ADDRESS: ([u8; 4], u16) = ([127, 0, 0, 1], 8787);
const STATE: &str = "state";

/// Makes it of the built Worker; returns where it is.
///
/// # Errors
/// wrangler.toml is broken, there is no workerd for this machine, it refuses, or the disk does.
pub(super) async fn make(workspace: &Workspace, flavor: Flavor) -> Result<PathBuf, Failure> {
    let config = Config::read(workspace)?;
    let program = workspace.edge_program(flavor);
    let staging = program.with_extension("parts");
    fs::create_dir_all(&staging).or_fail("create", &staging)?;
    for (file, _) in FILES {
        let from = workspace.worker(flavor).join(file);
        fs::copy(&from, staging.join(file)).or_fail("copy", &from)?;
    }
    let variables = config.variables(&[], "")?.into_iter();
    let variables: Vec<_> = variables
        .filter(|(name, _)| !FROM_ENVIRONMENT.contains(&name.as_str()))
        .map(|(name, value)| (name, value.to_string()))
        .collect();
    let deployment = Deployment {
        compatibility_date: config.compatibility_date()?,
        modules: &FILES,
        variables: &variables,
        secrets: &FROM_ENVIRONMENT,
        objects: &OBJECTS,
        state: STATE,
        site: None,
        stores: None,
        address: ADDRESS.into(),
    };
    fs::write(staging.join(CONFIG), deployment.config()).or_fail("write", &staging.join(CONFIG))?;
    let partial = staging.join("program");
    let to = File::create(&partial).or_fail("write", &partial)?;
    let mut compile = Command::new(workerd::program(workspace)?);
    compile.args(["compile", CONFIG]).current_dir(&staging).stdout(to).stderr(Stdio::piped());
    let output = child::output(&mut compile, "workerd", workspace.children()).await;
    let output = output.map_err(|error| Failure::new(format!("cannot run workerd: {error}")))?;
    if !output.status.success() {
        return Err(Failure::new("workerd can't put the edge into one program")
            .with_output(String::from_utf8_lossy(&output.stderr)));
    }
    fs::set_permissions(&partial, Permissions::from_mode(0o755)).or_fail("write", &partial)?;
    fs::rename(&partial, &program).or_fail("write", &program)?;
    fs::remove_dir_all(&staging).or_fail("remove", &staging)?;
    Ok(program)
}
