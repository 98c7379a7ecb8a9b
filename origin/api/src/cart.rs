//! The cart of the demo shop.

use serde::{Deserialize, Serialize};

use crate::product::Product;

/// Most pieces of one product in a cart; more is a typing error.
pub const QUANTITY_MAX: i32 = 99;
/// Most different products in a cart, which bounds what an order locks and invalidates.
pub const LINES_MAX: usize = 50;

/// What somebody is about to order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Cart {
    /// In the order in which they were put in; at most [`LINES_MAX`].
    pub items: Vec<CartItem>,
    /// What they cost now.
    pub total_cents: i64,
}

/// A product in a cart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CartItem {
    /// As it is now: its price may change until it is ordered.
    pub product: Product,
    /// How many of it, 1 to [`QUANTITY_MAX`].
    pub quantity: i32,
}

/// The body of PUT `/api/cart/{product}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CartQuantity {
    /// How many of it, 0 to [`QUANTITY_MAX`]; 0 takes it out.
    pub quantity: i32,
}
