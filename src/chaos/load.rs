//! Whoever uses the system while it fails: readers, two who write and read what they wrote, one who
//! orders, and one who has reports made. Each does what a careful client does: what was not answered well
//! is asked again, under the same name.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tidewall_api::headers::{IDEMPOTENCY_KEY, TIDEWALL_BOOKMARK, TIDEWALL_ORIGIN};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::ledger::{Asked, Kind, Ledger, Outcome};
use crate::failure::Failure;
use crate::loopback;
use crate::origins::Staff;

/// Readers of what is public.
const READERS: usize = 6;
/// Products that are written to, each by one.
const WRITERS: usize = 2;
/// A reader waits so long before the next read,
const READ_PAUSE: Duration = Duration::from_millis(15);
/// a writer before the next write,
const WRITE_PAUSE: Duration = Duration::from_millis(50);
/// one who orders before the next order,
const ORDER_PAUSE: Duration = Duration::from_millis(200);
/// and one who has reports made before the next.
const REPORT_PAUSE: Duration = Duration::from_millis(500);
/// Before what was not answered well is asked again.
const AGAIN: Duration = Duration::from_millis(100);
/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Time that everyone has to bring to an end what they began.
const END_MAX: Duration = Duration::from_secs(90);
/// For so long others may see what was so before: CONTROL_MAX_AGE_MS of wrangler.toml.
const STALE_MAX: Duration = Duration::from_secs(1);
/// Pieces of what is ordered.
const STOCK: i64 = 1_000_000;
/// Lists that readers turn to.
const PAGES: usize = 20;

/// A load, until it is ended.
pub(super) struct Load {
    shared: Arc<Shared>,
    users: JoinSet<Result<(), Failure>>,
}

/// What was acknowledged.
#[derive(Clone, Debug, Default)]
pub(super) struct Acknowledged {
    /// Products, and the last price of each that was.
    pub(super) prices: Vec<(i64, i64)>,
    /// Whoever ordered and had reports made.
    pub(super) customer: i64,
    pub(super) orders: Vec<i64>,
    /// What was ordered, a piece with each order, and how many there were before.
    pub(super) stocked: (i64, i64),
    pub(super) jobs: Vec<i64>,
}

struct Shared {
    edge: String,
    client: Client,
    begun: Instant,
    is_over: AtomicBool,
    ledger: Mutex<Ledger>,
    products: Vec<Product>,
    acknowledged: Mutex<Acknowledged>,
}

/// A product that is written to. Its price is the number of the write.
struct Product {
    id: i64,
    /// When each price was acknowledged, from the second on.
    prices: Mutex<Vec<Instant>>,
}

/// What came back.
struct Answer {
    /// Of what was written, or is anybody's own.
    bookmark: Option<String>,
    body: Value,
}

impl Load {
    /// Makes what the load is about, and begins.
    ///
    /// # Errors
    /// The system doesn't answer as it should, before anything has failed.
    pub(super) async fn begin(edge: &str, staff: &Staff) -> Result<Self, Failure> {
        let client = loopback::client()?;
        let staff_token = log_in(&client, edge, staff).await?;
        let customer = sign_up(&client, edge).await?;
        let mut products = Vec::new();
        for _ in 0..WRITERS {
            let id = make(&client, edge, &staff_token, &contested(1)).await?;
            products.push(Product { id, prices: Mutex::default() });
        }
        let stocked = make(&client, edge, &staff_token, &wanted()).await?;
        let acknowledged =
            Acknowledged { customer: customer.id, stocked: (stocked, STOCK), ..Acknowledged::default() };
        let shared = Arc::new(Shared {
            edge: edge.to_owned(),
            client,
            begun: Instant::now(),
            is_over: AtomicBool::new(false),
            ledger: Mutex::default(),
            products,
            acknowledged: Mutex::new(acknowledged),
        });
        let mut users = JoinSet::new();
        for reader in 0..READERS {
            users.spawn(Arc::clone(&shared).read(reader));
        }
        for writer in 0..WRITERS {
            users.spawn(Arc::clone(&shared).write(writer, staff_token.clone()));
        }
        users.spawn(Arc::clone(&shared).order(customer.token.clone(), stocked));
        users.spawn(Arc::clone(&shared).report(customer.token));
        Ok(Self { shared, users })
    }

    /// Time since it began.
    pub(super) fn elapsed(&self) -> Duration {
        self.shared.begun.elapsed()
    }

    /// Whether nothing has failed for so long.
    pub(super) fn is_quiet_for(&self, quiet: Duration) -> bool {
        let ledger = self.shared.ledger();
        let since = self.elapsed().saturating_sub(quiet);
        let lately = ledger.asked.iter().rev().take_while(|asked| asked.ended >= since);
        let (mut done, mut failed) = (0_u32, 0_u32);
        for asked in lately {
            if asked.outcome == Outcome::Done { done += 1 } else { failed += 1 }
        }
        done > 0 && failed == 0
    }

