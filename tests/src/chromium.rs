//! A headless Chromium that a test looks at pages with, driven by ChromeDriver over the WebDriver protocol
//! (W3C WebDriver, <https://www.w3.org/TR/webdriver2/>).
//!
//! Methods wait, as a person does, until what they need is on the page. They panic where it doesn't come, since
//! that fails the test.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http;
use crate::limits::LIVENESS;
use crate::process::Process;
use crate::program::{Unavailable, program};
use crate::wait::wait_until;

/// Nothing of a first start, no updates, no reports home, and no names resolved: only loopback can be reached.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.*, EXCLUDE ::1",
];

/// Where the WebDriver protocol hides an element's id in JSON (W3C WebDriver, "Elements").
const ELEMENT_KEY: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window and an empty profile.
#[derive(Debug)]
pub struct Browser {
    _process: Process,
    /// `http://127.0.0.1:PORT/session/ID`.
    session: String,
    _home: TempDir,
}

impl Browser {
    /// Starts it with a window of 1280 by 900 pixels.
    ///
    /// # Errors
    /// Chromium or ChromeDriver is not installed.
    ///
    /// # Panics
    /// It does not start.
    pub fn start() -> Result<Self, Unavailable> {
        let chromium = program("chromium")?;
        let chromedriver = program("chromedriver")?;
        let home = TempDir::with_prefix("hamsa-chromium-").expect("a temporary directory");
        let mut command = Command::new(chromedriver);
        // It picks a free port itself, and says which.
        command.arg("--port=0").current_dir(home.path());
        for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"] {
            command.env(name, home.path());
        }
        let mut process = Process::spawn("chromedriver", &mut command);
        let port = process.wait_until("ChromeDriver says its port", |process| {
            let output = process.stdout();
            let port = output.split_once("started successfully on port ")?.1.split_once('.')?.0;
            port.parse::<u16>().ok()
        });
        let mut arguments: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", home.path().join("profile").display()));
        arguments.push("--window-size=1280,900".to_owned());
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"pageLoad": LIVENESS.as_millis() as u64, "script": LIVENESS.as_millis() as u64},
        }}});
        let base = format!("http://127.0.0.1:{port}");
        let answer = call("POST", &format!("{base}/session"), &capabilities).expect("a browser session");
        let id = answer["sessionId"].as_str().expect("the session's id");
        Ok(Browser { session: format!("{base}/session/{id}"), _process: process, _home: home })
    }

    /// Opens a page and waits until it is loaded.
    ///
    /// # Panics
    /// It can't be loaded.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// The page's title.
    #[track_caller]
    pub fn title(&self) -> String {
        self.script("return document.title").as_str().unwrap_or_default().to_owned()
    }

    /// The text of the first element that the CSS selector finds, as it is shown; waits for the element.
    ///
    /// # Panics
    /// It doesn't come.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        self.with_element(selector, "GET", "text", &Value::Null).as_str().unwrap_or_default().to_owned()
    }

    /// Clicks on the first element that the CSS selector finds, as a mouse would; waits until it can be clicked.
    ///
    /// # Panics
    /// It doesn't come, or stays covered.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        self.with_element(selector, "POST", "click", &json!({}));
    }

    /// Types text into the first element that the CSS selector finds; waits until it takes it.
    ///
    /// # Panics
    /// It doesn't come, or takes no text.
    #[track_caller]
    pub fn type_text(&self, selector: &str, text: &str) {
        self.with_element(selector, "POST", "value", &json!({ "text": text }));
    }

    /// Runs the body of a JavaScript function in the page and gives what it returns.
    ///
    /// # Panics
    /// It throws.
    #[track_caller]
    pub fn script(&self, body: &str) -> Value {
        self.post("execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Waits until a JavaScript expression is true in the page; one that throws is not.
    ///
    /// # Panics
    /// It doesn't become true.
    #[track_caller]
    pub fn wait_for(&self, expression: &str) {
        let body = json!({ "script": format!("return Boolean({expression})"), "args": [] });
        let url = format!("{}/execute/sync", self.session);
        wait_until(&format!("in the page: {expression}"), || {
            call("POST", &url, &body).is_ok_and(|value| value == true).then_some(())
        });
    }

    /// What the page and the browser have written to the console since the last call; errors of scripts and failed
    /// requests are there.
    #[track_caller]
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .map(|entry| format!("{} {}", entry["level"].as_str().unwrap_or_default(), entry["message"]))
            .collect()
    }

    /// Sets the size of the page in the window, in CSS pixels.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        let frame = self.script("return [outerWidth - innerWidth, outerHeight - innerHeight]");
        let frame = |index: usize| frame[index].as_u64().unwrap_or_default();
        let (width, height) = (u64::from(width) + frame(0), u64::from(height) + frame(1));
        self.post("window/rect", &json!({ "width": width, "height": height }));
    }

    /// Writes what the window shows to a PNG file.
    ///
    /// # Panics
    /// The file can't be written.
    #[track_caller]
    pub fn screenshot(&self, path: &Path) {
        let answer = call("GET", &format!("{}/screenshot", self.session), &Value::Null);
        let encoded = answer.unwrap_or_else(|error| panic!("no screenshot: {error}"));
        let octets = BASE64_STANDARD.decode(encoded.as_str().unwrap_or_default()).expect("a screenshot in Base64");
        std::fs::write(path, octets).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    #[track_caller]
    fn post(&self, method: &str, body: &Value) -> Value {
        let answer = call("POST", &format!("{}/{method}", self.session), body);
        answer.unwrap_or_else(|error| panic!("{method} {body}: {error}"))
    }

    /// Finds an element and does something with it, again and again until that works: a page that moves may replace
    /// the element in between.
    #[track_caller]
    fn with_element(&self, selector: &str, http_method: &str, command: &str, body: &Value) -> Value {
        let find = json!({ "using": "css selector", "value": selector });
        wait_until(&format!("{command} of `{selector}` in the page"), || {
            let element = call("POST", &format!("{}/element", self.session), &find).ok()?;
            let id = element[ELEMENT_KEY].as_str()?;
            call(http_method, &format!("{}/element/{id}/{command}", self.session), body).ok()
        })
    }
}

