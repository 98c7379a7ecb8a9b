//! Streams of events: how a job goes on, told as it does.

use std::time::Duration;

use reqwest::header::{COOKIE, HeaderMap, HeaderValue};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::sessions::Person;
use crate::support::tidewall::client;
use crate::world::{Test, World, field};

pub(crate) const TESTS: &[Test] = &[
    ("events::a_report_is_followed_to_its_end", a_report_is_followed_to_its_end),
    ("events::each_change_is_told_once_as_it_happens", each_change_is_told_once_as_it_happens),
    ("events::a_job_is_followed_by_those_who_may_see_it", a_job_is_followed_by_those_who_may_see_it),
    ("events::what_has_ended_tells_where_its_effect_is_seen", what_has_ended_tells_where_its_effect_is_seen),
];

/// Far more than an event takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// A stream of events that is read as it comes.
pub(crate) struct Events {
    pub(crate) response: Response,
    buffer: String,
}

impl Events {
    pub(crate) async fn open(client: &Client, url: &str, last: Option<&str>) -> Self {
        let response = ask(client, url, last).await;
        assert_eq!(response.status(), 200);
        assert_eq!(field(&response, "content-type"), "text/event-stream");
        assert_eq!(field(&response, "cache-control"), "no-store");
        Self { response, buffer: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let mut event = Event::default();
                for line in block.lines() {
                    match line.split_once(": ") {
                        Some(("event", value)) => event.name = value.to_owned(),
                        Some(("id", value)) => event.id = value.to_owned(),
                        Some(("data", value)) => event.data = value.to_owned(),
                        _ => {}
                    }
                }
                self.buffer = rest.to_owned();
                if !event.data.is_empty() {
                    return Some(event);
                }
            }
            let chunk = timeout(DEADLINE, self.response.chunk()).await.expect("something comes");
            self.buffer.push_str(str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }
}

/// Asks for a stream, from where it stopped.
pub(crate) async fn ask(client: &Client, url: &str, last: Option<&str>) -> Response {
    let request = client.get(url).header("accept", "text/event-stream");
    let request = last.iter().fold(request, |request, id| request.header("last-event-id", *id));
    request.send().await.unwrap()
}

/// Somebody's browser, which brings cookies.
fn browser(person: &Person) -> Client {
    let cookies = HeaderMap::from_iter([(COOKIE, HeaderValue::try_from(&person.cookies).unwrap())]);
    let builder = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.default_headers(cookies).build().unwrap()
}

/// A job of somebody's that no worker will take; its id.
async fn idle_job(world: &World, owner: i64) -> (tokio_postgres::Client, i64) {
    let primary = world.database(&world.stack.text("/primary")).await;
    let insert = "INSERT INTO jobs (kind, payload, state, run_at, attempts_max, owner_id)
        VALUES ('report', '{}', 'scheduled', now() + interval '1 year', 5, $1) RETURNING id";
    let id = primary.query_one(insert, &[&owner]).await.unwrap().get(0);
    (primary, id)
}

fn a_report_is_followed_to_its_end(world: &World) {
    world.run(async {
        let person = Person::sign_up(world).await;
        for base in [world.edge(), world.origin(0)] {
            let report =
                json!({ "kind": "orders", "format": "csv", "from": "2026-01-01", "to": "2026-01-31" });
            let asked = person.program().post(format!("{base}/api/reports")).json(&report).send().await;
            let url = format!("{base}{}/events", field(&asked.unwrap(), "location"));
            let mut events = Events::open(&person.program(), &url, None).await;
            let mut told = Vec::new();
            while let Some(event) = events.next().await {
                assert_eq!(event.name, "job");
                told.push(event);
            }
            let last = told.last().unwrap();
            let job = last.json();
            assert_eq!((&job["state"], &job["progress"]), (&json!("completed"), &json!(1.0)));
            let file = world.get(&format!("{base}{}", job["result"]["url"].as_str().unwrap())).await;
            assert_eq!(file.status(), 200);
            // A browser comes back when a stream ends, and stops once it gets this.
            let again = ask(&person.program(), &url, Some(&last.id)).await;
            assert_eq!((again.status().as_u16(), &*field(&again, "cache-control")), (204, "no-store"));
        }
    });
}

fn each_change_is_told_once_as_it_happens(world: &World) {
    world.run(async {
        let person = Person::sign_up(world).await;
        let (primary, job) = idle_job(world, person.id).await;
        let bases = [world.edge(), world.origin(0), world.origin(1), world.edge()];
        let clients = [browser(&person), person.program()];
        let path = format!("/api/jobs/{job}/events");
        let mut last: Option<String> = None;
        for (step, base) in bases.iter().enumerate() {
            let client = &clients[step % clients.len()];
            let mut events = Events::open(client, &format!("{base}{path}"), last.as_deref()).await;
            if step == 0 {
                assert_eq!(events.next().await.unwrap().json()["progress"], 0.0);
            }
            // The stream goes on, so what arrives wasn't held back. Nothing comes before it.
            for part in 1..=2 {
                let progress = f64::from(part) / 10.0 + step as f64 / 5.0;
                let update = "UPDATE jobs SET progress = $2 WHERE id = $1";
                primary.execute(update, &[&job, &progress]).await.unwrap();
                let event = events.next().await.unwrap();
                assert_eq!(event.json()["progress"], progress, "at {base}");
                last = Some(event.id);
            }
        }
        let mut events = Events::open(&person.program(), &format!("{}{path}", bases[0]), None).await;
        assert_eq!(Some(events.next().await.unwrap().id), last, "how it stands comes first");
        let cancel = "UPDATE jobs SET state = 'cancelled', finished_at = now(), run_at = NULL,
            keep_until = now() + interval '1 day' WHERE id = $1";
        primary.execute(cancel, &[&job]).await.unwrap();
        assert_eq!(events.next().await.unwrap().json()["state"], "cancelled");
        assert_eq!(events.next().await, None);
    });
}

fn a_job_is_followed_by_those_who_may_see_it(world: &World) {
    world.run(async {
        let (owner, other) = (Person::sign_up(world).await, Person::sign_up(world).await);
        let (_primary, job) = idle_job(world, owner.id).await;
        let url = format!("{}/api/jobs/{job}/events", world.edge());
        assert_eq!(ask(&client(), &url, None).await.status(), 401);
        assert_eq!(ask(&other.program(), &url, None).await.status(), 404);
        assert_eq!(Events::open(&world.staff().await, &url, None).await.next().await.unwrap().name, "job");

        let mut open = Vec::new();
        let refused = loop {
            let answer =
                ask(&owner.program(), &format!("{}/api/jobs/{job}/events", world.origin(0)), None).await;
            if answer.status() != 200 {
                break answer;
            }
            open.push(answer);
            assert!(open.len() < 100, "there is a bound");
        };
        assert_eq!(refused.status(), 429);
        assert!(!field(&refused, "retry-after").is_empty());
    });
}

fn what_has_ended_tells_where_its_effect_is_seen(world: &World) {
    world.run(async {
        let person = Person::sign_up(world).await;
        let (primary, job) = idle_job(world, person.id).await;
        let url = format!("{}/api/jobs/{job}", world.origin(0));
        let waiting = person.program().get(&url).send().await.unwrap();
        assert_eq!(field(&waiting, "tidewall-bookmark"), "");
        let end = "UPDATE jobs SET state = 'completed', finished_at = now(), run_at = NULL,
            keep_until = now() + interval '1 day' WHERE id = $1";
        primary.execute(end, &[&job]).await.unwrap();
        let lsn = "SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint";
        let effect: i64 = primary.query_one(lsn, &[]).await.unwrap().get(0);
        let ended = person.program().get(&url).send().await.unwrap();
        let bookmark = field(&ended, "tidewall-bookmark");
        let position: i64 = bookmark.split_once('.').unwrap().1.parse().unwrap();
        assert!(position >= effect, "{bookmark} is before {effect}");
        assert_eq!(ended.json::<Value>().await.unwrap()["state"], "completed");
    });
}
