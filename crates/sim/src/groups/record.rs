//! What is written down of each member, in the order in which it happened to it.

use std::time::Duration;

use hamsa_group::{GroupName, Member, StateVersion, View, ViewId};
use serde::{Deserialize, Serialize};

/// One thing that happened to one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Since the beginning. Clocks of different hosts need not agree: only the order at each member counts.
    pub at: Duration,
    /// To whom.
    pub member: Member,
    /// In which group.
    pub group: GroupName,
    /// What.
    pub what: What,
}

/// What can happen to a member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// It has joined, anew perhaps.
    Joined,
    /// It has left: it is told no more.
    Left,
    /// It was given a view.
    View(View),
    /// It has sent a message in its view.
    Sent {
        /// Its number.
        seq: u64,
        /// Stands for its octets.
        content: u64,
    },
    /// It was given a message in its view.
    Delivered {
        /// By whom it was sent.
        sender: Member,
        /// Its number.
        seq: u64,
        /// Stands for its octets.
        content: u64,
    },
    /// It was told that these of its messages did not come back in this view.
    Undelivered {
        /// The view.
        view: ViewId,
        /// The first of them.
        first_seq: u64,
        /// The last of them.
        last_seq: u64,
    },
    /// It now has this state.
    State {
        /// The version by which the group knows it.
        version: StateVersion,
        /// Stands for the state itself.
        content: u64,
    },
    /// Its process was ended.
    Crashed,
}
