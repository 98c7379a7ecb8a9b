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
    use super::*;

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
}
