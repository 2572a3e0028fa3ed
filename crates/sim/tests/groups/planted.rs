//! Each checker sees the fault that it is for: a short history in which everything is right passes, and with one thing wrong in it
//! the property is named that does not hold.

use std::collections::BTreeSet;
use std::time::Duration;

use hamsa_group::{Cause, GroupName, Member, StateVersion, View, ViewId};
use hamsa_sim::groups::{Checkers, Property, Record, Violation, What};

const A: Member = Member { node: 1, incarnation: 11 };
const B: Member = Member { node: 2, incarnation: 22 };
const C: Member = Member { node: 3, incarnation: 33 };

fn group() -> GroupName {
    GroupName::new("g").unwrap()
}

fn id(epoch: u64, members: &[Member]) -> ViewId {
    ViewId { epoch, coordinator: members[0], members: members.iter().map(|member| member.node).sum() }
}

fn view(epoch: u64, members: &[Member], previous: Option<ViewId>, came_with: &[Member]) -> What {
    What::View(View {
        id: id(epoch, members),
        previous,
        members: members.to_vec(),
        came_with: came_with.to_vec(),
        branches: Vec::new(),
        cause: Cause::First,
    })
}

fn sent(seq: u64) -> What {
    What::Sent { seq, content: seq * 100 }
}

fn given(sender: Member, seq: u64) -> What {
    What::Delivered { sender, seq, content: seq * 100 }
}

/// A and B join, send one message each and two of A, and go on together; C comes.
fn right() -> Vec<(Member, What)> {
    let (first, ab) = ([A, B], id(1, &[A, B]));
    let mut history = vec![(A, What::Joined), (B, What::Joined)];
    history.push((A, view(1, &first, None, &[A])));
    history.push((B, view(1, &first, None, &[B])));
    history.extend([(A, sent(1)), (A, sent(2)), (B, sent(1))]);
    for member in first {
        history.extend([(member, given(A, 1)), (member, given(B, 1)), (member, given(A, 2))]);
        history.push((member, What::State { version: StateVersion { view: ab, epoch: 3, digest: 5 }, content: 9 }));
    }
    history.push((C, What::Joined));
    for (member, previous, came_with) in [(A, Some(ab), &first[..]), (B, Some(ab), &first[..]), (C, None, &[C][..])] {
        history.push((member, view(2, &[A, B, C], previous, came_with)));
    }
    history
}

fn judge(history: Vec<(Member, What)>) -> Result<(), Violation> {
    let mut checkers = Checkers::new();
    for (member, what) in history {
        checkers.record(Record { at: Duration::ZERO, member, group: group(), what })?;
    }
    checkers.finish()?;
    checkers.converged(&group(), &[BTreeSet::from([A, B, C])])
}

/// The history with one thing changed; `at` must find it.
fn wrong(find: impl Fn(&Member, &What) -> bool, put: &[(Member, What)]) -> Property {
    let mut history = right();
    let at = history.iter().position(|(member, what)| find(member, what)).expect("it is in the history");
    history.splice(at..=at, put.iter().cloned());
    judge(history).expect_err("the fault was not seen").property
}

fn is_given(to: Member, from: Member, seq: u64) -> impl Fn(&Member, &What) -> bool {
    move |member, what| *member == to && *what == given(from, seq)
}

fn is_view(of: Member, epoch: u64) -> impl Fn(&Member, &What) -> bool {
    move |member, what| *member == of && matches!(what, What::View(view) if view.id.epoch == epoch)
}

#[test]
fn a_history_without_faults_passes() {
    assert_eq!(judge(right()), Ok(()));
}

#[test]
fn a_member_that_is_not_in_its_view() {
    let put = [(A, view(1, &[B, C], None, &[A]))];
    assert_eq!(wrong(is_view(A, 1), &put), Property::SelfInclusion);
}

#[test]
fn an_epoch_that_does_not_grow() {
    let put = [(B, view(1, &[A, B], Some(id(1, &[A, B])), &[A, B]))];
    assert_eq!(wrong(is_view(B, 2), &put), Property::UniqueGrowingViews);
}

#[test]
fn a_view_that_has_other_members_elsewhere() {
    let What::View(mut other) = view(1, &[A, B], None, &[B]) else { unreachable!() };
    other.members.push(C);
    assert_eq!(wrong(is_view(B, 1), &[(B, What::View(other))]), Property::UniqueGrowingViews);
}