    /// Lets everyone bring to an end what they began; what was asked, and what acknowledged.
    ///
    /// # Errors
    /// Somebody can't, or was told what can't be.
    pub(super) async fn end(mut self) -> Result<(Ledger, Acknowledged), Failure> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let ended = async {
            while let Some(user) = self.users.join_next().await {
                user.map_err(|_| Failure::new("a part of the load broke"))??;
            }
            Ok(())
        };
        let ended = timeout(END_MAX, ended).await;
        ended.unwrap_or_else(|_| {
            let toll = self.shared.ledger().toll(Duration::ZERO, Duration::ZERO);
            let said = toll.examples.join("; ");
            Err(Failure::new(format!("what was begun under load could not be ended ({said})")))
        })?;
        let mut acknowledged = std::mem::take(&mut *self.shared.acknowledged());
        acknowledged.prices =
            self.shared.products.iter().map(|product| (product.id, product.price(None))).collect();
        let ledger = std::mem::take(&mut *self.shared.ledger());
        Ok((ledger, acknowledged))
    }
}

impl Product {
    /// The last price that was acknowledged, before `until` where that is given.
    fn price(&self, until: Option<Instant>) -> i64 {
        let prices = self.prices.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match until {
            None => prices.len(),
            Some(until) => prices.partition_point(|at| *at <= until),
        };
        i64::try_from(known).unwrap_or(i64::MAX - 1) + 1
    }

    fn acknowledge(&self) {
        self.prices.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    }
}

impl Shared {
    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acknowledged(&self) -> std::sync::MutexGuard<'_, Acknowledged> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.edge)).timeout(ANSWER_MAX)
    }

    /// A write of somebody, under a name by which it acts once.
    fn write_request(&self, method: Method, path: &str, token: &str, name: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(token).header(IDEMPOTENCY_KEY, name)
    }

    /// Asks, and notes what came of it; what was answered where it was answered well.
    async fn ask(&self, kind: Kind, request: RequestBuilder) -> Option<Answer> {
        let begun = Instant::now();
        let (answer, outcome) = match answer(request).await {
            Ok(answer) => (Some(answer), Outcome::Done),
            Err(outcome) => (None, outcome),
        };
        let (ended, took) = (self.begun.elapsed(), begun.elapsed());
        self.ledger().asked.push(Asked { kind, ended, took, outcome });
        answer
    }

    /// Asks until it is answered well.
    async fn ask_until_done(&self, request: impl Fn() -> RequestBuilder) -> Answer {
        loop {
            if let Some(answer) = self.ask(Kind::Write, request()).await {
                return answer;
            }
            sleep(AGAIN).await;
        }
    }

    /// Reads what is written to, and lists, as somebody who has written nothing.
    async fn read(self: Arc<Self>, reader: usize) -> Result<(), Failure> {
        let mut turn = reader;
        while !self.is_over() {
            turn += 1;
            let product = &self.products[turn % self.products.len()];
            let least = Instant::now().checked_sub(STALE_MAX).map_or(1, |until| product.price(Some(until)));
            let path = match turn % 3 {
                0 => format!("/api/products?page={}", turn % PAGES + 1),
                _ => format!("/api/products/{}", product.id),
            };
            let answer = self.ask(Kind::Read, self.request(Method::GET, &path)).await;
            let is_product = !path.contains('?');
            if answer.is_some_and(|answer| is_product && price_of(&answer).is_none_or(|price| price < least))
            {
                self.ledger().stale += 1;
            }
            sleep(READ_PAUSE).await;
        }
        Ok(())
    }

    /// Writes a price after the other, and reads each with the bookmark that came with it.
    async fn write(self: Arc<Self>, writer: usize, token: String) -> Result<(), Failure> {
        let product = &self.products[writer];
        let path = format!("/api/products/{}", product.id);
        for price in 2_i64.. {
            if self.is_over() {
                break;
            }
            let name = format!("\"price-{}-{price}\"", product.id);
            let put = || self.write_request(Method::PUT, &path, &token, &name).json(&contested(price));
            let written = self.ask_until_done(put).await;
            product.acknowledge();
            // Without one nobody could read what they wrote.
            let bookmark = written.bookmark.ok_or_else(|| Failure::new("a write has no bookmark"))?;
            let read = self.request(Method::GET, &path).header(TIDEWALL_BOOKMARK, bookmark);
            let read = self.ask(Kind::Write, read).await;
            if read.is_some_and(|read| price_of(&read) != Some(price)) {
                self.ledger().missed += 1;
            }
            sleep(WRITE_PAUSE).await;
        }
        Ok(())
    }

    /// Orders a piece, and another.
    async fn order(self: Arc<Self>, token: String, product: i64) -> Result<(), Failure> {
        let cart = format!("/api/cart/{product}");
        for turn in 1_u32.. {
            if self.is_over() {
                break;
            }
            let name = format!("\"cart-{turn}\"");
            let put =
                || self.write_request(Method::PUT, &cart, &token, &name).json(&json!({ "quantity": 1 }));
            self.ask_until_done(put).await;
            let name = format!("\"order-{turn}\"");
            let order = || self.write_request(Method::POST, "/api/orders", &token, &name).json(&json!({}));
            let placed = self.ask_until_done(order).await;
            self.acknowledged().orders.push(id(&placed.body)?);
            sleep(ORDER_PAUSE).await;
        }
        Ok(())
    }

    /// Has a report made, and another, and looks what became of the last.
    async fn report(self: Arc<Self>, token: String) -> Result<(), Failure> {
        let wanted = json!({ "kind": "orders", "format": "csv", "from": "2026-01-01", "to": "2026-12-31" });
        for turn in 1_u32.. {
            if self.is_over() {
                break;
            }
            let name = format!("\"report-{turn}\"");
            let ask = || self.write_request(Method::POST, "/api/reports", &token, &name).json(&wanted);
            let job = id(&self.ask_until_done(ask).await.body)?;
            self.acknowledged().jobs.push(job);
            sleep(REPORT_PAUSE).await;
            let look = self.request(Method::GET, &format!("/api/jobs/{job}")).bearer_auth(&token);
            self.ask(Kind::Write, look).await;
        }
        Ok(())
    }
}

