//! Every hot statement of the shop and of the queue reads by an index, on a shop
//! with a million orders.

use serde_json::Value;
use tidewall_origin::db::HotStatement;
use tidewall_origin::{outbox, queue, shop};
use tokio::runtime::Runtime;
use tokio_postgres::Client;

use crate::support::tidewall::{Folder, Running};
use crate::world::connect;

pub(crate) const NAME: &str = "statements::hot_statements_read_by_an_index";

/// Finished jobs lie about in every queue that has run for a while.
const FINISHED_JOBS: &str = "
    INSERT INTO jobs (kind, payload, state, attempt, attempts_max, finished_at)
    SELECT 'report', '{}', 'completed', 1, 5, now() FROM generate_series(1, 100000)";
/// And invalidations that an edge refused in an outbox that nobody looks at.
const FAILED_ROWS: &str = "
    INSERT INTO outbox (purge, failed_at, failure) SELECT '{}', now(), 'why' FROM generate_series(1, 100000)";

/// What the migrations say they are for, and is not asked for by a route yet.
fn promised() -> Vec<HotStatement> {
    let newest = "SELECT id, status, total_cents, created_at FROM orders
        WHERE user_id = $1 ORDER BY created_at DESC LIMIT 10";
    let items = "SELECT line, product_id, name, price_cents, quantity FROM order_items WHERE order_id = $1";
    vec![
        HotStatement::new("a user's newest orders", newest, &["4711"]),
        HotStatement::new(
            "a user by the address",
            "SELECT id FROM users WHERE email = $1",
            &["'a@example.com'"],
        ),
        HotStatement::new("an order's items", items, &["4711"]),
        HotStatement::new(
            "orders of a product",
            "SELECT order_id FROM order_items WHERE product_id = $1",
            &["42"],
        ),
    ]
}

pub(crate) fn test() {
    let folder = Folder::new();
    let args = ["--no-edge", "--no-worker", "--origins", "1", "--replicas", "0", "--seed", "1000000"];
    let stack = Running::dev(&folder.0, &args);
    Runtime::new().unwrap().block_on(async {
        let client = connect(&stack.text("/primary")).await.unwrap();
        client.batch_execute(FINISHED_JOBS).await.unwrap();
        client.batch_execute(FAILED_ROWS).await.unwrap();
        client.batch_execute("VACUUM (ANALYZE) jobs, outbox").await.unwrap();

        let statements =
            [shop::hot_statements(), queue::hot_statements(), outbox::hot_statements(), promised()].concat();
        let mut scans = Vec::new();
        for statement in &statements {
            for table in tables_read_whole(&client, statement).await {
                // A day's orders are by a tenth of all customers: reading all is cheaper then.
                if (statement.name.as_str(), table.as_str()) != ("the lines of a report", "users") {
                    scans.push(format!("{} reads all of {table}", statement.name));
                }
            }
        }
        assert_eq!(scans, Vec::<String>::new());

        // The test can fail: without its index a statement does read the whole table.
        client.batch_execute("DROP INDEX orders_user").await.unwrap();
        let newest = promised().remove(0);
        assert_eq!(tables_read_whole(&client, &newest).await, ["orders"]);
    });
}

async fn tables_read_whole(client: &Client, statement: &HotStatement) -> Vec<String> {
    client.batch_execute(&format!("PREPARE hot AS {}", statement.sql)).await.unwrap();
    let values = statement.example.join(", ");
    let execute = if values.is_empty() { "EXECUTE hot".to_owned() } else { format!("EXECUTE hot({values})") };
    let row = client.query_one(&format!("EXPLAIN (FORMAT JSON) {execute}"), &[]).await.unwrap();
    client.batch_execute("DEALLOCATE hot").await.unwrap();
    let mut found = Vec::new();
    seq_scans(&row.get::<_, Value>(0)[0]["Plan"], &mut found);
    found
}

fn seq_scans(plan: &Value, found: &mut Vec<String>) {
    if plan["Node Type"] == "Seq Scan" {
        found.push(plan["Relation Name"].as_str().unwrap_or("?").to_owned());
    }
    for child in plan["Plans"].as_array().into_iter().flatten() {
        seq_scans(child, found);
    }
}
