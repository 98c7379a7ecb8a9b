//! What staff may write.

use tidewall_api::product::{
    CATEGORY_CHARS_MAX, DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX, PRICE_CENTS_MAX, ProductInput,
};

use crate::http::error::{ApiError, FieldErrors};

/// Refuses what is not valid.
pub(super) fn validate(input: &ProductInput) -> Result<(), ApiError> {
    let errors = problems(input);
    if errors.is_empty() { Ok(()) } else { Err(ApiError::Invalid(errors)) }
}

/// Says of each field that is not valid what is wrong with it.
pub(in crate::shop) fn problems(input: &ProductInput) -> FieldErrors {
    let mut errors = FieldErrors::new();
    let mut check = |field: &str, problem: Option<String>| {
        if let Some(problem) = problem {
            errors.insert(field.to_owned(), problem);
        }
    };
    check("name", line(&input.name, NAME_CHARS_MAX));
    check("category", line(&input.category, CATEGORY_CHARS_MAX));
    check(
        "price_cents",
        (!(0..=PRICE_CENTS_MAX).contains(&input.price_cents))
            .then(|| format!("must be 0 to {PRICE_CENTS_MAX}")),
    );
    check("stock", (input.stock < 0).then(|| "must not be negative".to_owned()));
    check("description", text(&input.description, DESCRIPTION_CHARS_MAX));
    errors
}

fn line(text: &str, chars_max: usize) -> Option<String> {
    if text.trim().is_empty() {
        Some("must not be empty".to_owned())
    } else if text.trim() != text {
        Some("must not begin or end with space".to_owned())
    } else if text.contains(char::is_control) {
        Some("must be one line without control characters".to_owned())
    } else {
        too_long(text, chars_max)
    }
}

fn text(text: &str, chars_max: usize) -> Option<String> {
    if text.contains(|c: char| c.is_control() && !"\n\r\t".contains(c)) {
        Some("must have no control characters but line breaks and tabs".to_owned())
    } else {
        too_long(text, chars_max)
    }
}

fn too_long(text: &str, chars_max: usize) -> Option<String> {
    let chars = text.chars().count();
    (chars > chars_max).then(|| format!("has {chars} characters; at most {chars_max} are allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> ProductInput {
        ProductInput {
            name: "Garden Chair".to_owned(),
            category: "garden".to_owned(),
            price_cents: 1_999,
            stock: 7,
            description: "Folds.\nFits four.".to_owned(),
        }
    }

    fn check(change: impl FnOnce(&mut ProductInput), fields: &[&str]) {
        let mut input = valid();
        change(&mut input);
        let named: Vec<String> = match validate(&input) {
            Ok(()) => Vec::new(),
            Err(ApiError::Invalid(errors)) => errors.into_keys().collect(),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(named, fields, "{input:?}");
    }

    #[test]
    fn the_bounds_themselves_are_valid() {
        check(|_| {}, &[]);
        check(|input| input.name = "é".repeat(NAME_CHARS_MAX), &[]);
        check(|input| input.category = "c".repeat(CATEGORY_CHARS_MAX), &[]);
        check(|input| input.description = "😀".repeat(DESCRIPTION_CHARS_MAX), &[]);
        check(|input| input.description.clear(), &[]);
        check(|input| (input.price_cents, input.stock) = (0, 0), &[]);
        check(|input| (input.price_cents, input.stock) = (PRICE_CENTS_MAX, i32::MAX), &[]);
    }

    #[test]
    fn past_a_bound_the_field_is_named() {
        check(|input| input.name = "n".repeat(NAME_CHARS_MAX + 1), &["name"]);
        check(|input| input.category = "c".repeat(CATEGORY_CHARS_MAX + 1), &["category"]);
        check(|input| input.description = "d".repeat(DESCRIPTION_CHARS_MAX + 1), &["description"]);
        check(|input| input.price_cents = -1, &["price_cents"]);
        check(|input| input.price_cents = PRICE_CENTS_MAX + 1, &["price_cents"]);
        check(|input| input.stock = -1, &["stock"]);
    }

    #[test]
    fn text_that_can_not_be_shown_or_stored_is_refused() {
        check(|input| input.name = " \u{a0}".to_owned(), &["name"]);
        check(|input| input.name = "a ".to_owned(), &["name"]);
        check(|input| input.name = "a\nb".to_owned(), &["name"]);
        check(|input| input.category.clear(), &["category"]);
        check(|input| input.description = "a\0b".to_owned(), &["description"]);
    }

    #[test]
    fn every_field_that_is_wrong_is_named() {
        let wrong = |input: &mut ProductInput| {
            *input = ProductInput { name: String::new(), stock: -1, ..valid() };
        };
        check(wrong, &["name", "stock"]);
    }
}
