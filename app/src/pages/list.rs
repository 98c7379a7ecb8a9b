//! The product list: search, filter, order and pages, all of it in the URL.

use leptos::prelude::*;
use leptos_router::hooks::use_url;
use tidewall_api::format;
use tidewall_api::product::{PAGE_MAX, PER_PAGE_DEFAULT, Product, ProductPage};

use super::last_list::LastList;
use super::set_title;
use crate::client;
use crate::components::card::{CardSkeleton, ProductCard};
use crate::components::chips::Chips;
use crate::components::failure::Failure;
use crate::components::pager::Pager;
use crate::components::search_form::SearchForm;
use crate::effect::effect;
use crate::loader::{Loaded, Loader};
use crate::page_window::page_count;
use crate::paths;
use crate::query::ProductQuery;
use crate::remembered::Remembered;

/// Cards in view when a wide window opens: their pictures are loaded at once.
pub(crate) const EAGER_PICTURES: usize = 8;

/// The product list.
#[component]
pub fn ListPage() -> impl IntoView {
    let url = use_url();
    let query = Memo::new(move |_| ProductQuery::parse(url.read().search()));
    // The shell is the same for every query; what depends on it follows when mounted.
    let shown = RwSignal::new(ProductQuery::default());
    let last_list = expect_context::<LastList>();
    effect(move || {
        let query = query.get();
        set_title(&subject(&query));
        last_list.shown(query.href());
        shown.set(query);
    });

    let remembered = expect_context::<StoredValue<Remembered>>();
    let products = Loader::new(
        move || query.get(),
        move |query| remembered.with_value(|lists| lists.list(query).cloned()),
        move |query, signal| async move {
            let page = client::get_products(&query, &signal).await?;
            remembered.update_value(|lists| lists.keep(query, page.clone()));
            Ok(page)
        },
    );
    let results = move || match products.get() {
        Loaded::Pending => skeletons().into_any(),
        Loaded::Ready(page) if page.items.is_empty() => nothing(shown.get_untracked(), &page).into_any(),
        Loaded::Ready(page) => list(&shown.get_untracked(), page).into_any(),
        Loaded::Failed(error) => {
            view! { <Failure error=error on_retry=move |()| products.retry() /> }.into_any()
        }
    };
    view! {
        <div class="list-head">
            <h1>{move || heading(&shown.get())}</h1>
            <p class="list-count" role="status">
                {move || products.with(count)}
            </p>
        </div>
        <SearchForm shown=shown />
        <Chips shown=shown />
        <div class="results" aria-busy=move || products.busy().to_string()>
            {results}
        </div>
    }
}

fn heading(query: &ProductQuery) -> String {
    match (&query.q, &query.category) {
        (Some(words), _) => format!("Results for “{words}”"),
        (None, Some(category)) => category.clone(),
        (None, None) => "All products".to_owned(),
    }
}

fn subject(query: &ProductQuery) -> String {
    let heading = if *query == ProductQuery::default() { String::new() } else { heading(query) };
    match query.page {
        ..=1 => heading,
        page => format!("{heading}, page {page}"),
    }
}

fn count(products: &Loaded<ProductPage>) -> String {
    match products {
        Loaded::Pending => "Loading products…".to_owned(),
        Loaded::Failed(_) => String::new(),
        Loaded::Ready(page) => {
            let total = u64::try_from(page.total).unwrap_or(0);
            let noun = if total == 1 { "product" } else { "products" };
            let pages = page_count(page.total, page.per_page);
            let place = if pages > 1 {
                format!(", page {} of {}", format::count(page.page.into()), format::count(pages.into()))
            } else {
                String::new()
            };
            format!("{} {noun}{place}", format::count(total))
        }
    }
}

fn skeletons() -> impl IntoView {
    view! {
        <ul class="grid" aria-hidden="true">
            {(0..PER_PAGE_DEFAULT).map(|_| view! { <CardSkeleton /> }).collect_view()}
        </ul>
    }
}

fn list(query: &ProductQuery, page: ProductPage) -> impl IntoView {
    let last = page_count(page.total, page.per_page).min(PAGE_MAX);
    let query = query.on_page(page.page);
    let products: Vec<(usize, Product)> = page.items.into_iter().enumerate().collect();
    // Keyed, so that no card shows its next product's name beside its last one's picture.
    view! {
        <ul class="grid">
            <For
                each=move || products.clone()
                key=|(_, product)| (product.id, product.updated_at.clone())
                children=|(index, product)| {
                    let lazy = index >= EAGER_PICTURES;
                    view! { <ProductCard product=product lazy=lazy /> }
                }
            />
        </ul>
        <Pager query=query last=last />
    }
}

fn nothing(query: ProductQuery, page: &ProductPage) -> impl IntoView {
    let last = page_count(page.total, page.per_page).min(PAGE_MAX);
    let (title, text, link, href) = if last > 0 {
        let text = format!("This list ends at page {}.", format::count(last.into()));
        ("There is no such page", text, "Go to the last page", query.on_page(last).href())
    } else {
        let text = "Try fewer or other words, or look through everything.".to_owned();
        ("No products found", text, "See all products", paths::LIST.to_owned())
    };
    view! {
        <div class="notice">
            <h2>{title}</h2>
            <p>{text}</p>
            <a class="button" href=href>
                {link}
            </a>
        </div>
    }
}
