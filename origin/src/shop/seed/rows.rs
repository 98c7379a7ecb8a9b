//! The demo's rows, made from nothing but their numbers: the same on every
//! machine, however many are asked for. Pure.

use time::OffsetDateTime;
use time::macros::datetime;

use super::catalog::{ADJECTIVES, CATEGORIES, CLOSINGS, DETAILS, LINES, NOUNS, OPENINGS};
use super::people::person;

/// Products made.
pub(super) const PRODUCTS: u32 = 10_000;
/// Users made.
pub(super) const USERS: u32 = 20_000;
/// The shop's last moment. Fixed, so that rows don't depend on when they are made.
const NOW: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);
/// How far back its orders go: two years.
const SPAN_MS: u64 = 2 * 365 * 24 * 60 * 60 * 1_000;
/// Orders of the last days are still on their way.
const UNDERWAY_MS: u64 = 5 * 24 * 60 * 60 * 1_000;
/// The most lines an order has.
const LINES_MAX: u32 = 4;

pub(super) struct SeedProduct {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) category: &'static str,
    pub(super) price_cents: i64,
    pub(super) stock: i32,
    pub(super) description: String,
    pub(super) updated_at: OffsetDateTime,
}

pub(super) struct SeedUser {
    pub(super) id: i64,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) created_at: OffsetDateTime,
}

pub(super) struct SeedOrder {
    pub(super) id: i64,
    pub(super) user_id: i64,
    pub(super) status: &'static str,
    pub(super) created_at: OffsetDateTime,
    pub(super) items: Vec<SeedItem>,
}

pub(super) struct SeedItem {
    /// Index into the products.
    pub(super) product: usize,
    pub(super) quantity: i32,
}

/// A generator of its own for each row, so that no row depends on another.
fn random(table: u64, id: u32) -> fastrand::Rng {
    fastrand::Rng::with_seed(table << 32 | u64::from(id))
}

fn ms_before_now(ms: u64) -> OffsetDateTime {
    NOW - std::time::Duration::from_millis(ms)
}

/// All products, in order of id.
pub(super) fn products() -> Vec<SeedProduct> {
    (0..PRODUCTS).map(product).collect()
}

fn product(index: u32) -> SeedProduct {
    let random = &mut random(1, index);
    // Neighbours are of different categories, so the first page shows many.
    let category = &CATEGORIES[index as usize % CATEGORIES.len()];
    let within = index as usize / CATEGORIES.len();
    let noun = category.nouns[within % NOUNS];
    let line = LINES[(within / NOUNS + index as usize) % LINES.len()];
    let adjective = ADJECTIVES[random.usize(..ADJECTIVES.len())];
    let description = [
        OPENINGS[random.usize(..OPENINGS.len())],
        DETAILS[random.usize(..DETAILS.len())],
        CLOSINGS[random.usize(..CLOSINGS.len())],
    ];
    SeedProduct {
        id: i64::from(index) + 1,
        name: format!("{line} {adjective} {noun}"),
        category: category.name,
        price_cents: price_cents(category.price_cents, random),
        // One in twenty is sold out.
        stock: if random.u32(..20) == 0 { 0 } else { random.i32(1..=250) },
        description: description.join(" "),
        updated_at: ms_before_now(random.u64(..SPAN_MS)),
    }
}

/// More cheap things than dear ones; and prices end as prices do.
fn price_cents((least, most): (u32, u32), random: &mut fastrand::Rng) -> i64 {
    let share = u64::from(random.u32(..1_000));
    let spread = u64::from(most - least);
    // The cube of a share in thousandths.
    let cents = u64::from(least) + spread * share * share * share / 1_000_000_000;
    let whole = (cents / 100).max(1) * 100;
    let price = match random.u32(..10) {
        0 => whole,
        1 | 2 => whole - 50,
        3 | 4 => whole - 5,
        _ => whole - 1,
    };
    price.cast_signed()
}

/// All users, in order of id and of time: a fifth were there before the first order.
pub(super) fn users() -> impl Iterator<Item = SeedUser> {
    (0..USERS).map(|index| {
        let id = i64::from(index) + 1;
        let (name, email) = person(id, &mut random(2, index));
        SeedUser { id, email, name, created_at: ms_before_now(age_of_user_ms(index)) }
    })
}

fn age_of_user_ms(index: u32) -> u64 {
    (SPAN_MS + SPAN_MS / 4) * u64::from(USERS - index) / u64::from(USERS)
}

/// Users that were there `ms` before now.
fn users_before(ms: u64) -> u32 {
    let oldest = SPAN_MS + SPAN_MS / 4;
    let share = (oldest - ms) * u64::from(USERS) / oldest;
    u32::try_from(share).unwrap_or(USERS).clamp(1, USERS)
}

