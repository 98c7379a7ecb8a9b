//! For each tool: where it is needed, where it isn't yet, and where the same symptom has another
//! cause. Each case changes one thing of a small healthy product.

use proptest::prelude::*;

use super::*;

/// A product of which everything is known, and that needs nothing.
fn healthy() -> Evidence {
    let route = |path: &str, ms: f64| Route {
        method: "GET".to_owned(),
        path: path.to_owned(),
        requests: 1_000.0,
        bytes: Some(1e6),
        p50_ms: Some(ms),
        p95_ms: Some(ms * 2.0),
        p99_ms: Some(ms * 3.0),
        total_ms: Some(ms * 1_000.0),
        same_share: Some(0.5),
        repeated_share: 0.2,
        ..Route::default()
    };
    let file = Route { is_static: true, same_share: Some(1.0), repeated_share: 0.9, ..route("/*.css", 2.0) };
    let traffic = Traffic {
        seconds: Some(3_600.0),
        clients: Some(100.0),
        routes: vec![route("/a", 10.0), route("/b", 5.0), file],
        unread: 0,
    };
    let database = Database {
        seconds: 10.0,
        cpus: Some(4.0),
        replicas: Some(0),
        transactions: Some(50.0),
        connects: Some(2.0),
        connections: Some(20.0),
        connections_max: Some(100.0),
        idle: Some(15.0),
        active: Some(Activity { cpu: 0.3, io: 0.1, lock: 0.0, other: 0.0 }),
        oldest_transaction: Some(0.1),
        read_ms: Some(300.0),
        write_ms: Some(50.0),
        bytes: Some(1e9),
        statements: vec![Statement {
            text: "SELECT * FROM a WHERE id = $1".to_owned(),
            calls: 10_000.0,
            rate: 50.0,
            mean_ms: 2.0,
            rows: 1.0,
            is_read: true,
            is_constant: false,
            share: 1.0,
        }],
        indexes: Some(vec![Missing { ddl: "CREATE INDEX".to_owned(), ms_per_s: 2.0, slowest_ms: 5.0 }]),
        indexable_ms: 2.0,
        known_share: 1.0,
        ..Database::default()
    };
    Evidence {
        users: Some(500.0),
        traffic: Some(traffic),
        database: Some(database),
        host: Some(Host { cpus: 4.0, used: 0.5, has_database: false }),
        origins: Some(1),
        ..Evidence::default()
    }
}

fn traffic(evidence: &mut Evidence) -> &mut Traffic {
    evidence.traffic.as_mut().unwrap()
}

fn database(evidence: &mut Evidence) -> &mut Database {
    evidence.database.as_mut().unwrap()
}

fn first(evidence: &mut Evidence) -> &mut Route {
    traffic(evidence).routes.first_mut().unwrap()
}

fn verdict(tool: Tool, evidence: &Evidence) -> Verdict {
    let report = advise(evidence, &Prices::own());
    report.tools.iter().find(|advice| advice.tool == tool).unwrap().verdict
}

#[track_caller]
fn check(tool: Tool, expected: Verdict, change: impl FnOnce(&mut Evidence)) {
    let mut evidence = healthy();
    change(&mut evidence);
    assert_eq!(verdict(tool, &evidence), expected, "{tool:?}");
}

/// Half of its CPUs are busy reading.
fn busy(evidence: &mut Evidence) {
    let database = database(evidence);
    database.active = Some(Activity { cpu: 3.5, io: 0.2, lock: 0.0, other: 0.1 });
    (database.read_ms, database.write_ms) = (Some(3_500.0), Some(200.0));
}

/// The same is asked for again and again, and takes long.
fn repeated(evidence: &mut Evidence) {
    let route = first(evidence);
    (route.same_share, route.repeated_share) = (Some(1.0), 0.95);
    (route.p50_ms, route.p95_ms, route.total_ms) = (Some(200.0), Some(400.0), Some(2e6));
}

fn missing(evidence: &mut Evidence, ms_per_s: f64, slowest_ms: f64) {
    let missing = Missing { ddl: "CREATE INDEX".to_owned(), ms_per_s, slowest_ms };
    (database(evidence).indexes, database(evidence).indexable_ms) = (Some(vec![missing]), ms_per_s);
}

