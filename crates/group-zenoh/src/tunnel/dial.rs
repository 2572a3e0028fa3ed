//! The side that dials: Zenoh dials a Unix socket, again and again, and behind it TCP and TLS lead to the hub. What
//! each attempt comes to is kept, so that it can be said why a hub does not answer.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

use super::credentials::Credentials;
use super::link::{End, join, prepare};
use crate::limits::{ACCEPT_PAUSE, CLOSE_TIMEOUT, DIAL_TIMEOUT, LOG_PERIOD, MAX_DIALS, SETTLED_AFTER};
use crate::tls::{DialProblem, Use};

/// One endpoint.
pub(super) struct Dialler {
    /// Which of [`Dials`].
    pub(super) number: usize,
    /// Host and port.
    pub(super) endpoint: String,
    pub(super) credentials: Arc<Credentials>,
    pub(super) dials: Arc<Dials>,
}

/// What the last attempts came to, one an endpoint.
#[derive(Debug)]
pub(crate) struct Dials(Mutex<Vec<Dial>>);

#[derive(Debug, Default)]
struct Dial {
    state: State,
    /// The problem in the log, and since when.
    told: Option<(DialProblem, Instant)>,
}

#[derive(Debug, Default)]
enum State {
    /// Not tried yet, or a link that worked has ended.
    #[default]
    Unknown,
    Works,
    Fails(DialProblem),
}

impl Dials {
    pub(super) fn new(endpoints: usize) -> Self {
        Self(Mutex::new((0..endpoints).map(|_| Dial::default()).collect()))
    }

    /// The problem of the first endpoint that has one.
    pub(crate) fn problem(&self) -> Option<DialProblem> {
        let dials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dials.iter().find_map(|dial| match &dial.state {
            State::Fails(problem) => Some(problem.clone()),
            State::Unknown | State::Works => None,
        })
    }

    fn works(&self, number: usize, endpoint: &str) {
        let mut dials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(dial) = dials.get_mut(number) else { return };
        if dial.told.take().is_some() {
            tracing::info!(endpoint, "the hub answers");
        }
        dial.state = State::Works;
    }

    fn fails(&self, number: usize, problem: DialProblem) {
        let mut dials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(dial) = dials.get_mut(number) else { return };
        let is_news = dial.told.as_ref().is_none_or(|(told, at)| *told != problem && at.elapsed() >= LOG_PERIOD);
        if is_news {
            tracing::warn!(%problem, "a hub does not answer");
            dial.told = Some((problem.clone(), Instant::now()));
        }
        dial.state = State::Fails(problem);
    }

    fn ended(&self, number: usize) {
        let mut dials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(dial) = dials.get_mut(number) {
            dial.state = State::Unknown;
        }
    }
}

impl Dialler {
    /// Runs until `closing` changes, and then until the links have ended, but not for long.
    pub(super) async fn run(self, listener: UnixListener, mut closing: watch::Receiver<()>) {
        let this = Arc::new(self);
        let mut links = JoinSet::new();
        loop {
            tokio::select! {
                _ = closing.changed() => break,
                accepted = listener.accept() => match accepted {
                    Ok((zenoh, _)) if links.len() < MAX_DIALS => {
                        links.spawn(Arc::clone(&this).carry(zenoh, closing.clone()));
                    }
                    // Closed; Zenoh tries again.
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, "no connection of Zenoh's is taken");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = links.join_next() => {}
            }
        }
        drop(listener);
        // Zenoh has closed its ends: what it has said is taken to the hub.
        let _ = timeout(CLOSE_TIMEOUT, async { while links.join_next().await.is_some() {} }).await;
    }

