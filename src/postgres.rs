//! The embedded Postgres: a primary and its streaming replicas.

mod cluster;
mod files;
mod leader;
mod place;
mod settings;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use sha2::{Digest, Sha256};
use tidewall_api::postgres::Authorities;
use tokio_postgres::{Client, NoTls};

use crate::child::Spec;
use crate::data::DataDir;
use crate::failure::{Failure, IoContext};
use crate::postgres::leader::{Found, Leader};
use crate::postgres::place::{Owner, Place};
use crate::progress::Progress;
use crate::service::{Service, Supervisor};
use crate::workspace::Workspace;

/// Major version of the embedded server: data directories of another one can't be read.
const MAJOR: &str = "18";
/// The oldest server that `DATABASE_URL` may name, as `server_version_num` says it.
const VERSION_MIN: i32 = 150_000;
/// Connections a server takes: two origins and a worker at their pools' limits, and some for people.
const CONNECTIONS_MAX: u32 = 200;
/// Time a server has to answer: crash recovery after a kill included.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How often a starting server is asked.
const READY_POLL: Duration = Duration::from_millis(40);
/// The superuser of the embedded servers.
const USER: &str = "postgres";
/// How the names of the replicas' slots begin.
const SLOT_PREFIX: &str = "tidewall_replica";
/// The database that the origins use.
const DATABASE: &str = "tidewall";

/// Running servers.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    /// URL of the primary.
    pub(crate) primary: String,
    /// URLs of the replicas.
    pub(crate) replicas: Vec<String>,
    /// Tells the primary's database from any other, also from a later one of its name.
    pub(crate) identity: String,
    /// They were started here, and nobody else needs them.
    pub(crate) are_own: bool,
}

impl Servers {
    /// Servers that run already and are not ours, at these URLs.
    ///
    /// # Errors
    /// One does not answer, or is too old.
    pub(crate) async fn foreign(primary: String, replicas: Vec<String>) -> Result<Self, Failure> {
        let client = check_foreign("DATABASE_URL", &primary).await?;
        let identity = identity(&client).await.map_err(|error| refused("DATABASE_URL", &error))?;
        for replica in &replicas {
            check_foreign("REPLICA_URLS", replica).await?;
        }
        Ok(Self { primary, replicas, identity, are_own: false })
    }
}

/// What is needed to start the embedded servers.
#[derive(Debug)]
pub(crate) struct Embedded {
    place: Place,
    ports: Vec<u16>,
    synchronous: bool,
    password: String,
    logs: PathBuf,
    /// What is there already, and whom it follows.
    found: Vec<Found>,
    leader: Leader,
}

impl Embedded {
    /// Servers in the data directory: the primary on the first of `ports`, a replica on each
    /// other. Where they are `synchronous`, a commit waits until a replica has it.
    ///
    /// # Errors
    /// This platform has none, or the data directory is of another version, or of several
    /// servers that can't all be followed.
    pub(crate) fn prepare(
        workspace: &Workspace,
        data: &DataDir,
        ports: Vec<u16>,
        synchronous: bool,
    ) -> Result<Self, Failure> {
        let place = Place::find(workspace, data)?;
        let found = cluster::find(&place.clusters, MAJOR)?;
        let leader = leader::leader(&found).map_err(|error| {
            let folder = place.clusters.display();
            Failure::new(format!(
                "{error}; move what should not be used out of {folder}, or pass --data with another directory"
            ))
        })?;
        let password = data.secret("postgres-password")?;
        Ok(Self { place, ports, synchronous, password, logs: data.folder("logs")?, found, leader })
    }

    /// As [`Self::prepare`], and nothing of what the servers had before is left.
    ///
    /// # Errors
    /// This platform has none, or the disk refuses.
    pub(crate) fn prepare_empty(
        workspace: &Workspace,
        data: &DataDir,
        ports: Vec<u16>,
    ) -> Result<Self, Failure> {
        Place::find(workspace, data)?.remove()?;
        Self::prepare(workspace, data, ports, false)
    }

    /// Removes everything that the stopped servers had.
    ///
    /// # Errors
    /// The disk refuses.
    pub(crate) fn remove(&self) -> Result<(), Failure> {
        self.place.remove()
    }