#[test]
fn a_healthy_product_needs_nothing_and_the_next_ceiling_is_told() {
    let report = advise(&healthy(), &Prices::own());
    for advice in &report.tools {
        assert_eq!(advice.verdict, Verdict::NotYet, "{:?}: {}", advice.tool, advice.reason);
        assert!(advice.effect.is_none());
    }
    let next = report.next.unwrap();
    assert!(next.times > 1.0 && next.rate.is_some(), "{next:?}");
    assert_eq!(report.stage, 1);
}

#[test]
fn of_nothing_nothing_is_said() {
    let report = advise(&Evidence::default(), &Prices::own());
    assert!(
        report.tools.iter().all(|advice| advice.verdict == Verdict::Unknown && advice.evidence.is_empty())
    );
    assert_eq!(report.next, None);
}

#[test]
fn a_cdn_is_needed_for_many_files_or_far_readers_and_not_for_a_server_that_is_busy() {
    use Verdict::{AddNow, InPlace, NotYet, Unknown};
    let files = |evidence: &mut Evidence, bytes, p95| {
        let file = &mut traffic(evidence).routes[2];
        (file.bytes, file.p95_ms) = (Some(bytes), Some(p95));
    };
    check(Tool::Cdn, AddNow, |evidence| files(evidence, 1e9, 4.0));
    check(Tool::Cdn, AddNow, |evidence| files(evidence, 1e6, 900.0));
    // All is slow: the server is.
    check(Tool::Cdn, NotYet, |evidence| {
        files(evidence, 1e6, 900.0);
        evidence.host.as_mut().unwrap().used = 3.9;
    });
    check(Tool::Cdn, NotYet, |evidence| {
        files(evidence, 1e6, 900.0);
        for route in &mut traffic(evidence).routes {
            route.p50_ms = Some(800.0);
        }
    });
    // Many bytes, but each answer is its own.
    check(Tool::Cdn, NotYet, |evidence| first(evidence).bytes = Some(1e9));
    check(Tool::Cdn, InPlace, |evidence| traffic(evidence).routes[2].cached = 900.0);
    check(Tool::Cdn, Unknown, |evidence| traffic(evidence).routes[2].bytes = None);
    check(Tool::Cdn, Unknown, |evidence| traffic(evidence).seconds = None);
}

#[test]
fn a_cache_is_needed_where_the_same_is_worked_out_again_and_somebody_waits() {
    use Verdict::{AddNow, InPlace, NotYet, Unknown};
    check(Tool::Cache, AddNow, repeated);
    // The answers differ, or are each asked for once.
    check(Tool::Cache, NotYet, |evidence| {
        repeated(evidence);
        first(evidence).same_share = Some(0.1);
    });
    check(Tool::Cache, NotYet, |evidence| {
        repeated(evidence);
        first(evidence).repeated_share = 0.1;
    });
    // They change something.
    check(Tool::Cache, NotYet, |evidence| {
        repeated(evidence);
        "POST".clone_into(&mut first(evidence).method);
    });
    // Nobody waits.
    check(Tool::Cache, NotYet, |evidence| {
        (first(evidence).same_share, first(evidence).repeated_share) = (Some(1.0), 0.95);
    });
    // What takes so long is a statement without its index.
    check(Tool::Cache, NotYet, |evidence| {
        repeated(evidence);
        missing(evidence, 500.0, 190.0);
    });
    check(Tool::Cache, NotYet, |evidence| {
        repeated(evidence);
        database(evidence).active = Some(Activity { cpu: 0.1, io: 0.0, lock: 5.0, other: 0.0 });
    });
    check(Tool::Cache, InPlace, |evidence| first(evidence).cached = 500.0);
    // One by chance is no cache.
    check(Tool::Cache, AddNow, |evidence| {
        repeated(evidence);
        first(evidence).cached = 1.0;
    });
    check(Tool::Cache, Unknown, |evidence| {
        for route in &mut traffic(evidence).routes {
            route.bytes = None;
        }
    });
    check(Tool::Cache, Unknown, |evidence| first(evidence).total_ms = None);
    // Counters don't say what was asked for twice.
    check(Tool::Cache, Unknown, |evidence| {
        traffic(evidence).clients = None;
        for route in &mut traffic(evidence).routes {
            route.same_share = None;
        }
    });
}

