//! JSON bodies, refused with the reason and the field it lies in.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use super::body::{Incoming, essence};
use super::error::ApiError;

/// Largest body. The largest that is valid has 5,000 characters of text, each
/// up to 12 bytes when escaped, so nothing valid is refused for its size.
pub const BODY_BYTES_MAX: usize = 128 * 1024;

/// Of a body of another type.
const JSON_EXPECTED: &str = "Send the body as JSON, with `Content-Type: application/json`.";

/// A request's body, read as JSON (RFC 8259).
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::MediaType(JSON_EXPECTED));
        }
        let body = Incoming::new(request.into_body(), BODY_BYTES_MAX).whole().await?;
        parse(&body).map(Self)
    }
}

/// `application/json`, or a type with the suffix `+json` (RFC 6839, section 3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let essence = essence(headers);
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if !is_object(body) {
        let IgnoredAny = serde_json::from_slice(body).map_err(|error| explain(&error, "."))?;
        return Err(ApiError::invalid("body", "must be a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        explain(error.inner(), &path)
    })?;
    deserializer.end().map_err(|error| explain(&error, "."))?;
    Ok(value)
}

/// Every body is an object. Serde would also take an array of its fields' values.
fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

fn explain(error: &serde_json::Error, path: &str) -> ApiError {
    let reason = error.to_string();
    // "… at line 1 column 7" is of use for syntax, not for a named field.
    let reason_alone = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
    match error.classify() {
        Category::Data => ApiError::invalid(&field(path, reason_alone), reason_alone),
        Category::Syntax | Category::Eof | Category::Io => {
            ApiError::BadRequest(format!("The body is not JSON: {reason}."))
        }
    }
}

/// A field that is missing, unknown or doubled has no path of its own: serde
/// names it in the message, "missing field `name`".
fn field(path: &str, reason: &str) -> String {
    let named = || Some(reason.split_once(" field `")?.1.split_once('`')?.0);
    match path {
        "." | "?" => named().unwrap_or("body").to_owned(),
        path => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: String,
        stock: i32,
    }

    fn check(body: &str, expected: &str) {
        let outcome = match parse::<Body>(body.as_bytes()) {
            Ok(Body { name, stock }) => format!("{name} {stock}"),
            Err(ApiError::Invalid(errors)) => {
                errors.iter().map(|(field, reason)| format!("422 {field}: {reason}")).collect()
            }
            Err(ApiError::BadRequest(_)) => "400".to_owned(),
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(outcome, expected, "{body}");
    }

    #[test]
    fn a_body_of_the_right_shape_is_read() {
        check(r#" {"stock": 7, "name": "a"} "#, "a 7");
    }

    #[test]
    fn what_is_not_json_is_a_bad_request() {
        for body in
            ["", "{", "name=a", r#"{"name":"a","stock":7}x"#, r#"{"name":"a","stock":07}"#, "\u{feff}{}"]
        {
            check(body, "400");
        }
    }

    #[test]
    fn json_of_another_shape_names_the_field() {
        check(r#"{"name":"a"}"#, "422 stock: missing field `stock`");
        check(r#"{"name":"a","stock":1,"x":1}"#, "422 x: unknown field `x`, expected `name` or `stock`");
        check(r#"{"name":"a","stock":1,"stock":2}"#, "422 stock: duplicate field `stock`");
        check(r#"{"name":1,"stock":1}"#, "422 name: invalid type: integer `1`, expected a string");
        check(r#"{"name":"a","stock":1.5}"#, "422 stock: invalid type: floating point `1.5`, expected i32");
        check(
            r#"{"name":"a","stock":3000000000}"#,
            "422 stock: invalid value: integer `3000000000`, expected i32",
        );
    }

    #[test]
    fn json_that_is_no_object_is_not_valid() {
        for body in ["[]", r#"["a", 7]"#, "7", "null"] {
            check(body, "422 body: must be a JSON object");
        }
    }

    #[test]
    fn only_json_is_json() {
        let is = |content_type: &str| {
            is_json(&HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]))
        };
        assert!(is("application/json") && is("Application/JSON; charset=utf-8"));
        assert!(is("application/merge-patch+json"));
        assert!(!is("text/plain") && !is("application/jsonx") && !is("") && !is_json(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn no_body_whatever_makes_reading_panic_and_of_one_that_is_wrong_the_field_is_named(
            bytes: Vec<u8>,
            text in "(\\{|\\}|\\[|\\]|:|,|\"(name|stock|x|é)?\"|\"|[0-9.e+-]{1,4}|null|true| |\\\\u00){0,16}",
        ) {
            for body in [bytes, text.into_bytes()] {
                match parse::<Body>(&body) {
                    Ok(_) | Err(ApiError::BadRequest(_)) => {}
                    Err(ApiError::Invalid(errors)) => prop_assert_eq!(errors.len(), 1),
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
    }
}
