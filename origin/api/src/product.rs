//! Products of the demo shop.

use serde::{Deserialize, Serialize};

/// A product as every reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Product {
    /// Identifies the product for ever; never used again.
    pub id: i64,
    /// What it is called, 1 to [`NAME_CHARS_MAX`] characters.
    pub name: String,
    /// The one category it is listed under, 1 to [`CATEGORY_CHARS_MAX`] characters.
    pub category: String,
    /// Price in whole cents.
    pub price_cents: i64,
    /// Pieces that can be ordered now.
    pub stock: i32,
    /// Free text, at most [`DESCRIPTION_CHARS_MAX`] characters.
    pub description: String,
    /// Path of its picture: its own below `/api/media/`, or else a general one below `/assets/`.
    pub image: String,
    /// When the row last changed: RFC 3339, UTC, milliseconds.
    pub updated_at: String,
}

/// The part of a product that staff write: the body of POST and PUT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProductInput {
    /// See [`Product::name`].
    pub name: String,
    /// See [`Product::category`].
    pub category: String,
    /// See [`Product::price_cents`]; 0 to [`PRICE_CENTS_MAX`].
    pub price_cents: i64,
    /// See [`Product::stock`]; not negative.
    pub stock: i32,
    /// See [`Product::description`].
    pub description: String,
}

/// Longest product name, in characters: a line in a list.
pub const NAME_CHARS_MAX: usize = 200;
/// Longest category name, in characters.
pub const CATEGORY_CHARS_MAX: usize = 80;
/// Longest description, in characters: a page of text.
pub const DESCRIPTION_CHARS_MAX: usize = 5_000;
/// Ten million in whole currency units; a dearer product is a typing error.
pub const PRICE_CENTS_MAX: i64 = 1_000_000_000;
/// Products on a page unless the reader asks otherwise: 24 fills rows of 2, 3, 4 and 6.
pub const PER_PAGE_DEFAULT: u32 = 24;
/// Most products on one page, which bounds what one request can cost.
pub const PER_PAGE_MAX: u32 = 100;
/// Last page that can be asked for, which bounds the OFFSET a request can cause.
pub const PAGE_MAX: u32 = 10_000;

/// One page of a product list; items and total come from one snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProductPage {
    /// The page's products in the order asked for.
    pub items: Vec<Product>,
    /// Products that match, over all pages.
    pub total: i64,
    /// This page, counted from 1.
    pub page: u32,
    /// Products a full page has.
    pub per_page: u32,
}

/// In what order a product list comes. Ties are broken by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProductSort {
    /// Oldest product first.
    #[default]
    Id,
    /// Alphabetically.
    Name,
    /// Cheapest first.
    Price,
    /// Dearest first.
    PriceDesc,
    /// Newest product first.
    Newest,
}

impl ProductSort {
    /// Every order, as a chooser shows them.
    pub const ALL: [Self; 5] = [Self::Id, Self::Name, Self::Price, Self::PriceDesc, Self::Newest];

    /// The value of the `sort` query parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Price => "price",
            Self::PriceDesc => "price_desc",
            Self::Newest => "newest",
        }
    }

    /// Reads the value of the `sort` query parameter.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == text)
    }
}
