//! A URL's query, read strictly: ignoring what isn't known would answer another question.

use super::error::{ApiError, FieldErrors};

/// Gives each parameter to `set`, which says what is wrong with it. One that is given
/// twice is wrong. All that are wrong are named.
pub fn read(
    query: Option<&str>,
    mut set: impl FnMut(&str, &str) -> Result<(), String>,
) -> Result<(), ApiError> {
    let mut errors = FieldErrors::new();
    let mut seen = Vec::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let outcome =
            if seen.contains(&name) { Err("is given twice".to_owned()) } else { set(&name, &value) };
        if let Err(problem) = outcome {
            errors.insert(name.clone().into_owned(), problem);
        }
        seen.push(name);
    }
    if errors.is_empty() { Ok(()) } else { Err(ApiError::Invalid(errors)) }
}

/// A decimal number from 1 to `max`.
pub fn number(value: &str, max: u32) -> Result<u32, String> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value
        .parse()
        .ok()
        .filter(|number| digits && (1..=max).contains(number))
        .ok_or_else(|| format!("must be a number from 1 to {max}"))
}
