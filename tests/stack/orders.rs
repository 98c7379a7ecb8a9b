//! Carts and orders: what they take, what they make invalid, and that they act once.

use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt as _};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::sessions::Person;
use crate::support::poll;
use crate::world::{Test, World, field, product};

pub(crate) const TESTS: &[Test] = &[
    ("orders::a_cart_becomes_an_order", a_cart_becomes_an_order),
    ("orders::what_is_out_of_stock_is_named_and_nothing_is_ordered", what_is_out_of_stock_is_named),
    ("orders::an_order_invalidates_what_it_changes", an_order_invalidates_what_it_changes),
    ("orders::a_repeated_order_acts_once_at_whichever_origin", a_repeated_order_acts_once),
    ("orders::of_all_who_want_the_last_one_one_gets_it", of_all_who_want_the_last_one_one_gets_it),
    ("orders::a_cart_holds_so_many_products", a_cart_holds_so_many_products),
    ("orders::nobody_sees_what_is_anothers", nobody_sees_what_is_anothers),
    ("orders::a_customers_report_has_their_own_orders", a_customers_report_has_their_own_orders),
];

const DEADLINE: Duration = Duration::from_secs(60);

/// A new product with so many in stock; its id.
async fn stocked(world: &World, stock: i32) -> i64 {
    let mut input = product("Wanted");
    input["stock"] = stock.into();
    input["category"] = "wanted".into();
    let made = world.write(Method::POST, &format!("{}/api/products", world.edge()), &input).await;
    made.json::<Value>().await.unwrap()["id"].as_i64().unwrap()
}

async fn put_in(client: &Client, base: &str, product: i64, quantity: i32) -> Response {
    let url = format!("{base}/api/cart/{product}");
    client.put(url).json(&json!({ "quantity": quantity })).send().await.unwrap()
}

async fn order(client: &Client, base: &str, key: Option<&str>) -> Response {
    let request = client.post(format!("{base}/api/orders")).json(&json!({}));
    match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    }
    .send()
    .await
    .unwrap()
}

/// What is in stock, by the database.
async fn stock(world: &World, product: i64) -> i32 {
    let primary = world.database(&world.stack.text("/primary")).await;
    primary.query_one("SELECT stock FROM products WHERE id = $1", &[&product]).await.unwrap().get(0)
}

fn a_cart_becomes_an_order(world: &World) {
    world.run(async {
        let (person, edge) = (Person::sign_up(world).await, world.edge());
        let client = person.program();
        let (lamp, chair) = (stocked(world, 5).await, stocked(world, 5).await);
        put_in(&client, &edge, lamp, 9).await;
        put_in(&client, &edge, chair, 1).await;
        let cart = put_in(&client, &edge, lamp, 2).await;
        assert_eq!(cart.status(), 200);
        let bookmark = field(&cart, "tidewall-bookmark");
        let cart: Value = cart.json().await.unwrap();
        assert_eq!(cart["total_cents"], 3 * 1999);
        assert_eq!(
            (&cart["items"][0]["product"]["id"], &cart["items"][0]["quantity"]),
            (&json!(lamp), &json!(2))
        );
        let read = client.get(format!("{edge}/api/cart")).header("tidewall-bookmark", &bookmark).send().await;
        assert_eq!(read.unwrap().json::<Value>().await.unwrap(), cart);

        let placed = order(&client, &edge, None).await;
        assert_eq!(placed.status(), 201);
        let (location, bookmark) = (field(&placed, "location"), field(&placed, "tidewall-bookmark"));
        let placed: Value = placed.json().await.unwrap();
        assert_eq!(location, format!("/api/orders/{}", placed["id"]));
        assert_eq!((&placed["status"], &placed["total_cents"]), (&json!("placed"), &json!(3 * 1999)));
        assert_eq!(placed["items"][0]["quantity"], 2);
        assert_eq!((stock(world, lamp).await, stock(world, chair).await), (3, 4));

        let get = async |path: &str| {
            let request = client.get(format!("{edge}{path}")).header("tidewall-bookmark", &bookmark);
            request.send().await.unwrap().json::<Value>().await.unwrap()
        };
        assert_eq!(get(&location).await, placed);
        let all = get("/api/orders").await;
        assert_eq!((&all["total"], &all["items"][0]), (&json!(1), &placed));
        assert_eq!(get("/api/cart").await["items"], json!([]));
        assert_eq!(order(&client, &edge, None).await.status(), 409, "the cart is empty");

        // Zero takes it out, and so does DELETE.
        put_in(&client, &edge, chair, 1).await;
        assert_eq!(put_in(&client, &edge, chair, 0).await.json::<Value>().await.unwrap()["items"], json!([]));
        put_in(&client, &edge, chair, 1).await;
        for path in [format!("/api/cart/{chair}"), "/api/cart".to_owned()] {
            assert_eq!(client.delete(format!("{edge}{path}")).send().await.unwrap().status(), 204);
        }
        for (quantity, status) in [(-1, 422), (100, 422)] {
            assert_eq!(put_in(&client, &edge, chair, quantity).await.status(), status);
        }
        assert_eq!(put_in(&client, &edge, 99_999_999, 1).await.status(), 404);
    });
}

