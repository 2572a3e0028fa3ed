//! What a test sees of a running member: its log, followed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hamsa_group::{GroupName, Member, StateVersion, View};
use hamsa_group_member::Log;
use hamsa_sim::groups::{Record, What};

/// One life of a member.
pub struct Followed {
    pub log: Log,
    groups: BTreeMap<GroupName, Seen>,
    pub me: Option<Member>,
}

/// One group of it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub view: Option<View>,
    pub views: usize,
    pub given: usize,
    pub given_in_view: usize,
    pub state: Option<(StateVersion, u64)>,
    /// Own messages that have neither come back nor are known not to.
    pub outstanding: u64,
}

impl Followed {
    pub fn new(log: PathBuf) -> Self {
        Followed { log: Log::new(log), groups: BTreeMap::new(), me: None }
    }

    /// Reads on.
    pub fn follow(&mut self) {
        let Followed { log, groups, me } = self;
        let (records, known) = log.read();
        for record in &records[known..] {
            *me = Some(record.member);
            groups.entry(record.group.clone()).or_default().add(record);
        }
    }

    /// Views with somebody who was in the view before, and has not come with this member. Where there is state that has a usual
    /// reason, that one of them waited for it; so only groups without count.
    pub fn torn(&self) -> usize {
        let mut last: BTreeMap<&GroupName, &View> = BTreeMap::new();
        let mut torn = 0;
        for record in self.log.records() {
            let What::View(view) = &record.what else { continue };
            if !view.branches.is_empty() {
                continue;
            }
            if let Some(before) = last.insert(&record.group, view).filter(|before| Some(before.id) == view.previous) {
                let is_apart = |member: &Member| view.members.contains(member) && !view.came_with.contains(member);
                torn += usize::from(before.members.iter().any(is_apart));
            }
        }
        torn
    }

    /// As last read.
    pub fn group(&self, group: &GroupName) -> Seen {
        self.groups.get(group).cloned().unwrap_or_default()
    }
}

impl Seen {
    fn add(&mut self, record: &Record) {
        match &record.what {
            What::Joined | What::Left | What::Crashed => *self = Seen::default(),
            What::View(view) => {
                self.view = Some(view.clone());
                self.views += 1;
                self.given_in_view = 0;
            }
            What::Sent { .. } => self.outstanding += 1,
            What::Delivered { sender, .. } => {
                self.given += 1;
                self.given_in_view += 1;
                self.outstanding = self.outstanding.saturating_sub(u64::from(*sender == record.member));
            }
            What::Undelivered { first_seq, last_seq, .. } => {
                self.outstanding = self.outstanding.saturating_sub(last_seq + 1 - first_seq);
            }
            What::State { version, content } => self.state = Some((*version, *content)),
        }
    }
}
