//! A replica is promoted while the old primary still runs: the worst case, since
//! both take writes.

use std::time::{Duration, Instant};

use tidewall_origin::db::{DbError, PoolSettings, Position};

use crate::world::{Metrics, Test, World, until};

pub(crate) const TESTS: &[Test] =
    &[("promotion::everybody_follows_the_new_primary_at_once", everybody_follows_the_new_primary_at_once)];

/// "Writes back within 2 s of the promotion's end".
const BACK: Duration = Duration::from_secs(2);

fn everybody_follows_the_new_primary_at_once(world: &World) {
    world.run(async {
        let db = world.db_ready("promoted", PoolSettings::default()).await;
        let metrics = Metrics::of(&db);
        let ports = [0, 1, 2].map(|server| {
            let url = world.url(server);
            url.rsplit(':').next().unwrap().split('/').next().unwrap().parse::<i32>().unwrap()
        });
        let port = "SELECT inet_server_port()";
        let write = async || {
            let written = db
                .write(async |transaction| {
                    let row = transaction.query_one(port, &[]).await?;
                    transaction.execute("UPDATE facts SET value = value + 1 WHERE id = 1", &[]).await?;
                    Ok::<i32, DbError>(row.get(0))
                })
                .await?;
            Ok::<_, DbError>(written)
        };
        assert_eq!(write().await.unwrap().value, ports[0]);

        let replica = world.server(1).await;
        assert!(replica.query_one("SELECT pg_promote()", &[]).await.unwrap().get::<_, bool>(0));
        let promoted = Instant::now();
        until("writes go to the new primary", || async {
            write().await.is_ok_and(|written| written.value == ports[1])
        })
        .await;
        assert!(promoted.elapsed() < BACK, "{:?}", promoted.elapsed());

        // The old one answers still, and its replica follows it. Neither is asked any more.
        for _ in 0..100 {
            let written = write().await.unwrap();
            assert_eq!(written.value, ports[1]);
            let connection = db.read(written.position).await.unwrap();
            assert_eq!(connection.position(), Position::Primary);
            assert_eq!(connection.query_one(port, &[]).await.unwrap().get::<_, i32>(0), ports[1]);
        }
        for server in ["primary", "replica2"] {
            let state = format!("tidewall_db_server_state{{server=\"{server}\",state=\"other_timeline\"}}");
            assert!(metrics.get(&state) > 0.0, "{server}");
        }
        assert_eq!(metrics.serving(), Vec::<String>::new());
        let closed = metrics.get("tidewall_db_closes_total{server=\"primary\",reason=\"role_changed\"}");
        assert!(closed >= 4.0, "the connections to the old primary were dropped: {closed}");
    });
}
