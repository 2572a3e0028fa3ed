//! Reading many instances by GET (RFC 3416 §4.2.1): split into requests that the agent can answer, with
//! one bad instance never costing the others. A pure state machine, like [`super::Walk`].

use std::collections::VecDeque;

use crate::manager::RequestKind;
use crate::oid::Oid;
use crate::pdu::{ErrorStatus, Pdu};
use crate::value::Value;
use crate::varbind::{VarBind, VarBindBuf};

/// Why an instance was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum GetError {
    #[error("the agent answered {0}")]
    Agent(ErrorStatus),
    #[error("the agent's response does not hold what was asked")]
    WrongVariables,
}

/// A GET of some instances.
#[derive(Debug)]
pub struct GetMany {
    names: Vec<Oid>,
    /// Indexes of names yet to be asked.
    left: VecDeque<usize>,
    asked: Vec<usize>,
    per_request: usize,
    failures: Vec<(usize, GetError)>,
}

impl GetMany {
    /// Reads `names`, at most `per_request` in a message.
    pub fn new(names: Vec<Oid>, per_request: usize) -> Self {
        let left = (0..names.len()).collect();
        GetMany { names, left, asked: Vec::new(), per_request: per_request.max(1), failures: Vec::new() }
    }

    /// The next request; `None` when every instance was asked.
    pub fn next_request(&mut self, mut varbinds: VarBindBuf) -> Option<(RequestKind, VarBindBuf)> {
        self.asked.clear();
        let count = self.per_request.min(self.left.len());
        self.asked.extend(self.left.drain(..count));
        if self.asked.is_empty() {
            return None;
        }
        varbinds.clear();
        for &i in &self.asked {
            varbinds.push(self.names[i].as_oid(), Value::Null);
        }
        Some((RequestKind::Get, varbinds))
    }

    /// Takes a response and hands out its variables with the index of each name, exceptions included.
    pub fn handle_response(&mut self, response: &Pdu<'_>, mut found: impl FnMut(usize, VarBind<'_>)) {
        match response.error_status() {
            ErrorStatus::NO_ERROR => {
                let names_match = response.varbinds.len() == self.asked.len()
                    && response.varbinds.iter().zip(&self.asked).all(|(v, &i)| v.name == self.names[i].as_oid());
                if names_match {
                    response.varbinds.iter().zip(&self.asked).for_each(|(varbind, &i)| found(i, varbind));
                } else {
                    self.narrow_down(GetError::WrongVariables);
                }
            }
            ErrorStatus::TOO_BIG => self.narrow_down(GetError::Agent(ErrorStatus::TOO_BIG)),
            status => {
                let error = GetError::Agent(status);
                match usize::try_from(response.error_index()).ok().and_then(|i| i.checked_sub(1)) {
                    Some(at) if at < self.asked.len() => {
                        self.failures.push((self.asked.remove(at), error));
                        self.ask_again();
                    }
                    _ => self.narrow_down(error),
                }
            }
        }
    }

    /// Asks for fewer at a time; the last one alone has the error.
    fn narrow_down(&mut self, error: GetError) {
        if let &[only] = self.asked.as_slice() {
            self.failures.push((only, error));
            return;
        }
        self.per_request = (self.asked.len() / 2).max(1);
        self.ask_again();
    }

    fn ask_again(&mut self) {
        for i in self.asked.drain(..).rev() {
            self.left.push_front(i);
        }
    }

    /// The instances that failed: index, name, reason.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &Oid, GetError)> {
        self.failures.iter().map(|&(i, error)| (i, &self.names[i], error))
    }
}
