//! Every hot statement of the shop and of the queue reads by an index, on a shop
//! with a million orders.

use serde_json::Value;
use tidewall_origin::db::HotStatement;
use tidewall_origin::http::idempotency;
use tidewall_origin::{notifications, outbox, queue, rate_limit, session, shop, webhooks};
use tokio::runtime::Runtime;
use tokio_postgres::Client;

use crate::support::tidewall::{Folder, Running};
use crate::world::connect;

pub(crate) const NAME: &str = "statements::hot_statements_read_by_an_index";

/// Finished jobs lie about in every queue that has run for a while.
const FINISHED_JOBS: &str = "
    INSERT INTO jobs (kind, payload, state, attempt, attempts_max, run_at, finished_at, keep_until)
    SELECT 'report', '{}', 'completed', 1, 5, NULL, now(), now() + interval '1 day'
    FROM generate_series(1, 100000)";
/// A backlog of which nothing runs.
const WAITING_JOBS: &str = "
    INSERT INTO jobs (kind, payload, state, attempts_max, run_at)
    SELECT 'report', '{}', 'available', 5, now() FROM generate_series(1, 100000)";
/// And invalidations that an edge refused in an outbox that nobody looks at.
const FAILED_ROWS: &str = "
    INSERT INTO outbox (purge, failed_at, failure) SELECT '{}', now(), 'why' FROM generate_series(1, 100000)";

/// As many sessions, carts and clients as a shop with a million orders has.
const PEOPLE: [&str; 7] = [
    "INSERT INTO sessions (id, user_id, token_hash, expires_at)
    SELECT decode(md5(i::text), 'hex'), 1 + i % 20000, sha256(i::text::bytea), now() + i * interval '1 minute'
    FROM generate_series(1, 100000) AS i",
    "INSERT INTO notification_counters (user_id, last) SELECT i, 20 FROM generate_series(1, 20000) AS i",
    "INSERT INTO notifications (user_id, id, kind, body)
    SELECT 1 + i % 20000, 1 + i / 20000, 'kind', '{}' FROM generate_series(0, 399999) AS i",
    "INSERT INTO webhook_endpoints (url, secret, events)
    SELECT 'https://example.com/' || i, '', ARRAY['event ' || i] FROM generate_series(1, 10000) AS i",
    "INSERT INTO cart_items (user_id, product_id, quantity)
    SELECT 1 + i % 20000, 1 + i % 9999, 1 FROM generate_series(1, 100000) AS i",
    "INSERT INTO rate_limits (action, client, taken_at, was_allowed, expires_at)
    SELECT 'a', i::text, ARRAY[now()], true, now() + i * interval '1 minute'
    FROM generate_series(1, 100000) AS i",
    "INSERT INTO idempotency_keys (user_id, key, request_hash, expires_at)
    SELECT 1 + i % 20000, i::text, '', now() + i * interval '1 minute' FROM generate_series(1, 100000) AS i",
];

/// What the migrations say they are for, and is not asked for by a route yet.
fn promised() -> Vec<HotStatement> {
    vec![HotStatement::new(
        "orders of a product",
        "SELECT order_id FROM order_items WHERE product_id = $1",
        &["42"],
    )]
}

pub(crate) fn test() {
    let folder = Folder::new();
    let args = ["--no-edge", "--no-worker", "--origins", "1", "--replicas", "0", "--seed", "1000000"];
    let stack = Running::dev(&folder.0, &args);
    Runtime::new().unwrap().block_on(async {
        let client = connect(&stack.text("/primary")).await.unwrap();
        ends_are_found_by_their_ids(&client).await;
        client.batch_execute(FINISHED_JOBS).await.unwrap();
        client.batch_execute(FAILED_ROWS).await.unwrap();
        for rows in PEOPLE {
            client.batch_execute(rows).await.unwrap();
        }
        let grown = "VACUUM (ANALYZE) jobs, outbox, sessions, cart_items, rate_limits, idempotency_keys,
            notification_counters, notifications, webhook_endpoints";
        client.batch_execute(grown).await.unwrap();

        let statements = [
            shop::hot_statements(),
            queue::hot_statements(),
            notifications::hot_statements(),
            outbox::hot_statements(),
            session::hot_statements(),
            rate_limit::hot_statements(),
            idempotency::hot_statements(),
            webhooks::hot_statements(),
            promised(),
        ]
        .concat();
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

        // An index can be read from end to end as well: what removes the rows of those who have
        // gone must not look at all who have not.
        let of_queue = |name| statements.iter().filter(move |statement| statement.name == name).cloned();
        for statement in
            [session::hot_statements(), rate_limit::hot_statements(), idempotency::hot_statements()]
                .concat()
                .into_iter()
                .chain(of_queue("the dead letters"))
        {
            let looked_at = rows_looked_at_in_vain(&client, &statement).await;
            assert!(looked_at < 100.0, "{}: {looked_at} rows", statement.name);
        }
        let volatile = HotStatement::new(
            "",
            "DELETE FROM rate_limits WHERE ctid IN (
            SELECT ctid FROM rate_limits WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT 2)",
            &[],
        );
        assert!(rows_looked_at_in_vain(&client, &volatile).await > 10_000.0);

        // The test can fail: without its index a statement does read the whole table.
        client.batch_execute("DROP INDEX orders_user").await.unwrap();
        let newest = statements.iter().find(|statement| statement.name == "a user's newest orders").unwrap();
        assert!(tables_read_whole(&client, newest).await.contains(&"orders".to_owned()));
    });
}

