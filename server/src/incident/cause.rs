//! Which of the troubles that stand is the cause of which. A device hangs off parents, for reach and for power;
//! when it does not answer and one of the things it cannot do without does not answer either, its trouble is a
//! symptom of that one's. Pure: the graph, what stands and the time go in, a verdict for each trouble comes out.
//!
//! No topology hides a fault. What does not answer is a symptom only below something that stands as a cause of its
//! own; who hangs off itself, off something unknown or off something that answers is a cause.

use std::collections::{BTreeMap, BTreeSet};

use super::GATEWAY_SILENT;
use crate::device::parent::Need;

/// One thing that a device hangs off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// A node.
    pub id: String,
    /// What for.
    pub need: Need,
    /// Of the parents that share a name, one that works is enough; alone when it is empty.
    pub group: String,
}

/// A device or a gateway as the judge knows it.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// What it hangs off.
    pub parents: Vec<Parent>,
    /// Somebody looks at it: it has answered or failed to at least once, and is not switched off.
    pub watched: bool,
    /// Whoever looks at it is heard.
    pub heard: bool,
    /// How long it takes to confirm that it does not answer.
    pub confirm_ms: i64,
}

/// A trouble that stands. Times are Unix ms.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// Its device, or its gateway where it is the gateway's own.
    pub node: String,
    /// What is wrong.
    pub code: String,
    /// The last good sample before it.
    pub last_good_at: Option<i64>,
    /// The first bad one, or when it was confirmed.
    pub first_bad_at: i64,
    /// The node under whose trouble it stood until now.
    pub under: Option<String>,
    /// A parent that gave its gateway an answer, and when.
    pub answered: Option<(String, i64)>,
}

/// What a trouble is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A cause of its own.
    Root,
    /// A symptom of the trouble in this place of the list, which is a root.
    Symptom(usize),
    /// Something it hangs off may yet turn out not to answer.
    Wait {
        /// By then it would have been confirmed.
        until: i64,
        /// The node.
        parent: String,
    },
}

/// Whether a fault says that nothing answers, so that the cause may lie elsewhere.
pub fn is_silence(code: &str) -> bool {
    code == "unreachable" || code == "port_closed" || code.ends_with("_silent")
}

/// Whether what hangs off a device with this fault is cut off.
pub fn cuts(code: &str) -> bool {
    code == "unreachable" || code == GATEWAY_SILENT
}

/// A verdict for each of `troubles`, in their order.
pub fn judge(nodes: &BTreeMap<String, Node>, troubles: &[Trouble], now: i64) -> Vec<Verdict> {
    let mut cutting: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, trouble) in troubles.iter().enumerate().filter(|(_, trouble)| cuts(&trouble.code)) {
        let first = cutting.entry(&trouble.node).or_insert(at);
        if troubles[*first].first_bad_at > trouble.first_bad_at {
            *first = at;
        }
    }
    let mut court = Court { nodes, troubles, cutting, now, known: BTreeMap::new() };
    (0..troubles.len()).map(|at| court.judge(at)).collect()
}

/// What is known of something a device hangs off, from the device's point of view.
enum Found {
    Works,
    /// The trouble that cuts it off.
    Cut(usize),
    Unclear {
        until: i64,
        parent: String,
    },
}

struct Court<'a> {
    nodes: &'a BTreeMap<String, Node>,
    troubles: &'a [Trouble],
    /// The trouble that cuts off what hangs off a node.
    cutting: BTreeMap<&'a str, usize>,
    now: i64,
    known: BTreeMap<usize, Verdict>,
}