fn what_is_out_of_stock_is_named(world: &World) {
    world.run(async {
        let (person, edge) = (Person::sign_up(world).await, world.edge());
        let client = person.program();
        let (many, few) = (stocked(world, 5).await, stocked(world, 1).await);
        put_in(&client, &edge, many, 2).await;
        let put = put_in(&client, &edge, few, 2).await;
        let bookmark = field(&put, "tidewall-bookmark");
        let cart: Value = put.json().await.unwrap();
        let refused = order(&client, &edge, Some("first try")).await;
        assert_eq!(refused.status(), 409);
        let problem: Value = refused.json().await.unwrap();
        assert_eq!(problem["errors"], json!({ few.to_string(): "1 left, 2 wanted" }));
        assert!(problem["detail"].as_str().unwrap().contains("Wanted"), "{problem}");
        assert_eq!((stock(world, many).await, stock(world, few).await), (5, 1));
        let kept = client.get(format!("{}/api/cart", world.origin(0)));
        let kept = kept.header("tidewall-bookmark", bookmark).send().await.unwrap();
        assert_eq!(kept.json::<Value>().await.unwrap()["total_cents"], cart["total_cents"]);
        // What failed is done anew under the same key.
        put_in(&client, &edge, few, 1).await;
        assert_eq!(order(&client, &edge, Some("first try")).await.status(), 201);
    });
}

fn an_order_invalidates_what_it_changes(world: &World) {
    world.run(async {
        let (person, edge) = (Person::sign_up(world).await, world.edge());
        let client = person.program();
        let wanted = stocked(world, 9).await;
        let paths = [
            format!("/api/products/{wanted}"),
            "/api/products?category=wanted&per_page=100".to_owned(),
            "/api/products?sort=newest&per_page=100".to_owned(),
            "/api/analytics/daily?days=2".to_owned(),
        ];
        for path in &paths {
            let hit = poll::until_async(DEADLINE, || async {
                field(&world.get(&format!("{edge}{path}")).await, "cache-status")
                    .contains("; hit")
                    .then_some(())
            });
            hit.await.expect("it is stored");
        }
        put_in(&client, &edge, wanted, 2).await;
        let placed = order(&client, &edge, None).await;
        let groups = field(&placed, "cache-group-invalidation");
        for group in
            ["orders".to_owned(), format!("product:{wanted}"), "products".into(), "category:wanted".into()]
        {
            assert!(groups.contains(&format!("\"{group}\"")), "{group} is not in {groups}");
        }
        // For its author nothing of it is a hit any more, and all of it is new.
        let bookmark = field(&placed, "tidewall-bookmark");
        for path in &paths {
            let answer = world.client.get(format!("{edge}{path}")).header("tidewall-bookmark", &bookmark);
            let answer = answer.send().await.unwrap();
            let status = field(&answer, "cache-status");
            assert!(status.contains("fwd="), "{path}: {status}");
            let body: Value = answer.json().await.unwrap();
            if let Some(stock) = body.get("stock") {
                assert_eq!(stock, 7, "{path}");
            }
        }
    });
}

