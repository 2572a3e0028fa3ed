//! The contract of group engines: the same cases over each engine that can do them, in processes of their own, and the same
//! checkers that judge the simulation.
//!
//! Corosync and Zenoh run on hosts of their own (network namespaces), so they are tried as root only, and Zenoh with the
//! feature `zenoh`. `cargo xtask test` does all of it.

mod cases;
mod cluster;
mod seen;
mod torture;

/// A test for each case, over one engine.
macro_rules! contract {
    ($engine:ident: $kind:ident: $($case:ident)*) => {
        mod $engine {
            $(#[test]
            fn $case() {
                crate::cases::$case(crate::cluster::Kind::$kind);
            })*
        }
    };
}

contract! { embedded: Embedded:
    a_group_forms
    concurrent_senders_have_one_order
    both_sides_of_a_cut_go_on_and_meet_again
    a_killed_member_is_left_out_and_comes_again
    a_killed_daemon_takes_nobody_along
    a_stopped_member_is_left_out_until_it_goes_on
    a_short_stop_changes_nothing_for_good
    kept_states_come_together
    joins_and_leaves_under_load
    a_long_message_arrives
    a_slow_member_holds_senders_back
    states_pass_through_cuts_and_heals
}

contract! { corosync: Corosync:
    a_group_forms
    concurrent_senders_have_one_order
    both_sides_of_a_cut_go_on_and_meet_again
    an_asymmetric_cut_ends_well
    a_killed_member_is_left_out_and_comes_again
    a_killed_daemon_takes_nobody_along
    a_stopped_member_is_left_out_until_it_goes_on
    a_short_stop_changes_nothing_for_good
    kept_states_come_together
    joins_and_leaves_under_load
    a_long_message_arrives
    a_slow_member_holds_senders_back
    states_pass_through_cuts_and_heals
}

contract! { zenoh: Zenoh:
    a_group_forms
    concurrent_senders_have_one_order
    both_sides_of_a_cut_go_on_and_meet_again
    an_asymmetric_cut_ends_well
    a_killed_member_is_left_out_and_comes_again
    a_killed_daemon_takes_nobody_along
    a_stopped_member_is_left_out_until_it_goes_on
    a_short_stop_changes_nothing_for_good
    kept_states_come_together
    joins_and_leaves_under_load
    a_long_message_arrives
    a_slow_member_holds_senders_back
    states_pass_through_cuts_and_heals
}
