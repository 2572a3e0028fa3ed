//! The runtime with its users, on an engine of its own.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hamsa_group::{Event, GroupName, JoinError, JoinOptions, SendError};
use tempfile::TempDir;

use super::{Fault, GroupEvents, GroupRuntime, GroupsHandle};
use crate::config::{GroupConfig, GroupEngineConfig};
use crate::limits::GROUP_STATE_PATIENCE;

/// Generous: nothing is measured by it.
const LIVENESS: Duration = Duration::from_secs(60);

fn start(directory: &Path, node: u32) -> GroupRuntime {
    start_with(directory, node, GROUP_STATE_PATIENCE)
}

fn start_with(directory: &Path, node: u32, state_patience: Duration) -> GroupRuntime {
    let config = GroupConfig {
        engine: GroupEngineConfig::Embedded { socket: directory.join("s"), allow_faults: true },
        node,
        cluster: "test".into(),
        exchange_patience: Duration::from_secs(2),
        alone_after: Duration::from_secs(5),
        groups: Vec::new(),
    };
    GroupRuntime::start_with(&config, &format!("host{node}"), state_patience).unwrap()
}

fn name(text: &str) -> GroupName {
    GroupName::new(text).unwrap()
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIVENESS;
    while !is_so() {
        assert!(Instant::now() < deadline, "still waiting: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// Reads until a view of so many members.
#[track_caller]
fn view_of(events: &mut GroupEvents, members: usize) {
    loop {
        match events.blocking_next().expect("the group goes on") {
            Event::View { view, .. } if view.members.len() == members => return,
            _ => {}
        }
    }
}

fn is_in(handle: &GroupsHandle, group: &GroupName) -> bool {
    handle.status().status.groups.iter().any(|status| status.group == *group)
}

#[test]
fn messages_go_around_and_what_is_dropped_is_left() {
    let directory = TempDir::new().unwrap();
    let (first, second) = (start(directory.path(), 1), start(directory.path(), 2));
    let group = name("g");
    let mut events =
        [&first, &second].map(|runtime| runtime.handle().join(group.clone(), JoinOptions::default()).unwrap());
    assert_eq!(
        first.handle().join(group.clone(), JoinOptions::default()).unwrap_err(),
        JoinError::Twice(group.clone())
    );
    for events in &mut events {
        view_of(events, 2);
    }
    assert_eq!(first.handle().send(&group, Bytes::from_static(b"octets")), Ok(1));
    for events in &mut events {
        let Some(Event::Message { sender, data, .. }) = events.blocking_next() else { panic!("no message") };
        assert_eq!((sender.node, &data[..]), (1, &b"octets"[..]));
    }
    second.handle().inject(Fault::Cut { sides: [(2, 1)].into() }).unwrap();
    for events in &mut events {
        view_of(events, 1);
    }
    first.handle().inject(Fault::Heal).unwrap();
    for events in &mut events {
        view_of(events, 2);
    }
    let [mut of_first, of_second] = events;
    drop(of_second);
    view_of(&mut of_first, 1);
    assert!(!is_in(second.handle(), &group));
    let refused = second.handle().send(&group, Bytes::new());
    assert_eq!(refused, Err(SendError::NotJoined(group.clone())));
    drop(first);
    while of_first.blocking_next().is_some() {}
}

#[test]
fn nothing_is_sent_in_a_view_that_its_sender_has_not_taken() {
    let directory = TempDir::new().unwrap();
    let runtime = start(directory.path(), 1);
    let (handle, group) = (runtime.handle(), name("g"));
    let mut events = handle.join(group.clone(), JoinOptions::default()).unwrap();
    wait_until("there is a view", || handle.status().status.groups.iter().all(|group| group.view.is_some()));
    for _ in 0..3 {
        assert_eq!(handle.send(&group, Bytes::new()), Err(SendError::WouldBlock(group.clone())));
    }
    view_of(&mut events, 1);
    assert_eq!(events.blocking_next(), Some(Event::Writable { group: group.clone() }));
    assert_eq!(handle.send(&group, Bytes::new()), Ok(1));
    assert!(matches!(events.blocking_next(), Some(Event::Message { seq: 1, .. })));
}

#[test]
fn a_user_that_never_gives_its_state_is_not_waited_for() {
    let directory = TempDir::new().unwrap();
    let first = start_with(directory.path(), 1, Duration::from_millis(500));
    let second = start(directory.path(), 2);
    let (group, options) = (name("g"), JoinOptions { has_state: true, version: None });
    let mut of_first = first.handle().join(group.clone(), options).unwrap();
    view_of(&mut of_first, 1);
    let mut of_second = second.handle().join(group.clone(), options).unwrap();
    // It is asked for its state, and says nothing.
    view_of(&mut of_second, 2);
    view_of(&mut of_second, 1);
    while of_first.blocking_next().is_some() {}
    assert!(!is_in(first.handle(), &group));
    assert_eq!(first.handle().status().forced_leaves, 1);
    wait_until("the other has all there is", || {
        let status = second.handle().status().status;
        status.groups.iter().any(|status| status.group == group && status.waits_for.is_empty())
    });
}

#[test]
fn a_user_that_takes_nothing_loses_its_group_and_others_go_on() {
    let directory = TempDir::new().unwrap();
    let runtime = start(directory.path(), 1);
    let handle = runtime.handle();
    let [slow, quick] = ["slow", "quick"].map(name);
    let mut of_slow = handle.join(slow.clone(), JoinOptions::default()).unwrap();
    let mut of_quick = handle.join(quick.clone(), JoinOptions::default()).unwrap();
    view_of(&mut of_slow, 1);
    view_of(&mut of_quick, 1);
    let data = Bytes::from(vec![0; 1 << 20]);
    let mut sent = 0;
    wait_until("the node leaves the group", || {
        sent += i32::from(handle.send(&slow, data.clone()).is_ok());
        !is_in(handle, &slow)
    });
    assert_eq!(handle.status().forced_leaves, 1);
    let mut given = 0;
    while let Some(event) = of_slow.blocking_next() {
        given += i32::from(matches!(event, Event::Message { .. }));
    }
    assert!(given > 20 && given <= sent, "{given} of {sent}");
    assert_eq!(handle.send(&quick, Bytes::new()), Ok(1));
    assert!(matches!(of_quick.blocking_next(), Some(Event::Message { .. })));
    // Joined anew, it begins anew; what is left of the old user does not end it.
    let mut anew = handle.join(slow.clone(), JoinOptions::default()).unwrap();
    drop(of_slow);
    view_of(&mut anew, 1);
}
