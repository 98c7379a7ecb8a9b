//! The paths of the app's pages and of the answers they need.

/// The page with the product list.
pub const LIST: &str = "/";
/// The page of one product; `{id}` stands for any one segment.
pub const PRODUCT: &str = "/products/{id}";
/// The page to log in, or sign up, on.
pub const LOGIN: &str = "/login";
/// The page of the cart.
pub const CART: &str = "/cart";
/// The page of the reader's orders.
pub const ORDERS: &str = "/orders";
/// The page of reports.
pub const REPORTS: &str = "/reports";
/// The page of the decision matrix, and of what tools cost.
pub const TOOLKIT: &str = "/toolkit";
/// The page where each tool is tried.
pub const LAB: &str = "/lab";
/// The page of how the system goes.
pub const OPS: &str = "/ops";
/// What the server answers every other path with.
pub const NOT_FOUND: &str = "/404";
/// Where product lists are fetched; a product lies below.
pub const PRODUCTS_API: &str = "/api/products";
/// Where it is told who is logged in.
pub const ME_API: &str = "/api/me";
/// Where their cart is fetched.
pub const CART_API: &str = "/api/cart";

/// Digits that always fit an id.
const ID_DIGITS_MAX: usize = 18;

/// The page of the product `id`.
pub fn product(id: i64) -> String {
    format!("/products/{id}")
}

/// Where the product `id` is fetched.
pub fn product_api(id: i64) -> String {
    format!("{PRODUCTS_API}/{id}")
}

/// Where a page of one's orders is fetched.
pub fn orders_api(page: u32) -> String {
    format!("/api/orders?page={page}")
}

/// Where the job `id` is fetched.
pub fn job_api(id: i64) -> String {
    format!("/api/jobs/{id}")
}

/// Where who has logged in goes on: the page that they came from, if it is one of this site's. A
/// path that begins with two slashes, or one and what browsers take for one, is another site's; tabs
/// and ends of lines they take out before they look (URL standard, section 4.4).
pub fn next_page(named: Option<&str>) -> &str {
    let is_here = |path: &&str| match path.as_bytes() {
        [b'/', b'/' | b'\\', ..] => false,
        [b'/', rest @ ..] => rest.iter().all(|byte| *byte >= b' '),
        _ => false,
    };
    named.filter(is_here).unwrap_or(LIST)
}

/// Reads the path segment that names a product. `None`: there is no such
/// product, and the API need not be asked.
pub fn product_id(segment: &str) -> Option<i64> {
    let canonical = segment.len() <= ID_DIGITS_MAX
        && segment.bytes().all(|byte| byte.is_ascii_digit())
        && !segment.starts_with('0');
    canonical.then(|| segment.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for (named, next) in [
            (Some("/cart"), "/cart"),
            (Some("/?page=2"), "/?page=2"),
            (Some("//evil.example"), "/"),
            (Some("/\\evil.example"), "/"),
            (Some("https://evil.example"), "/"),
            (Some("/\t/evil.example"), "/"),
            (Some("/\n/evil.example"), "/"),
            (Some("/\r\\evil.example"), "/"),
            (Some("\t//evil.example"), "/"),
            (Some(""), "/"),
            (None, "/"),
        ] {
            assert_eq!(next_page(named), next, "{named:?}");
        }
    }

    #[test]
    fn a_product_has_one_spelling() {
        for (segment, id) in [
            ("42", Some(42)),
            ("999999999999999999", Some(999_999_999_999_999_999)),
            ("1000000000000000000", None),
            ("", None),
            ("0", None),
            ("042", None),
            ("+42", None),
            ("-42", None),
            ("4x", None),
            ("_id", None),
        ] {
            assert_eq!(product_id(segment), id, "{segment}");
        }
    }
}