#[test]
fn a_load_balancer_is_needed_for_a_full_server_and_not_for_a_full_database() {
    use Verdict::{AddNow, InPlace, NotYet, Unknown};
    let full =
        |evidence: &mut Evidence| evidence.host = Some(Host { cpus: 4.0, used: 3.6, has_database: true });
    check(Tool::LoadBalancer, AddNow, full);
    check(Tool::LoadBalancer, NotYet, |evidence| {
        full(evidence);
        busy(evidence);
    });
    check(Tool::LoadBalancer, NotYet, |evidence| {
        full(evidence);
        repeated(evidence);
    });
    // Slow, but its CPUs wait.
    check(Tool::LoadBalancer, NotYet, |evidence| first(evidence).p50_ms = Some(5_000.0));
    // Who keeps answers already has got all of that.
    check(Tool::LoadBalancer, AddNow, |evidence| {
        full(evidence);
        repeated(evidence);
        evidence.in_place.push(super::InPlace { tool: Tool::Cache, how: "as was said".to_owned() });
    });
    check(Tool::LoadBalancer, Unknown, |evidence| {
        full(evidence);
        evidence.database = None;
    });
    check(Tool::LoadBalancer, InPlace, |evidence| evidence.origins = Some(3));
    check(Tool::LoadBalancer, Unknown, |evidence| evidence.host = None);
}

#[test]
fn an_index_is_needed_for_what_is_slow_or_frequent() {
    use Verdict::{AddNow, InPlace, NotYet, Unknown};
    check(Tool::Index, AddNow, |evidence| missing(evidence, 1.0, 500.0));
    check(Tool::Index, AddNow, |evidence| missing(evidence, 100.0, 4.0));
    check(Tool::Index, InPlace, |evidence| database(evidence).indexes = Some(Vec::new()));
    check(Tool::Index, NotYet, |evidence| database(evidence).statements[0].mean_ms = 900.0);
    check(Tool::Index, Unknown, |evidence| database(evidence).indexes = None);
    check(Tool::Index, Unknown, |evidence| {
        (database(evidence).indexes, database(evidence).known_share) = (Some(Vec::new()), 0.5);
    });
}

#[test]
fn a_replica_is_needed_for_a_primary_that_nothing_else_relieves() {
    use Verdict::{AddNow, InPlace, NotYet, Unknown};
    check(Tool::ReadReplica, AddNow, busy);
    check(Tool::ReadReplica, NotYet, |evidence| {
        busy(evidence);
        missing(evidence, 2_000.0, 200.0);
    });
    check(Tool::ReadReplica, NotYet, |evidence| {
        busy(evidence);
        repeated(evidence);
    });
    check(Tool::ReadReplica, NotYet, |evidence| {
        busy(evidence);
        database(evidence).write_ms = Some(3_500.0);
    });
    check(Tool::ReadReplica, NotYet, |evidence| {
        busy(evidence);
        database(evidence).active = Some(Activity { cpu: 1.0, io: 0.0, lock: 20.0, other: 0.0 });
    });
    // It is busy, and nobody knows with what.
    check(Tool::ReadReplica, Unknown, |evidence| {
        busy(evidence);
        database(evidence).read_ms = Some(300.0);
    });
    check(Tool::ReadReplica, InPlace, |evidence| database(evidence).replicas = Some(1));
    check(Tool::ReadReplica, Unknown, |evidence| database(evidence).cpus = None);
    check(Tool::ReadReplica, Unknown, |evidence| database(evidence).active = None);
}

