//! The description of every route, OpenAPI 3.1, made from the routes themselves.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};

/// The document before any route is added.
pub(super) fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Tidewall origin")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Every error is `application/problem+json` (RFC 9457) and names the request's id. \
             Answers say at which position of the write-ahead log they were read or written \
             (`Tidewall-LSN`); a request with `Tidewall-Bookmark` is answered at or past it. \
             Answers below `/api/` name the version of their shapes (`Tidewall-Api-Version`); a request \
             that names another one is refused before anything is done.",
        ))
        .build();
    // Programs send it; browsers have it in a cookie. Without, a route that asks who it is answers 401.
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = ComponentsBuilder::new().security_scheme("token", SecurityScheme::Http(token)).build();
    let none = <[&str; 0]>::default();
    let ways = [SecurityRequirement::default(), SecurityRequirement::new("token", none)];
    OpenApiBuilder::new().info(info).components(Some(components)).security(Some(ways)).build()
}

/// The finished document.
pub(super) fn page(document: &OpenApi) -> Result<impl IntoResponse + Clone + use<>, serde_json::Error> {
    let json = document.to_json()?;
    Ok(([(CONTENT_TYPE, "application/json")], json))
}
