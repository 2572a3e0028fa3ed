//! x
use hamsa_node::config;
use std::path::Path;
fn main() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).init();
    let profiles = |d: &[std::path::PathBuf]| hamsa_node::daemon::profile_names(d);
    let r = config::check(Path::new(&std::env::args().nth(1).unwrap()), &config::Surroundings::of_process(&profiles));
    let c = r.config.unwrap();
    let d = hamsa_node::daemon::Daemon::start(&c).unwrap();
    let h = hamsa_node::http::HttpServer::start(&c.http, d.state().clone()).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(std::env::args().nth(2).unwrap().parse().unwrap()));
    h.stop();
    d.stop();
}
