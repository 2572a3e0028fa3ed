//! Who serves which names, where subtrees lie within others: the longest has a name (RFC 2741 §7.1.4.1).

use crate::oid::{Oid, OidRef};

/// Disjoint segments of names, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Segments(Vec<Segment>);

/// Names from `start` to before `end` that one serves.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) start: Oid,
    /// `None`: no end.
    pub(crate) end: Option<Oid>,
    pub(crate) owner: usize,
}

impl Segments {
    /// Cuts subtrees, sorted and each there once, into segments.
    pub(crate) fn cut(subtrees: Vec<(Oid, usize)>) -> Self {
        let mut segments: Vec<Segment> = Vec::with_capacity(subtrees.len());
        // The subtrees that the present name is in, the longest last, and where each ends.
        let mut open: Vec<(Option<Oid>, usize, Oid)> = Vec::new();
        let push = |segments: &mut Vec<Segment>, start: Oid, end: Option<Oid>, owner| {
            if end.as_ref().is_none_or(|end| start < *end) {
                segments.push(Segment { start, end, owner });
            }
        };
        for (subtree, owner) in subtrees {
            close(&mut open, Some(&subtree), &mut segments, push);
            if let Some((_, outer, from)) = open.last_mut() {
                push(&mut segments, from.clone(), Some(subtree.clone()), *outer);
            }
            open.push((end_of(&subtree), owner, subtree));
        }
        close(&mut open, None, &mut segments, push);
        Segments(segments)
    }

    /// The segment that a name is in, or else the first behind it, and all that follow.
    pub(crate) fn from(&self, name: OidRef<'_>) -> &[Segment] {
        let is_before = |segment: &Segment| segment.end.as_ref().is_some_and(|end| end.as_oid() <= name);
        &self.0[self.0.partition_point(is_before)..]
    }

    /// Who serves a name.
    pub(crate) fn owner(&self, name: OidRef<'_>) -> Option<usize> {
        let segment = self.from(name).first()?;
        (segment.start.as_oid() <= name).then_some(segment.owner)
    }
}

/// Ends the open subtrees that end before or at a name; what is left of each behind the last one inside it is its own.
fn close(
    open: &mut Vec<(Option<Oid>, usize, Oid)>,
    until: Option<&Oid>,
    segments: &mut Vec<Segment>,
    push: impl Fn(&mut Vec<Segment>, Oid, Option<Oid>, usize),
) {
    while let Some((end, owner, from)) =
        open.pop_if(|(end, ..)| until.is_none_or(|until| end.as_ref().is_some_and(|end| end <= until)))
    {
        push(segments, from, end.clone(), owner);
        if let (Some((_, _, outer_from)), Some(end)) = (open.last_mut(), end) {
            *outer_from = end;
        }
    }
}

/// The first name behind a subtree; `None` where there is none.
fn end_of(subtree: &Oid) -> Option<Oid> {
    let mut arcs: Vec<u32> = subtree.as_oid().arcs().collect();
    loop {
        let last = arcs.pop()?;
        if let Some(next) = last.checked_add(1) {
            arcs.push(next);
            return match (Oid::from_arcs(&arcs), &arcs[..]) {
                (Ok(end), _) => Some(end),
                // Behind 0.39 comes 1.0, and behind 1.39 2.0.
                (Err(_), &[root, _]) if root < 2 => Oid::from_arcs(&[root + 1, 0]).ok(),
                (Err(_), _) => None,
            };
        }
    }
}
