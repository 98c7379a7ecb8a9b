//! What happens here and programs of others can be told of.

use crate::webhooks::{Event, Events};

/// All of it. An endpoint subscribes to these and to no others.
pub const EVENTS: Events = Events::new(&["order.placed"]);

/// Somebody has ordered: `id` and `total_cents` of the order.
pub(super) const ORDER_PLACED: Event = EVENTS.find("order.placed").expect("it is one of them");
