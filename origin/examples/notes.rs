//! A service of its own on the library's database module: notes that whoever
//! wrote them sees at once, though reads go to replicas.
//!
//! ```text
//! DATABASE_URL=postgres://… REPLICA_URLS=postgres://…,postgres://… \
//!     cargo run -p tidewall-origin --example notes
//! curl -i -d milk http://127.0.0.1:3000/notes            # Tidewall-Bookmark: 0.50331800
//! curl -H 'Tidewall-Bookmark: 0.50331800' http://127.0.0.1:3000/notes/1
//! ```

use std::error::Error;
use std::io::Write as _;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use tidewall_origin::db::{Db, DbError, DbSettings};
use tidewall_origin::http::error::ApiError;
use tidewall_origin::http::position::{self, ReadAfter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let replicas = std::env::var("REPLICA_URLS").unwrap_or_default();
    let replicas: Vec<String> =
        replicas.split(',').filter(|url| !url.is_empty()).map(str::to_owned).collect();
    let db = Db::new(DbSettings::parse(&std::env::var("DATABASE_URL")?, &replicas)?);
    let table = "CREATE TABLE IF NOT EXISTS notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL)";
    db.write(async |transaction| transaction.batch(table).await).await?;

    let routes = Router::new().route("/notes", post(write)).route("/notes/{id}", get(read)).with_state(db);
    let port = std::env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    Ok(axum::serve(listener, routes).await?)
}

/// Writes a note. The answer says at which position of the log it can be seen.
async fn write(State(db): State<Db>, text: String) -> Result<(StatusCode, HeaderMap, String), ApiError> {
    let written = db
        .write(async |transaction| {
            let insert = "INSERT INTO notes (text) VALUES ($1) RETURNING id";
            Ok::<i64, DbError>(transaction.query_one(insert, &[&text]).await?.get(0))
        })
        .await?;
    let mut headers = HeaderMap::new();
    position::written(&mut headers, written.position);
    Ok((StatusCode::CREATED, headers, format!("{}\n", written.value)))
}

/// Reads a note from a server that is at or past the reader's bookmark.
async fn read(
    State(db): State<Db>,
    ReadAfter(bookmark): ReadAfter,
    Path(id): Path<i64>,
) -> Result<(HeaderMap, String), ApiError> {
    let (text, read_at) = db
        .read_with(bookmark, |connection| {
            Box::pin(async move {
                let row = connection.query_opt("SELECT text FROM notes WHERE id = $1", &[&id]).await?;
                Ok(row.map(|row| row.get::<_, String>(0)))
            })
        })
        .await?;
    let mut headers = HeaderMap::new();
    position::read_at(&mut headers, read_at);
    let text = text.ok_or_else(|| ApiError::NotFound("There is no such note.".to_owned()))?;
    Ok((headers, text))
}
