//! What users are told of without having asked.

use std::time::Duration;

use serde_json::{Value, json};
use tidewall_origin::db::{Db, DbError, DbSettings};
use tidewall_origin::notifications;
use tokio::sync::oneshot;

use crate::events::{Events, ask};
use crate::sessions::Person;
use crate::support::poll;
use crate::support::tidewall::client;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("notifications::a_stream_goes_on_at_any_origin_where_it_stopped", a_stream_goes_on_where_it_stopped),
    (
        "notifications::a_smaller_number_never_appears_behind_a_greater_one",
        numbers_are_in_the_order_of_commits,
    ),
    (
        "notifications::nobody_hears_what_is_anothers_and_nobody_hears_after_the_end",
        nobody_hears_what_is_anothers,
    ),
    ("notifications::the_last_hundred_are_kept", the_last_hundred_are_kept),
];

const DEADLINE: Duration = Duration::from_secs(60);

fn db(world: &World) -> Db {
    Db::new(DbSettings::parse(&world.stack.text("/primary"), &[]).unwrap())
}

async fn tell(db: &Db, user: i64, body: Value) -> i64 {
    let told =
        db.write(async |transaction| notifications::enqueue(transaction, user, "greeting", &body).await);
    told.await.unwrap().value
}

async fn list(person: &Person, base: &str) -> Vec<Value> {
    let request =
        person.program().get(format!("{base}/api/notifications")).header("accept", "application/json");
    let answer = request.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &*field(&answer, "cache-control")), (200, "no-store"));
    answer.json::<Value>().await.unwrap()["items"].as_array().unwrap().clone()
}

fn a_stream_goes_on_where_it_stopped(world: &World) {
    world.run(async {
        let (person, db) = (Person::sign_up(world).await, db(world));
        for number in 1..=25 {
            tell(&db, person.id, json!({ "number": number })).await;
        }
        let mut last: Option<String> = None;
        let mut expected = 6;
        for base in [world.edge(), world.origin(0), world.origin(1), world.edge()] {
            let url = format!("{base}/api/notifications");
            let mut events = Events::open(&person.program(), &url, last.as_deref()).await;
            let until = if last.is_none() { 25 } else { expected };
            while expected <= until {
                // Of what lies there; what follows is told while the stream is open.
                if expected > 25 {
                    tell(&db, person.id, json!({ "number": expected })).await;
                }
                let event = events.next().await.unwrap();
                assert_eq!((&*event.name, &*event.id), ("notification", &*expected.to_string()));
                assert_eq!(event.json()["body"], json!({ "number": expected }));
                last = Some(event.id);
                expected += 1;
            }
            drop(events);
            // And what comes while nobody listens isn't lost.
            tell(&db, person.id, json!({ "number": expected })).await;
            let mut events = Events::open(&person.program(), &url, last.as_deref()).await;
            assert_eq!(events.next().await.unwrap().json()["body"], json!({ "number": expected }));
            last = Some(expected.to_string());
            expected += 1;
        }
        let listed = list(&person, &world.edge()).await;
        assert_eq!((listed.len(), &listed[19]["id"]), (20, &json!(expected - 1)));
        assert_eq!((&listed[0]["kind"], listed[0]["created_at"].is_string()), (&json!("greeting"), true));
    });
}

fn numbers_are_in_the_order_of_commits(world: &World) {
    world.run(async {
        let (person, db) = (Person::sign_up(world).await, db(world));
        let (told, is_told) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let early = tokio::spawn({
            let (db, user) = (db.clone(), person.id);
            async move {
                let written = db.write(async |transaction| {
                    let number = notifications::enqueue(transaction, user, "early", &json!({})).await?;
                    told.send(()).unwrap();
                    may_go_on.await.unwrap();
                    Ok::<_, DbError>(number)
                });
                written.await.unwrap().value
            }
        });
        is_told.await.unwrap();
        let late = tokio::spawn({
            let (db, user) = (db.clone(), person.id);
            async move { tell(&db, user, json!({})).await }
        });
        // The later one waits, though nothing else holds it up.
        let primary = world.database(&world.stack.text("/primary")).await;
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity
            WHERE wait_event_type = 'Lock' AND query LIKE '%notification_counters%' AND pid <> pg_backend_pid())";
        let blocked = poll::until_async(DEADLINE, || async {
            primary.query_one(waits, &[]).await.unwrap().get::<_, bool>(0).then_some(())
        });
        blocked.await.expect("the later one waits for the earlier one");
        assert!(list(&person, &world.origin(0)).await.is_empty());
        go_on.send(()).unwrap();
        assert_eq!((early.await.unwrap(), late.await.unwrap()), (1, 2));
    });
}

fn nobody_hears_what_is_anothers(world: &World) {
    world.run(async {
        let (person, other, db) = (Person::sign_up(world).await, Person::sign_up(world).await, db(world));
        let url = format!("{}/api/notifications", world.edge());
        assert_eq!(ask(&client(), &url, None).await.status(), 401);
        let mut events = Events::open(&person.program(), &url, None).await;
        tell(&db, other.id, json!({ "to": "another" })).await;
        tell(&db, person.id, json!({ "to": "this one" })).await;
        assert_eq!(events.next().await.unwrap().json()["body"]["to"], "this one");
        assert_eq!(list(&other, &world.origin(1)).await.len(), 1);

        let out = person.program().delete(format!("{}/api/session", world.edge())).send().await.unwrap();
        assert_eq!(out.status(), 204);
        assert_eq!(events.next().await, None, "the stream ends with the session");
        assert_eq!(ask(&person.program(), &url, None).await.status(), 401);
    });
}

fn the_last_hundred_are_kept(world: &World) {
    world.run(async {
        let (person, db) = (Person::sign_up(world).await, db(world));
        for number in 1..=103 {
            tell(&db, person.id, json!({ "number": number })).await;
        }
        let url = format!("{}/api/notifications", world.origin(0));
        let mut events = Events::open(&person.program(), &url, Some("1")).await;
        for number in 4..=103 {
            assert_eq!(events.next().await.unwrap().id, number.to_string());
        }
    });
}