/// One WebDriver command and the `value` of its answer.
fn call(http_method: &str, url: &str, body: &Value) -> Result<Value, String> {
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let headers = [("content-type", "application/json; charset=utf-8")];
    let response = http::send(http_method, url, &headers, &body).map_err(|error| error.to_string())?;
    let mut answer = response.json();
    match response.status {
        200 => Ok(answer["value"].take()),
        _ => Err(format!("{}: {}", answer["value"]["error"], answer["value"]["message"])),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    use super::*;
    use crate::require;

    const PAGE: &str = "<!doctype html><title>Devices</title>
        <h1 style='text-transform: uppercase'>Two devices</h1>
        <input id=filter><button onclick='shown.textContent = filter.value + \"!\"'>Show</button>
        <p id=shown></p><div style='width: 100px; height: 100px; background: red'></div>
        <script>setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<p id=late>late</p>'), 300);
        console.error('a broken script');</script>";

    /// Serves [`PAGE`] on every path of a free port of `address` until the test process ends.
    fn serve(address: Ipv4Addr) -> SocketAddr {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(&stream).lines();
                    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close",
                        PAGE.len()
                    );
                    let _ = write!(&stream, "{head}\r\n\r\n{PAGE}");
                });
            }
        });
        address
    }

    #[test]
    fn a_page_is_opened_read_and_used() {
        let browser = require!(Browser::start());
        browser.open(&format!("http://{}/", serve(crate::loopback())));
        assert_eq!(browser.title(), "Devices");
        assert_eq!(browser.text("h1"), "TWO DEVICES");
        assert_eq!(browser.text("#late"), "late");
        browser.type_text("#filter", "router");
        browser.click("button");
        browser.wait_for("shown.textContent === 'router!'");
        assert_eq!(browser.script("return [1, document.querySelectorAll('p').length]"), json!([1, 2]));
        let console = browser.console();
        assert!(console.iter().any(|entry| entry.contains("a broken script")), "{console:?}");
    }

    #[test]
    fn a_screenshot_shows_the_page() {
        let browser = require!(Browser::start());
        browser.open(&format!("http://{}/", serve(crate::loopback())));
        browser.resize(800, 600);
        assert_eq!(browser.script("return [innerWidth, innerHeight]"), json!([800, 600]));
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("page.png");
        browser.screenshot(&path);
        let png = std::fs::read(path).unwrap();
        // PNG §5.2 and §11.2.2: the signature, then IHDR with width and height.
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
        assert_eq!(png[16..24], [800_u32.to_be_bytes(), 600_u32.to_be_bytes()].concat());
    }

    #[test]
    fn no_name_is_resolved() {
        let browser = require!(Browser::start());
        let port = serve(Ipv4Addr::LOCALHOST).port();
        browser.open(&format!("http://127.0.0.1:{port}/"));
        let fetch = |host: &str| {
            let url = format!("http://{host}:{port}/");
            browser.script(&format!("return fetch('{url}', {{mode: 'no-cors'}}).then(() => 'reached', () => 'failed')"))
        };
        assert_eq!(fetch("127.0.0.1"), "reached");
        // A name that every machine knows stands for those that only a name server does.
        assert_eq!(fetch("localhost"), "failed");
    }
}
