//! Logs on stderr: for people on a terminal, else one JSON object a line.
//! `RUST_LOG` chooses what is said.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal};

use tokio_postgres::error::DbError;
use tracing_subscriber::EnvFilter;

/// What is said unless `RUST_LOG` says otherwise: what happens here, and of the
/// libraries what goes wrong there. The pool would tell of each connection that a
/// lost server leaves behind; that the server is lost is told here, once.
const FILTER: &str = "warn,tidewall_origin=info,deadpool.postgres=error";

/// Starts logging; to be called once, first of all.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if io::stderr().is_terminal() {
        logs.init();
    } else {
        logs.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
    }
}

/// An error and what caused it, in one line, and without what rows hold: a server's error quotes them
/// in its details, and where it is about a value (SQLSTATE class 22) in its message as well.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl fmt::Display + use<'a> {
    Chain(error)
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = words(self.0);
        f.write_str(&said)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = words(error);
            // Some errors quote their cause already.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}

fn words(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref::<DbError>() {
        Some(error) if error.code().code().starts_with("22") => {
            format!("{}: SQLSTATE {}", error.severity(), error.code().code())
        }
        Some(error) => format!("{}: {}", error.severity(), error.message()),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);

    #[test]
    fn an_error_is_told_with_its_causes_each_once() {
        let root = Said("refused", None);
        let quoting = Said("no connection: refused", Some(Box::new(root)));
        let top = Said("can't read", Some(Box::new(quoting)));
        assert_eq!(chain(&top).to_string(), "can't read: no connection: refused");
    }
}
