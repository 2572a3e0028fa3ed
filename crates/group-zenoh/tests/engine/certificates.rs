//! Certificates that won't do are refused, and it is said which and why.

use std::time::Duration;

use hamsa_group_zenoh::{DialProblem, OptionsError, Protection, StartError, TlsFiles, TlsFilesError, ZenohEngine};
use hamsa_testkit::limits::LIVENESS;
use hamsa_testkit::{Authority, Usage, Validity, free_tcp};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::support::{hub, process, second_hub, sign, sign_only, site};

/// What a site and a hub say to the files.
fn errors(files: &TlsFiles) -> [String; 2] {
    let protection = Protection::Tls(files.clone());
    let of = [site(1, "127.0.0.1:1", protection.clone()), hub(1, "127.0.0.1:1", protection)];
    of.map(|options| match options.check() {
        Err(OptionsError::Tls(error)) => error.to_string(),
        other => panic!("{other:?}"),
    })
}

fn each_says(files: &TlsFiles, what: &str) {
    for error in errors(files) {
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn files_are_checked_before_anything_starts() {
    let directory = TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let (authority, other) = (Authority::new(), Authority::new());
    let names = &["127.0.0.1"];
    let good = sign(&authority, &at("good"), names, Validity::Now);
    for options in
        [site(1, "127.0.0.1:1", Protection::Tls(good.clone())), hub(1, "127.0.0.1:1", Protection::Tls(good.clone()))]
    {
        options.check().expect("they are good");
    }
    let missing = at("missing.pem");
    for files in [
        TlsFiles { authority: missing.clone(), ..good.clone() },
        TlsFiles { certificate: missing.clone(), ..good.clone() },
        TlsFiles { key: missing.clone(), ..good.clone() },
    ] {
        each_says(&files, &format!("cannot read {}", missing.display()));
    }
    let text = at("text.pem");
    std::fs::write(&text, "-----BEGIN NOTHING-----").expect("a file");
    each_says(&TlsFiles { authority: text.clone(), ..good.clone() }, "text.pem has no certificate in PEM");
    each_says(&TlsFiles { certificate: text.clone(), ..good.clone() }, "text.pem has no certificate in PEM");
    each_says(&TlsFiles { key: text, ..good.clone() }, "text.pem has no private key in PEM");
    each_says(&sign(&authority, &at("past"), names, Validity::Past), "has expired");
    each_says(&sign(&authority, &at("future"), names, Validity::Future), "is not valid yet");
    let foreign = sign(&other, &at("foreign"), names, Validity::Now);
    each_says(&TlsFiles { key: foreign.key.clone(), ..good.clone() }, "is not the key of");
    each_says(&TlsFiles { authority: good.authority, ..foreign }, "is not signed by the authority in");
}

#[test]
fn a_certificate_must_be_fit_for_all_that_its_node_does() {
    let directory = TempDir::new().expect("a directory");
    let authority = Authority::new();
    let only = |name: &str, usage| Protection::Tls(sign_only(&authority, &directory.path().join(name), usage));
    let listens = only("listens", Usage::Listen);
    let dials = only("dials", Usage::Dial);
    let address = "127.0.0.1:1";
    for good in [hub(1, address, listens.clone()), site(1, address, dials.clone())] {
        good.check().expect("it is fit");
    }
    for (wrong, role) in [
        (hub(1, address, dials.clone()), "by a node that listens"),
        (second_hub(1, address, address, dials), "by a node that listens"),
        (site(1, address, listens.clone()), "by a node that dials"),
        (second_hub(1, address, address, listens), "by a node that dials"),
    ] {
        let error = wrong.check().expect_err("it is unfit").to_string();
        assert!(error.contains(role), "{error}");
    }
}

/// What a site comes to say of a hub, and that it never joins.
async fn problem(near: Protection, far: Protection, address: &str) -> DialProblem {
    let near = ZenohEngine::start(hub(1, address, near)).await.unwrap();
    let far = ZenohEngine::start(site(2, address, far)).await.unwrap();
    let _ports = (near.pair(process(2)).await.unwrap(), far.pair(process(1)).await.unwrap());
    let problem = async {
        loop {
            if let Some(problem) = far.problem() {
                return problem;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let problem = timeout(LIVENESS, problem).await.expect("it says what is wrong");
    assert!(near.pairs().await.iter().chain(&far.pairs().await).all(|pair| !pair.is_peer_present));
    problem
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_certificate_is_refused_and_said() {
    let directory = TempDir::new().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let (authority, other) = (Authority::new(), Authority::new());
    let addresses = [free_tcp(), free_tcp(), free_tcp()];
    let names = addresses.map(|address| address.ip().to_string());
    let sound = |name: &str, number: usize| sign(&authority, &at(name), &[&names[number]], Validity::Now);
    // A site of another enterprise, which may even know the hub's authority.
    let foreign = sign(&other, &at("foreign"), &["site.example"], Validity::Now);
    let both = at("both.pem");
    let known = [&foreign.authority, &sound("hub", 0).authority].map(|at| std::fs::read_to_string(at).expect("a file"));
    std::fs::write(&both, known.concat()).expect("a file");
    let knowing = TlsFiles { authority: both, ..foreign.clone() };
    let misnamed = sign(&authority, &at("misnamed"), &["hub.example"], Validity::Now);
    let tls = Protection::Tls;
    let addresses = addresses.map(|address| address.to_string());
    let (by_hub, by_site, by_name) = tokio::join!(
        problem(tls(sound("hub0", 0)), tls(knowing), &addresses[0]),
        problem(tls(sound("hub1", 1)), tls(foreign), &addresses[1]),
        problem(tls(misnamed), tls(sound("site2", 2)), &addresses[2]),
    );
    assert!(matches!(&by_hub, DialProblem::SiteRefused { endpoint, .. } if *endpoint == addresses[0]), "{by_hub}");
    assert!(matches!(&by_site, DialProblem::HubRefused { reason, .. } if reason.contains("not signed")), "{by_site}");
    assert!(matches!(&by_name, DialProblem::HubRefused { reason, .. } if reason.contains("name")), "{by_name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_starts_nothing() {
    let directory = TempDir::new().expect("a directory");
    let files = sign(&Authority::new(), directory.path(), &["127.0.0.1"], Validity::Past);
    let error = ZenohEngine::start(site(2, "127.0.0.1:1", Protection::Tls(files))).await.expect_err("it has expired");
    assert!(matches!(error, StartError::Options(OptionsError::Tls(TlsFilesError::Expired(_)))), "{error}");
}
