//! Parts that pages are made of. They get what they show as values, ask nothing
//! and know no page.

pub mod alert;
pub mod card;
pub mod chips;
pub mod failure;
pub mod log_in_first;
pub mod money;
pub mod pager;
pub mod picture;
pub mod search_form;
pub mod update_notice;
pub mod wordmark;
