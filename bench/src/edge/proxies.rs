//! nginx, Varnish and HAProxy, where the machine has them: what a hit costs that no Worker
//! stands behind, which they keep in memory, and how they balance over origins.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::folder::Folder;
use super::http;
use super::process::Process;
use crate::error::Reason;

/// A proxy that may be installed.
pub(super) struct Proxy {
    pub(super) name: &'static str,
    program: &'static str,
    /// The file it is configured by.
    config: fn(SocketAddr, &[SocketAddr]) -> String,
    args: fn(SocketAddr) -> Vec<String>,
}

/// A running one.
pub(super) struct Running {
    pub(super) name: &'static str,
    pub(super) process: Process,
    pub(super) address: SocketAddr,
}

const CONFIG: &str = "config";

/// Caches that are compared with, before one origin.
pub(super) const CACHES: &[Proxy] = &[
    Proxy { name: "nginx", program: "nginx", config: nginx_cache, args: nginx_args },
    Proxy { name: "Varnish", program: "varnishd", config: varnish_config, args: varnish_args },
];

/// Balancers that are compared with, by the fewest connections.
pub(super) const BALANCERS: &[Proxy] = &[
    Proxy { name: "nginx", program: "nginx", config: nginx_balance, args: nginx_args },
    Proxy { name: "HAProxy", program: "haproxy", config: haproxy_config, args: haproxy_args },
];

impl Proxy {
    /// Starts it before the origins.
    pub(super) async fn start(&self, origins: &[SocketAddr]) -> Result<Running, Reason> {
        let program = installed(self.program).ok_or_else(|| Reason::new("not installed"))?;
        let folder = Folder::new()?;
        let address = http::free_port()?;
        folder.write(CONFIG, (self.config)(address, origins))?;
        let process = Process::start(&program, &(self.args)(address), folder, address).await?;
        Ok(Running { name: self.name, process, address })
    }
}

/// Where a program is; servers are often out of a user's path.
fn installed(program: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn nginx_cache(address: SocketAddr, origins: &[SocketAddr]) -> String {
    nginx_config(
        address,
        origins,
        "",
        "proxy_cache bench;
      add_header Cache-Status $upstream_cache_status;",
    )
}

fn nginx_balance(address: SocketAddr, origins: &[SocketAddr]) -> String {
    nginx_config(address, origins, "least_conn;", "")
}

fn nginx_config(address: SocketAddr, origins: &[SocketAddr], balancing: &str, caching: &str) -> String {
    let servers: String = origins.iter().map(|origin| format!("    server {origin};\n")).collect();
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path body;
  proxy_temp_path temp;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  proxy_cache_path cache keys_zone=bench:10m;
  upstream origins {{
    {balancing}
{servers}    keepalive 64;
  }}
  server {{
    listen {address};
    location / {{
      proxy_pass http://origins;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      {caching}
    }}
  }}
}}
"
    )
}

fn nginx_args(_address: SocketAddr) -> Vec<String> {
    ["-p", ".", "-c", CONFIG, "-e", "stderr"].map(str::to_owned).into()
}

fn haproxy_config(address: SocketAddr, origins: &[SocketAddr]) -> String {
    let servers = origins.iter().enumerate();
    let servers: String = servers.map(|(index, origin)| format!("  server s{index} {origin}\n")).collect();
    format!(
        "defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen bench
  bind {address}
  balance leastconn
{servers}"
    )
}

fn haproxy_args(_address: SocketAddr) -> Vec<String> {
    ["-db", "-f", CONFIG].map(str::to_owned).into()
}

fn varnish_config(_address: SocketAddr, origins: &[SocketAddr]) -> String {
    let backend = |origin: &SocketAddr| {
        format!("backend default {{ .host = \"{}\"; .port = \"{}\"; }}\n", origin.ip(), origin.port())
    };
    format!("vcl 4.1;\n{}", origins.iter().map(backend).collect::<String>())
}

fn varnish_args(address: SocketAddr) -> Vec<String> {
    let address = address.to_string();
    let config = format!("./{CONFIG}");
    ["-F", "-n", "state", "-a", &address, "-f", &config, "-s", "malloc,64m", "-T", "none"]
        .map(str::to_owned)
        .into()
}
