//! Headless Chromium: from npm, or one that is installed (`CHROME`).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chromiumoxide::browser::{Browser, BrowserConfig};
use chromiumoxide::cdp::browser_protocol::log;
use chromiumoxide::cdp::js_protocol::runtime;
use chromiumoxide::page::{Page, ScreenshotParams};
use futures::StreamExt;
use tokio::sync::mpsc;

use super::poll;
use super::tidewall::Folder;

/// Longest wait for something to appear on a page.
const APPEAR_DEADLINE: Duration = Duration::from_secs(60);

/// A browser of its own, closed when dropped.
pub(crate) struct Chromium {
    browser: Browser,
    driver: tokio::task::JoinHandle<()>,
    _profile: Folder,
}

impl Chromium {
    pub(crate) async fn launch() -> Self {
        let profile = Folder::new();
        let config = BrowserConfig::builder()
            .chrome_executable(executable())
            .user_data_dir(&profile.0)
            .no_sandbox()
            // A busy machine takes longer than the library's half a minute.
            .launch_timeout(Duration::from_secs(180))
            .request_timeout(Duration::from_secs(180))
            .window_size(1280, 900)
            // It must not look for anything beyond this machine.
            .args([
                "--disable-gpu",
                "--no-proxy-server",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ])
            .build()
            .unwrap();
        let (browser, mut handler) = Browser::launch(config).await.expect("Chromium starts");
        let driver = tokio::spawn(async move { while handler.next().await.is_some() {} });
        Self { browser, driver, _profile: profile }
    }

    /// Opens `url` in a tab that notes whatever the console says.
    pub(crate) async fn open(&self, url: &str) -> Tab {
        let page = self.browser.new_page("about:blank").await.unwrap();
        let (said, console) = mpsc::unbounded_channel();
        page.execute(log::EnableParams::default()).await.unwrap();
        page.execute(runtime::EnableParams::default()).await.unwrap();
        let mut calls = page.event_listener::<runtime::EventConsoleApiCalled>().await.unwrap();
        let mut exceptions = page.event_listener::<runtime::EventExceptionThrown>().await.unwrap();
        let mut entries = page.event_listener::<log::EventEntryAdded>().await.unwrap();
        tokio::spawn(async move {
            loop {
                let line = tokio::select! {
                    Some(call) = calls.next() => format!("{:?}: {:?}", call.r#type, call.args),
                    Some(exception) = exceptions.next() => format!("{:?}", exception.exception_details),
                    Some(entry) = entries.next() => format!("{:?}: {}", entry.entry.level, entry.entry.text),
                    else => return,
                };
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        page.goto(url).await.unwrap();
        Tab { page, console }
    }

    pub(crate) async fn close(mut self) {
        self.browser.close().await.unwrap();
        self.browser.wait().await.unwrap();
        self.driver.abort();
    }
}

/// An open page.
pub(crate) struct Tab {
    pub(crate) page: Page,
    console: mpsc::UnboundedReceiver<String>,
}

impl Tab {
    /// Waits until the JavaScript expression is true.
    pub(crate) async fn until(&self, expression: &str) {
        let seen = poll::until_async(APPEAR_DEADLINE, || async {
            // While the page changes there is nothing to ask.
            let value = self.page.evaluate(expression).await.ok()?.into_value::<bool>().ok()?;
            value.then_some(())
        });
        if seen.await.is_none() {
            panic!("never true: {expression}\n{}", self.page.content().await.unwrap_or_default());
        }
    }

    /// Clicks what the selector finds.
    pub(crate) async fn click(&self, selector: &str) {
        self.page.find_element(selector).await.unwrap().click().await.unwrap();
    }

    /// Presses a key, such as `Tab`, wherever the focus is.
    pub(crate) async fn press(&self, key: &str) {
        self.page.find_element("body").await.unwrap().press_key(key).await.unwrap();
    }

    /// Types a text wherever the focus is.
    pub(crate) async fn write(&self, text: &str) {
        self.page.find_element("body").await.unwrap().type_str(text).await.unwrap();
    }

    /// Goes on by Tab until what the selector finds has the focus, which is to be seen on the way.
    pub(crate) async fn tab_to(&self, selector: &str) {
        const STOPS_MAX: u32 = 150;
        let there = format!("document.activeElement.matches({selector:?})");
        for _ in 0..STOPS_MAX {
            self.press("Tab").await;
            let unseen = "(() => {
                const focused = document.activeElement, style = getComputedStyle(focused);
                const seen = focused === document.body || style.outlineStyle !== 'none' || style.boxShadow !== 'none';
                return seen ? '' : focused.outerHTML;
            })()";
            assert_eq!(self.text(unseen).await, "", "has the focus, and nothing shows it");
            if self.page.evaluate(there.as_str()).await.unwrap().into_value().unwrap() {
                return;
            }
        }
        panic!("Tab does not lead to {selector}");
    }

    /// Keeps what is seen of the page, to be looked at: `target/screenshots/{name}.png`.
    pub(crate) async fn keep(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder).unwrap();
        let whole = ScreenshotParams::builder().full_page(true).build();
        self.page.save_screenshot(whole, folder.join(format!("{name}.png"))).await.unwrap();
    }

    /// Types a text into a field.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let field = self.page.find_element(selector).await.unwrap();
        field.click().await.unwrap().type_str(text).await.unwrap();
    }

    /// Chooses an option of a list by its value.
    pub(crate) async fn choose(&self, selector: &str, value: &str) {
        let script = format!(
            "const list = document.querySelector({selector:?}); list.value = {value:?};
             list.dispatchEvent(new Event('change', {{ bubbles: true }})); true"
        );
        self.page.evaluate(script).await.unwrap();
    }

    /// The value of a JavaScript expression that is a text.
    pub(crate) async fn text(&self, expression: &str) -> String {
        self.page.evaluate(expression).await.unwrap().into_value().unwrap()
    }

    /// Everything the console has said so far.
    pub(crate) fn console(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.console.try_recv().ok()).collect()
    }
}

/// The browser's program, unpacked once from its npm package into the user's cache.
fn executable() -> PathBuf {
    if let Some(path) = std::env::var_os("CHROME") {
        return path.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = root.join("node_modules/@sparticuz/chromium");
    let description: serde_json::Value =
        serde_json::from_slice(&fs::read(package.join("package.json")).expect("npm packages are installed"))
            .unwrap();
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache"));
    let folder = cache.join(format!("tidewall/chromium-{}", description["version"].as_str().unwrap()));
    fs::create_dir_all(&folder).unwrap();
    // Two test programs may come here at once; the second finds it unpacked.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let program = folder.join("chromium");
    let unpacked = folder.join("unpacked");
    if !unpacked.is_file() {
        let module = package.join("build/index.js");
        let script = format!(
            "import chromium from {:?}; await chromium.executablePath();",
            format!("file://{}", module.display())
        );
        let status = Command::new(root.join("node_modules/.bin/node"))
            .args(["--input-type=module", "--eval", &script])
            .env("TMPDIR", &folder)
            .status()
            .unwrap();
        assert!(status.success() && program.is_file(), "Chromium is not in {}", folder.display());
        File::create(unpacked).unwrap();
    }
    program
}
