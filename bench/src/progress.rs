//! What the person who waits is told: lines on standard error, which `tidewall
//! bench` shows with the time.

/// One line.
pub fn tell(what: impl AsRef<str>) {
    eprintln!("{}", what.as_ref());
}