/// The order `index` of `orders`, which are in order of time. `products` is how
/// many there are to choose from.
pub(super) fn order(index: u32, orders: u32, products: u32) -> SeedOrder {
    let random = &mut random(3, index);
    let age_ms = age_of_order_ms(index, orders, random);
    let lines = 1 + random.u32(..LINES_MAX).min(random.u32(..LINES_MAX));
    let mut items: Vec<SeedItem> = Vec::with_capacity(lines as usize);
    for _ in 0..lines {
        // The lesser of two draws: some products sell much better than others.
        let product = random.u32(..products).min(random.u32(..products)) as usize;
        if items.iter().all(|item| item.product != product) {
            let quantity = 1 + random.i32(0..3).min(random.i32(0..3)).min(random.i32(0..3));
            items.push(SeedItem { product, quantity });
        }
    }
    SeedOrder {
        id: i64::from(index) + 1,
        user_id: i64::from(random.u32(..users_before(age_ms))) + 1,
        status: match random.u32(..100) {
            0..3 => "cancelled",
            _ if age_ms >= UNDERWAY_MS => "delivered",
            3..50 => "placed",
            _ => "shipped",
        },
        created_at: ms_before_now(age_ms),
        items,
    }
}

/// The shop grows: the n-th of N orders comes after a share √(n/N) of the time.
fn age_of_order_ms(index: u32, orders: u32, random: &mut fastrand::Rng) -> u64 {
    let since_begin = |index: u32| {
        // In whole numbers, since floating point may differ between machines.
        // The number of an order has up to 27 bits, which with 40 more is past a u64.
        let share = (u128::from(index) << 40) / u128::from(orders);
        SPAN_MS * u64::try_from(share.isqrt()).unwrap_or(1 << 20) / (1 << 20)
    };
    let (slot, next) = (since_begin(index), since_begin(index + 1));
    SPAN_MS - slot - random.u64(..(next - slot).max(1)).min(SPAN_MS - slot)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn products_are_valid_and_their_names_differ_within_a_category() {
        let products = products();
        assert_eq!(products.len(), PRODUCTS as usize);
        let names: HashSet<_> = products.iter().map(|product| (product.category, &product.name)).collect();
        assert_eq!(names.len(), products.len());
        let categories: HashSet<_> = products.iter().map(|product| product.category).collect();
        assert_eq!(categories.len(), 40);
        assert!(products.iter().all(|product| product.price_cents > 0 && product.stock >= 0));
        assert!(products.windows(2).all(|pair| pair[0].id + 1 == pair[1].id));
    }

    #[test]
    fn the_same_numbers_make_the_same_rows() {
        let product = product(4_711);
        assert_eq!(
            (product.name.as_str(), product.category, product.price_cents),
            ("Mesa Premium Pet Carrier", "pets", 10_499)
        );
        let order = order(77_777, 100_000, PRODUCTS);
        assert_eq!((order.user_id, order.status, order.items.len()), (9_603, "delivered", 1));
    }

    #[test]
    fn orders_hold_one_to_three_pieces_of_one_to_four_products() {
        let (mut quantities, mut lines) = ([0; 3], [0; 4]);
        for index in 0..10_000 {
            let items = order(index, 10_000, PRODUCTS).items;
            lines[items.len() - 1] += 1;
            let products: HashSet<_> = items.iter().map(|item| item.product).collect();
            assert_eq!(products.len(), items.len(), "a product is listed once in order {index}");
            for item in items {
                quantities[usize::try_from(item.quantity - 1).unwrap()] += 1;
            }
        }
        // The fewer the more often, and all of them happen.
        assert!(quantities.is_sorted_by(|less, more| less > more) && quantities[2] > 0, "{quantities:?}");
        assert!(lines.is_sorted_by(|less, more| less > more) && lines[3] > 0, "{lines:?}");
    }

    #[test]
    fn the_last_of_the_most_orders_is_made_like_any_other() {
        let orders = 100_000_000;
        let last = order(orders - 1, orders, PRODUCTS);
        assert!(NOW - last.created_at < time::Duration::minutes(1), "{}", last.created_at);
    }

    #[test]
    fn addresses_of_users_differ() {
        let users: HashSet<_> = users().map(|user| user.email).collect();
        assert_eq!(users.len(), USERS as usize);
    }

    #[test]
    fn orders_are_in_order_of_time_within_two_years_and_by_users_who_were_there() {
        let users: Vec<_> = users().collect();
        for orders in [1, 7, 10_000] {
            let mut last = NOW - time::Duration::days(730);
            for index in 0..orders {
                let order = order(index, orders, PRODUCTS);
                assert!(last <= order.created_at && order.created_at <= NOW, "order {index} of {orders}");
                let user = &users[usize::try_from(order.user_id - 1).unwrap()];
                assert!(user.created_at <= order.created_at, "order {index} of {orders}");
                assert!((1..=4).contains(&order.items.len()));
                assert!(order.items.iter().all(|item| (1..=3).contains(&item.quantity)));
                last = order.created_at;
            }
        }
    }
}