    /// Makes what isn't there yet and starts all servers; returns once the replicas stream.
    ///
    /// # Errors
    /// A server can't be made or started.
    pub(crate) async fn start(
        &self,
        supervisor: &Supervisor,
        progress: &Progress,
    ) -> Result<Servers, Failure> {
        self.create(supervisor, progress).await?;
        self.write_settings()?;
        let primary = self.start_server(0, supervisor)?;
        self.wait_for(&primary, 0).await?;
        self.create_database().await?;
        // The primary was started first, so it is stopped last, when it has nobody to wait for.
        let replicas = (1..self.ports.len())
            .map(|index| Ok((index, self.start_server(index, supervisor)?)))
            .collect::<Result<Vec<_>, Failure>>()?;
        for (index, replica) in &replicas {
            self.wait_for(replica, *index).await?;
        }
        self.wait_for_streaming(&primary).await?;
        let url = self.url(0, DATABASE);
        let identity = async { identity(&connect(&url).await?).await };
        Ok(Servers {
            identity: identity.await.map_err(|error| refused("the primary", &error))?,
            primary: url,
            replicas: replicas.iter().map(|(index, _)| self.url(*index, DATABASE)).collect(),
            are_own: true,
        })
    }

    /// Folder of the primary (0) or of a replica.
    fn folder(&self, index: usize) -> PathBuf {
        self.place.clusters.join(name(index))
    }

