//! What staff upload, and what jobs make of it: pictures of products, and products of tables.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method, Response};
use serde_json::Value;

use crate::support::poll;
use crate::world::{Test, World, field, product};

pub(crate) const TESTS: &[Test] = &[
    ("uploads::a_product_shows_the_picture_that_was_uploaded", a_product_shows_the_picture),
    ("uploads::a_picture_that_can_not_be_read_is_the_jobs_to_tell", a_picture_that_can_not_be_read),
    ("uploads::a_table_becomes_products_line_by_line_and_once", a_table_becomes_products),
];

const DEADLINE: Duration = Duration::from_secs(60);

/// One red pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

async fn upload(client: &Client, url: &str, content_type: &str, key: &str, body: Vec<u8>) -> Response {
    let request = client.post(url).header("content-type", content_type).header("idempotency-key", key);
    request.body(body).send().await.unwrap()
}

/// The job of an upload that was accepted, once it has ended.
async fn ended(client: &Client, base: &str, accepted: Response) -> Value {
    assert_eq!(accepted.status(), 202);
    let location = field(&accepted, "location");
    let job: Value = accepted.json().await.unwrap();
    assert_eq!(location, format!("/api/jobs/{}", job["id"]));
    let ended = poll::until_async(DEADLINE, || async {
        let job = client.get(format!("{base}{location}")).send().await.unwrap();
        let job: Value = job.json().await.unwrap();
        ["completed", "discarded"].contains(&job["state"].as_str().unwrap()).then_some(job)
    });
    ended.await.expect("the job ends")
}

async fn made(world: &World) -> i64 {
    let made =
        world.write(Method::POST, &format!("{}/api/products", world.edge()), &product("Pictured")).await;
    made.json::<Value>().await.unwrap()["id"].as_i64().unwrap()
}

fn a_product_shows_the_picture(world: &World) {
    world.run(async {
        let (edge, staff, id) = (world.edge(), world.staff().await, made(world).await);
        let shown = format!("{edge}/api/products/{id}");
        let before: Value = world.get(&shown).await.json().await.unwrap();
        let url = format!("{shown}/image");

        let accepted = upload(&staff, &url, "image/png", "picture", STANDARD.decode(PNG).unwrap()).await;
        let job = ended(&staff, &edge, accepted).await;
        assert_eq!((job["kind"].as_str(), job["state"].as_str()), (Some("product_image"), Some("completed")));
        let picture = job["result"]["url"].as_str().unwrap();

        // The edge hears of it, whatever it had stored.
        let image = poll::until_async(DEADLINE, || async {
            let now: Value = world.get(&shown).await.json().await.unwrap();
            (now["image"] != before["image"]).then(|| now["image"].as_str().unwrap().to_owned())
        });
        assert_eq!(image.await.expect("the picture is shown"), picture);
        for size in [picture.to_owned(), picture.replace("-960.", "-320.")] {
            let file = world.get(&format!("{edge}{size}")).await;
            assert_eq!(file.status(), 200, "{size}");
            assert_eq!(field(&file, "cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(field(&file, "x-content-type-options"), "nosniff");
            assert!(field(&file, "content-type").starts_with("image/"));
            assert!(!file.bytes().await.unwrap().is_empty());
        }
        // A write of the rest leaves it.
        let mut input = product("Pictured still");
        input["stock"] = 8.into();
        let replaced: Value = world.write(Method::PUT, &shown, &input).await.json().await.unwrap();
        assert_eq!(replaced["image"], picture);
    });
}

fn a_picture_that_can_not_be_read(world: &World) {
    world.run(async {
        let (edge, staff, id) = (world.edge(), world.staff().await, made(world).await);
        let url = format!("{edge}/api/products/{id}/image");
        let job =
            ended(&staff, &edge, upload(&staff, &url, "image/png", "broken", b"no".to_vec()).await).await;
        assert_eq!(job["state"], "discarded");
        assert_eq!(job["error"], "the picture can't be used: it is no PNG, JPEG or WebP that can be read");
        let unknown = format!("{edge}/api/products/999999999/image");
        assert_eq!(upload(&staff, &unknown, "image/png", "unknown", b"no".to_vec()).await.status(), 404);
    });
}

fn a_table_becomes_products(world: &World) {
    world.run(async {
        let (edge, staff) = (world.edge(), world.staff().await);
        let (url, list) = (format!("{edge}/api/imports"), format!("{edge}/api/products?category=imported"));
        let total = async || world.get(&list).await.json::<Value>().await.unwrap()["total"].as_i64().unwrap();
        assert_eq!(total().await, 0, "and that is stored at the edge");

        let table = "stock,name,category,price_cents,description\r\n\
             7,Chair,imported,1999,Folds.\r\n\
             x,Table,imported,1999,\r\n\
             1,,imported,-1,\r\n\
             2,\"Стол, большой\",imported,500,\r\n";
        let accepted = upload(&staff, &url, "text/csv", "table", table.into()).await;
        let again = upload(&staff, &url, "text/csv", "table", table.into()).await;
        assert_eq!(field(&accepted, "location"), field(&again, "location"), "sent twice, done once");
        let job = ended(&staff, &edge, accepted).await;
        assert_eq!(
            (job["kind"].as_str(), job["state"].as_str()),
            (Some("product_import"), Some("completed"))
        );

        let result = world.get(&format!("{edge}{}", job["result"]["url"].as_str().unwrap())).await;
        let result = result.text().await.unwrap();
        let mut reader = csv::Reader::from_reader(result.as_bytes());
        let lines: Vec<(u64, String, Option<i64>, String, String)> =
            reader.deserialize().map(Result::unwrap).collect();
        let told: Vec<_> = lines
            .iter()
            .map(|(line, outcome, _, column, _)| (*line, outcome.as_str(), column.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (2, "created", ""),
                (3, "refused", "stock"),
                (4, "refused", "name"),
                (4, "refused", "price_cents"),
                (5, "created", ""),
            ],
            "{result}"
        );
        // A replica may not have it yet.
        let last = poll::until_async(DEADLINE, || async {
            let answer = world.get(&format!("{edge}/api/products/{}", lines[4].2.unwrap())).await;
            (answer.status() == 200).then_some(answer)
        });
        let last: Value = last.await.expect("it is there").json().await.unwrap();
        assert_eq!((last["name"].as_str(), last["stock"].as_i64()), (Some("Стол, большой"), Some(2)));
        let shown = poll::until_async(DEADLINE, || async { (total().await == 2).then_some(()) });
        shown.await.expect("the list shows them");

        let primary = world.database(&world.stack.text("/primary")).await;
        let count = "SELECT count(*) FROM products WHERE category = 'imported'";
        assert_eq!(primary.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 2, "and nothing is added");

        let wrong = upload(&staff, &url, "text/csv", "wrong", b"name,price\r\n".to_vec()).await;
        assert_eq!(wrong.status(), 422);
        let problem: Value = wrong.json().await.unwrap();
        assert!(
            problem["errors"]["header"].as_str().unwrap().starts_with("`price` is no column"),
            "{problem}"
        );
    });
}
