//! Which nodes an engine reaches.

use std::fmt;
use std::str::FromStr;

use hamsa_group::GroupName;

/// Which nodes groups have members of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// All of the cluster.
    Cluster,
    /// This one and the one of that number.
    Pair(u32),
}

impl Link {
    /// The group in which all of them are that can be reached.
    pub fn own_group(self) -> GroupName {
        let name = match self {
            Link::Cluster => "cluster",
            Link::Pair(_) => "pair",
        };
        GroupName::new(name).expect("letters make a name")
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Link::Cluster => f.write_str("cluster"),
            Link::Pair(peer) => write!(f, "pair-{peer}"),
        }
    }
}

impl FromStr for Link {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pair = text.strip_prefix("pair-").and_then(|peer| peer.parse().ok());
        match pair {
            Some(peer) => Ok(Link::Pair(peer)),
            None if text == "cluster" => Ok(Link::Cluster),
            None => Err(format!("{text:?} is no link: say cluster, or pair-N for the pair with node N")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_is_written() {
        for link in [Link::Cluster, Link::Pair(1), Link::Pair(65_535)] {
            assert_eq!(link.to_string().parse(), Ok(link));
        }
        for wrong in ["", "pair", "pair-", "pair-x", "pair--1", "Cluster"] {
            assert!(wrong.parse::<Link>().is_err(), "{wrong}");
        }
    }
}
