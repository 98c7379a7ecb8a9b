//! What the URL of an endpoint may be. Pure.

use std::net::IpAddr;

use url::{Host, Url};

use super::address::is_public;

/// Longest URL.
const URL_BYTES_MAX: usize = 2_048;

/// Which addresses may be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Those out in the world, over TLS.
    Public,
    /// Any, also over plain HTTP: for tests, and for those who own the network.
    Any,
}

impl Addresses {
    /// Whether requests may go there.
    pub(super) fn allow(self, address: IpAddr) -> bool {
        self == Self::Any || is_public(address)
    }
}

/// Why a URL can't be an endpoint's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is none.
    #[error("the endpoint's URL can't be read")]
    NoUrl,
    /// Others could read along.
    #[error("the endpoint's URL must begin with https://")]
    Scheme,
    /// A password has no place there.
    #[error("the endpoint's URL must name no user")]
    User,
    /// It isn't out in the world.
    #[error("the endpoint's address is not public")]
    Address,
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target(Url);

impl Target {
    /// Reads a URL as browsers do: so `0x7f.1` is the address that it is for everybody else.
    pub(super) fn parse(text: &str, addresses: Addresses) -> Result<Self, TargetError> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetError::NoUrl);
        }
        let mut url = Url::parse(text).map_err(|_| TargetError::NoUrl)?;
        match (url.scheme(), addresses) {
            ("https", _) | ("http", Addresses::Any) => {}
            _ => return Err(TargetError::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::User);
        }
        let address = match url.host().ok_or(TargetError::NoUrl)? {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        if address.is_some_and(|address| !addresses.allow(address)) {
            return Err(TargetError::Address);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// All of it, in one form.
    pub(super) fn url(&self) -> &str {
        self.0.as_str()
    }

    /// The host's name, or its address without brackets.
    pub(super) fn host(&self) -> String {
        match self.0.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    /// The value of `Host`.
    pub(super) fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// What is asked for there.
    pub(super) fn path_and_query(&self) -> String {
        self.0[url::Position::BeforePath..url::Position::AfterQuery].to_owned()
    }

    pub(super) fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(url: &str, expected: Result<&str, TargetError>) {
        let target = Target::parse(url, Addresses::Public);
        let found = target.map(|target| {
            format!("{} {} {}{}", target.host(), target.port(), target.authority(), target.path_and_query())
        });
        assert_eq!(found.as_deref(), expected.as_ref().map(|expected| *expected), "{url}");
    }

    #[test]
    fn an_endpoint_is_reached_over_tls_by_its_name_or_public_address() {
        check("https://example.com", Ok("example.com 443 example.com/"));
        check("https://Example.COM:8443/a/../b?c=d#e", Ok("example.com 8443 example.com:8443/b?c=d"));
        check("https://8.8.8.8/hook", Ok("8.8.8.8 443 8.8.8.8/hook"));
        check("https://[2606:4700::1111]/", Ok("2606:4700::1111 443 [2606:4700::1111]/"));
        check("https://bücher.example/", Ok("xn--bcher-kva.example 443 xn--bcher-kva.example/"));
    }

    #[test]
    fn an_address_at_home_is_refused_in_every_notation() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "１２７.0.0.1",
            "0",
            "10.0.0.1",
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "100.64.0.1",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fd00:ec2::254]",
            "[fe80::1]",
        ] {
            check(&format!("https://{host}/"), Err(TargetError::Address));
            assert!(Target::parse(&format!("http://{host}/"), Addresses::Any).is_ok(), "{host}");
        }
    }

    #[test]
    fn other_schemes_users_and_nonsense_are_refused() {
        check("http://example.com/", Err(TargetError::Scheme));
        check("file:///etc/passwd", Err(TargetError::Scheme));
        check("gopher://example.com/", Err(TargetError::Scheme));
        check("https://user@example.com/", Err(TargetError::User));
        check("https://user:password@example.com/", Err(TargetError::User));
        for url in ["", "example.com", "https://", "https://256.256.256.256/", "https://[fe80::1%25eth0]/"] {
            check(url, Err(TargetError::NoUrl));
        }
        check(&format!("https://example.com/{}", "a".repeat(URL_BYTES_MAX)), Err(TargetError::NoUrl));
    }

    #[test]
    fn no_path_writes_a_header() {
        check("https://example.com/a\r\nX: y", Ok("example.com 443 example.com/aX:%20y"));
        check("https://exa\r\nmple.com/", Ok("example.com 443 example.com/"));
    }

    proptest! {
        #[test]
        fn no_url_leads_home_or_writes_a_header(
            url in "https:(//|/|\\\\|@|:|[0-9]{1,10}|0x[0-9a-f]{1,8}|\\.|\\[|\\]|::|ffff|localhost|a.example|\
                    %|\\?|#| |\r|\n|\t|é|。){0,10}",
        ) {
            let Ok(target) = Target::parse(&url, Addresses::Public) else { return Ok(()) };
            let address = target.host().parse::<IpAddr>();
            prop_assert!(address.is_err() || address.is_ok_and(is_public), "{}", target.host());
            for written in [target.authority(), target.path_and_query(), target.url().to_owned()] {
                prop_assert!(written.bytes().all(|byte| byte.is_ascii_graphic()), "{written:?}");
            }
            prop_assert_eq!(Target::parse(target.url(), Addresses::Public), Ok(target.clone()));
        }
    }
}
