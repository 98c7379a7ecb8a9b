//! Cache groups of the catalogue.

/// Of one product's answer, and of the answer that there is none.
pub(super) fn product(id: i64) -> String {
    format!("product:{id}")
}

/// Of a list: of its category where it is filtered by one.
pub(super) fn list(category: Option<&str>) -> String {
    category.map_or_else(|| "products".to_owned(), |category| format!("category:{category}"))
}

/// What the write of one product invalidates. `categories` are those that it left
/// and entered.
pub(super) fn of_write(id: i64, categories: &[&str]) -> Vec<String> {
    let mut groups = vec![product(id), list(None)];
    for category in categories {
        let group = list(Some(category));
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_invalidates_the_product_the_list_and_each_category_once() {
        assert_eq!(of_write(42, &["garden"]), ["product:42", "products", "category:garden"]);
        assert_eq!(of_write(42, &["garden", "garden"]), ["product:42", "products", "category:garden"]);
        assert_eq!(
            of_write(42, &["garden", "toys"]),
            ["product:42", "products", "category:garden", "category:toys"]
        );
    }
}
