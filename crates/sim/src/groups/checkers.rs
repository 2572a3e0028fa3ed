//! Checkers of the formal properties of views and messages: each takes what members were told, and names the property that does
//! not hold. They know nothing of how groups work.
//!
//! The properties are those of view-oriented group communication in partitionable networks, in the names of its literature.
//! What is checked as it comes: self-inclusion, identifiers, initial views, integrity, order of each sender,
//! state. What needs the records of several members is checked when a view has ended at all of them, in [`Checkers::finish`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use hamsa_group::{GroupName, Member, StateVersion, View, ViewId};

use super::record::{Record, What};

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// A member is in each of its views (G1).
    SelfInclusion,
    /// The epochs of a member's views grow, and a view's name says who is in it (G1).
    UniqueGrowingViews,
    /// Whatever happens to a member happens in a view.
    InitialView,
    /// A message that is given was sent, as it is, by a member of the view, and is given once (G3).
    Integrity,
    /// A member is given what it sends before its next view, or told that it is not (G3).
    SelfDelivery,
    /// Messages of one sender come in the order in which they were sent, and none is left out (G3).
    Fifo,
    /// No two members are given the same two messages in different orders (G3).
    AgreedOrder,
    /// A message is given in the view in which it was sent (G3).
    SendingViewDelivery,
    /// Who comes from one view into the next together was given the same in the former (G2).
    VirtualSynchrony,
    /// Those who come together agree on who they are.
    TransitionalSet,
    /// Equal versions mean equal states.
    StateAgreement,
    /// Once nothing changes any more those who reach each other have one view, and no others are in it (G4, G5).
    Convergence,
}

/// A property does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{property}: at {member} in group `{group}`: {what}")]
pub struct Violation {
    /// Which.
    pub property: Property,
    /// Where it was seen.
    pub member: Member,
    /// In which group.
    pub group: GroupName,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Sent or given, by its sender's number.
type Message = (Member, u64);

/// All records so far.
#[derive(Debug, Default)]
pub struct Checkers {
    groups: BTreeMap<GroupName, Group>,
    records: u64,
}

#[derive(Debug, Default)]
struct Group {
    /// Of each member that is in it.
    lives: BTreeMap<Member, Life>,
    /// Who is in a view, by its name.
    views: BTreeMap<ViewId, Vec<Member>>,
    greatest: BTreeMap<Member, u64>,
    sent: HashMap<(ViewId, Message), u64>,
    /// What each member was given in each view.
    given: BTreeMap<ViewId, BTreeMap<Member, Vec<Message>>>,
    /// From which view to which, and with whom.
    passages: BTreeMap<(ViewId, ViewId), BTreeMap<Member, Vec<Member>>>,
    states: HashMap<StateVersion, (u64, Member)>,
}

#[derive(Debug, Default)]
struct Life {
    view: Option<View>,
    seqs: BTreeMap<Member, u64>,
    sent: BTreeSet<u64>,
}

impl Checkers {
    /// Without any record.
    pub fn new() -> Self {
        Checkers::default()
    }

    /// How many records were judged.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many views there were.
    pub fn views(&self) -> usize {
        self.groups.values().map(|group| group.views.len()).sum()
    }

    /// Judges one more record. Those of one member must come in order.
    pub fn record(&mut self, record: Record) -> Result<(), Violation> {
        self.records += 1;
        let Record { member, group: name, what, .. } = record;
        let group = self.groups.entry(name.clone()).or_default();
        group.record(member, what).map_err(|(property, what)| Violation { property, member, group: name, what })
    }

    /// Judges what needs the records of several members.
    pub fn finish(&self) -> Result<(), Violation> {
        self.groups.iter().try_for_each(|(name, group)| {
            group.agreed_order(name)?;
            group.virtual_synchrony(name)
        })
    }

