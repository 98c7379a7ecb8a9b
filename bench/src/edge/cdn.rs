//! The bench `cdn`: what the edge saves those who are far away, and on the bill.
//!
//! The built site is served by an origin of this process, and by the Worker as it is
//! deployed, in plain workerd. Between them and who asks lies a link that delays and narrows.
//!
//! - `file`: 500 KB from far and from near. `views`: the shop's home page, for the first time,
//!   again, and after its style sheet was changed. `bill`: what a month of that costs, at the
//!   `prices`.
//! - `site`: the site, a copy with a changed style sheet, and what its home page loads.
//!   `server`: the origin. `places`: who serves, at which distance.
//! - `link`: what distance does to bytes; `relay`: does it to a connection.
//! - `visitor`: who looks at a page; `kept`: what a browser keeps, and therefore asks for.
//!
//! Links have a round trip for each request and so many bits a second, and nothing else:
//! neither handshakes nor a slow start, which would make what is far slower still.

mod bill;
mod file;
mod kept;
mod link;
mod places;
mod prices;
mod relay;
mod server;
mod site;
mod views;
mod visitor;

use crate::catalog::Setting;
use crate::error::{BenchError, Reason};
use crate::progress;
use crate::report::Measurement;
use crate::sample::Sample;
use file::Files;
use places::Places;
use site::Site;
use views::Views;

/// Measures what the edge is to the site.
///
/// # Errors
/// It can't be measured.
pub async fn run(setting: &Setting) -> Result<Vec<Measurement>, BenchError> {
    measure(setting).await.map_err(|reason| BenchError::Contestant { name: "cdn".to_owned(), reason })
}

async fn measure(setting: &Setting) -> Result<Vec<Measurement>, Reason> {
    let mut site = Site::copy(&setting.site)?;
    let file = site.add_file()?;
    let changed = site.with_changed_styles()?;
    let before = Places::start(&setting.worker, &site).await?;
    let after = Places::start(&setting.worker, &changed).await?;
    let (mut files, mut views) = (Files::default(), Views::default());
    // Links decide, and the machine hardly does: a few rounds say it all.
    let rounds = setting.effort.rounds.div_ceil(3);
    for round in 0..rounds {
        progress::tell(format!("from far and from near: round {} of {rounds}", round + 1));
        files.round(&before, &file).await?;
        views.round([(&before, &site), (&after, &changed)]).await?;
    }
    let from_origin = before.bytes_behind_edge() + after.bytes_behind_edge();
    let mut results = files.results()?;
    results.extend(views.results(from_origin)?);
    Ok(results)
}

/// What the rounds came to.
fn sample(rounds: &[f64]) -> Result<Sample, Reason> {
    Sample::new(rounds.to_vec()).ok_or_else(|| Reason::new("the rounds came to no figure"))
}
