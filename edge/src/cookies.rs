//! The edge's own cookies in a request: what is the edge's is part of no cache key, reaches no
//! origin, and makes nobody known.

use crate::fields::Fields;

/// Takes every cookie of this name out of a request, and returns their values.
pub fn take(request: &mut Fields, name: &str) -> Vec<String> {
    // Most requests have none, and one that does is to be answered as fast.
    let Some(cookies) = request.get("cookie").filter(|cookies| cookies.contains(name)) else {
        return Vec::new();
    };
    let is_own = |pair: &&str| pair.split_once('=').is_some_and(|(cookie, _)| cookie.trim() == name);
    let (own, others): (Vec<&str>, Vec<&str>) = cookies.split(';').partition(is_own);
    let values = own.iter().filter_map(|pair| pair.split_once('=')).map(|(_, value)| value.trim().to_owned());
    let values = values.collect();
    let others = others.iter().map(|pair| pair.trim()).collect::<Vec<_>>().join("; ");
    if others.is_empty() {
        request.remove("cookie");
    } else {
        request.set("cookie", others);
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fields::tests::long_values;

    #[test]
    fn a_cookie_is_taken_and_the_others_stay() {
        let check = |cookies: &str, values: &[&str], left: Option<&str>| {
            let mut request = Fields::from_lines(&format!("cookie\n{cookies}"));
            assert_eq!(take(&mut request, "mine"), values, "{cookies}");
            assert_eq!(request.get("cookie"), left, "{cookies}");
        };
        check("mine=1", &["1"], None);
        check("a=1; mine=2;b=3", &["2"], Some("a=1; b=3"));
        check("mine=1; mine=2", &["1", "2"], None);
        check("a=mine; mine2=x; xmine=y", &[], Some("a=mine; mine2=x; xmine=y"));
        check("a=1;b=2", &[], Some("a=1;b=2"));
        assert_eq!(take(&mut Fields::default(), "mine"), Vec::<String>::new());
    }

    #[test]
    fn long_cookies_are_read_to_their_end() {
        for cookies in long_values().chain(["mine=1;".repeat(10_000)]) {
            let mut request = Fields::from_lines(&format!("cookie\n{cookies}"));
            assert!(take(&mut request, "mine").len() <= 10_000);
            assert!(take(&mut request, "mine").is_empty());
        }
    }

    proptest! {
        #[test]
        fn no_cookie_of_the_name_is_left_and_no_other_is_lost(
            cookies in "(mine|a|b|=|;|; |,| |\"|é){0,16}",
        ) {
            let others = |cookies: &str| {
                let pairs = cookies.split(';').map(str::trim).filter(|pair| !pair.is_empty());
                let is_other = |pair: &&str| pair.split_once('=').is_none_or(|(name, _)| name.trim() != "mine");
                pairs.filter(is_other).map(str::to_owned).collect::<Vec<_>>()
            };
            let mut request = Fields::from_lines(&format!("cookie\n{cookies}"));
            let values = take(&mut request, "mine");
            prop_assert!(values.iter().all(|value| !value.contains(';')));
            prop_assert_eq!(others(request.get("cookie").unwrap_or_default()), others(&cookies));
            prop_assert!(take(&mut request, "mine").is_empty());
        }
    }
}