impl Court<'_> {
    fn judge(&mut self, at: usize) -> Verdict {
        if let Some(verdict) = self.known.get(&at) {
            return verdict.clone();
        }
        let trouble = &self.troubles[at];
        let above = if is_silence(&trouble.code) { self.above(&trouble.node, trouble) } else { Found::Works };
        let verdict = match above {
            Found::Works => Verdict::Root,
            Found::Unclear { until, parent } => Verdict::Wait { until, parent },
            // What cuts it off is judged on the way, so it is a root by now.
            Found::Cut(cause) => Verdict::Symptom(cause),
        };
        self.known.insert(at, verdict.clone());
        verdict
    }

    /// Whether a node lacks anything it cannot do without.
    fn above(&mut self, id: &str, trouble: &Trouble) -> Found {
        let Some(node) = self.nodes.get(id) else { return Found::Works };
        if node.parents.is_empty() || self.is_own_ancestor(id) {
            return Found::Works;
        }
        let mut groups: BTreeMap<(Need, &str, &str), Vec<&str>> = BTreeMap::new();
        for parent in node.parents.iter().filter(|parent| self.nodes.contains_key(&parent.id)) {
            let alone = if parent.group.is_empty() { parent.id.as_str() } else { "" };
            groups.entry((parent.need, &parent.group, alone)).or_default().push(&parent.id);
        }
        let mut cut: Option<usize> = None;
        let mut unclear: Option<(i64, String)> = None;
        for members in groups.into_values() {
            match self.group(&members, trouble) {
                Found::Works => {}
                Found::Cut(cause) => {
                    let began = |at: usize| self.troubles[at].first_bad_at;
                    cut = Some(
                        cut.map_or(cause, |other| if began(other) <= began(cause) { other } else { cause }),
                    );
                }
                Found::Unclear { until, parent } => {
                    if unclear.as_ref().is_none_or(|(other, _)| *other < until) {
                        unclear = Some((until, parent));
                    }
                }
            }
        }
        match (cut, unclear) {
            (Some(cause), _) => Found::Cut(cause),
            (None, Some((until, parent))) => Found::Unclear { until, parent },
            (None, None) => Found::Works,
        }
    }

    /// Redundant parents: one that works is enough, and the last one to fail cut it off.
    fn group(&mut self, members: &[&str], trouble: &Trouble) -> Found {
        let mut last: Option<(i64, usize)> = None;
        let mut unclear: Option<(i64, String)> = None;
        for member in members {
            match self.parent(member, trouble) {
                Found::Works => return Found::Works,
                Found::Cut(cause) => {
                    let began = self.cutting.get(member).map_or(0, |at| self.troubles[*at].first_bad_at);
                    if last.is_none_or(|(other, _)| other < began) {
                        last = Some((began, cause));
                    }
                }
                Found::Unclear { until, parent } => {
                    if unclear.as_ref().is_none_or(|(other, _)| *other < until) {
                        unclear = Some((until, parent));
                    }
                }
            }
        }
        match (unclear, last) {
            (Some((until, parent)), _) => Found::Unclear { until, parent },
            (None, Some((_, cause))) => Found::Cut(cause),
            (None, None) => Found::Works,
        }
    }

    fn parent(&mut self, id: &str, trouble: &Trouble) -> Found {
        if let Some(at) = self.cutting.get(id).copied() {
            let verdict = self.judge(at);
            let cause = if let Verdict::Symptom(cause) = &verdict { *cause } else { at };
            let of = &self.troubles[at];
            // Whatever was bad while its parent still answered has a cause of its own; but what stood under a
            // parent that comes and goes stays there.
            let under = trouble.under.as_deref();
            let stays = under.is_some_and(|under| under == id || under == self.troubles[cause].node);
            if !stays && of.last_good_at.is_some_and(|good| trouble.first_bad_at < good) {
                return Found::Works;
            }
            return match verdict {
                Verdict::Wait { until, parent } => Found::Unclear { until, parent },
                Verdict::Root | Verdict::Symptom(_) => Found::Cut(cause),
            };
        }
        // It has answered since: whatever it is, it lies below.
        if trouble.answered.as_ref().is_some_and(|(parent, at)| parent == id && *at >= trouble.first_bad_at) {
            return Found::Works;
        }
        let node = &self.nodes[id];
        if !node.watched {
            // Nobody knows whether it works: it is as good as what it hangs off.
            return self.above(id, trouble);
        }
        let until = trouble.first_bad_at.saturating_add(node.confirm_ms.saturating_mul(2));
        if node.heard && until > self.now {
            return Found::Unclear { until, parent: id.to_owned() };
        }
        Found::Works
    }

    /// Whether a node hangs off itself.
    fn is_own_ancestor(&self, id: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut way: Vec<&str> = vec![id];
        while let Some(at) = way.pop() {
            for parent in self.nodes.get(at).map(|node| node.parents.as_slice()).unwrap_or_default() {
                if parent.id == id {
                    return true;
                }
                if seen.insert(parent.id.as_str()) {
                    way.push(&parent.id);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
