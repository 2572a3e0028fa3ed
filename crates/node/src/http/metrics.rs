//! `/metrics`, `/snmp`, and the probes `/-/healthy` and `/-/ready`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hamsa_snmp::engine::Name;
use hamsa_snmp::manager::{PollError, PollResult, TargetConfig};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::query::Parameters;
use super::refusal::Refusal;
use super::stats::Gauge;
use super::{App, AppRef};
use crate::collector::{Scrape, Scraped};
use crate::config::{Credentials, DeviceAddress, Security};
use crate::io_loop::Command;
use crate::limits::{LOOP_SILENCE, MAX_SCRAPE_MODULES, SCRAPE_MARGIN, SCRAPE_WAIT};
use crate::profile::{Profile, ProfileSet};
use crate::prometheus::{CONTENT_TYPE, DeviceMetrics, ModuleScrape, Snapshot, expose};

/// snmp_exporter's names for what is taken when a scrape does not say it.
const DEFAULT_MODULE: &str = "if_mib";
const DEFAULT_AUTH: &str = "public_v2";

/// How Prometheus says how long it waits.
const SCRAPE_TIMEOUT_FIELD: &str = "x-prometheus-scrape-timeout-seconds";

pub(super) fn routes() -> Router<AppRef> {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/snmp", get(snmp))
        .route("/-/healthy", get(|| async { "healthy\n" }))
        .route("/-/ready", get(ready))
}

async fn metrics(State(app): State<AppRef>) -> Result<Response, Refusal> {
    let stats = app.stats.clone();
    let node = app.node.clone();
    let text = app.read(move |_| Ok(expose(&Snapshot::take(node, stats)))).await?;
    Ok(exposition(text))
}

async fn ready(State(app): State<AppRef>) -> Result<&'static str, Refusal> {
    let not_ready = |error: &str, hint| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error, hint);
    let counted = app.node.snmp.stats().counted;
    if counted.is_none_or(|at| at.elapsed() > LOOP_SILENCE) {
        return Err(not_ready("the SNMP loop does not run", "look at the node's log"));
    }
    if app.node.writer_stats.is_failing.load(Ordering::Relaxed) {
        return Err(not_ready("samples can't be stored", "look at the disk and at the node's log"));
    }
    Ok("ready\n")
}

/// Reads a device now, in snmp_exporter's way.
async fn snmp(State(app): State<AppRef>, headers: HeaderMap, mut query: Parameters) -> Result<Response, Refusal> {
    let target = query.require("target", "192.0.2.1")?;
    let modules = modules(&app.node.profiles, &query.take_all("module"))?;
    let credentials = credentials(&app, query.take("auth")?)?;
    let context = query.take("snmp_context")?;
    let engine_id = query.take("snmp_engineid")?;
    // Further parameters are passed over: snmp_exporter does so, and its users' configurations have them.
    let deadline = Instant::now() + wait(&headers);
    let address = resolve(&target, deadline).await?;
    let config = target_config(&app, address, &credentials, context, engine_id)?;
    let permit = app.scrapes.clone().try_acquire_owned();
    let permit = Arc::new(permit.map_err(|_| Refusal::busy("too many scrapes at a time"))?);
    let _running = Gauge::raise(&app.stats.scrapes_running);
    let started = Instant::now();
    let result = scrape_all(&app, &config, modules, &permit, deadline).await;
    app.stats.scrape_duration.observe(started.elapsed());
    let scrapes = result.inspect_err(|_| {
        app.stats.scrapes_failed.fetch_add(1, Ordering::Relaxed);
    });
    let scrapes = scrapes.map_err(|what| unreadable(&target, &what))?;
    let is_complete = scrapes.iter().all(|module| module.scraped.outcome.result == PollResult::Complete);
    let count = if is_complete { &app.stats.scrapes_complete } else { &app.stats.scrapes_partial };
    count.fetch_add(1, Ordering::Relaxed);
    let text = app.read(move |node| {
        let mut metrics = DeviceMetrics::default();
        scrapes.into_iter().for_each(|module| metrics.add(&node.mib, module));
        Ok(metrics.into_text())
    });
    Ok(exposition(text.await?))
}

fn exposition(text: String) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

/// Answered with 500, which Prometheus shows with its target as the reason of the failure.
fn unreadable(target: &str, what: &str) -> Refusal {
    let error = format!("error scraping target {target}: {what}");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error, "check its address, its access lists, and auth")
}

/// Reads one module after the other.
async fn scrape_all(
    app: &App,
    config: &TargetConfig,
    modules: Vec<(String, Arc<Profile>)>,
    permit: &Arc<OwnedSemaphorePermit>,
    deadline: Instant,
) -> Result<Vec<ModuleScrape>, String> {
    let mut scrapes = Vec::with_capacity(modules.len());
    for (module, profile) in modules {
        let started = Instant::now();
        let scraped = scrape(app, config, profile, permit.clone(), deadline).await?;
        if let Some(error) = failure(&scraped.outcome.result, scraped.outcome.variables) {
            return Err(format!("module {module}: {error}"));
        }
        scrapes.push(ModuleScrape { module, scraped, duration: started.elapsed() });
    }
    Ok(scrapes)
}

