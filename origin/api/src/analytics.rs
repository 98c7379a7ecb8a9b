//! What was sold, by day and category.

use serde::{Deserialize, Serialize};

/// Days that are told unless the reader asks otherwise.
pub const DAYS_DEFAULT: u32 = 30;
/// Most days that are told at once, which bounds what one request can cost.
pub const DAYS_MAX: u32 = 365;

/// The sales of the last days that have any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DailySales {
    /// Newest first.
    pub days: Vec<DaySales>,
}

/// The sales of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DaySales {
    /// `YYYY-MM-DD`, in UTC.
    pub day: String,
    /// In order of their names, those without one last.
    pub categories: Vec<CategorySales>,
}

/// The sales of one category on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CategorySales {
    /// The category that the products are in now; `null` for products that are gone.
    pub category: Option<String>,
    /// Orders with anything of it. One with several categories counts for each.
    pub orders: i64,
    /// Pieces sold.
    pub units: i64,
    /// What was paid for them.
    pub revenue_cents: i64,
}
