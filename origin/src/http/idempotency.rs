//! Writes that a client may send again: under the same `Idempotency-Key` they act once, and
//! get the same answer each time, at whichever origin
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! The answer is kept in the transaction that acts. A second request waits for the first one's
//! transaction, as the key is unique; what failed has left no answer, and is done anew.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tidewall_api::headers::IDEMPOTENCY_KEY;

use super::error::ApiError;
use crate::db::{HotStatement, Params, Transaction};

/// For how long a key is remembered: a client that was offline for the night can go on.
const LIFETIME: Duration = Duration::from_hours(24);
/// Longest key; a UUID has 36 characters.
const KEY_CHARS_MAX: usize = 255;

/// The name that the client gave to a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        read(&parts.headers)
    }
}

fn read(request: &HeaderMap) -> Result<IdempotencyKey, ApiError> {
    let mut fields = request.get_all(IDEMPOTENCY_KEY).iter();
    let Some(field) = fields.next() else { return Ok(IdempotencyKey(None)) };
    let key = field.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > KEY_CHARS_MAX || fields.next().is_some() {
        return Err(ApiError::BadRequest(format!(
            "`Idempotency-Key` must be one name of 1 to {KEY_CHARS_MAX} visible characters."
        )));
    }
    Ok(IdempotencyKey(Some(key.to_owned())))
}

/// An answer that can be given again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    status: u16,
    fields: BTreeMap<String, String>,
    body: Value,
}