async fn scrape(
    app: &App,
    config: &TargetConfig,
    profile: Arc<Profile>,
    permit: Arc<OwnedSemaphorePermit>,
    deadline: Instant,
) -> Result<Scraped, String> {
    let (reply, answer) = oneshot::channel();
    let scrape = Scrape { target: config.clone(), profiles: vec![profile], walk: app.node.walk(config.version), reply };
    if !app.node.snmp.send(Command::Scrape(Box::new(scrape))) {
        return Err("the node is stopping".to_owned());
    }
    // The poll goes on when nobody waits for it any more, and counts as a scrape until it ends.
    let answer = tokio::spawn(async move {
        let _permit = permit;
        answer.await
    });
    match tokio::time::timeout_at(deadline.into(), answer).await {
        Ok(Ok(Ok(scraped))) => Ok(scraped),
        Ok(_) => Err("the node is stopping".to_owned()),
        Err(_) => Err("no complete answer in the time that the scrape may take".to_owned()),
    }
}

/// Why a scrape is of no use: the device was lost on the way. What it merely did not do right is left out.
fn failure(result: &PollResult, variables: u32) -> Option<String> {
    match result {
        PollResult::Complete => None,
        PollResult::Failed(error) => Some(error.to_string()),
        PollResult::Partial(errors) => {
            let is_lost = |error: &&PollError| matches!(error, PollError::Request(_) | PollError::Submit(_));
            let error = errors.iter().find(is_lost).or(errors.first().filter(|_| variables == 0));
            error.map(ToString::to_string)
        }
    }
}

/// The profiles of a scrape, each once, with the names they were asked for by.
fn modules(profiles: &ProfileSet, asked: &[String]) -> Result<Vec<(String, Arc<Profile>)>, Refusal> {
    let mut modules: Vec<(String, Arc<Profile>)> = Vec::new();
    let asked = if asked.is_empty() { &[DEFAULT_MODULE.to_owned()] } else { asked };
    for name in asked.iter().flat_map(|names| names.split(',')).filter(|name| !name.is_empty()) {
        let Some(profile) = profiles.get(name) else {
            let known: BTreeSet<&str> = profiles
                .iter()
                .flat_map(|profile| profile.also_known_as.iter().chain([&profile.name]))
                .map(String::as_str)
                .collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            let hint = format!("modules are device profiles; here are {known}");
            return Err(Refusal::bad_request(format!("unknown module '{name}'"), hint));
        };
        if !modules.iter().any(|(_, other)| Arc::ptr_eq(other, profile)) {
            modules.push((name.to_owned(), profile.clone()));
        }
    }
    if modules.is_empty() || modules.len() > MAX_SCRAPE_MODULES {
        let error = format!("{} modules", modules.len());
        return Err(Refusal::bad_request(error, format!("ask for 1 to {MAX_SCRAPE_MODULES}")));
    }
    Ok(modules)
}

fn credentials(app: &App, asked: Option<String>) -> Result<Arc<Credentials>, Refusal> {
    let all = &app.node.settings().credentials;
    let found = match &asked {
        Some(name) => all.get(name),
        None => all.get(DEFAULT_AUTH).or_else(|| all.values().next()),
    };
    found.cloned().ok_or_else(|| {
        let error = format!("unknown auth '{}'", asked.as_deref().unwrap_or(DEFAULT_AUTH));
        let names = all.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let hint = match names.as_str() {
            "" => "the configuration has no [credentials.NAME]".to_owned(),
            names => format!("auth is the NAME of a [credentials.NAME]; here are {names}"),
        };
        Refusal::bad_request(error, hint)
    })
}

/// How long the scrape may take.
fn wait(headers: &HeaderMap) -> Duration {
    let field = headers.get(SCRAPE_TIMEOUT_FIELD).and_then(|value| value.to_str().ok());
    let said = field.and_then(|text| text.parse::<f64>().ok()).and_then(|s| Duration::try_from_secs_f64(s).ok());
    match said {
        // Of a very short time a margin would leave nothing.
        Some(said) => said.saturating_sub(SCRAPE_MARGIN.min(said / 4)).min(SCRAPE_WAIT),
        None => SCRAPE_WAIT,
    }
}

