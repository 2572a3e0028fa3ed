//! What a user of groups is told.

use bytes::Bytes;

use crate::member::{GroupName, Member, StateVersion, View, ViewId};

/// In the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// A new view. What comes after it, and before the next, belongs to it.
    View {
        /// The group.
        group: GroupName,
        /// The view.
        view: View,
    },
    /// A message, at all members of the view in the same order.
    Message {
        /// The group.
        group: GroupName,
        /// The member that has sent it, in this view.
        sender: Member,
        /// Its number among the sender's in this view, from 1 on.
        seq: u64,
        /// Its octets.
        data: Bytes,
        /// The state's version with this message applied.
        version: StateVersion,
    },
    /// Own messages of a view that has ended did not come back in it. Unless the engine was lost, nobody has been given them.
    Undelivered {
        /// The group.
        group: GroupName,
        /// The view in which they were given to `send`.
        view: ViewId,
        /// The first of them.
        first_seq: u64,
        /// The last of them.
        last_seq: u64,
    },
    /// Others need this member's state, as it is now: give it to `provide_state` before the next event.
    StateWanted {
        /// The group.
        group: GroupName,
        /// For this view.
        view: ViewId,
    },
    /// A state that others came with. All of a view come in a row, in the same order at all members of a branch, with
    /// [`Event::Synchronised`] right after them. One that was merged already may come again: merging must not mind.
    State {
        /// The group.
        group: GroupName,
        /// Who has given it.
        from: Member,
        /// Which it is.
        version: StateVersion,
        /// As it was given to `provide_state`.
        state: Bytes,
    },
    /// This member has all states of the view, or needs none: messages come, and may be sent.
    Synchronised {
        /// The group.
        group: GroupName,
        /// The state's version from here on.
        version: StateVersion,
    },
    /// `send` takes messages again after it said `WouldBlock`.
    Writable {
        /// The group.
        group: GroupName,
    },
    /// The engine is lost. The views stand, but nothing comes and nothing can be sent before the next.
    EngineLost {
        /// In words, for people.
        reason: String,
    },
}
