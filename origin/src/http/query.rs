//! A URL's query, read strictly: ignoring what isn't known would answer another question.

use std::collections::BTreeSet;

use super::error::{ApiError, FieldErrors};

/// Gives each parameter to `set`, which says what is wrong with it. One that is given
/// twice is wrong. All that are wrong are named.
pub fn read(
    query: Option<&str>,
    mut set: impl FnMut(&str, &str) -> Result<(), String>,
) -> Result<(), ApiError> {
    let mut errors = FieldErrors::new();
    // To be found among: a URL holds thousands.
    let mut seen = BTreeSet::new();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let is_first = seen.insert(name.clone());
        let outcome = if is_first { set(&name, &value) } else { Err("is given twice".to_owned()) };
        if let Err(problem) = outcome {
            errors.insert(name.into_owned(), problem);
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thousands_of_parameters_are_read_to_the_last() {
        let query: String = (0..30_000).map(|number| format!("{number:x}=&")).collect();
        let mut count = 0;
        read(Some(&query), |_, _| {
            count += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(count, 30_000);
    }

    proptest! {
        #[test]
        fn each_parameter_is_given_once_or_is_named(query in "(a|b|=|&|%|[0-9a-f]{2}|%61|\\+|é){0,16}") {
            let mut given = Vec::new();
            let outcome = read(Some(&query), |name, _| {
                given.push(name.to_owned());
                Ok(())
            });
            let names: BTreeSet<_> = given.iter().collect();
            prop_assert_eq!(names.len(), given.len());
            let all = form_urlencoded::parse(query.as_bytes()).count();
            prop_assert_eq!(outcome.is_ok(), all == given.len());
        }

        #[test]
        fn a_number_is_digits_within_its_bound(value in "([0-9]{1,12}|\\+|-| |é){0,3}", max in 1..=u32::MAX) {
            if let Ok(number) = number(&value, max) {
                prop_assert!((1..=max).contains(&number));
                prop_assert_eq!(value.trim_start_matches('0'), number.to_string());
            }
        }
    }
}
