//! Which content codings a client takes: `Accept-Encoding` (RFC 9110, section 12.5.3).

/// A weight in thousandths; 0 is not acceptable (section 12.4.2).
type Weight = u16;

/// Weight of what is acceptable though the field doesn't name it: less than any that is named.
const UNNAMED: Weight = 0;

/// What an `Accept-Encoding` field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AcceptEncoding<'a> {
    /// By coding, the first mention of each. What can't be read is left out.
    named: Vec<(&'a str, Weight)>,
}

impl<'a> AcceptEncoding<'a> {
    /// Reads the field. Without one any coding would be acceptable; but who doesn't say that it
    /// can undo one often can't, so that is as an empty field: no coding.
    pub(super) fn read(field: Option<&'a str>) -> Self {
        Self { named: field.unwrap_or_default().split(',').filter_map(member).collect() }
    }

    /// The weight of `coding`, if it is acceptable. `*` stands for those that aren't named,
    /// except dictionary codings: those are for who says that it knows them.
    pub(super) fn weight(&self, coding: &str, is_of_dictionary: bool) -> Option<Weight> {
        let wildcard = || if is_of_dictionary { None } else { self.named("*") };
        self.named(coding).or_else(wildcard).filter(|weight| *weight > 0)
    }

    /// The weight of no coding, which is acceptable unless the field excludes it.
    pub(super) fn identity(&self) -> Option<Weight> {
        match self.named("identity").or_else(|| self.named("*")) {
            Some(0) => None,
            Some(weight) => Some(weight),
            None => Some(UNNAMED),
        }
    }

    fn named(&self, coding: &str) -> Option<Weight> {
        let mut named = self.named.iter();
        named.find(|(name, _)| name.eq_ignore_ascii_case(coding)).map(|(_, weight)| *weight)
    }
}

fn member(member: &str) -> Option<(&str, Weight)> {
    let (coding, parameter) = match member.split_once(';') {
        Some((coding, parameter)) => (coding.trim(), Some(parameter.trim())),
        None => (member.trim(), None),
    };
    let weight = match parameter {
        None => 1_000,
        Some(parameter) => {
            qvalue(parameter.strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim())?
        }
    };
    (!coding.is_empty()).then_some((coding, weight))
}

/// At most 1, with three decimals at most; section 12.4.2.
fn qvalue(text: &str) -> Option<Weight> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: Weight = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `br`, no coding, `dcb`.
    fn check(field: &str, br: Option<Weight>, identity: Option<Weight>, dcb: Option<Weight>) {
        let accepted = AcceptEncoding::read(Some(field));
        let all = (accepted.weight("br", false), accepted.identity(), accepted.weight("dcb", true));
        assert_eq!(all, (br, identity, dcb), "{field}");
    }

    #[test]
    fn a_coding_is_acceptable_where_it_is_named_or_a_wildcard_stands_for_it() {
        check("br", Some(1_000), Some(0), None);
        check("gzip, BR;q=0.5 , dcb", Some(500), Some(0), Some(1_000));
        check("*", Some(1_000), Some(1_000), None);
        check("*;q=0.25, br;q=0", None, Some(250), None);
        check("", None, Some(0), None);
        check("gzip", None, Some(0), None);
    }

    #[test]
    fn no_coding_is_acceptable_unless_it_is_excluded() {
        check("identity;q=0", None, None, None);
        check("br, *;q=0", Some(1_000), None, None);
        check("*;q=0, identity;q=0.001", None, Some(1), None);
        check("identity", None, Some(1_000), None);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for weight in ["q=2", "q=1.001", "q=0.0001", "q=", "q=-1", "q=x", "x=1", "0.5", "q=.5", "q=+1"] {
            check(&format!("br;{weight}, dcb"), None, Some(0), Some(1_000));
        }
        check(", ,;q=1,", None, Some(0), None);
        check("br ; Q = 0.5", Some(500), Some(0), None);
    }

    #[test]
    fn without_the_field_nothing_is_encoded() {
        let accepted = AcceptEncoding::read(None);
        assert_eq!((accepted.weight("br", false), accepted.identity()), (None, Some(UNNAMED)));
    }

    proptest! {
        #[test]
        fn no_field_gives_a_weight_beyond_one(
            field in "(br|gzip|identity|\\*|dcb|;|q|Q|=|,| |\t|[01]|\\.[0-9]{0,4}|NaN|é){0,20}",
        ) {
            let accepted = AcceptEncoding::read(Some(&field));
            for weight in [accepted.weight("br", false), accepted.weight("dcb", true)] {
                prop_assert!(weight.is_none_or(|weight| (1..=1_000).contains(&weight)), "{weight:?}");
            }
            prop_assert!(accepted.identity().is_none_or(|weight| weight <= 1_000));
        }

        #[test]
        fn a_weight_that_is_written_is_read_again(thousandths in 0_u16..=1_000) {
            let field = format!("br;q={}.{:03}", thousandths / 1_000, thousandths % 1_000);
            let expected = Some(thousandths).filter(|weight| *weight > 0);
            prop_assert_eq!(AcceptEncoding::read(Some(&field)).weight("br", false), expected);
        }
    }
}