    /// Judges that each of these sets of members, which reach each other and are in the group, and nobody else, has one view.
    pub fn converged(&self, name: &GroupName, sides: &[BTreeSet<Member>]) -> Result<(), Violation> {
        let empty = Group::default();
        let group = self.groups.get(name).unwrap_or(&empty);
        for side in sides {
            let expected: Vec<Member> = side.iter().copied().collect();
            let mut ids = BTreeSet::new();
            for member in side {
                let view = group.lives.get(member).and_then(|life| life.view.as_ref());
                let members = view.map(|view| &view.members[..]).unwrap_or_default();
                ids.extend(view.map(|view| view.id));
                if members != &expected[..] || ids.len() != 1 {
                    return Err(Violation {
                        property: Property::Convergence,
                        member: *member,
                        group: name.clone(),
                        what: format!(
                            "the last view is {} of {}, and should be of {}",
                            view.map_or("none".into(), |view| view.id.to_string()),
                            list(members),
                            list(&expected)
                        ),
                    });
                }
            }
        }
        Ok(())
    }
}

impl Group {
    fn record(&mut self, member: Member, what: What) -> Result<(), (Property, String)> {
        match what {
            What::Joined => {
                self.lives.insert(member, Life::default());
                Ok(())
            }
            What::Left | What::Crashed => {
                self.lives.remove(&member);
                Ok(())
            }
            What::View(view) => self.view(member, view),
            What::Sent { seq, content } => self.sent(member, seq, content),
            What::Delivered { sender, seq, content } => self.delivered(member, sender, seq, content),
            What::Undelivered { view, first_seq, last_seq } => {
                let life = self.life(member, "messages that did not come back")?;
                if life.view.as_ref().is_none_or(|current| current.id != view) {
                    return Err((Property::SendingViewDelivery, format!("is told of messages of view {view} later")));
                }
                life.sent.retain(|seq| !(first_seq..=last_seq).contains(seq));
                Ok(())
            }
            What::State { version, content } => {
                self.life(member, "a state")?;
                let (known, of) = *self.states.entry(version).or_insert((content, member));
                if known != content {
                    let what = format!("state {version} is another than that of {of}");
                    return Err((Property::StateAgreement, what));
                }
                Ok(())
            }
        }
    }

    fn life(&mut self, member: Member, what: &str) -> Result<&mut Life, (Property, String)> {
        let is_in_view = |life: &&mut Life| life.view.is_some();
        let none = || (Property::InitialView, format!("{what} before the first view"));
        self.lives.get_mut(&member).filter(is_in_view).ok_or_else(none)
    }

    fn view(&mut self, member: Member, view: View) -> Result<(), (Property, String)> {
        let Some(life) = self.lives.get_mut(&member) else {
            return Err((Property::InitialView, format!("view {} of a group that was not joined", view.id)));
        };
        if !view.members.contains(&member) || !view.came_with.contains(&member) {
            return Err((
                Property::SelfInclusion,
                format!("is not in its view {} of {}", view.id, list(&view.members)),
            ));
        }
        let greatest = self.greatest.entry(member).or_default();
        if view.id.epoch <= *greatest {
            return Err((Property::UniqueGrowingViews, format!("view {} comes after epoch {greatest}", view.id)));
        }
        *greatest = view.id.epoch;
        let members = self.views.entry(view.id).or_insert_with(|| view.members.clone());
        if *members != view.members {
            let what = format!("view {} is of {} elsewhere, of {} here", view.id, list(members), list(&view.members));
            return Err((Property::UniqueGrowingViews, what));
        }
        if view.previous != life.view.as_ref().map(|view| view.id) {
            return Err((Property::UniqueGrowingViews, format!("view {} names another as the one before", view.id)));
        }
        if let Some(seq) = life.sent.first() {
            let what =
                format!("its message {seq} has not come back before view {}, and nothing was said of it", view.id);
            return Err((Property::SelfDelivery, what));
        }
        if let Some(stranger) = view.came_with.iter().find(|other| !view.members.contains(other)) {
            return Err((Property::TransitionalSet, format!("came with {stranger}, who is not in view {}", view.id)));
        }
        if let Some(previous) = view.previous {
            self.given.entry(previous).or_default().entry(member).or_default();
            let passage = self.passages.entry((previous, view.id)).or_default();
            for (other, came_with) in passage.iter() {
                let (here, there) = (view.came_with.contains(other), came_with.contains(&member));
                if here != there || (here && *came_with != view.came_with) {
                    let what = format!(
                        "came from view {previous} to {} with {}, but {other} with {}",
                        view.id,
                        list(&view.came_with),
                        list(came_with)
                    );
                    return Err((Property::TransitionalSet, what));
                }
            }
            passage.insert(member, view.came_with.clone());
        } else if view.came_with.len() > 1 {
            return Err((Property::TransitionalSet, format!("came with {} from no view", list(&view.came_with))));
        }
        *life = Life { view: Some(view), ..Life::default() };
        Ok(())
    }

