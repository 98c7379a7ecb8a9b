//! A product as staff change it, and where its copies are.

use leptos::html;
use leptos::prelude::*;
use tidewall_api::product::{DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX, Product, ProductInput};

use crate::client::{self, ClientError};
use crate::components::alert::Alert;
use crate::effect::effect;
use crate::paths;

/// To change a product. What is shown changes at once, and back again if it is refused.
#[component]
pub fn EditProduct(
    /// As it is.
    product: Product,
    /// Shows it another way.
    show: Callback<Product>,
) -> impl IntoView {
    let id = product.id;
    let (failed, busy) = (RwSignal::new(None::<ClientError>), RwSignal::new(false));
    let copy = RwSignal::new(None::<String>);
    let look = move || {
        leptos::task::spawn_local(async move {
            let found = client::cache_status(&paths::product_api(id)).await;
            let _gone = copy.try_set(found);
        });
    };
    effect(look);
    let [name, category, price, stock] = [(); 4].map(|()| NodeRef::<html::Input>::new());
    let description = NodeRef::<html::Textarea>::new();
    let before = StoredValue::new(product.clone());
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let text = |field: NodeRef<html::Input>| {
            field.get_untracked().map(|field| field.value()).unwrap_or_default()
        };
        let input = ProductInput {
            name: text(name),
            category: text(category),
            // The form takes nothing else; what a script puts there the server refuses.
            price_cents: cents(&text(price)).unwrap_or(-1),
            stock: text(stock).parse().unwrap_or(-1),
            description: description.get_untracked().map(|field| field.value()).unwrap_or_default(),
        };
        let old = before.get_value();
        failed.set(None);
        busy.set(true);
        show.run(changed(&old, &input));
        leptos::task::spawn_local(async move {
            let answer = client::put::<_, Product>(&paths::product_api(id), &input).await;
            if busy.try_set(false).is_some() {
                // Somebody has gone on: what they see now is not this.
                return;
            }
            match answer {
                Ok(saved) => {
                    before.set_value(saved.clone());
                    show.try_run(saved);
                    look();
                }
                Err(error) => {
                    show.try_run(old);
                    failed.set(Some(error));
                }
            }
        });
    };
    view! {
        <details class="edit">
            <summary>"Edit it"</summary>
            <form class="form" on:submit=save>
                <label>
                    "Name"
                    <input class="field" name="name" required maxlength=NAME_CHARS_MAX.to_string() value=product.name node_ref=name />
                </label>
                <label>
                    "Category" <input class="field" name="category" required value=product.category node_ref=category />
                </label>
                <label>
                    "Price in dollars"
                    <input
                        class="field"
                        name="price"
                        type="number"
                        min="0"
                        step="0.01"
                        required
                        value=dollars(product.price_cents)
                        node_ref=price
                    />
                </label>
                <label>
                    "In stock"
                    <input
                        class="field"
                        name="stock"
                        type="number"
                        min="0"
                        step="1"
                        required
                        value=product.stock.to_string()
                        node_ref=stock
                    />
                </label>
                <label>
                    "Description"
                    <textarea
                        class="field field-tall"
                        name="description"
                        rows="5"
                        maxlength=DESCRIPTION_CHARS_MAX.to_string()
                        node_ref=description
                    >
                        {product.description}
                    </textarea>
                </label>
                <button class="button" type="submit" disabled=move || busy.get()>
                    "Save"
                </button>
            </form>
            <Alert error=failed />
            <p class="hint" role="status">
                {move || copy.get().map(|status| view! { {words(&status)} " " <code>{status.clone()}</code> }.into_any())}
            </p>
        </details>
    }
}

/// How a product looks once `input` is written.
fn changed(product: &Product, input: &ProductInput) -> Product {
    let ProductInput { name, category, price_cents, stock, description } = input.clone();
    Product { name, category, price_cents, stock, description, ..product.clone() }
}

/// What `Cache-Status` says (RFC 9211), for people.
fn words(status: &str) -> &'static str {
    match status {
        status if status.contains("; hit") => "The edge has a copy, and answers with it:",
        status if status.contains("; stored") => "The edge had to ask, and keeps the answer:",
        _ => "The edge had to ask:",
    }
}

/// `12.5` as cents.
fn cents(dollars: &str) -> Option<i64> {
    let amount: f64 = dollars.trim().parse().ok()?;
    (0.0..1e12).contains(&amount).then(|| (amount * 100.0).round() as i64)
}

fn dollars(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_cents_and_back() {
        for (text, amount) in
            [("12.5", Some(1_250)), ("0", Some(0)), ("0.07", Some(7)), ("", None), ("-1", None), ("x", None)]
        {
            assert_eq!(cents(text), amount, "{text}");
        }
        for amount in [0, 7, 1_999, 100_000] {
            assert_eq!(cents(&dollars(amount)), Some(amount));
        }
    }

    #[test]
    fn a_copy_is_told_in_words() {
        assert_eq!(words("tidewall; hit; ttl=297"), "The edge has a copy, and answers with it:");
        assert_eq!(words("tidewall; fwd=uri-miss; stored"), "The edge had to ask, and keeps the answer:");
        assert_eq!(words("tidewall; fwd=request; detail=behind-bookmark"), "The edge had to ask:");
    }
}
