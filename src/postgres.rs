//! The embedded Postgres: a primary and its streaming replicas.

mod files;
mod place;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio_postgres::NoTls;

use crate::child::Spec;
use crate::data::DataDir;
use crate::failure::{Failure, IoContext};
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
/// The database that the origins use.
const DATABASE: &str = "tidewall";

/// Running servers.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    /// URL of the primary.
    pub(crate) primary: String,
    /// URLs of the replicas.
    pub(crate) replicas: Vec<String>,
}

impl Servers {
    /// Servers that run already and are not ours, at these URLs.
    ///
    /// # Errors
    /// One does not answer, or is too old.
    pub(crate) async fn foreign(primary: String, replicas: Vec<String>) -> Result<Self, Failure> {
        check_foreign("DATABASE_URL", &primary).await?;
        for replica in &replicas {
            check_foreign("REPLICA_URLS", replica).await?;
        }
        Ok(Self { primary, replicas })
    }
}

/// What is needed to start the embedded servers.
#[derive(Debug)]
pub(crate) struct Embedded {
    place: Place,
    ports: Vec<u16>,
    password: String,
    logs: PathBuf,
}

impl Embedded {
    /// Servers in the data directory: the primary on the first of `ports`, a replica on each other.
    ///
    /// # Errors
    /// This platform has none, or the data directory is of another version.
    pub(crate) fn prepare(workspace: &Workspace, data: &DataDir, ports: Vec<u16>) -> Result<Self, Failure> {
        let place = Place::find(workspace, data)?;
        let embedded =
            Self { place, ports, password: data.secret("postgres-password")?, logs: data.folder("logs")? };
        let version = embedded.folder(0).join("PG_VERSION");
        match fs::read_to_string(&version) {
            Ok(major) if major.trim() != MAJOR => Err(Failure::new(format!(
                "{} is of PostgreSQL {}, this tidewall runs {MAJOR}; delete the data directory, or pass --data with another one",
                embedded.folder(0).display(),
                major.trim()
            ))),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).or_fail("read", &version)
            }
            _ => Ok(embedded),
        }
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
        Ok(Servers {
            primary: self.url(0, DATABASE),
            replicas: replicas.iter().map(|(index, _)| self.url(*index, DATABASE)).collect(),
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
        let is_new = !primary.join("PG_VERSION").is_file();
        if is_new {
            progress.step("making the database");
            files::remove(&primary)?;
            self.initdb(supervisor).await?;
        }
        let missing: Vec<usize> = (1..self.ports.len())
            .filter(|index| !self.folder(*index).join("standby.signal").is_file())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        if !is_new {
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
            files::remove(&replica)?;
            files::copy(&primary, &partial, self.place.owner)?;
            files::write(&partial.join("standby.signal"), "", self.place.owner)?;
            fs::rename(&partial, &replica).or_fail("name", &replica)?;
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

    fn start_server(&self, index: usize, supervisor: &Supervisor) -> Result<Arc<Service>, Failure> {
        let mut settings = vec![
            format!("port={}", self.ports[index]),
            "listen_addresses=127.0.0.1".into(),
            "unix_socket_directories=".into(),
            format!("max_connections={CONNECTIONS_MAX}"),
            "shared_preload_libraries=pg_stat_statements".into(),
            "max_wal_senders=20".into(),
            "max_replication_slots=20".into(),
        ];
        if index > 0 {
            settings.push(format!(
                "primary_conninfo=host=127.0.0.1 port={} user={USER} passfile={} application_name={}",
                self.ports[0],
                quoted(&self.passfile().display().to_string()),
                name(index)
            ));
            settings.push(format!("primary_slot_name={}", slot(index)));
        }
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
            if client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&DATABASE]).await?.is_none()
            {
                client.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
            }
            let wanted: Vec<String> = (1..self.ports.len()).map(slot).collect();
            let slots = client.query("SELECT slot_name::text FROM pg_replication_slots WHERE slot_name LIKE 'tidewall_replica%'", &[]).await?;
            let slots: Vec<String> = slots.iter().map(|row| row.get(0)).collect();
            for slot in wanted.iter().filter(|slot| !slots.contains(slot)) {
                client
                    .execute("SELECT pg_create_physical_replication_slot($1::text::name, true)", &[slot])
                    .await?;
            }
            for slot in slots.iter().filter(|slot| !wanted.contains(slot)) {
                client.execute("SELECT pg_drop_replication_slot($1::text::name)", &[slot]).await?;
            }
            Ok(slots.into_iter().filter(|slot| !wanted.contains(slot)).collect::<Vec<_>>())
        };
        let dropped: Vec<String> = run.await.map_err(|error| refused("the primary", &error))?;
        // A replica whose slot is gone can't go on where it was: it is made anew when it is wanted again.
        for slot in dropped {
            if let Some(number) =
                slot.strip_prefix("tidewall_replica").and_then(|number| number.parse::<usize>().ok())
            {
                files::remove(&self.folder(number))?;
            }
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
    format!("tidewall_replica{index}")
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
pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn check_foreign(variable: &str, url: &str) -> Result<(), Failure> {
    let does_not_answer = |why: String| {
        Failure::new(format!(
            "{variable} does not answer: {why}; check the URL, or unset it to start an embedded Postgres"
        ))
    };
    let connected = tokio::time::timeout(Duration::from_secs(10), connect(url)).await;
    let client = connected
        .map_err(|_| does_not_answer("no answer within 10 s".into()))?
        .map_err(|error| does_not_answer(reason(&error)))?;
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
    Ok(())
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
        let failure = check_foreign("DATABASE_URL", "postgres://me:hunter2@127.0.0.1:1/x")
            .await
            .unwrap_err()
            .to_string();
        assert!(failure.contains("DATABASE_URL") && !failure.contains("hunter2"), "{failure}");
    }
}
