//! The route that a request's target belongs to: its path with `{}` for what looks as if it named one thing
//! of many. What is in a query is in no route. What looks like a word and is one of many, [`super::gather`]
//! finds out by their number.

/// Longer paths are cut.
const SEGMENTS_MAX: usize = 8;
/// A longer segment is no word of an interface.
const WORD_MAX: usize = 32;

/// The route of a target.
pub(super) fn of(target: &str) -> String {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    // Proxies are asked for whole URLs.
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => path,
    };
    if is_file(path) {
        return files(path);
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty()).take(SEGMENTS_MAX);
    let route: String =
        segments.map(|segment| format!("/{}", if is_word(segment) { segment } else { "{}" })).collect();
    if route.is_empty() { "/".to_owned() } else { route }
}

/// A word of an interface: letters, with a version at most.
fn is_word(segment: &str) -> bool {
    let letters = segment.chars().filter(char::is_ascii_alphabetic).count();
    let digits = segment.chars().filter(char::is_ascii_digit).count();
    let others =
        segment.chars().filter(|letter| !letter.is_ascii_alphanumeric() && !"-_.".contains(*letter)).count();
    segment.len() <= WORD_MAX && others == 0 && letters > 0 && digits <= 2 && !looks_random(segment)
}

/// A long piece without a vowel, or with small and capital letters all over it, such as a code has.
fn looks_random(segment: &str) -> bool {
    let has_vowel = segment.chars().any(|letter| "aeiouyAEIOUY".contains(letter));
    let steps = segment.as_bytes().windows(2);
    let steps = steps.filter(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
    segment.len() >= 12 && (!has_vowel || steps.count() >= 3)
}

/// Endings of files that are the same for all. Documents and archives may be made for one reader.
const STATIC: &[&str] = &[
    "js",
    "mjs",
    "css",
    "png",
    "jpg",
    "jpeg",
    "gif",
    "webp",
    "avif",
    "svg",
    "ico",
    "woff",
    "woff2",
    "ttf",
    "otf",
    "eot",
    "map",
    "mp4",
    "webm",
    "mp3",
    "wasm",
    "webmanifest",
    "bmp",
    "m4a",
];

/// Whether a target is a file that is the same for all.
pub(super) fn is_static(target: &str) -> bool {
    is_file(target.split(['?', '#']).next().unwrap_or_default())
}

fn is_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty() && STATIC.iter().any(|known| ending.eq_ignore_ascii_case(known))
    })
}

/// Files are one route for each folder and ending.
fn files(path: &str) -> String {
    let ending = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let folder = path.split('/').nth(1).filter(|folder| is_word(folder) && !folder.contains('.'));
    match folder {
        Some(folder) => format!("/{folder}/*.{ending}"),
        None => format!("/*.{ending}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_names_one_of_many_is_left_out() {
        for (target, route) in [
            ("/", "/"),
            ("/api/things/42?x=secret", "/api/things/{}"),
            ("/api/v2/things", "/api/v2/things"),
            ("/users/3f2504e0-4f89-11d3-9a0c-0305e82c3301/files", "/users/{}/files"),
            ("/u/anna@example.com", "/u/{}"),
            ("/reset/QmZcxvbnmqwrtpsdfg", "/reset/{}"),
            ("/s/KjxAbQzWeRtYuIoPlKjH", "/s/{}"),
            ("http://a.example/b", "/b"),
            ("http://a.example", "/"),
            ("/assets/app.3f2a9c.js", "/assets/*.js"),
            ("/logo.PNG", "/*.png"),
        ] {
            assert_eq!(of(target), route, "{target}");
        }
        assert!(is_static("/a/b.css?v=1") && !is_static("/a/b") && !is_static("/.png"));
    }

    proptest! {
        #[test]
        fn any_target_has_a_route_and_no_route_has_a_query(target in "\\PC{0,200}") {
            let route = of(&target);
            prop_assert!(route.starts_with('/') && !route.contains('?'));
        }

        #[test]
        fn no_route_has_what_a_page_or_a_terminal_would_take_for_its_own(
            target in "(/|\\.|[a-z]{1,9}|[0-9]{1,4}|\\{|\\}|<|\"|&|:|//|\\?|#|%|é|\x1b|\r|\n|\0|\\.js){0,24}",
        ) {
            let route = of(&target);
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.{}*".contains(&byte);
            prop_assert!(route.bytes().all(is_plain), "{route}");
            prop_assert!(route.len() <= SEGMENTS_MAX * (WORD_MAX + 1), "{route}");
        }
    }
}
