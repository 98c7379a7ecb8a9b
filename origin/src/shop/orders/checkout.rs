//! Whether a cart can be ordered.

use crate::http::error::{ApiError, FieldErrors};

/// A line of a cart, and its product as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CartLine {
    pub(super) product: i64,
    pub(super) name: String,
    pub(super) category: String,
    pub(super) price_cents: i64,
    pub(super) stock: i32,
    pub(super) quantity: i32,
}

/// What the cart costs, or why it can't be ordered.
pub(super) fn check(cart: &[CartLine]) -> Result<i64, ApiError> {
    if cart.is_empty() {
        return Err(ApiError::Conflict {
            slug: "cart-empty",
            title: "Cart empty",
            detail: "There is nothing in the cart. Put something in with PUT /api/cart/{product}.".to_owned(),
            errors: FieldErrors::new(),
        });
    }
    let short: Vec<&CartLine> = cart.iter().filter(|line| line.stock < line.quantity).collect();
    if short.is_empty() {
        return Ok(cart.iter().map(|line| line.price_cents * i64::from(line.quantity)).sum());
    }
    let left = |line: &CartLine| format!("{} left, {} wanted", line.stock, line.quantity);
    let named: Vec<_> = short.iter().map(|line| format!("{} ({})", line.name, left(line))).collect();
    Err(ApiError::Conflict {
        slug: "out-of-stock",
        title: "Out of stock",
        detail: format!("There isn't enough of {}. Nothing was ordered.", named.join("; ")),
        errors: short.iter().map(|line| (line.product.to_string(), left(line))).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(product: i64, category: &str, stock: i32, quantity: i32) -> CartLine {
        let name = format!("Product {product}");
        CartLine { product, name, category: category.to_owned(), price_cents: 250, stock, quantity }
    }

    #[test]
    fn a_cart_costs_what_its_lines_cost() {
        assert_eq!(check(&[line(1, "garden", 5, 5), line(2, "toys", 9, 1)]).unwrap(), 6 * 250);
    }

    #[test]
    fn what_there_is_not_enough_of_is_named() {
        let refused = check(&[line(1, "garden", 5, 6), line(2, "toys", 9, 1), line(3, "toys", 0, 1)]);
        let Err(ApiError::Conflict { slug, detail, errors, .. }) = refused else { panic!("it is refused") };
        assert_eq!(slug, "out-of-stock");
        assert_eq!(
            detail,
            "There isn't enough of Product 1 (5 left, 6 wanted); Product 3 (0 left, 1 wanted). \
             Nothing was ordered."
        );
        assert_eq!(errors.into_keys().collect::<Vec<_>>(), ["1", "3"]);
    }

    #[test]
    fn an_empty_cart_can_not_be_ordered() {
        assert!(matches!(check(&[]), Err(ApiError::Conflict { slug: "cart-empty", .. })));
    }
}
