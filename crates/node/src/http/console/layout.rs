//! What every page has: its head, the bar at the top, the line at the bottom.

use maud::{DOCTYPE, Markup, html};

use crate::http::assets::url;

/// The pages that the bar leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Devices,
    Traps,
    Events,
    Status,
}

impl Tab {
    const ALL: [Tab; 4] = [Tab::Devices, Tab::Traps, Tab::Events, Tab::Status];

    const fn link(self) -> (&'static str, &'static str) {
        match self {
            Tab::Devices => ("/", "Devices"),
            Tab::Traps => ("/traps", "Traps"),
            Tab::Events => ("/events", "Events"),
            Tab::Status => ("/status", "Status"),
        }
    }
}

/// What a page says of itself.
pub(super) struct Frame<'p> {
    /// Its title.
    pub(super) title: &'p str,
    /// The node's name.
    pub(super) node: Option<&'p str>,
    /// The tab that it belongs to.
    pub(super) tab: Option<Tab>,
    /// The query of the stream that tells when it is out of date.
    pub(super) live: Option<&'p str>,
    /// Whether it has charts.
    pub(super) charts: bool,
}

/// A whole page.
pub(super) fn frame(page: Frame<'_>, body: &Markup) -> Markup {
    let Frame { title, node, tab, live, charts } = page;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Hamsa" @if let Some(node) = node { " " (node) } }
                link rel="icon" href=(url("icon.svg")) type="image/svg+xml";
                @if charts {
                    link rel="stylesheet" href=(url("uplot.css"));
                }
                link rel="stylesheet" href=(url("hamsa.css"));
                link rel="stylesheet" href=(url("parts.css"));
                // The first remembers the page as it was sent, before the second changes what it shows.
                @if live.is_some() {
                    script src=(url("live.js")) defer {}
                }
                script src=(url("times.js")) defer {}
                @if charts {
                    script src=(url("uplot.js")) defer {}
                    script src=(url("charts.js")) defer {}
                }
            }
            body data-stream=[live] {
                a.skip href="#main" { "To the contents" }
                header.bar {
                    a.brand href="/" {
                        img src=(url("icon.svg")) alt="" width="22" height="22";
                        span { "Hamsa" }
                    }
                    nav aria-label="Pages" {
                        @for one in Tab::ALL {
                            @let (href, name) = one.link();
                            a href=(href) aria-current=[(tab == Some(one)).then_some("page")] { (name) }
                        }
                    }
                    div.bar-end {
                        @if live.is_some() {
                            span #link .link-state role="status" { "not live without scripts" }
                        }
                        @if let Some(node) = node {
                            span.node title="This node" { (node) }
                        }
                    }
                }
                main #main tabindex="-1" { (body) }
                footer.foot {
                    span #zone { "Times are UTC" }
                    span { "Hamsa " (env!("CARGO_PKG_VERSION")) }
                }
            }
        }
    }
}