    fn url(&self, index: usize, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.ports[index])
    }

    /// Makes the primary's and the replicas' data directories where they are missing.
    async fn create(&self, supervisor: &Supervisor, progress: &Progress) -> Result<(), Failure> {
        let primary = self.folder(0);
        match self.leader {
            Leader::Nobody => {
                progress.step("making the database");
                self.initdb(supervisor).await?;
            }
            Leader::Primary => {}
            Leader::Promoted { index, timeline } => self.follow(index, timeline, progress)?,
        }
        let missing: Vec<usize> =
            (1..self.ports.len()).filter(|index| !self.folder(*index).is_dir()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if self.leader != Leader::Nobody {
            // Only a server that was shut down cleanly may be copied file by file.
            let service = self.start_server(0, supervisor)?;
            let ready = self.wait_for(&service, 0).await;
            service.stop().await;
            ready?;
        }
        for index in missing {
            let replica = self.folder(index);
            let partial = replica.with_extension("partial");
            files::remove(&partial)?;
            files::copy(&primary, &partial, self.place.owner)?;
            // The primary's slots are for its replicas; here they would keep WAL for ever.
            files::empty(&partial.join("pg_replslot"))?;
            files::write(&partial.join(cluster::STANDBY_SIGNAL), "", self.place.owner)?;
            fs::rename(&partial, &replica).or_fail("name", &replica)?;
        }
        Ok(())
    }

    /// Makes the replica `promoted` the primary. Other servers that took writes are put aside, as
    /// they may have some that it never got; what only followed is made anew. Broken off
    /// anywhere, it is done the rest of at the next start.
    fn follow(&self, promoted: usize, timeline: u32, progress: &Progress) -> Result<(), Failure> {
        let mut aside = Vec::new();
        for server in self.found.iter().filter(|server| server.index != promoted) {
            let folder = self.folder(server.index);
            if server.is_standby && server.index != 0 {
                cluster::discard(&folder)?;
            } else {
                aside.push(cluster::put_aside(&folder, server.timeline)?.display().to_string());
            }
        }
        fs::rename(self.folder(promoted), self.folder(0)).or_fail("name", &self.folder(0))?;
        let promoted = name(promoted);
        progress.step(format!(
            "{promoted} was promoted (timeline {timeline}): it is the primary now, and the replicas are made anew"
        ));
        for folder in aside {
            progress
                .step(format!("what it has replaced is kept in {folder}; delete that if nothing is missed"));
        }
        Ok(())
    }

    async fn initdb(&self, supervisor: &Supervisor) -> Result<(), Failure> {
        let primary = self.folder(0);
        let partial = primary.with_extension("partial");
        files::remove(&partial)?;
        let password = self.place.clusters.join("password");
        files::write(&password, &self.password, self.place.owner)?;
        // For the replicas, so that the password is on no command line.
        let passfile = format!("127.0.0.1:*:*:{USER}:{}\n", self.password);
        files::write(&self.passfile(), &passfile, self.place.owner)?;
        let mut args = vec![
            "-D".to_owned(),
            partial.display().to_string(),
            "--pwfile".into(),
            password.display().to_string(),
        ];
        args.extend(
            [
                "-U",
                USER,
                "-A",
                "scram-sha-256",
                "-E",
                "UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-sync",
                "--no-instructions",
            ]
            .map(String::from),
        );
        supervisor.run(&self.spec("initdb", "initdb", args)).await?;
        files::remove(&password)?;
        fs::rename(&partial, &primary).or_fail("name", &primary)
    }

    fn passfile(&self) -> PathBuf {
        self.place.clusters.join("passfile")
    }

    fn spec(&self, name: &str, program: &str, args: Vec<String>) -> Spec {
        Spec {
            name: name.to_owned(),
            program: self.place.programs.join(program),
            args,
            env: vec![("LC_ALL".into(), "C".into())],
            directory: self.place.clusters.clone(),
            user: self.place.owner.map(|Owner { user, group }| (user, group)),
            log: self.logs.join(format!("{name}.log")),
            stop_signal: Signal::INT,
        }
    }

    /// Writes what a running server may be told otherwise, such as whom to follow.
    fn write_settings(&self) -> Result<(), Failure> {
        let replicas: Vec<String> = (1..self.ports.len()).map(name).collect();
        let synchronous = self.synchronous.then(|| format!("ANY 1 ({})", replicas.join(", ")));
        let of_primary = [("synchronous_standby_names", synchronous)];
        settings::write(&self.folder(0), &of_primary, self.place.owner)?;
        for index in 1..self.ports.len() {
            let primary = format!(
                "host=127.0.0.1 port={} user={USER} passfile={} application_name={}",
                self.ports[0],
                quoted(&self.passfile().display().to_string()),
                name(index)
            );
            let of_replica = [
                ("primary_conninfo", Some(primary)),
                ("primary_slot_name", Some(slot(index))),
                ("synchronous_standby_names", None),
            ];
            settings::write(&self.folder(index), &of_replica, self.place.owner)?;
        }
        Ok(())
    }

    fn start_server(&self, index: usize, supervisor: &Supervisor) -> Result<Arc<Service>, Failure> {
        let settings = [
            format!("port={}", self.ports[index]),
            "listen_addresses=127.0.0.1".into(),
            "unix_socket_directories=".into(),
            format!("max_connections={CONNECTIONS_MAX}"),
            "shared_preload_libraries=pg_stat_statements".into(),
            "max_wal_senders=20".into(),
            "max_replication_slots=20".into(),
        ];
        let mut args = vec!["-D".to_owned(), self.folder(index).display().to_string()];
        args.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        supervisor.start(self.spec(&name(index), "postgres", args))
    }

    async fn wait_for(&self, service: &Service, index: usize) -> Result<(), Failure> {
        let url = self.url(index, USER);
        service
            .ready(READY_DEADLINE, async {
                while connect(&url).await.is_err() {
                    tokio::time::sleep(READY_POLL).await;
                }
            })
            .await
    }

    /// Makes the database and a replication slot for each replica, and drops slots of
    /// replicas that are no more, which would keep WAL for ever.
    async fn create_database(&self) -> Result<(), Failure> {
        let client = connect(&self.url(0, USER)).await.map_err(|error| refused("the primary", &error))?;
        let run = async {
            // The replicas, one of which a synchronous commit waits for, are started after this.
            client.batch_execute("SET synchronous_commit = local").await?;
            if client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&DATABASE]).await?.is_none()
            {
                client.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
            }
            // What the advisors see statements by.
            let database = connect(&self.url(0, DATABASE)).await?;
            let extension =
                "SET synchronous_commit = local; CREATE EXTENSION IF NOT EXISTS pg_stat_statements";
            database.batch_execute(extension).await?;
            let wanted: Vec<String> = (1..self.ports.len()).map(slot).collect();
            let ours = "SELECT slot_name::text FROM pg_replication_slots WHERE starts_with(slot_name, $1)";
            let slots = client.query(ours, &[&SLOT_PREFIX]).await?;
            let slots: Vec<String> = slots.iter().map(|row| row.get(0)).collect();
            for slot in wanted.iter().filter(|slot| !slots.contains(slot)) {
                client
                    .execute("SELECT pg_create_physical_replication_slot($1::text::name, true)", &[slot])
                    .await?;
            }
            Ok(slots.into_iter().filter(|slot| !wanted.contains(slot)).collect::<Vec<_>>())
        };
        let unwanted: Vec<String> = run.await.map_err(|error| refused("the primary", &error))?;
        for unwanted in unwanted {
            // A replica whose slot is gone can't go on where it was, so it goes first; it is made
            // anew when it is wanted again.
            if let Some(number) = unwanted.strip_prefix(SLOT_PREFIX).and_then(|number| number.parse().ok()) {
                cluster::discard(&self.folder(number))?;
            }
            client
                .execute("SELECT pg_drop_replication_slot($1::text::name)", &[&unwanted])
                .await
                .map_err(|error| refused("the primary", &error))?;
        }
        Ok(())
    }

    async fn wait_for_streaming(&self, primary: &Service) -> Result<(), Failure> {
        let client = connect(&self.url(0, USER)).await.map_err(|error| refused("the primary", &error))?;
        let replicas = i64::try_from(self.ports.len() - 1).unwrap_or(i64::MAX);
        primary
            .ready(READY_DEADLINE, async {
                loop {
                    let row = client
                        .query_one("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'", &[])
                        .await;
                    if row.is_ok_and(|row| row.get::<_, i64>(0) >= replicas) {
                        return;
                    }
                    tokio::time::sleep(READY_POLL).await;
                }
            })
            .await
    }
}

