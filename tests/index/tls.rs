//! Connections that are encrypted: a server that offers it, authorities that are named, and others.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tidewall_origin::db::{Db, DbSettings};
use tokio_postgres::Client;

use crate::command::Test;
use crate::database::{Server, connect};
use crate::support::tidewall::{self, Folder};

pub(crate) const TESTS: &[Test] = &[(
    "tls::what_is_to_be_encrypted_is_and_who_is_not_vouched_for_is_refused",
    what_is_to_be_encrypted_is_and_who_is_not_vouched_for_is_refused,
)];

fn what_is_to_be_encrypted_is_and_who_is_not_vouched_for_is_refused(server: &Server) {
    server.runtime.block_on(async {
        let url = server.url("postgres");
        let (required, verified) = (format!("{url}?sslmode=require"), format!("{url}?sslmode=verify-full"));
        refused(&advise(&required, None), "TLS");
        let client = connect(&url).await;
        let folder = Folder::new();
        let of = |name: &str, names: &[&str]| Certificate::new(&folder, name, names);
        let own = of("own", &["localhost", "127.0.0.1"]);
        let (other, elsewhere) = (of("other", &["127.0.0.1"]), of("elsewhere", &["db.example"]));
        offer(&client, Some(&own)).await;
        // Also where a URL says nothing of it.
        for (url, authorities) in
            [(&url, None), (&required, None), (&required, Some(&own)), (&verified, Some(&own))]
        {
            let mut command = command(url, authorities.map(|own: &Certificate| own.file.as_path()));
            let output = tokio::task::spawn_blocking(move || command.output().unwrap());
            let is_encrypted = within(is_encrypted(&client)).await;
            let output = output.await.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert!(is_encrypted, "{url}");
        }
        refused(&advise(&required, Some(&other.file)), "certificate");
        offer(&client, Some(&elsewhere)).await;
        refused(&advise(&verified, Some(&elsewhere.file)), "certificate");
        offer(&client, Some(&own)).await;
        refused(&advise(&verified, None), "PGSSLROOTCERT");
        refused(&advise(&required, Some(Path::new("/nowhere.pem"))), "/nowhere.pem");
        the_pool_encrypts_and_still_stops_what_is_given_up(&client, &required).await;
        offer(&client, None).await;
    });
}

async fn the_pool_encrypts_and_still_stops_what_is_given_up(client: &Client, url: &str) {
    let db = Db::new(DbSettings::parse(url, &[]).unwrap());
    let connection = db.writer().await.unwrap();
    let is_encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert!(connection.query_one(is_encrypted, &[]).await.unwrap().get::<_, bool>(0));
    let sleep = connection.query_one("SELECT pg_sleep(600)", &[]);
    let given_up = tokio::time::timeout(Duration::from_millis(200), sleep).await;
    assert!(given_up.is_err());
    drop(connection);
    let sleeping =
        "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active'";
    within(async {
        while client.query_one(sleeping, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// What is waited for comes soon, or never.
async fn within<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), event).await.unwrap()
}

/// Whether an advisor that comes is encrypted.
async fn is_encrypted(client: &Client) -> bool {
    let seen = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'tidewall index'";
    loop {
        if let Some(row) = client.query_opt(seen, &[]).await.unwrap() {
            return row.get(0);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn command(url: &str, authorities: Option<&Path>) -> Command {
    let mut command = tidewall::command();
    command.args(["advise", "--interval", "1", "--ledger", "/dev/null", "--database-url", url]);
    command.envs(authorities.map(|file| ("PGSSLROOTCERT", file)));
    command
}

fn advise(url: &str, authorities: Option<&Path>) -> Output {
    command(url, authorities).output().unwrap()
}

#[track_caller]
fn refused(output: &Output, words: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains(words), "{error}");
}

/// A certificate that nobody but its own file vouches for, and its key.
struct Certificate {
    name: String,
    /// Where clients find it.
    file: PathBuf,
    certificate: String,
    key: String,
}

impl Certificate {
    fn new(folder: &Folder, name: &str, of: &[&str]) -> Self {
        let of: Vec<_> = of.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(of).unwrap();
        let file = folder.join(&format!("{name}.pem"));
        std::fs::write(&file, made.cert.pem()).unwrap();
        Self {
            name: name.to_owned(),
            file,
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }
}

/// Writes a file into the server's data directory, for its own eyes alone: it may be another user.
async fn write(client: &Client, file: &str, text: &str) {
    let copy = format!(
        "COPY (SELECT line FROM string_to_table('{text}', chr(10)) WITH ORDINALITY AS lines (line, place) ORDER BY place)
         TO PROGRAM 'umask 077; cat > {file}'"
    );
    client.batch_execute(&copy).await.unwrap();
}

/// Has the server offer encryption, or not.
async fn offer(client: &Client, certificate: Option<&Certificate>) {
    let wanted = if certificate.is_some() { "on" } else { "off" };
    let mut file = String::new();
    if let Some(Certificate { name, certificate, key, .. }) = certificate {
        file = format!("{name}.crt");
        let key_file = format!("{name}.key");
        write(client, &file, certificate).await;
        write(client, &key_file, key).await;
        for (setting, file) in [("ssl_cert_file", &file), ("ssl_key_file", &key_file)] {
            client.batch_execute(&format!("ALTER SYSTEM SET {setting} = '{file}'")).await.unwrap();
        }
    }
    client.batch_execute(&format!("ALTER SYSTEM SET ssl = {wanted}")).await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let loaded = "SELECT current_setting('ssl') || current_setting('ssl_cert_file')";
    within(async {
        loop {
            let now: String = client.query_one(loaded, &[]).await.unwrap().get(0);
            if now.starts_with(wanted) && now.ends_with(&file) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
