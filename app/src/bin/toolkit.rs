//! The Toolkit, in the browser.

use tidewall_app::program::{self, Program};

fn main() {
    tidewall_app::hydrate(Program::Toolkit, program::toolkit);
}
