//! Fields that narrow what a browser may do with the site's files.

use crate::fields::Fields;

/// Adds them to a page.
pub fn protect_page(response: &mut Fields) {
    protect_file(response);
    // Nobody may show the page in a frame of theirs, to have it clicked unseen.
    response.set("content-security-policy", "frame-ancestors 'none'");
    response.set("referrer-policy", "strict-origin-when-cross-origin");
}

/// Adds those that any file should have.
pub fn protect_file(response: &mut Fields) {
    response.set("x-content-type-options", "nosniff");
}
