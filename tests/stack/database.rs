//! The primary and its replicas.

use std::time::Duration;

use crate::support::poll;
use crate::world::{Test, World};

pub(crate) const TESTS: &[Test] = &[
    ("database::both_replicas_stream_from_the_primary", both_replicas_stream_from_the_primary),
    ("database::the_demo_data_is_all_there", the_demo_data_is_all_there),
];

fn both_replicas_stream_from_the_primary(world: &World) {
    world.run(async {
        let primary = world.database(&world.stack.text("/primary")).await;
        let streaming =
            "SELECT application_name FROM pg_stat_replication WHERE state = 'streaming' ORDER BY 1";
        let both = poll::until_async(Duration::from_secs(30), || async {
            let rows = primary.query(streaming, &[]).await.unwrap();
            let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            (names == ["replica1", "replica2"]).then_some(())
        });
        both.await.expect("both stream");

        primary.batch_execute("CREATE TABLE streamed (at text)").await.unwrap();
        for index in 0..2 {
            let replica = world.database(&world.stack.text(&format!("/replicas/{index}"))).await;
            assert!(replica.query_one("SELECT pg_is_in_recovery()", &[]).await.unwrap().get::<_, bool>(0));
            let arrived = poll::until_async(Duration::from_secs(30), || async {
                let row = replica.query_one("SELECT to_regclass('streamed') IS NOT NULL", &[]).await.unwrap();
                row.get::<_, bool>(0).then_some(())
            });
            arrived.await.expect("what the primary has, the replica gets");
        }
        primary.batch_execute("DROP TABLE streamed").await.unwrap();
    });
}

fn the_demo_data_is_all_there(world: &World) {
    world.run(async {
        let primary = world.database(&world.stack.text("/primary")).await;
        let row = primary
            .query_one(
                "SELECT (SELECT count(*) FROM users WHERE password_hash IS NULL),
                    (SELECT count(*) FROM orders JOIN users ON users.id = user_id WHERE password_hash IS NULL),
                    (SELECT count(*) FROM products WHERE id <= 10000), (SELECT count(DISTINCT category) FROM products WHERE id <= 10000)",
                &[],
            )
            .await
            .unwrap();
        let counts: [i64; 4] = std::array::from_fn(|column| row.get(column));
        assert_eq!(counts, [20_000, 20_000, 10_000, 40]);
    });
}
