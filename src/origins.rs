//! The origins and the worker: `tidewall-origin` in its several roles.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde::Serialize;

use crate::child::Spec;
use crate::data::{self, DataDir};
use crate::failure::Failure;
use crate::loopback;
use crate::postgres::{self, Servers};
use crate::ready;
use crate::service::{Service, Supervisor};

/// Time an origin has to say that it is ready.
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// How often it is asked.
const READY_POLL: Duration = Duration::from_millis(30);
/// A worker that can't run at all, for instance for want of its folder, has ended by then.
const WORKER_SETTLES: Duration = Duration::from_millis(300);

/// What every role of the program is given.
pub(crate) struct Origins<'a> {
    pub(crate) program: PathBuf,
    pub(crate) data: &'a DataDir,
    pub(crate) servers: &'a Servers,
    /// Who is told what writes make invalid.
    pub(crate) edge: Option<Edge<'a>>,
    /// Where people reach what is served.
    pub(crate) public_url: String,
    /// Jobs that each origin works on, beside requests.
    pub(crate) jobs: u16,
    /// Somebody may play with what runs.
    pub(crate) has_lab: bool,
}

/// An edge, as those know it who tell it what to drop.
pub(crate) struct Edge<'a> {
    pub(crate) url: String,
    pub(crate) purge_token: &'a str,
}

/// Who works at the demo. Has no `Debug`: it holds a password.
#[derive(Clone, Serialize)]
pub(crate) struct Staff {
    pub(crate) email: &'static str,
    pub(crate) password: String,
}

impl Staff {
    /// The account of a data directory, the same for as long as that lives.
    pub(crate) fn of(data: &DataDir) -> Result<Self, Failure> {
        // Its domain is reserved (RFC 2606), so no mail can reach anyone.
        Ok(Self { email: "staff@example.com", password: data.secret(data::STAFF_PASSWORD)? })
    }
}

impl Origins<'_> {
    /// Brings the schema up to date.
    pub(crate) async fn migrate(&self, supervisor: &Supervisor) -> Result<(), Failure> {
        supervisor.run(&self.spec("migrate", &["migrate"])?).await
    }

    /// Makes the demo data, unless it is there, and sees to it that `staff` can log in.
    pub(crate) async fn seed(
        &self,
        supervisor: &Supervisor,
        orders: u32,
        staff: Option<&Staff>,
    ) -> Result<(), Failure> {
        let orders = orders.to_string();
        let mut args = vec!["seed", "--orders", &orders];
        args.extend(staff.iter().flat_map(|staff| ["--staff-email", staff.email]));
        let mut spec = self.spec("seed", &args)?;
        // Where there is nobody, one that the environment names is not to be made either.
        let password = staff.map(|staff| staff.password.clone()).unwrap_or_default();
        spec.env.push(("STAFF_PASSWORD".to_owned(), password));
        supervisor.run(&spec).await
    }

    /// The number of orders that there are.
    pub(crate) async fn orders(&self) -> Result<i64, Failure> {
        let client = postgres::connect_foreign(&self.servers.primary)
            .await
            .map_err(|why| Failure::new(format!("the primary can't be reached: {why}")))?;
        let counted = client.query_one("SELECT count(*) FROM orders", &[]).await;
        Ok(counted.map_err(|error| postgres::refused("the primary", &error))?.get(0))
    }

    /// Starts the origin `id`, which serves the built site in the folder `site` as well.
    pub(crate) fn serve(
        &self,
        supervisor: &Supervisor,
        id: &str,
        port: u16,
        site: &Path,
    ) -> Result<Arc<Service>, Failure> {
        let listen = format!("127.0.0.1:{port}");
        let site = site.display().to_string();
        let (files, mail) = (self.files()?, self.mail()?);
        // Browsers reach the edge of this machine over plain HTTP.
        let mut args = vec![
            "serve", "--listen", &listen, "--id", id, "--site", &site, "--files", &files, "--mail", &mail,
        ];
        args.push("--plain-cookies");
        let jobs = self.jobs.to_string();
        args.extend(["--jobs", &jobs]);
        let ready = self.data.join(ready::FILE).display().to_string();
        if self.has_lab {
            args.extend(["--lab", &ready]);
            args.extend(self.servers.are_own.then_some("--lab-lags"));
        }
        supervisor.start(self.spec(&format!("origin-{id}"), &args)?)
    }

    /// Starts a queue worker. Nobody waits for it as for an answer, and it has the machine in common
    /// with those who give them.
    pub(crate) fn work(&self, supervisor: &Supervisor) -> Result<Arc<Service>, Failure> {
        let (files, mail) = (self.files()?, self.mail()?);
        let program = self.program.display().to_string();
        let spec =
            self.spec("worker", &["-n", "10", &program, "work", "--files", &files, "--mail", &mail])?;
        supervisor.start(Spec { program: "nice".into(), ..spec })
    }

    fn files(&self) -> Result<String, Failure> {
        Ok(self.data.folder("files")?.display().to_string())
    }

    /// Where mail is put instead of being sent.
    fn mail(&self) -> Result<String, Failure> {
        Ok(self.data.folder("mail")?.display().to_string())
    }

    fn spec(&self, name: &str, args: &[&str]) -> Result<Spec, Failure> {
        // Where there is no edge, one that the environment names is not to be told either.
        let (edge_url, purge_token) = match &self.edge {
            Some(edge) => (edge.url.clone(), edge.purge_token.to_owned()),
            None => (String::new(), String::new()),
        };
        let env = [
            ("DATABASE_URL", self.servers.primary.clone()),
            ("REPLICA_URLS", self.servers.replicas.join(",")),
            ("TIDEWALL_SECRET", self.data.secret(data::SIGNING_KEY)?),
            ("PUBLIC_URL", self.public_url.clone()),
            ("EDGE_URL", edge_url),
            ("PURGE_TOKEN", purge_token),
        ];
        let logs = self.data.folder("logs")?;
        Ok(Spec {
            name: name.to_owned(),
            program: self.program.clone(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: env.map(|(name, value)| (name.to_owned(), value)).into(),
            directory: self.data.join(""),
            user: None,
            log: logs.join(format!("{name}.log")),
            stop_signal: Signal::TERM,
        })
    }
}

/// Waits until an origin can answer.
pub(crate) async fn wait_for_origin(service: &Service, url: &str) -> Result<(), Failure> {
    let client = loopback::client()?;
    service.ready(READY_DEADLINE, until_ready(&client, url)).await
}

/// Waits until an origin says that it is ready.
pub(crate) async fn until_ready(client: &reqwest::Client, url: &str) {
    let readyz = format!("{url}/readyz");
    while !client.get(&readyz).send().await.is_ok_and(|response| response.status().is_success()) {
        tokio::time::sleep(READY_POLL).await;
    }
}

/// Waits until a worker, which answers nobody, can be taken to run.
pub(crate) async fn wait_for_worker(service: &Service) -> Result<(), Failure> {
    service.ready(READY_DEADLINE, tokio::time::sleep(WORKER_SETTLES)).await
}
