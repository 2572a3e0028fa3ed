//! Asking a running agent or node to show or replace its modules: by its control socket, or over HTTP with its token.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use hamsa_node::control::{ControlRequest, SOCKET_NAME};
use serde_json::Value as Json;
use ureq::Agent;
use ureq::http::Uri;
use zeroize::Zeroizing;

use crate::failure::{advised, usage};
use crate::limits::{CONTROL_TIMEOUT, MAX_CONTROL_ANSWER_OCTETS};
use crate::options::{SecretArg, secret};

/// The data directories of an agent and of a node whose configurations say nothing else.
const DATA_DIRS: [&str; 2] = ["hamsa-agent-data", "hamsa-data"];

/// Options that say which process is meant.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Whom to ask")]
pub struct ControlOptions {
    /// The control socket, in the data directory of the agent or node [default: that in hamsa-agent-data or hamsa-data]
    #[arg(long, value_name = "FILE", global = true)]
    pub socket: Option<PathBuf>,
    /// Ask over HTTP instead, at the address of `[control]`
    #[arg(long, value_name = "URL", conflicts_with = "socket", global = true)]
    pub url: Option<String>,
    /// The token for --url; better in --token-file or HAMSA_TOKEN
    #[arg(long, value_name = "TOKEN", value_parser = SecretArg::parser(), requires = "url", global = true)]
    pub token: Option<SecretArg>,
    /// File that holds the token for --url
    #[arg(long, value_name = "FILE", conflicts_with = "token", requires = "url", global = true)]
    pub token_file: Option<PathBuf>,
}

impl ControlOptions {
    /// Has a request carried out; `tell` gets the events on the way.
    ///
    /// # Errors
    /// Nobody answers, it is refused, or it was not done.
    pub fn ask(&self, request: &ControlRequest, tell: impl FnMut(&Json)) -> anyhow::Result<Json> {
        let answer = match &self.url {
            Some(url) => self.ask_http(url, request, tell)?,
            None => ask_socket(&self.socket.clone().unwrap_or_else(default_socket), request, tell)?,
        };
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(anyhow::anyhow!("{}", answer["error"].as_str().unwrap_or("the answer can't be understood"))),
        }
    }

    fn ask_http(&self, url: &str, request: &ControlRequest, tell: impl FnMut(&Json)) -> anyhow::Result<Json> {
        let uri: Uri = url.parse().map_err(|error| usage(format!("--url {url}: {error}")))?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() {
            return Err(usage(format!("--url {url}: say http://HOST:PORT")));
        }
        let token = secret(self.token.as_ref(), self.token_file.as_deref(), "HAMSA_TOKEN")?;
        let config = Agent::config_builder()
            .timeout_global(Some(CONTROL_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            // The agent is asked itself, whatever proxy the environment names.
            .proxy(None);
        let agent = config.build().new_agent();
        let mut asked = agent.post(format!("{}/control", url.trim_end_matches('/')));
        if let Some(token) = token {
            let token = std::str::from_utf8(token.expose()).map_err(|_| usage("the token is not a text"))?;
            asked = asked.header("authorization", Zeroizing::new(format!("Bearer {token}")).as_str());
        }
        let mut answer = asked.send(serde_json::to_vec(request)?).map_err(|error| {
            advised(
                format!("{url} does not answer: {error}"),
                "Does the agent run, with listen and token in [control] of its configuration?",
            )
        })?;
        let text = answer.body_mut().with_config().limit(MAX_CONTROL_ANSWER_OCTETS).read_to_vec();
        let text = text.with_context(|| format!("{url}: the answer breaks off"))?;
        let answer: Json = serde_json::from_slice(&text)
            .map_err(|_| advised(format!("{url}: the answer is no JSON"), "Is it the address of [control]?"))?;
        answer["events"].as_array().into_iter().flatten().for_each(tell);
        Ok(answer)
    }
}

/// The first that is there; of none, the first is told of.
fn default_socket() -> PathBuf {
    let [first, second] = DATA_DIRS.map(|directory| Path::new(directory).join(SOCKET_NAME));
    if !first.exists() && second.exists() { second } else { first }
}

fn ask_socket(path: &Path, request: &ControlRequest, mut tell: impl FnMut(&Json)) -> anyhow::Result<Json> {
    let mut stream = UnixStream::connect(path).map_err(|error| unreachable(path, &error))?;
    stream.set_read_timeout(Some(CONTROL_TIMEOUT))?;
    stream.set_write_timeout(Some(CONTROL_TIMEOUT))?;
    stream.write_all(format!("{}\n", serde_json::to_string(request)?).as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut lines = BufReader::new(stream.take(MAX_CONTROL_ANSWER_OCTETS));
    let mut line = String::new();
    loop {
        line.clear();
        let length = lines.read_line(&mut line).with_context(|| format!("{}", path.display()))?;
        if length == 0 {
            let problem = format!("{}: the connection ended without an answer", path.display());
            return Err(advised(problem, "`hamsa modules history` tells what came of the request, if it still runs."));
        }
        let answer: Json = serde_json::from_str(&line).with_context(|| format!("{}: no JSON", path.display()))?;
        if answer.get("event").is_none() {
            return Ok(answer);
        }
        tell(&answer);
    }
}

fn unreachable(path: &Path, error: &io::Error) -> anyhow::Error {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => advised(
            format!("{shown}: not allowed"),
            "Only the user that runs the agent, and root, may ask it and control its modules. Or use --url with the token.",
        ),
        io::ErrorKind::NotFound => advised(
            format!("{shown}: there is no such socket"),
            "Name it with --socket: control.sock in data_dir of the agent's or node's configuration. Does it run?",
        ),
        io::ErrorKind::ConnectionRefused => {
            advised(format!("{shown}: nobody listens there"), "The agent or node has ended; start it again.")
        }
        _ => advised(format!("{shown}: {error}"), "Name the socket with --socket, or use --url."),
    }
}
