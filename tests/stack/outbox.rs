//! The stack's processes know the edge that they have to tell what writes made invalid.

use std::fs;

use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] = &[(
    "outbox::origins_and_workers_know_the_edge_and_nobody_reads_its_token",
    origins_and_workers_know_the_edge_and_nobody_reads_its_token,
)];

fn origins_and_workers_know_the_edge_and_nobody_reads_its_token(world: &World) {
    let token = world.stack.text("/purge_token");
    let edge = world.edge();
    let list = |name: &str| world.stack.ready[name].as_array().unwrap().clone();
    let processes = [list("origins"), list("workers")].concat();
    assert_eq!(processes.len(), 3);
    for process in processes {
        let read = |file: &str| -> Vec<String> {
            let text = fs::read(format!("/proc/{}/{file}", process["pid"])).unwrap();
            text.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
        };
        let environment = read("environ");
        for variable in [format!("EDGE_URL={edge}"), format!("PURGE_TOKEN={token}")] {
            assert!(environment.contains(&variable), "{process} has no {variable}");
        }
        // What everybody on the machine can read.
        assert!(read("cmdline").iter().all(|arg| !arg.contains(&token)), "{process}");
    }
}
