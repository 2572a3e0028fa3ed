//! Every target on its corpus and on a bounded number of seeded mutations of it. A failure names its seed and
//! the command that replays it.

macro_rules! tests {
    ($($name:ident: $run:path, $format:path, $seeds:path, $cost:literal;)*) => {
        $(#[test]
        fn $name() {
            hamsa_fuzz::bounded(hamsa_fuzz::target(stringify!($name)).expect("a target of the list"));
        })*
    };
}
hamsa_fuzz::for_each_target!(tests);
