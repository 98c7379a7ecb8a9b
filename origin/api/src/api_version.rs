//! Which shapes of bodies the two sides of the API speak, so that a page from before a
//! deploy and an origin from after it know that they don't understand each other.

/// The version that this code speaks, in the field
/// [`TIDEWALL_API_VERSION`](crate::headers::TIDEWALL_API_VERSION).
///
/// It is raised with a change that a program of the version before can't read, or that it
/// reads as something else: a member that goes, is renamed or has another type or meaning; a
/// request that needs what it didn't need; a new value of a member that has just some. A
/// new route, a member that is added to an answer or may be left out of a request: none of
/// these raise it, since whoever doesn't know them passes over them.
pub const API_VERSION: u32 = 1;

/// The version that a field's value names; `None` where it names none.
pub fn parse(value: &str) -> Option<u32> {
    let is_canonical = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    if is_canonical { value.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_version_is_a_number_from_one_on_written_in_one_way() {
        assert_eq!(parse("1"), Some(1));
        assert_eq!(parse("20"), Some(20));
        assert_eq!(parse(&API_VERSION.to_string()), Some(API_VERSION));
        for nonsense in ["", "0", "01", "+1", "-1", "1.0", " 1", "1, 1", "v1", "4294967296", "١"] {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn a_version_that_is_read_is_written_the_same(value in "([0-9]{1,12}|\\+|-| |,|é|١){0,3}") {
            if let Some(version) = parse(&value) {
                prop_assert_eq!(version.to_string(), value);
            }
        }
    }
}
