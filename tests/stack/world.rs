//! The stack under test and how tests talk to it.

use std::future::Future;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::scripted::Scripted;
use crate::support::tidewall::{Folder, Running, client};

/// Before a session token, which works for a quarter of an hour, does no more.
const STAFF_AGAIN: Duration = Duration::from_secs(10 * 60);

/// A test's name, and what it asks of a running stack.
pub(crate) type Test = (&'static str, fn(&World));

/// A running stack.
pub(crate) struct World {
    scripted: OnceLock<Scripted>,
    pub(crate) stack: Running,
    pub(crate) runtime: Runtime,
    pub(crate) client: Client,
    /// Who is logged in as staff, and since when.
    staff: Mutex<Option<(Instant, Client)>>,
    _folder: Folder,
}

impl World {
    pub(crate) fn start() -> Self {
        let folder = Folder::new();
        // All these tests are one client.
        let often = [("SIGN_UPS_PER_MINUTE", "10000"), ("LOGINS_PER_MINUTE", "10000")];
        let stack = Running::dev_with(&folder.0, &["--seed", "20000"], &often);
        let runtime = Runtime::new().unwrap();
        let staff = Mutex::default();
        Self { scripted: OnceLock::new(), stack, runtime, client: client(), staff, _folder: folder }
    }

    /// An origin that does as it is told; started by the first test that needs it.
    pub(crate) fn scripted(&self) -> &Scripted {
        self.scripted.get_or_init(|| Scripted::start(&self.runtime))
    }

    pub(crate) fn edge(&self) -> String {
        self.stack.text("/edge")
    }

    /// URL of the origin with this index.
    pub(crate) fn origin(&self, index: usize) -> String {
        self.stack.text(&format!("/origins/{index}/url"))
    }

    pub(crate) fn run<T>(&self, test: impl Future<Output = T>) -> T {
        self.runtime.block_on(test)
    }

    pub(crate) async fn get(&self, url: &str) -> Response {
        self.client.get(url).send().await.unwrap()
    }

    pub(crate) async fn send(&self, method: Method, url: &str, body: &Value) -> Response {
        self.client.request(method, url).json(body).send().await.unwrap()
    }

    /// A client that is logged in as staff.
    pub(crate) async fn staff(&self) -> Client {
        let mut staff = self.staff.lock().await;
        match &*staff {
            Some((since, client)) if since.elapsed() < STAFF_AGAIN => client.clone(),
            _ => {
                let client = self.stack.staff().await;
                *staff = Some((Instant::now(), client.clone()));
                client
            }
        }
    }

    /// Sends as staff.
    pub(crate) async fn write(&self, method: Method, url: &str, body: &Value) -> Response {
        self.staff().await.request(method, url).json(body).send().await.unwrap()
    }

    /// Deletes as staff.
    pub(crate) async fn delete(&self, url: &str) -> Response {
        self.staff().await.delete(url).send().await.unwrap()
    }

    /// A connection to the database at `url`, for as long as the test's runtime lives.
    pub(crate) async fn database(&self, url: &str) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

/// A field of an answer's head, empty where it isn't there.
pub(crate) fn field(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// A new product, as staff send it.
pub(crate) fn product(name: &str) -> Value {
    serde_json::json!({ "name": name, "category": "garden", "price_cents": 1999, "stock": 7, "description": "For tests." })
}
