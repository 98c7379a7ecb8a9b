//! Which of the seven tools a product needs now, and which not yet, by what was measured of it.
//!
//! The golden rule: a tool is added when a measured problem asks for it, and not before. So each
//! rule rests on figures, names its threshold and who says so, and lacks what it lacks: what isn't
//! known is never taken for nothing, and is answered with `unknown`.
//!
//! - `evidence`, `traffic`: what is known.
//! - `cause`: why a database is busy; `rules`: what that means for each tool; `gauge`: the figure
//!   that the tool is to change; `prices`, `cost`: what it costs.
//! - `verdict`: what is said of a tool; `stage`: the article's four; `report`: all of it.
//! - `ledger`: what was said before, and what came of it.

mod cause;
mod cost;
mod evidence;
mod gauge;
mod ledger;
mod prices;
mod report;
mod rules;
mod stage;
#[cfg(test)]
mod tests;
mod traffic;
mod verdict;

pub use cause::Cause;
pub use cost::{Bill, Line, Usage, bill};
pub use evidence::{Activity, Database, Edge, Evidence, Host, InPlace, Jobs, Missing, Statement};
pub use ledger::{Came, Entry, Score, Taken, score};
pub use prices::{Price, Prices, Told};
pub use report::{Next, Primary, Report, advise};
pub use rules::{CALLS_MIN, command, threshold};
pub use stage::{STAGES, Stage};
pub use traffic::{Route, Traffic};
pub use verdict::{Advice, Effect, Figure, Tool, Verdict};
