//! The edge, which is told what writes made invalid.

use clap::Args;

use super::error::CommandError;
use crate::outbox::{EdgeSettings, Outbox};

/// Which edges there are. Their token comes from `PURGE_TOKEN` alone: arguments can be read
/// by everybody on the machine.
#[derive(Debug, Args)]
pub(super) struct EdgeArgs {
    /// The edge, as http://host:port; several are separated by commas. It is told what writes make invalid,
    /// and PURGE_TOKEN must hold its token. Without one nobody is told beyond the writes' answers
    #[arg(long, value_name = "URL", env = "EDGE_URL", value_delimiter = ',')]
    edge_url: Vec<String>,
}

impl EdgeArgs {
    pub(super) fn outbox(&self) -> Result<Outbox, CommandError> {
        let token = std::env::var("PURGE_TOKEN").unwrap_or_default();
        Ok(Outbox::new(EdgeSettings::parse(&self.edge_url, &token)?))
    }
}
