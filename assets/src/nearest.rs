//! Names that a wrong one may mean. A `const fn` throughout, and nothing of this crate in it:
//! its text also becomes part of the source that [`crate::rust_source`] makes.

/// How many single-character changes (insertions, deletions, replacements) lead from one name
/// to the other: Levenshtein's distance, in bytes. Of names longer than 96 bytes only so much counts.
pub(crate) const fn distance(one: &str, other: &str) -> usize {
    const BYTES_MAX: usize = 96;
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let rows = if one.len() < BYTES_MAX { one.len() } else { BYTES_MAX };
    let columns = if other.len() < BYTES_MAX { other.len() } else { BYTES_MAX };
    let mut row = [0; BYTES_MAX + 1];
    let mut column = 0;
    while column <= columns {
        row[column] = column;
        column += 1;
    }
    let mut line = 1;
    while line <= rows {
        let mut diagonal = row[0];
        row[0] = line;
        column = 1;
        while column <= columns {
            let replaced = diagonal + (one[line - 1] != other[column - 1]) as usize;
            diagonal = row[column];
            let mut least = replaced;
            if row[column] + 1 < least {
                least = row[column] + 1;
            }
            if row[column - 1] + 1 < least {
                least = row[column - 1] + 1;
            }
            row[column] = least;
            column += 1;
        }
        line += 1;
    }
    row[columns]
}

/// Whether a distance is one of a slip, and not of another name.
pub(crate) const fn is_near(distance: usize, name: &str) -> bool {
    distance <= 2 || distance <= name.len() / 3
}
