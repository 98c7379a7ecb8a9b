//! The cart, as the page shows it: what is changed is seen at once, and taken back if it can't be.

use std::collections::VecDeque;

use leptos::prelude::*;
use tidewall_api::cart::{Cart, CartItem, QUANTITY_MAX};
use tidewall_api::product::Product;

use crate::account::{Account, Who};
use crate::client::{self, ClientError};
use crate::effect::effect;

/// The cart, in the context of everything in the app.
#[derive(Clone, Copy, Debug)]
pub struct Basket {
    cart: RwSignal<Option<Cart>>,
    failed: RwSignal<Option<ClientError>>,
    /// Changes that the server hasn't answered, in their order; the first is under way.
    changes: StoredValue<VecDeque<Change>>,
    /// How many those are.
    pending: RwSignal<usize>,
    /// Counts readers: what is answered to one who has left is nobody's.
    reader: StoredValue<u32>,
}

/// Of a product so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    product: i64,
    quantity: i32,
}

impl Basket {
    /// Follows whoever is logged in.
    pub fn begin(account: Account) -> Self {
        let basket = Self {
            cart: RwSignal::new(None),
            failed: RwSignal::new(None),
            changes: StoredValue::new(VecDeque::new()),
            pending: RwSignal::new(0),
            reader: StoredValue::new(0),
        };
        effect(move || {
            let who = account.who();
            basket.reader.update_value(|reader| *reader += 1);
            basket.changes.update_value(VecDeque::clear);
            basket.pending.set(0);
            basket.failed.set(None);
            basket.cart.set(None);
            if matches!(who, Who::Known(_)) {
                basket.fetch();
            }
        });
        basket
    }

    /// What is in it; `None` as long as that isn't known.
    pub fn cart(self) -> Option<Cart> {
        self.cart.get()
    }

    /// The same, for who doesn't follow it.
    pub fn cart_untracked(self) -> Option<Cart> {
        self.cart.get_untracked()
    }

    /// Pieces in it.
    pub fn pieces(self) -> i32 {
        self.cart.with(|cart| cart.iter().flat_map(|cart| &cart.items).map(|item| item.quantity).sum())
    }

    /// So many of a product are in it.
    pub fn of(self, product: i64) -> Option<CartItem> {
        self.cart.with(|cart| item(cart.as_ref()?, product).cloned())
    }

    /// Why it can't be had, or the last change was taken back.
    pub fn failed(self) -> Option<ClientError> {
        self.failed.get()
    }

    /// What failed elsewhere is not of interest here.
    pub fn forget_failure(self) {
        self.failed.set(None);
    }

    /// Whether all changes are answered.
    pub fn is_settled(self) -> bool {
        self.pending.get() == 0
    }

    /// Asks for it anew.
    pub fn fetch(self) {
        leptos::task::spawn_local(self.ask());
    }

    async fn ask(self) {
        let reader = self.reader.get_value();
        let answer = client::get_cart().await;
        // What was changed meanwhile will be answered with all of it.
        if self.reader.get_value() != reader || self.pending.get_untracked() > 0 {
            return;
        }
        match answer {
            Ok(cart) => self.cart.set(Some(cart)),
            Err(error) => self.failed.set(Some(error)),
        }
    }

    /// It was ordered.
    pub fn clear(self) {
        self.cart.set(Some(Cart { items: Vec::new(), total_cents: 0 }));
    }

    /// Puts one more of a product in.
    pub fn add(self, product: &Product) {
        let there = self.cart.with_untracked(|cart| {
            cart.as_ref().and_then(|cart| item(cart, product.id)).map_or(0, |item| item.quantity)
        });
        self.put(product, (there + 1).min(QUANTITY_MAX));
    }

    /// Has so many of a product in it; 0 takes it out.
    pub fn put(self, product: &Product, quantity: i32) {
        self.failed.set(None);
        self.cart.update(|cart| {
            if let Some(cart) = cart {
                *cart = with(cart, product, quantity);
            }
        });
        let is_first = self.changes.with_value(VecDeque::is_empty);
        self.changes.update_value(|changes| queue(changes, Change { product: product.id, quantity }));
        self.pending.set(self.changes.with_value(VecDeque::len));
        if is_first {
            leptos::task::spawn_local(self.send());
        }
    }

    /// Sends one change after the other: each answer is the whole cart, and the last one is right.
    async fn send(self) {
        let reader = self.reader.get_value();
        while let Some(Change { product, quantity }) =
            self.changes.with_value(|changes| changes.front().copied())
        {
            let answer = client::put_in_cart(product, quantity).await;
            if self.reader.get_value() != reader {
                return;
            }
            match answer {
                Ok(cart) => {
                    let _done = self.changes.try_update_value(VecDeque::pop_front);
                    let left = self.changes.with_value(VecDeque::len);
                    self.pending.set(left);
                    if left == 0 {
                        self.cart.set(Some(cart));
                    }
                }
                Err(error) => {
                    // What is in it the server knows.
                    self.changes.update_value(VecDeque::clear);
                    self.pending.set(0);
                    self.ask().await;
                    self.failed.set(Some(error));
                }
            }
        }
    }
}

/// Adds a change. Of one product the last one counts, but for that which is under way.
fn queue(changes: &mut VecDeque<Change>, change: Change) {
    let waiting = changes.iter_mut().skip(1).find(|waiting| waiting.product == change.product);
    match waiting {
        Some(waiting) => *waiting = change,
        None => changes.push_back(change),
    }
}

fn item(cart: &Cart, product: i64) -> Option<&CartItem> {
    cart.items.iter().find(|item| item.product.id == product)
}

/// A cart with so many of a product, as the server will say it.
fn with(cart: &Cart, product: &Product, quantity: i32) -> Cart {
    let mut items = cart.items.clone();
    match items.iter_mut().find(|item| item.product.id == product.id) {
        Some(item) => item.quantity = quantity,
        None => items.push(CartItem { product: product.clone(), quantity }),
    }
    items.retain(|item| item.quantity > 0);
    let total_cents = items.iter().map(|item| item.product.price_cents * i64::from(item.quantity)).sum();
    Cart { items, total_cents }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(id: i64, price_cents: i64) -> Product {
        Product {
            id,
            name: String::new(),
            category: String::new(),
            price_cents,
            stock: 1,
            description: String::new(),
            image: String::new(),
            updated_at: String::new(),
        }
    }

    #[test]
    fn of_one_product_the_last_change_counts_that_is_not_under_way() {
        let change = |product, quantity| Change { product, quantity };
        let mut changes = VecDeque::new();
        for next in [change(1, 1), change(1, 2), change(2, 5), change(1, 3)] {
            queue(&mut changes, next);
        }
        assert_eq!(changes, [change(1, 1), change(1, 3), change(2, 5)]);
    }

    #[test]
    fn a_change_is_shown_as_the_server_will_say_it() {
        let cart = Cart { items: Vec::new(), total_cents: 0 };
        let cart = with(&cart, &product(1, 500), 2);
        let cart = with(&cart, &product(2, 70), 1);
        assert_eq!((cart.items.len(), cart.total_cents), (2, 1_070));
        let cart = with(&cart, &product(1, 500), 1);
        assert_eq!((cart.items.len(), cart.total_cents), (2, 570));
        let cart = with(&cart, &product(1, 500), 0);
        assert_eq!((cart.items.len(), cart.total_cents), (1, 70));
    }
}
