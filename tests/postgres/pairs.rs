//! Reads after writes while replicas are paused and killed: the bench's workload,
//! a shorter run of it.

use std::time::Duration;

use tidewall_bench::catalog::Setting;
use tidewall_bench::effort::Effort;
use tidewall_bench::queue::scale::Scale;
use tidewall_bench::replicas::faults::Faults;
use tidewall_bench::replicas::pairs::{self, Pairs, Reader};

use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] = &[
    ("pairs::no_read_with_a_bookmark_misses_its_own_write", no_read_with_a_bookmark_misses_its_own_write),
    ("pairs::reads_without_a_bookmark_are_found_out", reads_without_a_bookmark_are_found_out),
];

const PAIRS: u32 = 2_000;
const FAULTS: Faults =
    Faults { span: Duration::from_millis(100), settled: Duration::from_millis(100), kill_one_in: 8, seed: 7 };

async fn drive(world: &World, reader: Reader, faults: Faults) -> Pairs {
    let setting = Setting {
        primary: world.url(0),
        replicas: vec![world.url(1), world.url(2)],
        worker: std::path::PathBuf::new(),
        site: std::path::PathBuf::new(),
        effort: Effort::QUICK,
        pairs: PAIRS,
        queue: Scale::QUICK,
    };
    pairs::drive(&setting, PAIRS, reader, faults).await.unwrap_or_else(|reason| panic!("{reason}"))
}

fn no_read_with_a_bookmark_misses_its_own_write(world: &World) {
    world.run(async {
        // Each time nothing is stale; and on a machine that lets replicas replay in time, they serve.
        for round in 1.. {
            let outcome = drive(world, Reader::Bookmarked, FAULTS).await;
            let found = (outcome.pairs, outcome.stale, outcome.failed);
            assert_eq!(found, (u64::from(PAIRS), 0, 0), "{outcome:?}");
            assert!(outcome.pauses > 0 && outcome.kills > 0 && outcome.could > 0, "{outcome:?}");
            if outcome.did * 100 >= outcome.could * 80 {
                break;
            }
            assert!(round < 4, "{outcome:?}");
        }
    });
}

/// The test above can fail: what it looks for is there to be found.
fn reads_without_a_bookmark_are_found_out(world: &World) {
    world.run(async {
        let faults = Faults { kill_one_in: u64::MAX, ..FAULTS };
        let outcome = drive(world, Reader::Forgetful, faults).await;
        assert!(outcome.stale > 0, "{outcome:?}");
    });
}
