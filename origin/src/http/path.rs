//! Parts of a path, as routes name them.

use axum::extract::{self, FromRequestParts};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// What stands in a path where its route has a name. Where that is of another form, as a word for a
/// number is, there is nothing.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match extract::Path::from_request_parts(parts, state).await {
            Ok(extract::Path(named)) => Ok(Self(named)),
            // The route's own: it has other names than its handler asks for.
            Err(rejection) if rejection.status().is_server_error() => Err(ApiError::internal(rejection)),
            Err(_) => Err(ApiError::NotFound("There is nothing at this path.".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::{Router, routing};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn what_is_of_another_form_is_not_there() {
        let routes = Router::new().route(
            "/{how}/{number}",
            routing::get(async |Path((how, number)): Path<(String, u32)>| format!("{how} {number}")),
        );
        for (path, status) in
            [("/a/7", 200), ("/a/-1", 404), ("/a/seven", 404), ("/a/4294967296", 404), ("/%FF/7", 404)]
        {
            let request = Request::get(path).body(Body::empty()).unwrap();
            assert_eq!(routes.clone().oneshot(request).await.unwrap().status(), status, "{path}");
        }
    }

    #[tokio::test]
    async fn a_handler_that_asks_for_other_names_is_our_fault() {
        let routes = Router::new().route("/{a}/{b}", routing::get(async |Path(a): Path<String>| a));
        let request = Request::get("/a/b").body(Body::empty()).unwrap();
        assert_eq!(routes.oneshot(request).await.unwrap().status(), 500);
    }
}
