//! Entity tags that a content coding has changed: RFC 9110, section 8.8.3. What a tag is and
//! how two are compared is [`tidewall_api::entity_tag`].

use tidewall_api::entity_tag::is_weak;

use crate::fields::Fields;

/// Makes a strong entity tag weak: the bytes differ from those the origin sent,
/// though they mean the same (section 8.8.3.3).
pub fn weaken(response: &mut Fields) {
    if let Some(etag) = response.get("etag").filter(|etag| !is_weak(etag)) {
        let weak = format!("W/{etag}");
        response.set("etag", weak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strong_tag_is_weakened_once() {
        let mut fields = Fields::from_lines("etag\n\"a\"");
        weaken(&mut fields);
        weaken(&mut fields);
        assert_eq!(fields.get("etag"), Some("W/\"a\""));
    }
}
