//! What the page has seen so far, to be sent with whatever it asks next. The edge keeps the same in a
//! cookie; but answers arrive in parallel, and of two cookies the later one stays, not the greater.

use tidewall_api::bookmark::{Bookmark, Seq, UNLOGGED_KEPT_S};

/// The greatest of all bookmarks that answers brought.
#[derive(Clone, Copy, Debug)]
pub struct Bookmarks {
    /// Without what could not be logged.
    logged: Bookmark,
    /// Until then, in milliseconds, something could not be logged.
    unlogged_until: f64,
}

impl Default for Bookmarks {
    fn default() -> Self {
        Self { logged: Bookmark::NOTHING, unlogged_until: 0.0 }
    }
}

impl Bookmarks {
    /// Takes in what an answer brought at `now`, in milliseconds. What can't be read is none.
    pub fn saw(&mut self, told: &str, now: f64) {
        let Ok(told) = told.parse::<Bookmark>() else { return };
        let seq = match told.seq {
            Seq::At(seq) => seq,
            Seq::Unlogged => {
                self.unlogged_until = now + f64::from(UNLOGGED_KEPT_S) * 1_000.0;
                0
            }
        };
        self.logged = self.logged.merged(Bookmark { seq: Seq::At(seq), lsn: told.lsn });
    }

    /// What a request at `now` brings; `None` where nothing was seen.
    pub fn brought(&self, now: f64) -> Option<String> {
        let seq = if now < self.unlogged_until { Seq::Unlogged } else { self.logged.seq };
        let bookmark = Bookmark { seq, ..self.logged };
        (bookmark != Bookmark::NOTHING).then(|| bookmark.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_of_each_position_is_brought_whatever_came_last() {
        let mut bookmarks = Bookmarks::default();
        assert_eq!(bookmarks.brought(0.0), None);
        for told in ["5.9", "3.12", "nonsense", "0.1"] {
            bookmarks.saw(told, 0.0);
        }
        assert_eq!(bookmarks.brought(0.0).as_deref(), Some("5.12"));
    }

    #[test]
    fn what_could_not_be_logged_is_brought_for_ten_minutes() {
        let mut bookmarks = Bookmarks::default();
        bookmarks.saw("-.7", 1_000.0);
        bookmarks.saw("4.8", 2_000.0);
        assert_eq!(bookmarks.brought(600_000.0).as_deref(), Some("-.8"));
        assert_eq!(bookmarks.brought(601_000.0).as_deref(), Some("4.8"));
    }
}
