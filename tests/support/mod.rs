//! What the black-box tests share: a running stack, its processes, a browser.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod browser;
pub(crate) mod poll;
pub(crate) mod processes;
pub(crate) mod tidewall;
