//! The HTML document around a page's body.

use crate::preload;
use crate::prerender::Scripts;

/// One document.
#[derive(Debug)]
pub struct Document<'a> {
    /// Its title.
    pub title: &'a str,
    /// What search engines show below the title.
    pub description: &'a str,
    /// It is for no search engine.
    pub is_private: bool,
    /// The body's content, markup.
    pub body: &'a str,
    /// Which build of the site it is of; empty where that is not known.
    pub build: &'a str,
    /// What takes the body over; `None` for a page that is whole as it is.
    pub scripts: Option<&'a Scripts>,
}

impl Document<'_> {
    /// The document's text.
    pub fn html(&self) -> String {
        let Self { title, description, is_private, body, build, scripts } = self;
        let (first, module) = match scripts {
            Some(scripts) => (data(), start(scripts)),
            None => Default::default(),
        };
        let robots = if *is_private { "<meta name=\"robots\" content=\"noindex\">\n" } else { "" };
        let (title, description, build) = (escape(title), escape(description), escape(build));
        // The script that asks for data stands before the style sheet, which
        // would hold it up.
        format!(
            "<!DOCTYPE html>\n\
             <html lang=\"en\">\n\
             <head>\n\
             <meta charset=\"utf-8\">\n\
             {first}\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n\
             <meta name=\"description\" content=\"{description}\">\n\
             {robots}\
             <meta name=\"tidewall-build\" content=\"{build}\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"theme-color\" content=\"#ffffff\" media=\"(prefers-color-scheme: light)\">\n\
             <meta name=\"theme-color\" content=\"#12181c\" media=\"(prefers-color-scheme: dark)\">\n\
             <link rel=\"stylesheet\" href=\"{styles}\">\n\
             <link rel=\"icon\" type=\"image/svg+xml\" href=\"{icon}\">\n\
             {module}\
             </head>\n\
             <body>{body}</body>\n\
             </html>\n",
            styles = asset!("styles.css"),
            icon = asset!("favicon.svg"),
        )
    }
}

fn data() -> String {
    format!("<script>{}</script>\n", preload::script())
}

fn start(Scripts { module, wasm }: &Scripts) -> String {
    // `{:?}` of a path or an integrity value, both of plain ASCII, is a JavaScript string too.
    // The preload has no `integrity`: browsers ignore it there and say so.
    format!(
        "<link rel=\"modulepreload\" href=\"{module_path}\" integrity=\"{module_integrity}\">\n\
         <link rel=\"preload\" href=\"{wasm_path}\" as=\"fetch\" type=\"application/wasm\" crossorigin>\n\
         <script type=\"module\">\n\
         import init from {module_text:?};\n\
         try {{\n  \
           await init({{ module_or_path: fetch({wasm_text:?}, {{ integrity: {integrity_text:?} }}) }});\n\
         }} catch (error) {{\n  \
           document.documentElement.classList.add(\"unstarted\");\n  \
           throw error;\n\
         }}\n\
         </script>\n",
        module_path = escape(&module.path),
        module_integrity = escape(&module.integrity),
        wasm_path = escape(&wasm.path),
        module_text = module.path,
        wasm_text = wasm.path,
        integrity_text = wasm.integrity,
    )
}

/// Text in HTML, in content and in double-quoted attributes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
