//! What a file says of other files: a URL, and which file it means.

use crate::PATH_PREFIX;

/// A URL in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) url: String,
    /// Where it stands, counted from 1.
    pub(crate) line: u32,
    pub(crate) kind: Kind,
}

/// What is done where a URL means no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is loaded, so the file must be there.
    Loaded,
    /// It is imported by a module, so it must be a path, too.
    Imported,
    /// It may be followed by a person, and be a page's.
    Linked,
}

/// What a URL means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// No file of ours: another site, data, a folder, a part of the same document.
    Elsewhere,
    /// What lies at a hashed path already.
    Hashed(String),
    /// A file, by its name, and what follows that (`?…`, `#…`).
    File { name: String, suffix: String },
    /// Something above the folder.
    Outside,
    /// No path at all, but a name that an import map would have to know.
    Bare,
}

/// What `url` means in the file called `referrer` (RFC 3986, section 5).
pub(crate) fn resolve(referrer: &str, url: &str, kind: Kind) -> Target {
    let url = url.trim();
    let (path, suffix) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    if path.is_empty() || path.ends_with('/') || path.starts_with("//") || has_scheme(path) {
        return Target::Elsewhere;
    }
    if path.starts_with(PATH_PREFIX) {
        return Target::Hashed(path.to_owned());
    }
    let is_relative = path.starts_with("./") || path.starts_with("../");
    if kind == Kind::Imported && !is_relative && !path.starts_with('/') {
        return Target::Bare;
    }
    let folder = referrer.rfind('/').map_or("", |slash| &referrer[..slash]);
    let base = if path.starts_with('/') { "" } else { folder };
    let mut segments: Vec<&str> = base.split('/').filter(|segment| !segment.is_empty()).collect();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                if segments.pop().is_none() {
                    return Target::Outside;
                }
            }
            name => segments.push(name),
        }
    }
    Target::File { name: segments.join("/"), suffix: suffix.to_owned() }
}

/// RFC 3986, section 3.1.
fn has_scheme(url: &str) -> bool {
    let Some((scheme, _)) = url.split_once(':') else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Scheme, host and port of a URL of another site.
pub(crate) fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = match url.strip_prefix("//") {
        Some(rest) => ("https", rest),
        None => url.split_once("://")?,
    };
    let host = rest.split(['/', '?', '#']).next()?;
    (!host.is_empty()).then(|| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(referrer: &str, url: &str, expected: &str) {
        let found = match resolve(referrer, url, Kind::Loaded) {
            Target::Elsewhere => "elsewhere".to_owned(),
            Target::Hashed(path) => format!("hashed {path}"),
            Target::File { name, suffix } => format!("{name}{suffix}"),
            Target::Outside => "outside".to_owned(),
            Target::Bare => "bare".to_owned(),
        };
        assert_eq!(found, expected, "{url} in {referrer}");
    }

    #[test]
    fn a_url_means_a_file_beside_its_referrer_or_from_the_root() {
        check("css/site.css", "logo.svg", "css/logo.svg");
        check("css/site.css", "./logo.svg", "css/logo.svg");
        check("css/site.css", "../fonts/a.woff2", "fonts/a.woff2");
        check("css/site.css", "/fonts/a.woff2", "fonts/a.woff2");
        check("site.css", "a/./b/../c.svg", "a/c.svg");
    }

    #[test]
    fn what_follows_a_path_stays() {
        check("site.css", "a.eot?#iefix", "a.eot?#iefix");
        check("site.css", "sprite.svg#cart", "sprite.svg#cart");
    }

    #[test]
    fn other_sites_data_and_parts_of_the_document_are_left_alone() {
        for url in [
            "https://example.com/a.css",
            "//example.com/a.css",
            "data:image/png;base64,x",
            "#top",
            "",
            "?a",
            "mailto:a@b.c",
        ] {
            check("a.css", url, "elsewhere");
        }
    }

    #[test]
    fn what_lies_above_the_folder_is_outside() {
        check("a.css", "../secret.txt", "outside");
        check("css/a.css", "../../etc/passwd", "outside");
        check("css/a.css", "/../x", "outside");
    }

    #[test]
    fn a_hashed_path_is_known_by_its_beginning() {
        check("index.html", "/assets/a.0123456789abcdef.css", "hashed /assets/a.0123456789abcdef.css");
    }

    #[test]
    fn a_module_is_imported_by_a_path() {
        assert_eq!(resolve("a.js", "react", Kind::Imported), Target::Bare);
        let file = |name: &str| Target::File { name: name.to_owned(), suffix: String::new() };
        assert_eq!(resolve("a.js", "./react.js", Kind::Imported), file("react.js"));
        assert_eq!(resolve("a.js", "https://example.com/x.js", Kind::Imported), Target::Elsewhere);
    }
}
