//! Cache groups of the shop: which an answer is in, and which a write invalidates.

use std::collections::BTreeSet;

/// Of everything that is calculated from all orders. It shows sales by the category that a
/// product is in now.
pub(super) const ORDERS: &str = "orders";

/// Of one product's answer, and of the answer that there is none.
pub(super) fn product(id: i64) -> String {
    format!("product:{id}")
}

/// Of a list: of its category where it is filtered by one.
pub(super) fn list(category: Option<&str>) -> String {
    category.map_or_else(|| "products".to_owned(), |category| format!("category:{category}"))
}

/// What a product that is added to `category` invalidates.
pub(super) fn of_added(id: i64, category: &str) -> Vec<String> {
    of_shown([(id, category)])
}

/// Most groups that a write names. A purge may have twice as many.
pub(super) const NAMED_MAX: usize = 500;

/// What products that are added together invalidate: also the answers that there were none.
pub(super) fn of_imported(ids: &[i64], categories: &BTreeSet<String>) -> Vec<String> {
    let all = (!ids.is_empty()).then(|| list(None));
    let categories = categories.iter().map(|category| list(Some(category)));
    all.into_iter().chain(categories).chain(ids.iter().map(|id| product(*id))).collect()
}

/// What a product that is changed invalidates: it leaves one category and enters another, or
/// the same.
pub(super) fn of_replaced(id: i64, left: &str, entered: &str) -> Vec<String> {
    let mut all = of_shown([(id, left), (id, entered)]);
    if left != entered {
        all.push(ORDERS.to_owned());
    }
    all
}

/// What a product that is deleted from `category` invalidates.
pub(super) fn of_deleted(id: i64, category: &str) -> Vec<String> {
    let mut all = of_shown([(id, category)]);
    all.push(ORDERS.to_owned());
    all
}

/// What an order invalidates of products with their categories: each, since it takes from
/// the stock, the lists that show them, and what is calculated from orders.
pub(super) fn of_ordered<'a>(products: impl IntoIterator<Item = (i64, &'a str)>) -> Vec<String> {
    let mut all = of_shown(products);
    all.push(ORDERS.to_owned());
    all
}

/// Products and the lists that show them, each once.
fn of_shown<'a>(products: impl IntoIterator<Item = (i64, &'a str)>) -> Vec<String> {
    let mut all = Vec::new();
    for (id, category) in products {
        for group in [product(id), list(None), list(Some(category))] {
            if !all.contains(&group) {
                all.push(group);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_invalidates_the_product_the_list_and_each_category_once() {
        assert_eq!(of_added(42, "garden"), ["product:42", "products", "category:garden"]);
        assert_eq!(of_replaced(42, "garden", "garden"), ["product:42", "products", "category:garden"]);
    }

    #[test]
    fn products_that_are_added_together_invalidate_their_lists_and_that_there_were_none() {
        let categories = BTreeSet::from(["garden".to_owned(), "toys".to_owned()]);
        assert_eq!(
            of_imported(&[7, 8], &categories),
            ["products", "category:garden", "category:toys", "product:7", "product:8"]
        );
        assert!(of_imported(&[], &BTreeSet::new()).is_empty());
    }

    #[test]
    fn a_write_that_changes_a_category_invalidates_what_is_told_by_it() {
        assert_eq!(
            of_replaced(42, "garden", "toys"),
            ["product:42", "products", "category:garden", "category:toys", "orders"]
        );
        assert_eq!(of_deleted(42, "garden"), ["product:42", "products", "category:garden", "orders"]);
    }

    #[test]
    fn an_order_invalidates_its_products_their_lists_and_what_is_calculated_from_orders() {
        assert_eq!(
            of_ordered([(1, "garden"), (2, "toys"), (3, "toys")]),
            ["product:1", "products", "category:garden", "product:2", "category:toys", "product:3", "orders"]
        );
    }
}
