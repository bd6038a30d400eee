//! Cases by name, and random forests with loops in them.

use super::*;
use Verdict::{Root, Symptom};

const NOW: i64 = 10_000_000;

/// `"cam<sw"` hangs off sw; `"cam<a|b"` off either; `"cam~ups"` has its power from ups; `"?sw<core"` is not watched.
fn graph(text: &str) -> BTreeMap<String, Node> {
    let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
    let plain = || Node { watched: true, heard: true, confirm_ms: 60_000, ..Node::default() };
    for word in text.split_whitespace() {
        let watched = !word.starts_with('?');
        let word = word.trim_start_matches('?');
        let name: String = word.chars().take_while(|c| c.is_alphanumeric()).collect();
        let node = nodes.entry(name.clone()).or_insert_with(plain);
        node.watched = watched;
        let mut rest = &word[name.len()..];
        while let Some(sign) = rest.chars().next() {
            let list: String = rest[1..].chars().take_while(|c| !"<~".contains(*c)).collect();
            let group = if list.contains('|') { list.clone() } else { String::new() };
            let need = if sign == '<' { Need::Reach } else { Need::Power };
            let parents =
                list.split(['|', ',']).map(|id| Parent { id: id.to_owned(), need, group: group.clone() });
            nodes.get_mut(&name).unwrap().parents.extend(parents);
            rest = &rest[1 + list.len()..];
        }
    }
    nodes
}

/// Troubles that began long ago, all at the same time.
fn silent(names: &str) -> Vec<Trouble> {
    let trouble = |name: &str| Trouble {
        node: name.to_owned(),
        code: "unreachable".to_owned(),
        last_good_at: Some(970_000),
        first_bad_at: 1_000_000,
        ..Trouble::default()
    };
    names.split_whitespace().map(trouble).collect()
}

fn check(text: &str, names: &str, verdicts: &[Verdict]) {
    assert_eq!(judge(&graph(text), &silent(names), NOW), verdicts, "{text}: {names}");
}

#[test]
fn what_hangs_off_the_cause_is_a_symptom() {
    check("sw cam<sw", "sw cam", &[Root, Symptom(0)]);
    check("core sw<core cam<sw", "cam sw core", &[Symptom(2), Symptom(2), Root]);
    check("nvr ch1<nvr ch2<nvr", "nvr ch1 ch2", &[Root, Symptom(0), Symptom(0)]);
    check("ups sw~ups cam<sw~ups", "ups sw cam", &[Root, Symptom(0), Symptom(0)]);
}

#[test]
fn a_parent_that_has_answered_since_is_not_waited_for() {
    let just_now = |answered: Option<(&str, i64)>| {
        let answered = answered.map(|(parent, at)| (parent.to_owned(), at));
        vec![Trouble { first_bad_at: NOW - 30_000, answered, ..silent("cam").remove(0) }]
    };
    let judged = |text: &str, answered| judge(&graph(text), &just_now(answered), NOW).remove(0);
    assert!(matches!(judged("sw cam<sw", None), Verdict::Wait { .. }));
    assert_eq!(judged("sw cam<sw", Some(("sw", NOW - 29_000))), Root);
    // An answer from before proves nothing, nor does one of somebody else; its power may still be what is missing.
    assert!(matches!(judged("sw cam<sw", Some(("sw", NOW - 31_000))), Verdict::Wait { .. }));
    assert!(matches!(judged("sw cam<sw", Some(("other", NOW))), Verdict::Wait { .. }));
    assert!(matches!(judged("sw ups cam<sw~ups", Some(("sw", NOW))), Verdict::Wait { .. }));
}

#[test]
fn one_of_redundant_parents_is_enough() {
    check("a b cam<a|b", "a cam", &[Root, Root]);
    check("a b cam<a|b", "a b cam", &[Root, Root, Symptom(0)]);
    check("core a<core b<core cam<a|b", "core a b cam", &[Root, Symptom(0), Symptom(0), Symptom(0)]);
    check("a b cam<a,b", "b cam", &[Root, Symptom(0)]);
    let mut later = silent("a b cam");
    later[1].first_bad_at += 1000;
    assert_eq!(judge(&graph("a b cam<a|b"), &later, NOW)[2], Symptom(1), "the last one to fail cut it off");
}

#[test]
fn wrong_topology_hides_nothing() {
    check("sw cam<sw", "cam", &[Root]);
    check("core sw<core cam<sw", "core cam", &[Root, Root]);
    check("cam<gone", "cam", &[Root]);
    check("a<b b<a cam<a", "a b cam", &[Root, Root, Symptom(0)]);
    check("a<a", "a", &[Root]);
}

#[test]
fn what_nobody_watches_is_as_good_as_what_it_hangs_off() {
    check("core ?sw<core cam<sw", "core cam", &[Root, Symptom(0)]);
    check("?sw cam<sw dog<sw", "cam dog", &[Root, Root]);
}

