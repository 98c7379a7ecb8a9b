//! Whether a request may carry what belongs to one person.

use crate::fields::Fields;

/// What in a request marks it as one person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Nothing: anyone may have sent it.
    Anonymous,
    /// A cookie that isn't configured as private, and might be all the same.
    Cookie,
    /// An `Authorization` field; RFC 9111, section 3.5.
    Authorization,
    /// One of the fields configured as private.
    PrivateField,
    /// One of the cookies configured as private.
    PrivateCookie,
}

/// What the origins know a person by, beside `Authorization`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrivateNames {
    /// Request fields, in lower case.
    pub fields: Vec<String>,
    /// Cookies; one that ends in `*` stands for all that begin so.
    pub cookies: Vec<String>,
}

impl PrivateNames {
    fn has_cookie(&self, name: &str) -> bool {
        self.cookies.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        })
    }
}

impl Privacy {
    /// Judges a request by its fields.
    pub fn of(request: &Fields, private: &PrivateNames) -> Self {
        if request.contains("authorization") {
            return Self::Authorization;
        }
        if private.fields.iter().any(|name| request.contains(name)) {
            return Self::PrivateField;
        }
        let Some(cookies) = request.get("cookie") else { return Self::Anonymous };
        if cookie_names(cookies).any(|name| private.has_cookie(name)) {
            return Self::PrivateCookie;
        }
        Self::Cookie
    }

    /// Whether only a response that says `public` or `s-maxage` may be stored from
    /// such a request or used for it.
    pub fn is_private(self) -> bool {
        matches!(self, Self::Authorization | Self::PrivateField | Self::PrivateCookie)
    }
}

/// The names in a `Cookie` field; RFC 6265, section 5.4. A runtime that combines
/// repeated fields joins them with a comma, so that separates too.
fn cookie_names(value: &str) -> impl Iterator<Item = &str> {
    value.split([';', ',']).map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name).trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_private_by_authorization_a_private_field_or_a_private_cookie() {
        let private = PrivateNames {
            fields: vec!["x-api-key".to_owned()],
            cookies: vec!["session".to_owned(), "auth_*".to_owned()],
        };
        let check = |lines: &str, expected| {
            assert_eq!(Privacy::of(&Fields::from_lines(lines), &private), expected, "{lines}");
        };
        check("", Privacy::Anonymous);
        check("authorization\nBearer x", Privacy::Authorization);
        check("authorization\nBearer x\nx-api-key\nk", Privacy::Authorization);
        check("X-Api-Key\nk", Privacy::PrivateField);
        check("x-api-key\n", Privacy::PrivateField);
        check("x-api-key\nk\ncookie\ntheme=dark", Privacy::PrivateField);
        check("x-api-keys\nk\nsession\n1", Privacy::Anonymous);
        check("cookie\nsession=1", Privacy::PrivateCookie);
        check("cookie\ntheme=dark; session=1", Privacy::PrivateCookie);
        check("cookie\ntheme=dark, session=1", Privacy::PrivateCookie);
        check("cookie\nsession", Privacy::PrivateCookie);
        check("cookie\nxsession=1; sessions=2; theme=session", Privacy::Cookie);
        check("cookie\nSession=1", Privacy::Cookie);
        check("cookie\nauth_1f=1", Privacy::PrivateCookie);
        check("cookie\nauth=1; xauth_=1", Privacy::Cookie);
    }

    proptest! {
        #[test]
        fn a_private_cookie_is_found_among_any_others(
            before in "(a|=|;|,| |\"|\\\\|é){0,10}", separator in "[;,]", after in "(a|=|;|,| |\"|é){0,10}",
        ) {
            let private = PrivateNames { cookies: vec!["session".to_owned()], ..PrivateNames::default() };
            let request = Fields::from_lines(&format!("cookie\n{before}{separator} session={after}"));
            prop_assert_eq!(Privacy::of(&request, &private), Privacy::PrivateCookie);
        }
    }
}
