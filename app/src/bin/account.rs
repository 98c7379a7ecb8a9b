//! What is somebody's own: orders, reports, and who one is, in the browser.

use tidewall_app::program::{self, Program};

fn main() {
    tidewall_app::hydrate(Program::Account, program::account);
}