    async fn carry(self: Arc<Self>, zenoh: UnixStream, mut closing: watch::Receiver<()>) {
        let dialled = tokio::select! {
            _ = closing.changed() => return,
            dialled = timeout(DIAL_TIMEOUT, self.dial()) => dialled,
        };
        let (connection, expires) = match dialled {
            Ok(Ok(dialled)) => dialled,
            Ok(Err(problem)) => return self.fails(problem),
            Err(_) => return self.fails(self.unreachable("it did not answer in time")),
        };
        let (to_heard, mut heard) = watch::channel(false);
        let settled = async {
            // It cannot fail: the sender outlives it.
            let _ = heard.wait_for(|heard| *heard).await;
            sleep(SETTLED_AFTER).await;
        };
        let end = {
            let mut joined = std::pin::pin!(join(connection.into(), zenoh, expires, &to_heard));
            tokio::select! {
                end = &mut joined => end,
                () = settled => {
                    self.dials.works(self.number, &self.endpoint);
                    let end = joined.await;
                    tracing::debug!(endpoint = self.endpoint, ?end, "a link has ended");
                    return self.dials.ended(self.number);
                }
            }
        };
        let was_heard = *to_heard.borrow();
        self.fails(match end {
            End::Expired => self.hub_refused("it has expired"),
            End::Failed(error) if !was_heard => self.problem(&error),
            End::Peer if !was_heard => self.unreachable("it closes the connection"),
            End::Zenoh if !was_heard => self.unreachable("it did not answer in time"),
            End::Failed(_) | End::Peer | End::Zenoh => self.unreachable("the connection ends as soon as it is open"),
        });
    }

    async fn dial(&self) -> Result<(TlsStream<TcpStream>, Option<UnixTime>), DialProblem> {
        let connection = TcpStream::connect(&self.endpoint).await;
        let connection = connection.and_then(|connection| prepare(&connection).map(|()| connection));
        let connection = connection.map_err(|error| self.unreachable(&error.to_string()))?;
        let host = self.endpoint.rsplit_once(':').map_or(self.endpoint.as_str(), |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| self.unreachable(&error.to_string()))?;
        let loaded = self.credentials.current();
        let connector = TlsConnector::from(Arc::clone(&loaded.client));
        let connection = connector.connect(name, connection).await.map_err(|error| match error.get_ref() {
            // Before the hub has seen this side's certificate.
            None => DialProblem::NotTls { endpoint: self.endpoint.clone(), reason: error.to_string() },
            Some(_) => self.problem(&error),
        })?;
        let chain = connection.get_ref().1.peer_certificates().unwrap_or_default();
        let expires = loaded.expiry(chain, Use::Listen).map_err(|error| self.hub_refused(&error.to_string()))?;
        Ok((connection, expires))
    }

    fn fails(&self, problem: DialProblem) {
        // A hub may refuse what has been renewed long since, had the new files been good.
        let broken = match problem {
            DialProblem::SiteRefused { .. } => self.credentials.broken(),
            _ => None,
        };
        self.dials.fails(self.number, broken.map_or(problem, DialProblem::Files));
    }

    fn unreachable(&self, reason: &str) -> DialProblem {
        DialProblem::Unreachable { endpoint: self.endpoint.clone(), reason: reason.to_owned() }
    }

    fn hub_refused(&self, reason: &str) -> DialProblem {
        DialProblem::HubRefused { endpoint: self.endpoint.clone(), reason: reason.to_owned() }
    }

    /// What an error before the hub's first octet says. With TLS 1.3 a hub refuses after the handshake, for the site.
    fn problem(&self, error: &io::Error) -> DialProblem {
        let endpoint = self.endpoint.clone();
        let Some(tls) = error.get_ref().and_then(|source| source.downcast_ref::<Error>()) else {
            // Whoever refuses may close so soon that its reason is lost.
            return match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                    let reason = format!("it closes the connection ({error})");
                    DialProblem::SiteRefused { endpoint, reason }
                }
                _ => self.unreachable(&error.to_string()),
            };
        };
        match tls {
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                self.hub_refused("it is not signed by this site's authority")
            }
            Error::InvalidCertificate(error) => self.hub_refused(&error.to_string()),
            Error::AlertReceived(alert) => {
                let reason = match alert {
                    AlertDescription::CertificateExpired => "it has expired, by the hub's clock",
                    AlertDescription::UnknownCA | AlertDescription::DecryptError => {
                        "it is not signed by the hub's authority"
                    }
                    AlertDescription::CertificateRequired => "none was shown",
                    AlertDescription::BadCertificate | AlertDescription::UnsupportedCertificate => {
                        "it is not fit for a site"
                    }
                    alert => return DialProblem::NotTls { endpoint, reason: format!("its alert is {alert:?}") },
                };
                DialProblem::SiteRefused { endpoint, reason: reason.into() }
            }
            error => DialProblem::NotTls { endpoint, reason: error.to_string() },
        }
    }
}
