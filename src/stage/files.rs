//! The files of a stage: units of systemd, what stands before them, and the environment that they share.

use std::fmt::Write as _;

use serde_json::json;

use super::layout::{Layout, stage};
use crate::failure::Failure;
use crate::wrangler::origin_id;

/// What its owner fills in.
pub(super) const ENVIRONMENT: &str = "tidewall.env";
pub(super) const README: &str = "README.md";
const CADDYFILE: &str = "Caddyfile";
const EDGE_ENVIRONMENT: &str = "edge.env";
const MIGRATE: &str = "tidewall-migrate.service";
const ORIGIN: &str = "tidewall-origin@.service";
const WORKER: &str = "tidewall-worker.service";
const EDGE: &str = "tidewall-edge.service";
/// All that any stage has, but for the environment.
pub(super) const ALL: [&str; 7] = [README, CADDYFILE, EDGE_ENVIRONMENT, MIGRATE, ORIGIN, WORKER, EDGE];

/// Port of the first origin; the others follow.
const ORIGIN_PORT: u16 = 8081;
/// Port of the edge.
const EDGE_PORT: u16 = 8787;
/// The field in which the front tells the client's address to the edge, or to the origin where there is none.
const CLIENT_ADDRESS_FIELD: &str = "X-Real-IP";
/// What a service may do: nothing that these don't need.
const HARDENING: &str = "User=tidewall
Group=tidewall
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictSUIDSGID=yes
LockPersonality=yes
";
const NOTICE: &str =
    "# Written by `tidewall stage`, and again with the next stage: change tidewall.env, or a drop-in.\n";

/// A file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) content: String,
}

/// A variable of the environment.
struct Variable {
    name: &'static str,
    /// A line for its owner.
    about: &'static str,
    value: Value,
}

