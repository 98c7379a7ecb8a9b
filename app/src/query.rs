//! What a product list shows, as the query string of its URL.

use form_urlencoded::Serializer;
use tidewall_api::product::{PAGE_MAX, ProductSort};

use crate::paths;

/// The query of a page that leads on to another one.
pub fn next_search(path: &str) -> String {
    format!("?{}", Serializer::new(String::new()).append_pair("next", path).finish())
}

/// What a product list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductQuery {
    /// Only products of this category.
    pub category: Option<String>,
    /// Only products that match these words.
    pub q: Option<String>,
    /// The page, from 1 to [`PAGE_MAX`].
    pub page: u32,
    /// The order.
    pub sort: ProductSort,
}

impl Default for ProductQuery {
    fn default() -> Self {
        Self { category: None, q: None, page: 1, sort: ProductSort::default() }
    }
}

impl ProductQuery {
    /// Reads a query string, with or without its `?`. What has no meaning is as
    /// if absent, so any link leads to a list; of a repeated name the first counts.
    pub fn parse(search: &str) -> Self {
        let search = search.strip_prefix('?').unwrap_or(search);
        let given = |name: &str| {
            form_urlencoded::parse(search.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
                .filter(|value| !value.is_empty())
        };
        Self {
            category: given("category"),
            q: given("q"),
            page: given("page").and_then(|text| parse_page(&text)).unwrap_or(1),
            sort: given("sort").and_then(|text| ProductSort::parse(&text)).unwrap_or_default(),
        }
    }

    /// Everything in `category`.
    pub fn in_category(category: &str) -> Self {
        Self { category: Some(category.to_owned()), ..Self::default() }
    }

    /// Another page of the same list.
    pub fn on_page(&self, page: u32) -> Self {
        Self { page, ..self.clone() }
    }

    /// The list's page in the app.
    pub fn href(&self) -> String {
        format!("{}{}", paths::LIST, self.search())
    }

    /// Where its answer is fetched. One list has one such path: names in the
    /// order of the API's description, defaults left out.
    pub fn api_path(&self) -> String {
        format!("{}{}", paths::PRODUCTS_API, self.search())
    }

    fn search(&self) -> String {
        let mut query = Serializer::new(String::new());
        if let Some(category) = &self.category {
            query.append_pair("category", category);
        }
        if let Some(q) = &self.q {
            query.append_pair("q", q);
        }
        if self.page > 1 {
            query.append_pair("page", &self.page.to_string());
        }
        if self.sort != ProductSort::default() {
            query.append_pair("sort", self.sort.as_str());
        }
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }
}

/// Digits without sign or leading zero, so that a page has one spelling.
fn parse_page(text: &str) -> Option<u32> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let page = canonical.then(|| text.parse().ok()).flatten()?;
    (page <= PAGE_MAX).then_some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(search: &str, href: &str) {
        let query = ProductQuery::parse(search);
        assert_eq!(query.href(), href, "{search}");
        assert_eq!(ProductQuery::parse(href.trim_start_matches('/')), query, "{href} reads back");
    }

    #[test]
    fn a_list_has_one_url_however_it_was_asked_for() {
        check("", "/");
        check("?", "/");
        check("?sort=id&page=1&q=&category=", "/");
        check("page=2&q=lamp", "/?q=lamp&page=2");
        check("?sort=price&page=3&q=a&category=Kitchen", "/?category=Kitchen&q=a&page=3&sort=price");
        check("?unknown=1&utm_source=x&q=a", "/?q=a");
        check("?q=a&q=b", "/?q=a");
    }

    #[test]
    fn what_has_no_meaning_is_left_out() {
        for page in ["0", "-1", "+2", "02", "1.5", "x", "10001", "99999999999"] {
            check(&format!("?page={page}"), "/");
        }
        check("?page=10000", "/?page=10000");
        check("?sort=up", "/");
        check("?sort=PRICE", "/");
    }

    #[test]
    fn any_text_survives_the_url() {
        check("?category=Home+%26+Garden", "/?category=Home+%26+Garden");
        check("?category=Home%20%26%20Garden", "/?category=Home+%26+Garden");
        check("?q=%C3%A9t%C3%A9", "/?q=%C3%A9t%C3%A9");
        check("?q=%FF", "/?q=%EF%BF%BD");
        check("?q=50%25", "/?q=50%25");
        check("?q=a=b", "/?q=a%3Db");
    }

    #[test]
    fn the_answer_lies_under_the_api_at_the_same_query() {
        assert_eq!(ProductQuery::parse("?sort=newest").api_path(), "/api/products?sort=newest");
        assert_eq!(ProductQuery::default().api_path(), "/api/products");
    }

    #[test]
    fn another_page_keeps_what_is_filtered() {
        assert_eq!(ProductQuery::parse("?q=a&page=4").on_page(1).href(), "/?q=a");
        assert_eq!(ProductQuery::in_category("Tea & Coffee").href(), "/?category=Tea+%26+Coffee");
    }
}