async fn tables_read_whole(client: &Client, statement: &HotStatement) -> Vec<String> {
    let mut found = Vec::new();
    seq_scans(&plan(client, statement, "FORMAT JSON").await, &mut found);
    found
}

/// How many rows it reads that it has no use for. It is carried out, and undone.
async fn rows_looked_at_in_vain(client: &Client, statement: &HotStatement) -> f64 {
    client.batch_execute("BEGIN").await.unwrap();
    let plan = plan(client, statement, "ANALYZE, FORMAT JSON").await;
    client.batch_execute("ROLLBACK").await.unwrap();
    removed_by_filters(&plan)
}

fn removed_by_filters(plan: &Value) -> f64 {
    let children = plan["Plans"].as_array().into_iter().flatten().map(removed_by_filters);
    plan["Rows Removed by Filter"].as_f64().unwrap_or_default() + children.sum::<f64>()
}

/// Also with statistics that were taken when no job ran: they say nothing of a moment later.
async fn ends_are_found_by_their_ids(client: &Client) {
    client.batch_execute(WAITING_JOBS).await.unwrap();
    client.batch_execute("ANALYZE jobs").await.unwrap();
    let ids: Vec<_> = (1..=1_000).map(|id| id.to_string()).collect();
    let ids: &str = format!("ARRAY[{}]", ids.join(", ")).leak();
    let example = [ids, "array_fill(1, ARRAY[1000])"];
    let remove = queue::hot_statements().into_iter().find(|hot| hot.name == "remove completed jobs").unwrap();
    let many = HotStatement::new(&remove.name, &remove.sql, &example);
    assert!(!compares_each_with_each(&plan(client, &many, "FORMAT JSON").await));
    // The test can fail.
    let naive = "DELETE FROM jobs USING unnest($1::bigint[], $2::integer[]) AS ended (id, attempt)
        WHERE jobs.id = ended.id AND jobs.attempt = ended.attempt AND state = 'running'";
    let naive = HotStatement::new("", naive, &example);
    assert!(compares_each_with_each(&plan(client, &naive, "FORMAT JSON").await));
    client.batch_execute("TRUNCATE jobs").await.unwrap();
}

/// Whether ids are found by going through all of one list for each of another.
fn compares_each_with_each(plan: &Value) -> bool {
    let compares = plan["Join Filter"].as_str().is_some_and(|filter| filter.contains("ended.id = jobs.id"));
    compares || plan["Plans"].as_array().into_iter().flatten().any(compares_each_with_each)
}

async fn plan(client: &Client, statement: &HotStatement, options: &str) -> Value {
    client.batch_execute(&format!("PREPARE hot AS {}", statement.sql)).await.unwrap();
    let values = statement.example.join(", ");
    let execute = if values.is_empty() { "EXECUTE hot".to_owned() } else { format!("EXECUTE hot({values})") };
    let row = client.query_one(&format!("EXPLAIN ({options}) {execute}"), &[]).await.unwrap();
    client.batch_execute("DEALLOCATE hot").await.unwrap();
    row.get::<_, Value>(0)[0]["Plan"].take()
}

fn seq_scans(plan: &Value, found: &mut Vec<String>) {
    if plan["Node Type"] == "Seq Scan" {
        found.push(plan["Relation Name"].as_str().unwrap_or("?").to_owned());
    }
    for child in plan["Plans"].as_array().into_iter().flatten() {
        seq_scans(child, found);
    }
}
