//! Which page numbers a pager shows: the first, the last, and those around the
//! current one. A long list always gets the same number of places, so that the
//! links stay where they are from page to page.

/// A place in the pager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A link to this page.
    Page(u32),
    /// Pages left out.
    Gap,
}

/// Places of a long list: first, gap, three around the current, gap, last.
const PLACES: u32 = 7;

/// Pages that `total` items fill.
pub fn page_count(total: i64, per_page: u32) -> u32 {
    let pages = u64::try_from(total).unwrap_or(0).div_ceil(u64::from(per_page.max(1)));
    u32::try_from(pages).unwrap_or(u32::MAX)
}

/// The places for `current` of `last` pages.
pub fn page_window(current: u32, last: u32) -> Vec<Place> {
    if last <= PLACES {
        return (1..=last).map(Place::Page).collect();
    }
    let current = current.clamp(1, last);
    // Near an end the gap on that side has nothing to leave out.
    let (from, to) = match current {
        ..=4 => (1, 5),
        _ if current > last - 4 => (last - 4, last),
        _ => (current - 1, current + 1),
    };
    let mut places = Vec::with_capacity(PLACES as usize);
    if from > 1 {
        places.extend([Place::Page(1), Place::Gap]);
    }
    places.extend((from..=to).map(Place::Page));
    if to < last {
        places.extend([Place::Gap, Place::Page(last)]);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(current: u32, last: u32, expected: &str) {
        let text: Vec<String> = page_window(current, last)
            .into_iter()
            .map(|place| match place {
                Place::Page(page) if page == current => format!("[{page}]"),
                Place::Page(page) => page.to_string(),
                Place::Gap => "..".to_owned(),
            })
            .collect();
        assert_eq!(text.join(" "), expected, "{current} of {last}");
    }

    #[test]
    fn a_short_list_shows_every_page() {
        check(1, 0, "");
        check(1, 1, "[1]");
        check(3, 7, "1 2 [3] 4 5 6 7");
    }

    #[test]
    fn a_long_list_always_has_seven_places() {
        check(1, 417, "[1] 2 3 4 5 .. 417");
        check(4, 417, "1 2 3 [4] 5 .. 417");
        check(5, 417, "1 .. 4 [5] 6 .. 417");
        check(413, 417, "1 .. 412 [413] 414 .. 417");
        check(414, 417, "1 .. 413 [414] 415 416 417");
        check(417, 417, "1 .. 413 414 415 416 [417]");
        check(4, 8, "1 2 3 [4] 5 .. 8");
        check(5, 8, "1 .. 4 [5] 6 7 8");
    }

    #[test]
    fn a_page_past_the_end_shows_the_end() {
        check(9999, 417, "1 .. 413 414 415 416 417");
    }

    #[test]
    fn a_started_page_counts() {
        for (total, pages) in [(0, 0), (1, 1), (24, 1), (25, 2), (10_000, 417), (-1, 0)] {
            assert_eq!(page_count(total, 24), pages, "{total}");
        }
        assert_eq!(page_count(5, 0), 5);
        assert_eq!(page_count(i64::MAX, 1), u32::MAX);
    }
}
