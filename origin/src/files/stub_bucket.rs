//! A bucket of S3 for tests: as much of the protocol as a file store speaks.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use object_store::aws::AmazonS3Builder;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;

const BUCKET: &str = "/files";

/// What it holds.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) objects: BTreeMap<String, (Bytes, OffsetDateTime)>,
    /// Begun and not ended: their parts, by number.
    pub(super) uploads: BTreeMap<u32, BTreeMap<u32, Bytes>>,
    begun: u32,
}

/// A running one; it ends with the test's runtime.
#[derive(Clone, Default)]
pub(super) struct StubBucket(Arc<Mutex<Contents>>);

impl StubBucket {
    /// Starts one, and says how it is reached.
    pub(super) async fn start() -> (Self, AmazonS3Builder) {
        let bucket = Self::default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(bucket.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let builder = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_allow_http(true)
            .with_region("auto")
            .with_access_key_id("id")
            .with_secret_access_key("secret");
        (bucket, builder)
    }

    pub(super) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(bucket): State<StubBucket>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = head.uri.path().strip_prefix(BUCKET).unwrap();
    let key = path.trim_start_matches('/').to_owned();
    let query: BTreeMap<_, _> =
        form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let number = |name: &str| query.get(name).map(|number| number.parse::<u32>().unwrap());
    let mut contents = bucket.contents();
    match (head.method, number("uploadId")) {
        (Method::POST, None) if query.contains_key("uploads") => {
            contents.begun += 1;
            let upload = contents.begun;
            contents.uploads.insert(upload, BTreeMap::new());
            xml(&format!("<R><UploadId>{upload}</UploadId></R>"))
        }
        (Method::PUT, Some(upload)) => {
            contents.uploads.get_mut(&upload).unwrap().insert(number("partNumber").unwrap(), body);
            tagged(Body::empty())
        }
        (Method::POST, Some(upload)) => {
            let parts: Vec<Bytes> = contents.uploads.remove(&upload).unwrap().into_values().collect();
            contents.objects.insert(key, (parts.concat().into(), OffsetDateTime::now_utc()));
            xml("<R><ETag>\"1\"</ETag></R>")
        }
        (Method::DELETE, Some(upload)) => {
            contents.uploads.remove(&upload);
            of(StatusCode::NO_CONTENT)
        }
        (Method::PUT, None) => {
            contents.objects.insert(key, (body, OffsetDateTime::now_utc()));
            tagged(Body::empty())
        }
        (Method::POST, None) => {
            // Several are deleted at once, by their keys in the body.
            let body = String::from_utf8(body.to_vec()).unwrap();
            let keys = body.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
            let deleted = keys.map(|(key, _)| {
                contents.objects.remove(key);
                format!("<Deleted><Key>{key}</Key></Deleted>")
            });
            xml(&format!("<DeleteResult>{}</DeleteResult>", deleted.collect::<String>()))
        }
        (Method::DELETE, None) => {
            contents.objects.remove(&key);
            of(StatusCode::NO_CONTENT)
        }
        (_, None) if query.contains_key("list-type") => {
            let prefix = query.get("prefix").map(String::as_str).unwrap_or_default();
            let found = contents.objects.iter().filter(|(key, _)| key.starts_with(prefix));
            let listed = found.map(|(key, (content, modified))| {
                let (modified, size) = (modified.format(&Rfc3339).unwrap(), content.len());
                format!(
                    "<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>1</ETag>\
                     <Size>{size}</Size></Contents>"
                )
            });
            xml(&format!("<R><IsTruncated>false</IsTruncated>{}</R>", listed.collect::<String>()))
        }
        _ => match contents.objects.get(&key) {
            Some((content, _)) => tagged(Body::from(content.clone())),
            None => of(StatusCode::NOT_FOUND),
        },
    }
}

fn of(status: StatusCode) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

fn tagged(body: Body) -> Response {
    let modified = "Wed, 21 Oct 2026 07:28:00 GMT";
    Response::builder().header("etag", "\"1\"").header("last-modified", modified).body(body).unwrap()
}

fn xml(body: &str) -> Response {
    Response::builder().header("content-type", "application/xml").body(Body::from(body.to_owned())).unwrap()
}
