//! nginx and Varnish, where the machine has them: what a hit costs that no Worker
//! stands behind. Both keep it in memory.

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
    config: fn(SocketAddr, SocketAddr) -> String,
    args: fn(SocketAddr) -> Vec<String>,
}

/// A running one.
pub(super) struct Running {
    pub(super) name: &'static str,
    pub(super) process: Process,
    pub(super) address: SocketAddr,
}

const CONFIG: &str = "config";

/// All that are compared with.
pub(super) const ALL: &[Proxy] = &[
    Proxy { name: "nginx", program: "nginx", config: nginx_config, args: nginx_args },
    Proxy { name: "Varnish", program: "varnishd", config: varnish_config, args: varnish_args },
];

impl Proxy {
    /// Starts it before the origin.
    pub(super) async fn start(&self, origin: SocketAddr) -> Result<Running, Reason> {
        let program = installed(self.program).ok_or_else(|| Reason::new("not installed"))?;
        let folder = Folder::new()?;
        let address = http::free_port()?;
        folder.write(CONFIG, (self.config)(address, origin))?;
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

fn nginx_config(address: SocketAddr, origin: SocketAddr) -> String {
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
  server {{
    listen {address};
    location / {{
      proxy_pass http://{origin};
      proxy_cache bench;
      add_header Cache-Status $upstream_cache_status;
    }}
  }}
}}
"
    )
}

fn nginx_args(_address: SocketAddr) -> Vec<String> {
    ["-p", ".", "-c", CONFIG, "-e", "stderr"].map(str::to_owned).into()
}

fn varnish_config(_address: SocketAddr, origin: SocketAddr) -> String {
    format!("vcl 4.1;\nbackend default {{ .host = \"{}\"; .port = \"{}\"; }}\n", origin.ip(), origin.port())
}

fn varnish_args(address: SocketAddr) -> Vec<String> {
    let address = address.to_string();
    let config = format!("./{CONFIG}");
    ["-F", "-n", "state", "-a", &address, "-f", &config, "-s", "malloc,64m", "-T", "none"]
        .map(str::to_owned)
        .into()
}
