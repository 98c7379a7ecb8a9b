//! What somebody is told of without having asked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that somebody is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notification {
    /// Counts what its user is told, from 1.
    pub id: i64,
    /// What it is about.
    pub kind: String,
    /// The rest, by its kind.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub body: Value,
    /// When it was written down: RFC 3339, UTC, milliseconds.
    pub created_at: String,
}

/// What somebody was told lately.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notifications {
    /// The last ones, the newest at the end.
    pub items: Vec<Notification>,
}