#[test]
fn a_view_that_names_another_as_the_one_before() {
    let put = [(B, view(2, &[A, B, C], Some(id(7, &[A, B])), &[A, B]))];
    assert_eq!(wrong(is_view(B, 2), &put), Property::UniqueGrowingViews);
}

#[test]
fn a_message_before_the_first_view() {
    let put = [(B, given(A, 1)), (B, view(1, &[A, B], None, &[B]))];
    assert_eq!(wrong(is_view(B, 1), &put), Property::InitialView);
}

#[test]
fn a_message_that_nobody_has_sent() {
    let put = [(B, given(A, 1)), (B, What::Delivered { sender: B, seq: 1, content: 7 })];
    assert_eq!(wrong(is_given(B, A, 1), &put), Property::Integrity);
}

#[test]
fn a_message_of_a_stranger() {
    assert_eq!(wrong(is_given(B, A, 1), &[(B, given(C, 1))]), Property::Integrity);
}

#[test]
fn a_message_that_comes_twice() {
    let put = [(B, given(A, 1)), (B, given(A, 1))];
    assert_eq!(wrong(is_given(B, A, 1), &put), Property::Integrity);
}

#[test]
fn a_message_of_ones_own_that_does_not_come_back() {
    assert_eq!(wrong(is_given(B, B, 1), &[]), Property::SelfDelivery);
}

#[test]
fn a_message_that_comes_back_as_undelivered_is_no_fault_of_self_delivery() {
    let undelivered = What::Undelivered { view: id(1, &[A, B]), first_seq: 1, last_seq: 1 };
    // But A, who comes along, was given it.
    assert_eq!(wrong(is_given(B, B, 1), &[(B, undelivered)]), Property::VirtualSynchrony);
}

#[test]
fn a_message_that_is_left_out() {
    assert_eq!(wrong(is_given(B, A, 1), &[]), Property::Fifo);
}

#[test]
fn two_orders() {
    let mut history = right();
    let first = history.iter().position(|(member, what)| is_given(B, A, 1)(member, what)).unwrap();
    history.swap(first, first + 1);
    assert_eq!(judge(history).unwrap_err().property, Property::AgreedOrder);
}

#[test]
fn a_message_in_a_later_view_than_it_was_sent_in() {
    let late = [
        (A, view(2, &[A, B, C], Some(id(1, &[A, B])), &[A, B])),
        (A, What::Delivered { sender: B, seq: 1, content: 100 }),
    ];
    let mut history = right();
    history.retain(|(member, what)| !(*member == A && *what == given(B, 1)));
    let at = history.iter().position(|(member, what)| is_view(A, 2)(member, what)).unwrap();
    history.splice(at..=at, late);
    assert_eq!(judge(history).unwrap_err().property, Property::SendingViewDelivery);
}

#[test]
fn members_that_come_together_with_different_messages() {
    assert_eq!(wrong(is_given(A, B, 1), &[]), Property::VirtualSynchrony);
}

#[test]
fn members_that_disagree_on_who_came_along() {
    let put = [(B, view(2, &[A, B, C], Some(id(1, &[A, B])), &[B]))];
    assert_eq!(wrong(is_view(B, 2), &put), Property::TransitionalSet);
}

#[test]
fn a_newcomer_that_came_with_others() {
    let put = [(C, view(2, &[A, B, C], None, &[A, C]))];
    assert_eq!(wrong(is_view(C, 2), &put), Property::TransitionalSet);
}

#[test]
fn one_version_of_two_states() {
    let is_state = |member: &Member, what: &What| *member == B && matches!(what, What::State { .. });
    let put = What::State { version: StateVersion { view: id(1, &[A, B]), epoch: 3, digest: 5 }, content: 10 };
    assert_eq!(wrong(is_state, &[(B, put)]), Property::StateAgreement);
}

#[test]
fn a_member_that_stays_behind() {
    assert_eq!(wrong(is_view(C, 2), &[]), Property::Convergence);
}

#[test]
fn a_member_that_is_gone_but_still_listed() {
    let mut history = right();
    history.push((C, What::Crashed));
    let mut checkers = Checkers::new();
    for (member, what) in history {
        checkers.record(Record { at: Duration::ZERO, member, group: group(), what }).unwrap();
    }
    let violation = checkers.converged(&group(), &[BTreeSet::from([A, B])]).unwrap_err();
    assert_eq!(violation.property, Property::Convergence);
}