#[test]
fn a_pool_is_needed_where_requests_bring_their_connections_or_there_is_no_room_for_more() {
    use Verdict::{AddNow, InPlace, NotYet, Unknown};
    let connects = |evidence: &mut Evidence, connects, transactions| {
        (database(evidence).connects, database(evidence).transactions) = (Some(connects), Some(transactions));
    };
    let full = |evidence: &mut Evidence, idle| {
        (database(evidence).connections, database(evidence).idle) = (Some(95.0), Some(idle));
    };
    check(Tool::Pool, AddNow, |evidence| connects(evidence, 40.0, 60.0));
    check(Tool::Pool, AddNow, |evidence| full(evidence, 90.0));
    // All of them are at work: fewer would make others wait.
    check(Tool::Pool, NotYet, |evidence| full(evidence, 5.0));
    check(Tool::Pool, NotYet, |evidence| connects(evidence, 8.0, 500.0));
    check(Tool::Pool, InPlace, |evidence| connects(evidence, 0.1, 500.0));
    check(Tool::Pool, Unknown, |evidence| database(evidence).connects = None);
}

#[test]
fn a_queue_is_needed_where_somebody_waits_for_work_and_not_for_others() {
    use Verdict::{AddNow, NotYet, Unknown};
    let slow = |evidence: &mut Evidence| {
        let route = first(evidence);
        "POST".clone_into(&mut route.method);
        (route.requests, route.p50_ms, route.total_ms) = (20.0, Some(30_000.0), Some(600_000.0));
    };
    check(Tool::Queue, AddNow, slow);
    // It may be a stream.
    check(Tool::Queue, Unknown, |evidence| {
        slow(evidence);
        "GET".clone_into(&mut first(evidence).method);
    });
    // It is an outage, or a download.
    check(Tool::Queue, NotYet, |evidence| {
        slow(evidence);
        first(evidence).failed = 20.0;
    });
    check(Tool::Queue, NotYet, |evidence| {
        slow(evidence);
        first(evidence).bytes = Some(20.0 * 5e6);
    });
    check(Tool::Queue, NotYet, |evidence| {
        slow(evidence);
        missing(evidence, 100.0, 29_000.0);
    });
    check(Tool::Queue, NotYet, |evidence| {
        slow(evidence);
        database(evidence).active = Some(Activity { cpu: 0.1, io: 0.0, lock: 5.0, other: 0.0 });
    });
    // Of what they wait for, most is to wait in line.
    for indexable_ms in [3_000.0, 0.0] {
        check(Tool::Queue, NotYet, |evidence| {
            slow(evidence);
            let database = database(evidence);
            database.active = Some(Activity { cpu: 3.8, ..Activity::default() });
            (database.read_ms, database.indexable_ms) = (Some(3_700.0), indexable_ms);
        });
    }
    check(Tool::Queue, NotYet, |evidence| {
        for route in &mut traffic(evidence).routes {
            route.p50_ms = Some(2_000.0);
        }
        evidence.host.as_mut().unwrap().used = 4.0;
    });
    // Once is no rule.
    check(Tool::Queue, NotYet, |evidence| {
        slow(evidence);
        first(evidence).requests = 2.0;
    });
    check(Tool::Queue, Unknown, |evidence| {
        for route in &mut traffic(evidence).routes {
            route.p50_ms = None;
        }
    });
}

#[test]
fn what_is_said_to_be_there_is_in_place_and_what_is_to_be_added_has_an_effect_and_a_price() {
    for tool in Tool::ALL {
        check(tool, Verdict::InPlace, |evidence| {
            evidence.in_place.push(InPlace { tool, how: "as was said".to_owned() });
        });
    }
    let mut evidence = healthy();
    busy(&mut evidence);
    let report = advise(&evidence, &Prices::own());
    let replica = report.tools.iter().find(|advice| advice.tool == Tool::ReadReplica).unwrap();
    assert!(replica.effect.as_ref().is_some_and(|effect| effect.low < effect.high));
    assert!(replica.cost.is_some_and(|[low, high]| low > 0.0 && low <= high));
    assert_eq!(report.primary.and_then(|primary| primary.cause), Some(Cause::ReadLoad));
}

/// Products with a problem each, and without.
fn products() -> Vec<Evidence> {
    let changes: [fn(&mut Evidence); 7] = [
        |_| {},
        busy,
        repeated,
        |evidence| missing(evidence, 2_000.0, 200.0),
        |evidence| evidence.host = Some(Host { cpus: 4.0, used: 3.9, has_database: true }),
        |evidence| database(evidence).active = Some(Activity { cpu: 0.1, io: 0.0, lock: 5.0, other: 0.0 }),
        |evidence| {
            busy(evidence);
            missing(evidence, 2_000.0, 200.0);
        },
    ];
    let product = |change: &fn(&mut Evidence)| {
        let mut evidence = healthy();
        change(&mut evidence);
        evidence
    };
    changes.iter().map(product).collect()
}

