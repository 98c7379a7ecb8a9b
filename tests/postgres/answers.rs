//! What answers say to caches: who may keep them, under which groups, and at which
//! position they stand.

use std::time::Duration;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tidewall_origin::db::PoolSettings;

use crate::edge::Edge;
use crate::outbox::rows;
use crate::program::Program;
use crate::support::tidewall::{client, logged_in};
use crate::world::{Test, World, until};

pub(crate) const TESTS: &[Test] = &[
    (
        "answers::what_may_be_kept_says_so_with_its_groups_and_position",
        what_may_be_kept_says_so_with_its_groups_and_position,
    ),
    ("answers::a_replaced_product_is_told_as_a_read_would", a_replaced_product_is_told_as_a_read_would),
    ("answers::a_write_and_its_row_say_the_same", a_write_and_its_row_say_the_same),
    ("answers::without_an_edge_a_write_has_no_name", without_an_edge_a_write_has_no_name),
    ("answers::daily_sales_are_those_of_the_orders", daily_sales_are_those_of_the_orders),
];

fn field(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

fn fields<const N: usize>(response: &Response, names: [&str; N]) -> [String; N] {
    names.map(|name| field(response, name))
}

fn product(name: &str, category: &str) -> Value {
    json!({ "name": name, "category": category, "price_cents": 1, "stock": 1, "description": "" })
}

async fn send(staff: &Client, method: Method, url: &str, body: &Value) -> Response {
    staff.request(method, url).json(body).send().await.unwrap()
}

const LONG: &str = "public, max-age=300, stale-while-revalidate=60, stale-if-error=3600";
const CACHE_FIELDS: [&str; 3] = ["cache-control", "cdn-cache-control", "cache-groups"];

fn what_may_be_kept_says_so_with_its_groups_and_position(world: &World) {
    world.run(async {
        let origin = world.stack.text("/origins/0/url");
        for (path, status, kept, groups) in [
            ("/api/products", 200, LONG, r#""products""#),
            ("/api/products?category=garden", 200, LONG, r#""category:garden""#),
            ("/api/products?category=b%C3%BCcher", 200, LONG, r#""category:b%C3%BCcher""#),
            ("/api/products/1", 200, LONG, r#""product:1""#),
            ("/api/products/987654321", 404, "public, max-age=5", r#""product:987654321""#),
            ("/api/analytics/daily", 200, LONG, r#""orders""#),
        ] {
            let response = client().get(format!("{origin}{path}")).send().await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(fields(&response, CACHE_FIELDS), ["no-cache", kept, groups], "{path}");
            let position = field(&response, "tidewall-lsn");
            assert!(position == "primary" || position.parse::<u64>().unwrap() > 0, "{path}: {position}");
            if status != 200 {
                continue;
            }
            // What renews a stored answer brings all of it, too.
            let tag = field(&response, "etag");
            let again = client().get(format!("{origin}{path}")).header("if-none-match", &tag);
            let again = again.send().await.unwrap();
            assert_eq!(again.status(), 304, "{path}");
            assert_eq!(fields(&again, CACHE_FIELDS), ["no-cache", kept, groups], "{path}");
            assert_ne!(field(&again, "tidewall-lsn"), "", "{path}");
        }
    });
}

fn a_replaced_product_is_told_as_a_read_would(world: &World) {
    world.run(async {
        let staff = world.stack.staff().await;
        let origin = world.stack.text("/origins/0/url");
        let made = send(&staff, Method::POST, &format!("{origin}/api/products"), &product("a", "b")).await;
        let path = field(&made, "location");
        let url = format!("{origin}{path}");
        // A condition for reads is none for writes.
        let tag = field(&client().get(&url).send().await.unwrap(), "etag");
        let replaced = staff.put(&url).header("if-none-match", tag).json(&product("a", "b"));
        let replaced = replaced.send().await.unwrap();
        assert_eq!((replaced.status().as_u16(), field(&replaced, "content-location")), (200, path));
        assert!(field(&replaced, "tidewall-lsn").parse::<u64>().unwrap() > 0);
        let bookmark = field(&replaced, "tidewall-bookmark");
        let read = client().get(&url).header("tidewall-bookmark", bookmark).send().await.unwrap();
        let same = ["etag", "content-type", "cache-control", "cdn-cache-control", "cache-groups"];
        assert_eq!(fields(&replaced, same), fields(&read, same));
        assert_ne!(field(&replaced, "etag"), "");
        assert_eq!(replaced.bytes().await.unwrap(), read.bytes().await.unwrap());
    });
}

fn a_write_and_its_row_say_the_same(world: &World) {
    world.run(async {
        let edge = Edge::start().await;
        let address = Edge::address_of_none().await;
        let mut program = Program::origin(world, &edge.url(), &address.to_string());
        let origin = format!("http://{address}");
        program.until_ready(&origin).await;
        let staff = logged_in(&origin, &world.stack.ready["staff"]).await;
        let made =
            send(&staff, Method::POST, &format!("{origin}/api/products"), &product("a", "bücher")).await;
        let url = format!("{origin}{}", field(&made, "location"));
        let changed = send(&staff, Method::PUT, &url, &product("a", "toys")).await;
        let deleted = staff.delete(&url).send().await.unwrap();
        let gone = staff.delete(&url).send().await.unwrap();
        assert_eq!((gone.status().as_u16(), field(&gone, "tidewall-write")), (404, String::new()));
        until("the edge knows", || async { edge.accepted().len() == 3 }).await;
        for (answer, told) in [made, changed, deleted].iter().zip(edge.accepted()) {
            let groups: Vec<_> = told.groups.iter().map(|group| format!("\"{group}\"")).collect();
            assert_eq!(field(answer, "cache-group-invalidation"), groups.join(", "));
            assert_eq!(field(answer, "tidewall-write"), told.write.unwrap().to_string());
            assert!(told.lsn.unwrap() > 0);
        }
        let lines =
            ["tidewall_outbox_rows 0", "tidewall_outbox_delivered_total 3", "tidewall_outbox_failed_total 0"];
        // Counted once it is committed, and looked at on any server.
        until("it is counted", || async {
            let metrics = client().get(format!("{origin}/metrics")).send().await.unwrap();
            let metrics = metrics.text().await.unwrap();
            lines.iter().all(|line| metrics.contains(line))
        })
        .await;
    });
}

fn without_an_edge_a_write_has_no_name(world: &World) {
    world.run(async {
        let staff = world.stack.staff().await;
        let origin = world.stack.text("/origins/0/url");
        let made = send(&staff, Method::POST, &format!("{origin}/api/products"), &product("a", "b")).await;
        assert!(field(&made, "cache-group-invalidation").contains("\"category:b\""));
        assert_eq!(field(&made, "tidewall-write"), "");
        assert_eq!(rows(&world.db("rows", PoolSettings::default())).await, (0, 0));
    });
}

fn daily_sales_are_those_of_the_orders(world: &World) {
    world.run(async {
        let origin = world.stack.text("/origins/0/url");
        let daily = async |query: &str| {
            let url = format!("{origin}/api/analytics/daily{query}");
            client().get(url).send().await.unwrap().json::<Value>().await.unwrap()
        };
        let sales = daily("?days=7").await;
        let days = sales["days"].as_array().unwrap();
        let names: Vec<_> = days.iter().map(|day| day["day"].as_str().unwrap()).collect();
        assert!(names.len() == 7 && names.is_sorted_by(|a, b| a > b), "{names:?}");
        assert_eq!(daily("").await["days"].as_array().unwrap().len(), 30);
        let client = world.server(0).await;
        for day in days {
            let sum = |name: &str| -> i64 {
                let categories = day["categories"].as_array().unwrap().iter();
                categories.map(|category| category[name].as_i64().unwrap()).sum()
            };
            let sold = "SELECT sum(quantity)::bigint, sum(quantity * price_cents)::bigint
                FROM orders JOIN order_items ON order_id = id
                WHERE status <> 'cancelled' AND (created_at AT TIME ZONE 'UTC')::date::text = $1";
            let row = client.query_one(sold, &[&day["day"].as_str().unwrap()]).await.unwrap();
            assert_eq!((sum("units"), sum("revenue_cents")), (row.get(0), row.get(1)), "{day}");
            let categories: Vec<_> = day["categories"].as_array().unwrap().iter().collect();
            assert!(categories.iter().all(|category| category["orders"].as_i64() > Some(0)), "{day}");
        }
        // It may take a moment, and must not take the pool's patience.
        let begun = std::time::Instant::now();
        daily("?days=365").await;
        assert!(begun.elapsed() < Duration::from_secs(10));
    });
}