fn price_of(answer: &Answer) -> Option<i64> {
    answer.body["price_cents"].as_i64()
}

async fn answer(request: RequestBuilder) -> Result<Answer, Outcome> {
    let failed = |error: reqwest::Error| {
        let what = if error.is_timeout() { "no answer in time" } else { "no answer" };
        Outcome::Failed(what.to_owned())
    };
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let has = |name: &str| response.headers().contains_key(name);
    if status == reqwest::StatusCode::SERVICE_UNAVAILABLE && has("retry-after") {
        return Err(Outcome::Refused);
    }
    let bookmark = response.headers().get(TIDEWALL_BOOKMARK).and_then(|value| value.to_str().ok());
    let bookmark = bookmark.map(str::to_owned);
    let origin = has(TIDEWALL_ORIGIN);
    let text = response.text().await.map_err(failed)?;
    if !status.is_success() {
        let by = if origin { "an origin" } else { "the edge" };
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        if problem["type"].as_str() == Some("/problems/outcome-unknown") {
            return Err(Outcome::Unknown);
        }
        let detail = problem["detail"].as_str().unwrap_or_default();
        return Err(Outcome::Failed(format!("{} of {by}: {detail}", status.as_u16())));
    }
    let body =
        serde_json::from_str(&text).map_err(|_| Outcome::Failed("an answer that is no JSON".to_owned()))?;
    Ok(Answer { bookmark, body })
}

/// A product, by its price.
fn contested(price: i64) -> Value {
    json!({
        "name": "Contested lamp", "category": "contested", "price_cents": price, "stock": 1,
        "description": "Written to while parts fail.",
    })
}

fn wanted() -> Value {
    json!({
        "name": "Wanted lamp", "category": "contested", "price_cents": 100, "stock": STOCK,
        "description": "Ordered while parts fail.",
    })
}

fn id(body: &Value) -> Result<i64, Failure> {
    body["id"].as_i64().ok_or_else(|| Failure::new("what was made has no id"))
}

/// As [`answer`], where nothing has failed yet.
async fn well(request: RequestBuilder, what: &str) -> Result<Value, Failure> {
    match answer(request).await {
        Ok(answer) => Ok(answer.body),
        Err(outcome) => Err(Failure::new(format!("{what} is not answered well: {outcome:?}"))),
    }
}

async fn log_in(client: &Client, edge: &str, staff: &Staff) -> Result<String, Failure> {
    let body = json!({ "email": staff.email, "password": staff.password });
    let session = well(client.post(format!("{edge}/api/session")).json(&body), "a login").await?;
    token(&session)
}

fn token(session: &Value) -> Result<String, Failure> {
    let token = session["token"].as_str().map(str::to_owned);
    token.ok_or_else(|| Failure::new("a login has no token"))
}

struct Customer {
    id: i64,
    token: String,
}

async fn sign_up(client: &Client, edge: &str) -> Result<Customer, Failure> {
    let email = format!("chaos-{:08x}@example.com", crate::data::random_u32()?);
    let body = json!({ "email": email, "password": "nobody logs in with this one" });
    let session = well(client.post(format!("{edge}/api/users")).json(&body), "a sign-up").await?;
    Ok(Customer { id: id(&session["user"])?, token: token(&session)? })
}

async fn make(client: &Client, edge: &str, token: &str, product: &Value) -> Result<i64, Failure> {
    let request = client.post(format!("{edge}/api/products")).bearer_auth(token).json(product);
    id(&well(request, "a new product").await?)
}
