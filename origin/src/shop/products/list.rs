//! What the query of a product list asks for.

use tidewall_api::product::{
    CATEGORY_CHARS_MAX, NAME_CHARS_MAX, PAGE_MAX, PER_PAGE_DEFAULT, PER_PAGE_MAX, ProductSort,
};

use crate::http::error::ApiError;
use crate::http::query::{self, number};

/// One page of a filtered, ordered list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListQuery {
    /// Only products of this category.
    pub(super) category: Option<String>,
    /// Only products whose name contains this, in any case.
    pub(super) search: Option<String>,
    pub(super) sort: ProductSort,
    pub(super) page: u32,
    pub(super) per_page: u32,
}

impl ListQuery {
    /// Reads a URL's query. A form sends an empty field for "any"; a parameter that
    /// isn't known or not valid is named.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let mut list = Self {
            category: None,
            search: None,
            sort: ProductSort::default(),
            page: 1,
            per_page: PER_PAGE_DEFAULT,
        };
        query::read(query, |name, value| list.set(name, value))?;
        Ok(list)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "category" => self.category = text(value, CATEGORY_CHARS_MAX)?,
            "q" => self.search = text(value, NAME_CHARS_MAX)?,
            "sort" => {
                self.sort = ProductSort::parse(value).ok_or_else(|| {
                    let known: Vec<_> = ProductSort::ALL.iter().map(|sort| sort.as_str()).collect();
                    format!("must be one of {}", known.join(", "))
                })?;
            }
            "page" => self.page = number(value, PAGE_MAX)?,
            "per_page" => self.per_page = number(value, PER_PAGE_MAX)?,
            _ => return Err("is not known here; known are category, q, page, per_page, sort".to_owned()),
        }
        Ok(())
    }

    /// Products on the pages before this one.
    pub(super) fn offset(&self) -> i64 {
        i64::from(self.page - 1) * i64::from(self.per_page)
    }
}

fn text(value: &str, chars_max: usize) -> Result<Option<String>, String> {
    if value.contains('\0') {
        Err("must not contain NUL".to_owned())
    } else if value.chars().count() > chars_max {
        Err(format!("must have at most {chars_max} characters"))
    } else {
        Ok(Some(value.to_owned()).filter(|value| !value.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(query: &str, expected: &str) {
        let outcome = match ListQuery::parse(Some(query)) {
            Ok(list) => format!(
                "{} {} {} {}/{} from {}",
                list.category.as_deref().unwrap_or("-"),
                list.search.as_deref().unwrap_or("-"),
                list.sort.as_str(),
                list.page,
                list.per_page,
                list.offset()
            ),
            Err(ApiError::Invalid(errors)) => {
                format!("422 {}", errors.into_keys().collect::<Vec<_>>().join(" "))
            }
            Err(other) => other.to_string(),
        };
        assert_eq!(outcome, expected, "{query}");
    }

    #[test]
    fn without_parameters_it_is_the_first_page_of_all() {
        check("", "- - id 1/24 from 0");
        check("category=&q=", "- - id 1/24 from 0");
    }

    #[test]
    fn parameters_are_decoded() {
        check(
            "category=garden&q=chair+%C3%A4&page=3&per_page=10&sort=price_desc",
            "garden chair ä price_desc 3/10 from 20",
        );
        check("page=10000&per_page=100", "- - id 10000/100 from 999900");
    }

    #[test]
    fn parameters_that_are_not_valid_are_named() {
        check("page=0", "422 page");
        check("page=10001", "422 page");
        check("page=", "422 page");
        check("page=+1", "422 page");
        check("page=1e1", "422 page");
        check("per_page=101&sort=cheap", "422 per_page sort");
        check("q=a%00b", "422 q");
        check(&format!("q={}", "a".repeat(NAME_CHARS_MAX + 1)), "422 q");
    }

    #[test]
    fn parameters_that_are_not_known_or_doubled_are_named() {
        check("colour=red", "422 colour");
        check("page=1&page=1", "422 page");
        check("Page=1", "422 Page");
    }

    proptest! {
        #[test]
        fn a_list_that_is_asked_for_is_within_its_bounds(
            query in "(category|q|sort|page|per_page|x|=|&|%00|%[0-9a-fA-F]{2}|%|\\+|[0-9]{1,6}|price|é){0,14}",
        ) {
            let Ok(list) = ListQuery::parse(Some(&query)) else { return Ok(()) };
            prop_assert!((1..=PAGE_MAX).contains(&list.page) && (1..=PER_PAGE_MAX).contains(&list.per_page));
            prop_assert!((0..=i64::from(PAGE_MAX) * i64::from(PER_PAGE_MAX)).contains(&list.offset()));
            let texts = [(&list.search, NAME_CHARS_MAX), (&list.category, CATEGORY_CHARS_MAX)];
            let is_text = |(text, max): &(&Option<String>, usize)| {
                text.as_ref().is_none_or(|text| !text.contains('\0') && text.chars().count() <= *max)
            };
            prop_assert!(texts.iter().all(is_text), "{list:?}");
        }
    }
}
