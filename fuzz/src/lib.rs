//! Adversarial inputs for everything of Hamsa's that takes octets from outside.
//!
//! A target is a plain function that takes octets and panics if anything is wrong: not only if the product
//! panics, but also if a promise is broken (what is read must be written alike, a stranger changes nothing, a
//! request ends exactly once). Two ways lead to it: the seeded and bounded tests in `tests/bounded.rs`, which
//! belong to the ordinary test run, and the coverage-guided fuzzer in `libfuzzer/`, which one runs for hours.
//!
//! To add a target, write the function and add its line to [`for_each_target`].

mod canonical;
pub mod codec;
pub mod engine;
pub mod entity;
pub mod manager;
mod mutate;
pub mod names;
pub mod poller;
pub mod reading;
pub mod responder;
mod run;
pub mod script;
pub mod seeds;
mod tlv;
pub mod world;

pub use mutate::{Format, MAX_INPUT_OCTETS, mutate};
pub use run::{Target, bounded, corpus_of};

/// Calls a macro with all targets, each as `name: function, format, seeds, cost`. The cost says how many times
/// as long a run takes as a run of the cheapest target, and so how many fewer are made.
#[macro_export]
macro_rules! for_each_target {
    ($callback:ident) => {
        $callback! {
            ber_reader: codec::ber_reader, BER, seeds::messages, 1;
            community_message: codec::community_message, BER, seeds::messages, 1;
            v3_message: codec::v3_message, BER, seeds::messages, 1;
            usm_parameters: codec::usm_parameters, BER, seeds::usm_parameters, 1;
            scoped_pdu: codec::scoped_pdu, BER, seeds::scoped_pdus, 1;
            pdu: codec::pdu, BER, seeds::pdus, 1;
            varbinds: codec::varbinds, BER, seeds::varbinds, 1;
            value: codec::value, OCTETS, seeds::values, 1;
            oid_octets: names::oid_octets, OCTETS, seeds::oids, 1;
            receive: engine::receive, BER, seeds::messages, 4;
            receive_signed: engine::receive_signed, SIGNED, seeds::signed, 10;
            receive_tampered: engine::receive_tampered, OCTETS, seeds::tampering, 10;
            notification: engine::notification, AFTER_ONE, seeds::notifications, 4;
            responder: responder::responder, AFTER_ONE, seeds::questions, 4;
            responder_signed: responder::responder_signed, AFTER_TWO, seeds::signed_questions, 6;
            manager: manager::manager, STEPS, seeds::manager_scripts, 10;
            walk: reading::walk, STEPS, seeds::reading_scripts, 2;
            get_many: reading::get_many, STEPS, seeds::reading_scripts, 2;
            poller: poller::poller, STEPS, seeds::poller_scripts, 20;
            names_text: names::names_text, TEXT, seeds::names, 1;
        }
    };
}

const BER: Format = Format::Ber { skip: 0 };
const AFTER_ONE: Format = Format::Ber { skip: 1 };
const AFTER_TWO: Format = Format::Ber { skip: 2 };
const SIGNED: Format = Format::Ber { skip: engine::SIGNED_HEADER_OCTETS };
const STEPS: Format = Format::Steps { size: script::STEP_OCTETS };
const OCTETS: Format = Format::Octets;
const TEXT: Format = Format::Text;

macro_rules! table {
    ($($name:ident: $run:path, $format:path, $seeds:path, $cost:literal;)*) => {
        /// All targets.
        pub const TARGETS: &[Target] = &[
            $(Target { name: stringify!($name), run: $run, format: $format, seeds: $seeds, cost: $cost },)*
        ];
    };
}
for_each_target!(table);

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