    fn sent(&mut self, member: Member, seq: u64, content: u64) -> Result<(), (Property, String)> {
        let life = self.life(member, "a message was sent")?;
        life.sent.insert(seq);
        let id = life.view.as_ref().map(|view| view.id);
        if let Some(id) = id
            && self.sent.insert((id, (member, seq)), content).is_some()
        {
            return Err((Property::Integrity, format!("number {seq} was given to two messages in view {id}")));
        }
        Ok(())
    }

    fn delivered(&mut self, member: Member, sender: Member, seq: u64, content: u64) -> Result<(), (Property, String)> {
        let life = self.life(member, "a message was given")?;
        let Some(view) = &life.view else { return Ok(()) };
        let id = view.id;
        if !view.members.contains(&sender) {
            return Err((Property::Integrity, format!("a message of {sender}, who is not in view {id}")));
        }
        let last = life.seqs.entry(sender).or_default();
        if seq <= *last {
            return Err((Property::Integrity, format!("message {seq} of {sender} came after {last} in view {id}")));
        }
        if seq != *last + 1 {
            return Err((Property::Fifo, format!("message {seq} of {sender} came after {last} in view {id}")));
        }
        *last = seq;
        if sender == member {
            life.sent.remove(&seq);
        }
        match self.sent.get(&(id, (sender, seq))) {
            Some(sent) if *sent == content => {}
            Some(_) => {
                return Err((Property::Integrity, format!("message {seq} of {sender} was changed in view {id}")));
            }
            None => {
                let what = format!("message {seq} of {sender} was not sent in view {id}");
                let was_sent_elsewhere =
                    self.sent.iter().any(|((_, message), sent)| message.0 == sender && *sent == content);
                let property = if was_sent_elsewhere { Property::SendingViewDelivery } else { Property::Integrity };
                return Err((property, what));
            }
        }
        self.given.entry(id).or_default().entry(member).or_default().push((sender, seq));
        Ok(())
    }

    fn agreed_order(&self, name: &GroupName) -> Result<(), Violation> {
        for (id, given) in &self.given {
            let members: Vec<_> = given.iter().collect();
            for (at, (member, ours)) in members.iter().enumerate() {
                let places: HashMap<Message, usize> =
                    ours.iter().enumerate().map(|(place, message)| (*message, place)).collect();
                for (other, theirs) in &members[..at] {
                    let mut last = None;
                    for message in theirs.iter() {
                        let Some(place) = places.get(message) else { continue };
                        if last.is_some_and(|last| last > *place) {
                            let (sender, seq) = message;
                            return Err(Violation {
                                property: Property::AgreedOrder,
                                member: **member,
                                group: name.clone(),
                                what: format!("message {seq} of {sender} has another place at {other} in view {id}"),
                            });
                        }
                        last = Some(*place);
                    }
                }
            }
        }
        Ok(())
    }

    fn virtual_synchrony(&self, name: &GroupName) -> Result<(), Violation> {
        let none = Vec::new();
        for ((from, to), passage) in &self.passages {
            let given = |member: &Member| self.given.get(from).and_then(|given| given.get(member)).unwrap_or(&none);
            for (member, came_with) in passage {
                for other in came_with.iter().filter(|other| passage.contains_key(other)) {
                    let (ours, theirs) = (given(member), given(other));
                    if ours != theirs {
                        let first = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
                        return Err(Violation {
                            property: Property::VirtualSynchrony,
                            member: *member,
                            group: name.clone(),
                            what: format!(
                                "came with {other} from view {from} to {to}, with {} messages against {}: after {first} \
                                 they differ",
                                ours.len(),
                                theirs.len()
                            ),
                        });
                    }
                }
            }
        }
        Ok(())
    }
}

fn list(members: &[Member]) -> String {
    let members: Vec<String> = members.iter().map(Member::to_string).collect();
    format!("[{}]", members.join(" "))
}
