//! The Lab, in the browser.

use tidewall_app::program::{self, Program};

fn main() {
    tidewall_app::hydrate(Program::Lab, program::lab);
}