enum Value {
    /// As an example.
    Text(&'static str),
    /// Made, and never shown.
    Secret,
}

/// The variables of a layout, in the order in which stages add them.
fn variables(layout: Layout) -> Vec<Variable> {
    let variable = |name, about, value| Variable { name, about, value };
    let mut all = vec![
        variable(
            "DATABASE_URL",
            "The database, or the primary among several.",
            Value::Text("postgres://tidewall:password@127.0.0.1:5432/tidewall"),
        ),
        variable("PUBLIC_URL", "Where people reach the shop.", Value::Text("https://shop.example.com")),
        variable(
            "TIDEWALL_SECRET",
            "Signs sessions and links, and seals secrets at rest: the same for all origins and workers.",
            Value::Secret,
        ),
    ];
    if layout.has_edge {
        all.push(variable(
            "EDGE_URL",
            "The edge, which is told what writes make invalid; several are separated by commas.",
            Value::Text("http://127.0.0.1:8787"),
        ));
        all.push(variable("PURGE_TOKEN", "Opens the edge's own interface.", Value::Secret));
    }
    if layout.replicas > 0 {
        all.push(variable(
            "REPLICA_URLS",
            "Streaming replicas of the primary, separated by commas.",
            Value::Text(
                "postgres://tidewall:password@10.0.0.12:5432/tidewall,postgres://tidewall:password@10.0.0.13:5432/tidewall",
            ),
        ));
    }
    all
}

/// The environment as it was, with the variables that it lacks.
///
/// # Errors
/// `secret` makes none.
pub(super) fn environment(
    layout: Layout,
    before: &str,
    secret: impl Fn() -> Result<String, Failure>,
) -> Result<String, Failure> {
    let mut text = match before.trim_end() {
        "" => "# What is yours: `tidewall stage` adds to it, and changes nothing.\n".to_owned(),
        before => format!("{before}\n"),
    };
    let is_there = |name: &str| {
        let mut names = before.lines().filter_map(|line| line.trim_start().split_once('='));
        names.any(|(known, _)| known.trim_end() == name)
    };
    for Variable { name, about, value } in variables(layout).into_iter().filter(|new| !is_there(new.name)) {
        let value = match value {
            Value::Text(text) => text.to_owned(),
            Value::Secret => secret()?,
        };
        // Writing to a String can't fail.
        let _ = write!(text, "\n# {about}\n{name}={value}\n");
    }
    Ok(text)
}

/// The files of the stage of this number, in the folder `place`, with an environment.
pub(super) fn of(number: u8, layout: Layout, place: &str, environment: &str) -> Vec<File> {
    let mut files = vec![
        File { name: README, content: readme(number, layout, place) },
        File { name: CADDYFILE, content: caddyfile(layout, environment) },
        File { name: MIGRATE, content: migrate() },
        File { name: ORIGIN, content: origin(layout) },
    ];
    if layout.has_worker {
        files.push(File { name: WORKER, content: worker() });
    }
    if layout.has_edge {
        files.push(File { name: EDGE, content: edge() });
        files.push(File { name: EDGE_ENVIRONMENT, content: edge_environment(layout) });
    }
    files
}

fn ports(layout: Layout) -> impl Iterator<Item = u16> {
    ORIGIN_PORT..ORIGIN_PORT + layout.origins
}

fn migrate() -> String {
    format!(
        "{NOTICE}[Unit]
Description=Tidewall: the database's schema
Wants=network-online.target
After=network-online.target postgresql.service

[Service]
Type=oneshot
EnvironmentFile=/etc/tidewall/{ENVIRONMENT}
ExecStart=/usr/local/bin/tidewall-origin migrate
# The database may come up later than this machine.
Restart=on-failure
RestartSec=5
{HARDENING}"
    )
}

fn origin(layout: Layout) -> String {
    // Whatever is before it on this machine says who asks; nobody else reaches it.
    let jobs = layout.jobs();
    format!(
        "{NOTICE}# An instance is named by its port: tidewall-origin@{ORIGIN_PORT}.
[Unit]
Description=Tidewall: origin at port %i
Wants=tidewall-migrate.service
After=tidewall-migrate.service
StartLimitIntervalSec=0

[Service]
EnvironmentFile=/etc/tidewall/{ENVIRONMENT}
ExecStart=/usr/local/bin/tidewall-origin serve --id %i --listen 127.0.0.1:%i --site /srv/tidewall/site --files /var/lib/tidewall/files --jobs {jobs} --client-address-field {}
StateDirectory=tidewall
Restart=always
# Requests in flight end first.
TimeoutStopSec=30
{HARDENING}
[Install]
WantedBy=multi-user.target
",
        if layout.has_edge { "X-Forwarded-For" } else { CLIENT_ADDRESS_FIELD }
    )
}

fn worker() -> String {
    format!(
        "{NOTICE}[Unit]
Description=Tidewall: background jobs
Wants=tidewall-migrate.service
After=tidewall-migrate.service
StartLimitIntervalSec=0

[Service]
EnvironmentFile=/etc/tidewall/{ENVIRONMENT}
ExecStart=/usr/local/bin/tidewall-origin work --files /var/lib/tidewall/files
StateDirectory=tidewall
Restart=always
# Jobs that don't end are handed back.
TimeoutStopSec=30
# Who waits for an answer goes first.
Nice=10
{HARDENING}
[Install]
WantedBy=multi-user.target
"
    )
}

fn edge() -> String {
    format!(
        "{NOTICE}# `tidewall build --edge-program` makes the program. On Cloudflare it isn't needed: README.md.
[Unit]
Description=Tidewall: edge
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
EnvironmentFile=/etc/tidewall/{EDGE_ENVIRONMENT}
# Read last: what is yours goes before what is written here.
EnvironmentFile=/etc/tidewall/{ENVIRONMENT}
# It needs its own secrets alone.
UnsetEnvironment=DATABASE_URL REPLICA_URLS TIDEWALL_SECRET
# What is stored outlasts the process, and neither the machine, for with its power the end of the log could be
# lost, nor these origins.
ExecStartPre=/bin/sh -c 'cd /var/cache/tidewall-edge && {{ cat /proc/sys/kernel/random/boot_id; printenv ORIGINS; }} > now && {{ cmp -s now stored-for || rm -rf state; }} && mkdir -p state && mv now stored-for'
ExecStart=/usr/local/bin/tidewall-edge --experimental --socket-addr http=127.0.0.1:{EDGE_PORT} --directory-path state=/var/cache/tidewall-edge/state
CacheDirectory=tidewall-edge
Restart=always
{HARDENING}
[Install]
WantedBy=multi-user.target
"
    )
}

fn edge_environment(layout: Layout) -> String {
    let origins: Vec<_> = ports(layout)
        .enumerate()
        .map(|(index, port)| json!({ "id": origin_id(index), "url": format!("http://127.0.0.1:{port}") }))
        .collect();
    format!(
        "{NOTICE}# Other servers' origins: set ORIGINS in {ENVIRONMENT}, in the same form, which goes before this.
ORIGINS='{}'
CLIENT_ADDRESS_FIELD={CLIENT_ADDRESS_FIELD}
",
        json!(origins)
    )
}

fn caddyfile(layout: Layout, environment: &str) -> String {
    let url = environment.lines().find_map(|line| line.strip_prefix("PUBLIC_URL=")).unwrap_or_default();
    let host = url.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let port = if layout.has_edge { EDGE_PORT } else { ORIGIN_PORT };
    format!(
        "{NOTICE}# Ends TLS (https://caddyserver.com) for the host of PUBLIC_URL, and says who asks.
{host} {{
\treverse_proxy 127.0.0.1:{port} {{
\t\theader_up {CLIENT_ADDRESS_FIELD} {{remote_host}}
\t}}
}}
"
    )
}

fn readme(number: u8, layout: Layout, place: &str) -> String {
    let stage = stage(number);
    let units: Vec<String> = ports(layout)
        .map(|port| format!("tidewall-origin@{port}"))
        .chain(layout.has_worker.then(|| "tidewall-worker".to_owned()))
        .chain(layout.has_edge.then(|| "tidewall-edge".to_owned()))
        .collect();
    let mut steps = vec![
        "In the checkout, build the programs and the site: `cargo build --release --package tidewall-origin && cargo run --release -- build`.".to_owned(),
        "Once: `useradd --system tidewall`, and `install -d /etc/tidewall /srv/tidewall`.".to_owned(),
        format!("Fill in `{ENVIRONMENT}`: where the database is, and where people reach the shop. Then write the stage once more: `{CADDYFILE}` takes the host from it."),
        format!("`install -m 600 {place}/*.env /etc/tidewall/ && install -m 644 {place}/*.service /etc/systemd/system/ && install target/release/tidewall-origin /usr/local/bin/`"),
        "The site, in one step: `cp -r target/site /srv/tidewall/new && rm -rf /srv/tidewall/old && { mv -T /srv/tidewall/site /srv/tidewall/old || true; } && mv -T /srv/tidewall/new /srv/tidewall/site`.".to_owned(),
    ];
    if layout.has_edge {
        steps.push(
            "The edge: `cargo run --release -- build --edge-program && install target/edge-program/tidewall-edge /usr/local/bin/`. (These files are for an edge of your own; for one on Cloudflare: `tidewall deploy`.)".to_owned(),
        );
    }
    if layout.replicas > 0 {
        steps.push("Make the replicas (`pg_basebackup --write-recovery-conf`), and name them in `REPLICA_URLS`. Which server is the primary is found out.".to_owned());
    }
    steps.push(format!("`systemctl daemon-reload && systemctl enable --now {}`.", units.join(" ")));
    steps.push(format!(
        "Of an earlier stage or build, what runs still runs as it was. One after the other: {}. After an origin wait until its `/readyz` says yes.",
        units.iter().map(|unit| format!("`systemctl restart {unit}`")).collect::<Vec<_>>().join(", ")
    ));
    steps.push(format!(
        "`{CADDYFILE}` ends TLS before it; nginx or HAProxy do as well, with `{CLIENT_ADDRESS_FIELD}` set."
    ));
    steps.push(
        "Whether it is time for the next stage: `cargo run -- advise --database-url …`, with an access log."
            .to_owned(),
    );
    let mut text = format!("# Stage {number}\n\n{}.\n\n", capitalised(stage.what));
    for (number, step) in steps.iter().enumerate() {
        let _ = writeln!(text, "{}. {step}", number + 1);
    }
    let _ = write!(
        text,
        "\nThe next stage is written to the same folder (`tidewall stage {}`): what you have set stays, and the steps above are taken again; so are they for a new build. Back to an earlier stage: `systemctl disable --now` what it has not, and take its variables out of `{ENVIRONMENT}`.\n",
        (number + 1).min(4)
    );
    text
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(number: u8, name: &str) -> String {
        let files = of(number, Layout::of(number), "/stage", "PUBLIC_URL=https://shop.example.org\n");
        files.into_iter().find(|file| file.name == name).map(|file| file.content).unwrap_or_default()
    }

    #[test]
    fn what_stands_before_an_origin_says_who_asks() {
        assert!(content(1, CADDYFILE).contains("reverse_proxy 127.0.0.1:8081"));
        assert!(content(1, CADDYFILE).contains("\nshop.example.org {"));
        assert!(content(1, ORIGIN).contains("--client-address-field X-Real-IP"));
        assert!(content(2, CADDYFILE).contains("reverse_proxy 127.0.0.1:8787"));
        assert!(content(2, EDGE_ENVIRONMENT).contains("CLIENT_ADDRESS_FIELD=X-Real-IP"));
        assert!(content(2, ORIGIN).contains("--client-address-field X-Forwarded-For"));
    }

    #[test]
    fn jobs_move_from_the_origin_to_a_worker() {
        assert!(content(2, ORIGIN).contains("--jobs 2") && content(2, WORKER).is_empty());
        assert!(content(3, ORIGIN).contains("--jobs 0") && content(3, WORKER).contains("work --files"));
    }

    #[test]
    fn every_origin_is_the_edges_and_started() {
        let environment = content(3, EDGE_ENVIRONMENT);
        for port in [8081, 8082] {
            assert!(environment.contains(&format!("127.0.0.1:{port}")), "{environment}");
            assert!(content(3, README).contains(&format!("tidewall-origin@{port}")));
        }
        assert!(!content(2, EDGE_ENVIRONMENT).contains("8082"));
    }

    #[test]
    fn secrets_are_in_one_file_alone() {
        for number in 1..=4 {
            for File { name, content } in of(number, Layout::of(number), "/stage", "") {
                let content = content.replace("UnsetEnvironment=", "");
                assert!(!content.contains("SECRET=") && !content.contains("TOKEN="), "{name}");
                assert!(ALL.contains(&name));
            }
        }
    }
}
