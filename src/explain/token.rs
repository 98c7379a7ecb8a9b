//! Where the purge token of an edge is found.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use reqwest::Url;
use serde::Deserialize;

use crate::failure::{Failure, IoContext};
use crate::workspace::Workspace;
use crate::{data, ready};

/// What one may do who has none.
pub(super) const ADVICE: &str =
    "pass --token, set TIDEWALL_PURGE_TOKEN, or pass the --ready-file of what runs";

/// A purge token.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) value: String,
    /// Where it was found, as the person knows it.
    pub(super) source: String,
}

/// What a ready file says of an edge.
#[derive(Debug, Deserialize)]
pub(super) struct Ready {
    pub(super) edge: Option<String>,
    pub(super) purge_token: String,
}

impl Ready {
    /// Reads a ready file.
    ///
    /// # Errors
    /// It isn't there, or is none.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        ready::read(
            path,
            "it is there while `tidewall dev --ready-file` or `tidewall edge --ready-file` runs",
        )
    }
}

/// The token for the edge of a URL: the one that was given, else that of the ready file,
/// else, where the edge is on this machine, that of the stack in the default data directory.
///
/// # Errors
/// There is none, or it is another edge's.
pub(super) fn find(url: &Url, given: Option<&str>, ready: Option<Ready>) -> Result<Token, Failure> {
    if let Some(value) = given.filter(|token| !token.is_empty()) {
        return Ok(Token { value: value.to_owned(), source: "--token or TIDEWALL_PURGE_TOKEN".to_owned() });
    }
    if let Some(Ready { edge, purge_token }) = ready {
        let edge = edge.and_then(|edge| Url::parse(&edge).ok());
        // A token is nothing to hand to strangers.
        if !edge.as_ref().is_some_and(|edge| is_same_edge(edge, url)) {
            let edge = edge.map_or("no edge".to_owned(), |edge| edge.origin().ascii_serialization());
            return Err(Failure::new(format!(
                "the ready file is about {edge}, not about {}; {ADVICE}",
                url.origin().ascii_serialization()
            )));
        }
        return Ok(Token { value: purge_token, source: "the ready file".to_owned() });
    }
    if !is_local(url) {
        let edge = url.origin().ascii_serialization();
        return Err(Failure::new(format!("{edge} explains only to who has its purge token; {ADVICE}")));
    }
    of_default_stack()?.ok_or_else(|| {
        Failure::new(format!(
            "there is no purge token: `tidewall dev` has not run with its default data directory, {}; {ADVICE}",
            data::FOLDER
        ))
    })
}

fn of_default_stack() -> Result<Option<Token>, Failure> {
    let folder = Workspace::find()?.join(data::FOLDER);
    let path = data::secret_path(&folder, data::PURGE_TOKEN);
    match fs::read_to_string(&path) {
        Ok(value) => Ok(Some(Token { value, source: data::FOLDER.to_owned() })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).or_fail("read", &path),
    }
}

fn is_same_edge(edge: &Url, url: &Url) -> bool {
    let is_local =
        is_local(edge) && is_local(url) && edge.port_or_known_default() == url.port_or_known_default();
    edge.origin() == url.origin() || is_local
}

/// Whether a URL is of this machine.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn ready(edge: &str) -> Option<Ready> {
        Some(Ready { edge: Some(edge.to_owned()), purge_token: "of the file".to_owned() })
    }

    #[test]
    fn what_is_given_goes_before_the_ready_file() {
        let url = url("http://127.0.0.1:1/a");
        assert_eq!(find(&url, Some("given"), ready("http://127.0.0.1:1")).unwrap().value, "given");
        for edge in ["http://127.0.0.1:1", "http://localhost:1"] {
            assert_eq!(find(&url, Some(""), ready(edge)).unwrap().value, "of the file");
        }
    }

    #[test]
    fn no_token_is_handed_to_another_edge() {
        let check = |asked: &str, edge: &str| {
            let failure = find(&url(asked), None, ready(edge)).unwrap_err().to_string();
            assert!(failure.contains("the ready file is about"), "{failure}");
        };
        check("http://127.0.0.1:2/", "http://127.0.0.1:1");
        check("http://h:1/", "http://127.0.0.1:1");
        let failure = find(&url("http://h/a"), None, None).unwrap_err().to_string();
        assert!(failure.contains("--token") && failure.contains("http://h explains only"), "{failure}");
    }

    #[test]
    fn this_machine_has_few_names() {
        for local in ["http://localhost:1/", "http://127.0.0.1/", "http://127.9.9.9/", "http://[::1]:2/"] {
            assert!(is_local(&url(local)), "{local}");
        }
        for other in ["http://h/", "http://localhost.h/", "http://10.0.0.1/", "http://127.0.0.1.h/"] {
            assert!(!is_local(&url(other)), "{other}");
        }
    }
}