fn a_repeated_order_acts_once(world: &World) {
    world.run(async {
        let person = Person::sign_up(world).await;
        let client = person.program();
        let wanted = stocked(world, 50).await;
        put_in(&client, &world.edge(), wanted, 1).await;
        let bases: Vec<String> =
            (0..12).map(|at| if at % 3 == 0 { world.edge() } else { world.origin(at % 3 - 1) }).collect();
        let key = format!("order-{:016x}", fastrand::u64(..));
        let placed = join_all(bases.iter().map(|base| order(&client, base, Some(&key)))).await;
        let mut answers = Vec::new();
        for answer in placed {
            assert_eq!(answer.status(), 201);
            let (location, groups) = (field(&answer, "location"), field(&answer, "cache-group-invalidation"));
            answers.push((location, groups, answer.text().await.unwrap()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(stock(world, wanted).await, 49);

        // A key is for one thing, and for one person.
        let reused = client.post(format!("{}/api/reports", world.edge())).header("idempotency-key", &key);
        let report = json!({ "kind": "orders", "format": "csv", "from": "2026-01-01", "to": "2026-01-02" });
        assert_eq!(reused.json(&report).send().await.unwrap().status(), 422);
        let other = Person::sign_up(world).await.program();
        assert_eq!(order(&other, &world.edge(), Some(&key)).await.status(), 409, "their cart is empty");
        // When its day is over it is as good as new.
        let primary = world.database(&world.stack.text("/primary")).await;
        let over = "UPDATE idempotency_keys SET expires_at = now() - interval '1 second' WHERE key = $1";
        assert_eq!(primary.execute(over, &[&key]).await.unwrap(), 1);
        assert_eq!(order(&client, &world.origin(1), Some(&key)).await.status(), 409, "the cart is empty");
        // Without one, or with another, it is another order.
        put_in(&client, &world.edge(), wanted, 1).await;
        assert_eq!(order(&client, &world.origin(0), Some("another")).await.status(), 201);
        assert_eq!(stock(world, wanted).await, 48);
    });
}

fn of_all_who_want_the_last_one_one_gets_it(world: &World) {
    world.run(async {
        let (wanted, also) = (stocked(world, 1).await, stocked(world, 100).await);
        let people = join_all((0..6).map(|_| Person::sign_up(world))).await;
        let clients: Vec<_> = people.iter().map(Person::program).collect();
        for (at, client) in clients.iter().enumerate() {
            // Whoever put what in first, all lock it in the same order.
            let both = if at % 2 == 0 { [wanted, also] } else { [also, wanted] };
            for product in both {
                put_in(client, &world.edge(), product, 1).await;
            }
        }
        let edge = world.edge();
        let placed = join_all(clients.iter().map(|client| order(client, &edge, None))).await;
        let mut statuses: Vec<_> = placed.iter().map(|answer| answer.status().as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
        assert_eq!((stock(world, wanted).await, stock(world, also).await), (0, 99));
    });
}

fn nobody_sees_what_is_anothers(world: &World) {
    world.run(async {
        let (owner, other) = (Person::sign_up(world).await, Person::sign_up(world).await);
        let (edge, wanted) = (world.edge(), stocked(world, 9).await);
        put_in(&owner.program(), &edge, wanted, 1).await;
        let placed = field(&order(&owner.program(), &edge, None).await, "location");
        let report = json!({ "kind": "orders", "format": "csv", "from": "2026-01-01", "to": "2026-01-02" });
        let asked = owner.program().post(format!("{edge}/api/reports")).json(&report).send().await.unwrap();
        for path in [placed, field(&asked, "location")] {
            let status = async |client: Client| {
                client.get(format!("{}{path}", world.origin(0))).send().await.unwrap().status().as_u16()
            };
            let owned = poll::until_async(DEADLINE, || async {
                (status(owner.program()).await == 200).then_some(())
            });
            owned.await.expect("its owner sees it");
            assert_eq!(status(other.program()).await, 404, "{path}");
            assert_eq!(status(world.client.clone()).await, 401, "{path}");
        }
    });
}

fn a_customers_report_has_their_own_orders(world: &World) {
    world.run(async {
        let person = Person::sign_up(world).await;
        let (client, edge) = (person.program(), world.edge());
        let wanted = stocked(world, 9).await;
        put_in(&client, &edge, wanted, 1).await;
        let placed: Value = order(&client, &edge, None).await.json().await.unwrap();
        let day = &placed["created_at"].as_str().unwrap()[..10];
        let report = json!({ "kind": "orders", "format": "csv", "from": day, "to": day });
        let job = crate::reports::completed(&client, &edge, &report).await;
        let file = world.get(&format!("{edge}{}", job["result"]["url"].as_str().unwrap())).await;
        let text = file.text().await.unwrap();
        let ids: Vec<String> = csv::Reader::from_reader(text.as_bytes())
            .into_records()
            .map(|record| record.unwrap()[0].to_owned())
            .collect();
        assert_eq!(ids, [placed["id"].to_string()]);
    });
}

fn a_cart_holds_so_many_products(world: &World) {
    world.run(async {
        let person = Person::sign_up(world).await;
        let (client, edge) = (person.program(), world.edge());
        // Many at once, so that each could overlook what the others put in, and not more than wait for
        // connections in time.
        let all = (101..=160).map(|product| put_in(&client, &edge, product, 1));
        let put: Vec<_> = stream::iter(all).buffer_unordered(20).collect().await;
        let full = put.iter().filter(|answer| answer.status() == 409).count();
        assert_eq!(full, 10);
        let cart = client.get(format!("{}/api/cart", world.origin(0)));
        let bookmark = put
            .iter()
            .map(|answer| field(answer, "tidewall-bookmark"))
            .max_by_key(|bookmark| bookmark.rsplit('.').next().and_then(|lsn| lsn.parse::<u64>().ok()));
        let cart = cart.header("tidewall-bookmark", bookmark.unwrap()).send().await.unwrap();
        let cart: Value = cart.json().await.unwrap();
        assert_eq!(cart["items"].as_array().unwrap().len(), 50);
        // What is in it can be changed, and taken out.
        let product = cart["items"][0]["product"]["id"].as_i64().unwrap();
        for quantity in [2, 0] {
            assert_eq!(put_in(&client, &edge, product, quantity).await.status(), 200);
        }
    });
}