/// `[udp://]HOST[:PORT]`.
async fn resolve(target: &str, deadline: Instant) -> Result<SocketAddr, Refusal> {
    let address = target.strip_prefix("udp://").unwrap_or(target);
    if let Some((transport, _)) = address.split_once("://") {
        let error = format!("the transport {transport} of target {target:?} is not spoken");
        return Err(Refusal::bad_request(error, "only UDP is: HOST or HOST:PORT"));
    }
    let parsed = address.parse::<DeviceAddress>().map_err(|error| {
        Refusal::bad_request(format!("target {target:?}: {error}"), "use HOST or HOST:PORT, IPv6 in brackets")
    })?;
    let (name, port) = match parsed {
        DeviceAddress::Ip(address) => return Ok(address),
        DeviceAddress::Host { name, port } => (name, port),
    };
    match tokio::time::timeout_at(deadline.into(), tokio::net::lookup_host((name.as_str(), port))).await {
        Ok(Ok(mut found)) => found.next().ok_or_else(|| unreadable(target, "the name has no address")),
        Ok(Err(error)) => Err(unreadable(target, &format!("the name can't be resolved: {error}"))),
        Err(_) => Err(unreadable(target, "the name could not be resolved in time")),
    }
}

fn target_config(
    app: &App,
    address: SocketAddr,
    credentials: &Credentials,
    context: Option<String>,
    engine_id: Option<String>,
) -> Result<TargetConfig, Refusal> {
    let mut config = app
        .node
        .target(address, credentials)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "check the credentials"))?;
    let is_v3 = matches!(credentials.security, Security::V3(_));
    if (context.is_some() || engine_id.is_some()) && !is_v3 {
        let error = format!("auth {} is of no SNMPv3 user", credentials.name);
        return Err(Refusal::bad_request(error, "snmp_context and snmp_engineid are for SNMPv3"));
    }
    if let Some(context) = context {
        let too_long = |error: hamsa_snmp::engine::NameTooLong| {
            Refusal::bad_request(format!("snmp_context: {error}"), "shorten it")
        };
        config.context_name = Name::new(&context).map_err(too_long)?;
    }
    if let Some(engine_id) = engine_id {
        let wrong =
            |error| Refusal::bad_request(format!("snmp_engineid: {error}"), "give 1 to 32 octets in hexadecimal");
        config.context_engine_id = Some(engine_id.parse().map_err(wrong)?);
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use hamsa_snmp::manager::RequestError;
    use hamsa_snmp::mib::Mib;

    use super::*;

    #[test]
    fn modules_are_profiles_each_once() {
        let profiles = ProfileSet::shipped(&Mib::standard()).unwrap();
        let names = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
            let found = modules(&profiles, &asked).map_err(|refusal| format!("{}: {}", refusal.error, refusal.hint));
            found.map(|modules| {
                modules.into_iter().map(|(name, profile)| (name, profile.name.clone())).collect::<Vec<_>>()
            })
        };
        let pair = |asked: &str, profile: &str| (asked.to_owned(), profile.to_owned());
        assert_eq!(names(&[]), Ok(vec![pair("if_mib", "if-mib")]));
        assert_eq!(names(&["if_mib,system", "if-mib"]), Ok(vec![pair("if_mib", "if-mib"), pair("system", "system")]));
        assert_eq!(names(&["hrStorage,hrSystem"]), Ok(vec![pair("hrStorage", "host-resources")]));
        let error = names(&["if_mib,ddwrt"]).unwrap_err();
        assert!(error.starts_with("unknown module 'ddwrt'") && error.contains("host-resources"), "{error}");
        assert!(names(&[","]).unwrap_err().starts_with("0 modules"));
    }

    #[test]
    fn a_scrape_ends_before_prometheus_gives_it_up() {
        let wait_of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(SCRAPE_TIMEOUT_FIELD, text.parse().unwrap());
            wait(&headers)
        };
        assert_eq!(wait(&HeaderMap::new()), SCRAPE_WAIT);
        assert_eq!(wait_of("10"), Duration::from_millis(9_500));
        assert_eq!(wait_of("1.0"), Duration::from_millis(750));
        assert_eq!(wait_of("1e9"), SCRAPE_WAIT);
        for text in ["", "soon", "-1", "NaN", "inf"] {
            assert_eq!(wait_of(text), SCRAPE_WAIT, "{text}");
        }
    }

    #[test]
    fn only_what_loses_the_device_fails_a_scrape() {
        let column = PollError::Column {
            column: "1.3.6.1".parse().unwrap(),
            error: hamsa_snmp::manager::WalkError::TooManyRows { limit: 1 },
        };
        let lost = PollError::Request(RequestError::Timeout { attempts: 4, last_problem: None });
        assert_eq!(failure(&PollResult::Complete, 0), None);
        assert_eq!(failure(&PollResult::Partial(vec![column.clone()]), 5), None);
        assert!(failure(&PollResult::Partial(vec![column.clone()]), 0).is_some());
        assert_eq!(failure(&PollResult::Partial(vec![column, lost.clone()]), 5), Some(lost.to_string()));
    }
}