/// What a server is called: in the log, in the file system and in `pg_stat_replication`.
fn name(index: usize) -> String {
    if index == 0 { "primary".to_owned() } else { format!("replica{index}") }
}

fn slot(index: usize) -> String {
    format!("{SLOT_PREFIX}{index}")
}

/// A value of a connection string; PostgreSQL documentation, section 34.1.1.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A failure of a statement.
pub(crate) fn refused(server: &str, error: &tokio_postgres::Error) -> Failure {
    Failure::new(format!("{server} refused: {}", reason(error)))
}

/// What went wrong, without what was connected to.
fn reason(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(error), _) => error.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => error.to_string(),
    }
}

/// A connection of its own, driven in the background until the client is dropped.
pub(crate) async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// The same at a server that may not be ours, encrypted as the origins do it.
pub(crate) async fn connect_foreign(url: &str) -> Result<Client, String> {
    let authorities = Authorities::of_environment();
    let config = authorities.read(url).map_err(|error| format!("it {error}"))?;
    let encryption = authorities.encryption().map_err(|error| error.to_string())?;
    let (client, connection) = config.connect(encryption).await.map_err(|error| reason(&error))?;
    tokio::spawn(connection);
    Ok(client)
}

/// Names the database that `client` is connected to. The system identifier is drawn when a
/// cluster is made, and a promotion keeps it; the object id is a database's own in its cluster.
async fn identity(client: &Client) -> Result<String, tokio_postgres::Error> {
    let database = "SELECT format('%s %s %s', system_identifier, oid, datname)
        FROM pg_control_system(), pg_database WHERE datname = current_database()";
    let database: String = client.query_one(database, &[]).await?.get(0);
    Ok(Sha256::digest(database).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// Connects to a server that isn't ours, at the URL that `variable` holds.
async fn check_foreign(variable: &str, url: &str) -> Result<Client, Failure> {
    let does_not_answer = |why: String| {
        Failure::new(format!(
            "{variable} does not answer: {why}; check the URL, or unset it to start an embedded Postgres"
        ))
    };
    if let Err(why) = Authorities::of_environment().read(url) {
        return Err(Failure::new(format!("{variable} {why}")));
    }
    let connected = tokio::time::timeout(Duration::from_secs(10), connect_foreign(url)).await;
    let client =
        connected.map_err(|_| does_not_answer("no answer within 10 s".into()))?.map_err(does_not_answer)?;
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version')",
            &[],
        )
        .await
        .map_err(|error| does_not_answer(reason(&error)))?;
    if row.get::<_, i32>(0) < VERSION_MIN {
        return Err(Failure::new(format!(
            "{variable} is PostgreSQL {}; tidewall needs 15 or later",
            row.get::<_, &str>(1)
        )));
    }
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_in_a_connection_value_are_escaped() {
        assert_eq!(quoted(r"/a b\c'd"), r"'/a b\\c\'d'");
    }

    #[tokio::test]
    async fn a_refused_database_url_is_reported_without_its_password() {
        let checked = check_foreign("DATABASE_URL", "postgres://me:hunter2@127.0.0.1:1/x").await;
        let failure = checked.err().unwrap().to_string();
        assert!(failure.contains("DATABASE_URL") && !failure.contains("hunter2"), "{failure}");
    }

    #[tokio::test]
    async fn a_server_that_is_to_prove_who_it_is_is_told_nothing_before() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://me:hunter2@{}/x?sslmode=verify-full", listener.local_addr().unwrap());
        tokio::select! {
            checked = check_foreign("DATABASE_URL", &url) => {
                let failure = checked.err().unwrap().to_string();
                assert!(failure.contains("PGSSLROOTCERT") && !failure.contains("hunter2"), "{failure}");
            }
            _ = listener.accept() => panic!("it was connected to"),
        }
    }
}
