//! The cart, as the page shows it: what is changed is seen at once, and taken back if it can't be.

use leptos::prelude::*;
use tidewall_api::cart::{Cart, CartItem};
use tidewall_api::product::Product;

use crate::account::{Account, Who};
use crate::client::{self, ClientError};

/// The cart, in the context of everything in the app.
#[derive(Clone, Copy, Debug)]
pub struct Basket {
    cart: RwSignal<Option<Cart>>,
    failed: RwSignal<Option<ClientError>>,
    /// Changes that the server hasn't answered.
    pending: RwSignal<u32>,
}

impl Basket {
    /// Follows whoever is logged in.
    pub fn begin(account: Account) -> Self {
        let basket =
            Self { cart: RwSignal::new(None), failed: RwSignal::new(None), pending: RwSignal::new(0) };
        Effect::new(move |_| match account.who() {
            Who::Known(_) => basket.fetch(),
            Who::Unknown | Who::Guest => basket.cart.set(None),
        });
        basket
    }

    /// What is in it; `None` as long as that isn't known.
    pub fn cart(self) -> Option<Cart> {
        self.cart.get()
    }

    /// Pieces in it.
    pub fn pieces(self) -> i32 {
        self.cart.with(|cart| cart.iter().flat_map(|cart| &cart.items).map(|item| item.quantity).sum())
    }

    /// Why the last change was taken back.
    pub fn failed(self) -> Option<ClientError> {
        self.failed.get()
    }

    /// Whether all changes are answered.
    pub fn is_settled(self) -> bool {
        self.pending.get() == 0
    }

    /// Asks for it anew.
    pub fn fetch(self) {
        leptos::task::spawn_local(async move {
            match client::get_cart().await {
                Ok(cart) => self.cart.set(Some(cart)),
                Err(error) => self.failed.set(Some(error)),
            }
        });
    }

    /// It was ordered.
    pub fn clear(self) {
        self.cart.set(Some(Cart { items: Vec::new(), total_cents: 0 }));
    }

    /// Puts one more of a product in.
    pub fn add(self, product: &Product) {
        let there = self.cart.with_untracked(|cart| {
            cart.iter()
                .flat_map(|cart| &cart.items)
                .find(|item| item.product.id == product.id)
                .map(|item| item.quantity)
        });
        self.put(product, there.unwrap_or_default() + 1);
    }

    /// Has so many of a product in it; 0 takes it out.
    pub fn put(self, product: &Product, quantity: i32) {
        let before = self.cart.get_untracked();
        self.failed.set(None);
        self.cart.update(|cart| {
            if let Some(cart) = cart {
                *cart = with(cart, product, quantity);
            }
        });
        self.pending.update(|pending| *pending += 1);
        let id = product.id;
        leptos::task::spawn_local(async move {
            let answer = client::put_in_cart(id, quantity).await;
            self.pending.update(|pending| *pending -= 1);
            match answer {
                // Of several changes under way the last answer has them all.
                Ok(cart) if self.pending.get_untracked() == 0 => self.cart.set(Some(cart)),
                Ok(_) => {}
                Err(error) => {
                    self.cart.set(before);
                    self.failed.set(Some(error));
                }
            }
        });
    }
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