#[test]
fn only_silence_has_its_cause_elsewhere() {
    let mut troubles = silent("sw cam");
    troubles[1].code = "tls_expired".into();
    assert_eq!(judge(&graph("sw cam<sw"), &troubles, NOW), [Root, Root]);
    troubles[1].code = "http_silent".into();
    assert_eq!(judge(&graph("sw cam<sw"), &troubles, NOW), [Root, Symptom(0)]);
    troubles[0].code = "http_silent".into();
    assert_eq!(
        judge(&graph("sw cam<sw"), &troubles, NOW),
        [Root, Root],
        "a switch whose page is down still switches"
    );
}

#[test]
fn a_child_waits_until_its_parent_would_have_been_confirmed() {
    let nodes = graph("core sw<core cam<sw");
    let troubles = silent("cam");
    let until = 1_000_000 + 120_000;
    let wait = Verdict::Wait { until, parent: "sw".into() };
    assert_eq!(judge(&nodes, &troubles, until - 1), std::slice::from_ref(&wait));
    assert_eq!(judge(&nodes, &troubles, until), [Root]);
    let wait = Verdict::Wait { until, parent: "core".into() };
    assert_eq!(judge(&nodes, &silent("sw cam"), until - 1), [wait.clone(), wait], "both wait for the same");
    let mut deaf = graph("sw cam<sw");
    deaf.get_mut("sw").unwrap().heard = false;
    assert_eq!(judge(&deaf, &troubles, until - 1), [Root], "nobody will say anything about it");
}

#[test]
fn what_was_bad_while_the_parent_answered_has_a_cause_of_its_own() {
    let mut troubles = silent("sw cam");
    troubles[0].last_good_at = Some(1_000_001);
    assert_eq!(judge(&graph("sw cam<sw"), &troubles, NOW), [Root, Root]);
    troubles[1].under = Some("sw".into());
    assert_eq!(judge(&graph("sw cam<sw"), &troubles, NOW), [Root, Symptom(0)], "it stood under it before");
}

/// Random graphs: every trouble is a root, or a symptom of a root that it can reach upwards, or waits for a bounded
/// time; later nothing waits.
#[test]
fn no_random_graph_hides_a_fault() {
    let mut seed: u64 = 0x5eed;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for round in 0..4000 {
        let count = 2 + random(14);
        let mut nodes = BTreeMap::new();
        for id in 0..count {
            // Mostly upwards, sometimes anywhere, so that there are loops; some parents do not exist.
            let parents = (0..random(4)).map(|_| Parent {
                id: format!("n{}", if random(5) == 0 { random(count + 2) } else { random(id + 1) }),
                need: if random(3) == 0 { Need::Power } else { Need::Reach },
                group: ["", "", "g"][random(3) as usize].to_owned(),
            });
            let node = Node {
                parents: parents.collect(),
                watched: random(4) > 0,
                heard: random(6) > 0,
                confirm_ms: 60_000,
            };
            nodes.insert(format!("n{id}"), node);
        }
        let mut troubles = Vec::new();
        for id in 0..count {
            if random(3) > 0 {
                let first_bad_at = 1_000_000 + random(200_000) as i64;
                troubles.push(Trouble {
                    node: format!("n{id}"),
                    code: ["unreachable", "unreachable", "http_silent", "tls_expired"][random(4) as usize]
                        .into(),
                    last_good_at: (random(4) > 0).then_some(first_bad_at - random(120_000) as i64),
                    first_bad_at,
                    under: (random(4) == 0).then(|| format!("n{}", random(count))),
                    answered: None,
                });
            }
        }
        for now in [1_100_000, 10_000_000] {
            for (at, verdict) in judge(&nodes, &troubles, now).iter().enumerate() {
                match verdict {
                    Root => {}
                    Symptom(cause) => {
                        let verdicts = judge(&nodes, &troubles, now);
                        assert_eq!(verdicts[*cause], Root, "round {round}: {troubles:#?} {nodes:#?}");
                        assert!(cuts(&troubles[*cause].code) && *cause != at, "round {round}");
                        assert!(reaches(&nodes, &troubles[at].node, &troubles[*cause].node), "round {round}");
                    }
                    Verdict::Wait { until, .. } => {
                        assert!(*until > now && *until <= 1_000_000 + 320_000, "round {round}: {until}");
                    }
                }
            }
        }
    }
}

fn reaches(nodes: &BTreeMap<String, Node>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut way = vec![from.to_owned()];
    while let Some(at) = way.pop() {
        for parent in nodes.get(&at).map(|node| node.parents.as_slice()).unwrap_or_default() {
            if parent.id == to {
                return true;
            }
            if seen.insert(parent.id.clone()) {
                way.push(parent.id.clone());
            }
        }
    }
    false
}
