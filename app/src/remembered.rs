//! Lists seen since the app was loaded. The way back shows them at once, and a
//! product that was in one is shown before its own answer arrives; both are
//! fetched again meanwhile.

use std::collections::VecDeque;

use tidewall_api::product::{Product, ProductPage};

use crate::query::ProductQuery;

/// Lists kept, some 15 KB each: further back than people go.
const LISTS_MAX: usize = 24;

/// The lists seen last.
#[derive(Debug, Default)]
pub struct Remembered {
    newest_first: VecDeque<(ProductQuery, ProductPage)>,
}

impl Remembered {
    /// Keeps `page` as what `query` shows.
    pub fn keep(&mut self, query: ProductQuery, page: ProductPage) {
        self.newest_first.retain(|(kept, _)| *kept != query);
        self.newest_first.push_front((query, page));
        self.newest_first.truncate(LISTS_MAX);
    }

    /// What `query` showed last.
    pub fn list(&self, query: &ProductQuery) -> Option<&ProductPage> {
        self.newest_first.iter().find(|(kept, _)| kept == query).map(|(_, page)| page)
    }

    /// The product as the newest list with it showed it.
    pub fn product(&self, id: i64) -> Option<&Product> {
        self.newest_first.iter().flat_map(|(_, page)| &page.items).find(|product| product.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str) -> ProductPage {
        let product = Product {
            id: 42,
            name: name.to_owned(),
            category: String::new(),
            price_cents: 0,
            stock: 0,
            description: String::new(),
            image: String::new(),
            updated_at: String::new(),
        };
        ProductPage { items: vec![product], total: 1, page: 1, per_page: 24 }
    }

    fn query(page: u32) -> ProductQuery {
        ProductQuery::default().on_page(page)
    }

    #[test]
    fn the_newest_list_tells_what_a_product_is() {
        let mut remembered = Remembered::default();
        remembered.keep(query(1), page("old"));
        remembered.keep(query(2), page("new"));
        assert_eq!(remembered.product(42).unwrap().name, "new");
        assert_eq!(remembered.product(43), None);
    }

    #[test]
    fn a_list_seen_again_replaces_itself() {
        let mut remembered = Remembered::default();
        remembered.keep(query(1), page("old"));
        remembered.keep(query(1), page("new"));
        assert_eq!(remembered.list(&query(1)), Some(&page("new")));
        assert_eq!(remembered.newest_first.len(), 1);
    }

    #[test]
    fn the_oldest_list_makes_room() {
        let mut remembered = Remembered::default();
        for number in 1..=25 {
            remembered.keep(query(number), page("x"));
        }
        assert_eq!(remembered.list(&query(1)), None);
        assert!(remembered.list(&query(2)).is_some());
    }
}