impl Answer {
    /// With this body.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_value(body).map_err(ApiError::internal)?;
        Ok(Self { status: status.as_u16(), fields: BTreeMap::new(), body })
    }

    /// And this `Location`.
    #[must_use]
    pub fn at(self, location: String) -> Self {
        self.with("location", location)
    }

    /// And these fields.
    #[must_use]
    pub fn with_all(self, headers: &HeaderMap) -> Self {
        let text = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        headers.iter().filter_map(text).fold(self, |answer, (name, value)| answer.with(&name, value))
    }

    fn with(mut self, name: &str, value: String) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self.body)).into_response();
        for (name, value) in self.fields {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// Removes two that have expired for each that is new: so there are never many.
const BEGIN: &str = "
    WITH expired AS (
        DELETE FROM idempotency_keys WHERE (user_id, key) IN (
            SELECT user_id, key FROM idempotency_keys
            WHERE expires_at < now() AND (user_id, key) <> ($1, $2)
            ORDER BY expires_at LIMIT 2 FOR UPDATE SKIP LOCKED
        )
    )
    INSERT INTO idempotency_keys (user_id, key, request_hash, expires_at)
    VALUES ($1, $2, $3, now() + $4 * interval '1 second')
    ON CONFLICT (user_id, key) DO UPDATE
        SET request_hash = excluded.request_hash, answer = NULL, expires_at = excluded.expires_at
        WHERE idempotency_keys.expires_at < now()
    RETURNING true";

const FIND: &str = "SELECT request_hash, answer FROM idempotency_keys WHERE user_id = $1 AND key = $2";

const END: &str = "UPDATE idempotency_keys SET answer = $3 WHERE user_id = $1 AND key = $2";

impl IdempotencyKey {
    /// Does `work` in `transaction`, unless the user has done it under this key; the answer
    /// in any case. `route` and `request` are what the key stands for.
    pub async fn once<F>(
        &self,
        transaction: &Transaction,
        user: i64,
        route: &str,
        request: &impl Serialize,
        work: F,
    ) -> Result<Answer, ApiError>
    where
        F: AsyncFnOnce(&Transaction) -> Result<Answer, ApiError>,
    {
        let Some(key) = &self.0 else { return work(transaction).await };
        let hash = request_hash(route, request)?;
        let lifetime = LIFETIME.as_secs_f64();
        let params: Params<'_> = &[&user, key, &hash.as_slice(), &lifetime];
        if transaction.query_opt(BEGIN, params).await?.is_none() {
            // Whoever was first has committed: until then this one waited.
            let row = transaction.query_one(FIND, &[&user, key]).await?;
            let kept = || Ok((row.try_get::<_, Vec<u8>>(0)?, row.try_get::<_, Value>(1)?));
            let (asked, answer) = kept().map_err(|error| transaction.failed(error))?;
            if asked != hash {
                return Err(ApiError::invalid(
                    IDEMPOTENCY_KEY,
                    "was used for something else; give each write its own",
                ));
            }
            return serde_json::from_value(answer).map_err(ApiError::internal);
        }
        let answer = work(transaction).await?;
        let kept = serde_json::to_value(&answer).map_err(ApiError::internal)?;
        transaction.execute(END, &[&user, key, &kept]).await?;
        Ok(answer)
    }
}

fn request_hash(route: &str, request: &impl Serialize) -> Result<[u8; 32], ApiError> {
    let request = serde_json::to_vec(request).map_err(ApiError::internal)?;
    Ok(Sha256::new().chain_update(route).chain_update([0]).chain_update(request).finalize().into())
}

/// What requests run.
pub fn hot_statements() -> Vec<HotStatement> {
    let hash = "decode(repeat('00', 32), 'hex')";
    vec![
        HotStatement::new("begin a write that may be repeated", BEGIN, &["42", "'k'", hash, "60"]),
        HotStatement::new("the answer to a repeated write", FIND, &["42", "'k'"]),
        HotStatement::new("keep the answer to a write", END, &["42", "'k'", "'{}'"]),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(fields: &[&'static str], expected: Result<Option<&str>, u16>) {
        let name = HeaderName::from_static(IDEMPOTENCY_KEY);
        let request =
            HeaderMap::from_iter(fields.iter().map(|field| (name.clone(), HeaderValue::from_static(field))));
        let read = read(&request).map_err(|error| error.into_response().status().as_u16());
        assert_eq!(read, expected.map(|key| IdempotencyKey(key.map(str::to_owned))), "{fields:?}");
    }

    #[test]
    fn a_key_is_one_name() {
        check(&[], Ok(None));
        check(&["8e03978e-40d5-43dd-bc93-6894a57f9324"], Ok(Some("8e03978e-40d5-43dd-bc93-6894a57f9324")));
        check(&["\"quoted\""], Ok(Some("\"quoted\"")));
        check(&[""], Err(400));
        check(&["a", "a"], Err(400));
    }

    #[test]
    fn an_answer_is_the_same_again() {
        let mut headers = HeaderMap::new();
        headers.insert("cache-group-invalidation", HeaderValue::from_static("\"a\""));
        let answer =
            Answer::json(StatusCode::CREATED, &"x").unwrap().at("/x/1".to_owned()).with_all(&headers);
        let again: Answer = serde_json::from_value(serde_json::to_value(&answer).unwrap()).unwrap();
        assert_eq!(again, answer);
        let response = again.into_response();
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers()["location"], "/x/1");
        assert_eq!(response.headers()["cache-group-invalidation"], "\"a\"");
    }

    #[test]
    fn another_request_has_another_hash() {
        assert_eq!(request_hash("a", &1).unwrap(), request_hash("a", &1).unwrap());
        assert_ne!(request_hash("a", &1).unwrap(), request_hash("a", &2).unwrap());
        assert_ne!(request_hash("a", &1).unwrap(), request_hash("b", &1).unwrap());
    }

    proptest! {
        #[test]
        fn a_key_that_is_taken_is_one_short_name(key in "([ -~]{0,140}|\t|é){0,3}", doubled: bool) {
            let key = HeaderValue::from_bytes(key.as_bytes()).unwrap();
            let field = (HeaderName::from_static(IDEMPOTENCY_KEY), key);
            let request = HeaderMap::from_iter([field.clone()].into_iter().chain(doubled.then_some(field)));
            if let Ok(IdempotencyKey(key)) = read(&request) {
                let key = key.unwrap();
                prop_assert!(!doubled && (1..=KEY_CHARS_MAX).contains(&key.len()) && key.is_ascii());
                prop_assert_eq!(key.trim(), &key);
            }
        }
    }
}