/// What may be unknown.
const UNKNOWN: &[fn(&mut Evidence)] = &[
    |evidence| evidence.traffic = None,
    |evidence| evidence.database = None,
    |evidence| evidence.host = None,
    |evidence| evidence.origins = None,
    |evidence| {
        evidence.database.iter_mut().for_each(|database| database.indexes = None);
    },
    |evidence| {
        evidence.database.iter_mut().for_each(|database| database.active = None);
    },
    |evidence| {
        evidence.database.iter_mut().for_each(|database| database.cpus = None);
    },
    |evidence| {
        evidence
            .database
            .iter_mut()
            .for_each(|database| (database.read_ms, database.write_ms) = (None, None));
    },
    |evidence| {
        evidence
            .database
            .iter_mut()
            .for_each(|database| (database.connects, database.transactions) = (None, None));
    },
    |evidence| {
        evidence.traffic.iter_mut().for_each(|traffic| traffic.seconds = None);
    },
    |evidence| {
        evidence
            .traffic
            .iter_mut()
            .flat_map(|traffic| &mut traffic.routes)
            .for_each(|route| route.bytes = None);
    },
    |evidence| {
        evidence.traffic.iter_mut().flat_map(|traffic| &mut traffic.routes).for_each(|route| {
            (route.p50_ms, route.p95_ms, route.total_ms) = (None, None, None);
        });
    },
];

proptest! {
    /// Whatever is taken away of whichever product: nothing is called fine, or wanted, by that alone.
    #[test]
    fn what_is_not_known_is_never_taken_for_fine(
        place in 0_usize..7, without in prop::collection::vec(0_usize..UNKNOWN.len(), 1..4),
    ) {
        let whole = products().swap_remove(place);
        let mut less = whole.clone();
        for one in without {
            UNKNOWN[one](&mut less);
        }
        for tool in Tool::ALL {
            let (known, left) = (verdict(tool, &whole), verdict(tool, &less));
            // What is known to be there, or to be needed, stays so or becomes unknown.
            let is_sound = left == known || left == Verdict::Unknown;
            // Less evidence for another tool may leave this one as what remains.
            let names_another = matches!(tool, Tool::Cache | Tool::LoadBalancer | Tool::Queue | Tool::Cdn);
            prop_assert!(is_sound || names_another, "{:?}: {:?} became {:?}", tool, known, left);
            prop_assert!(left != Verdict::InPlace || known == Verdict::InPlace, "{:?} is no longer seen, and in place", tool);
        }
    }
}

#[test]
fn without_requests_or_a_database_what_rests_on_them_is_unknown() {
    for evidence in products() {
        let without_log = Evidence { traffic: None, ..evidence.clone() };
        for tool in [Tool::Cdn, Tool::Cache, Tool::Queue] {
            assert_eq!(verdict(tool, &without_log), Verdict::Unknown, "{tool:?}");
        }
        let without_database = Evidence { database: None, ..evidence };
        for tool in [Tool::Index, Tool::ReadReplica, Tool::Pool] {
            assert_eq!(verdict(tool, &without_database), Verdict::Unknown, "{tool:?}");
        }
    }
}

#[test]
fn of_a_queue_that_is_there_it_is_told_how_its_jobs_do() {
    let jobs = super::Jobs { ended: 40.0, p50_ms: Some(900.0), p95_ms: None, oldest_s: Some(12.0) };
    let in_place = vec![super::InPlace { tool: Tool::Queue, how: "as was said".to_owned() }];
    let evidence = Evidence { jobs: Some(jobs), in_place, ..Evidence::default() };
    let report = advise(&evidence, &Prices::own());
    let queue = report.tools.iter().find(|advice| advice.tool == Tool::Queue).unwrap();
    let figures: Vec<_> = queue.evidence.iter().map(|figure| (figure.value, figure.unit.as_str())).collect();
    assert_eq!(figures, [(40.0, "jobs"), (900.0, "ms"), (12.0, "s")]);
}
