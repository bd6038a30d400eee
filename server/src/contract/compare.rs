//! What differs between two versions of a contract, line by line, as a person would mark it: the fewest lines taken
//! out and put in (E. W. Myers, "An O(ND) difference algorithm", 1986), with a little of what stands around them.

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It stands in both.
    Same,
    /// It was taken out.
    Out,
    /// It was put in.
    In,
    /// Lines that are the same and not shown.
    Skipped,
}

impl Kind {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Out => "out",
            Self::In => "in",
            Self::Skipped => "skipped",
        }
    }
}

/// A line of the difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What became of it.
    pub kind: Kind,
    /// Its number in the earlier text, from 1; where lines are skipped, of the first of them.
    pub before: Option<usize>,
    /// Its number in the later text.
    pub after: Option<usize>,
    /// The line; empty where lines are skipped.
    pub text: String,
    /// How many lines this row stands for.
    pub lines: usize,
}

/// Same lines that are shown around a change.
const AROUND: usize = 3;
/// Texts that differ in more lines than this are shown as one text instead of the other.
const MOST: usize = 1_000;

/// The difference between two texts; nothing where they are the same.
pub fn compare(before: &str, after: &str) -> Vec<Row> {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (from, to) = (&a[head..a.len() - tail], &b[head..b.len() - tail]);
    let mut rows = Vec::with_capacity(a.len().max(b.len()));
    let same = |at_a: usize, at_b: usize| Row {
        kind: Kind::Same,
        before: Some(at_a + 1),
        after: Some(at_b + 1),
        text: a[at_a].to_owned(),
        lines: 1,
    };
    rows.extend((0..head).map(|at| same(at, at)));
    let (mut x, mut y) = (head, head);
    for step in script(from, to) {
        match step {
            Kind::Same | Kind::Skipped => {
                rows.push(same(x, y));
                x += 1;
                y += 1;
            }
            Kind::Out => {
                rows.push(Row {
                    kind: step,
                    before: Some(x + 1),
                    after: None,
                    text: a[x].to_owned(),
                    lines: 1,
                });
                x += 1;
            }
            Kind::In => {
                rows.push(Row {
                    kind: step,
                    before: None,
                    after: Some(y + 1),
                    text: b[y].to_owned(),
                    lines: 1,
                });
                y += 1;
            }
        }
    }
    rows.extend((0..tail).map(|at| same(x + at, y + at)));
    fold(rows)
}

/// The fewest steps from one list of lines to the other.
fn script(a: &[&str], b: &[&str]) -> Vec<Kind> {
    let whole = || {
        let out = std::iter::repeat_n(Kind::Out, a.len());
        out.chain(std::iter::repeat_n(Kind::In, b.len())).collect()
    };
    let most = MOST.min(a.len() + b.len());
    // `reach[k + most]` is how far diagonal `k = x - y` reaches in `a`; one copy for each number of steps.
    let mut reach = vec![0_usize; 2 * most + 3];
    let mut trace: Vec<Vec<usize>> = Vec::new();
    let middle = most + 1;
    for steps in 0..=most {
        trace.push(reach[middle - steps.min(middle)..=(middle + steps).min(2 * most + 2)].to_vec());
        for k in (0..=2 * steps).step_by(2) {
            let at = middle + k - steps;
            let down = k == 0 || (k != 2 * steps && reach[at - 1] < reach[at + 1]);
            let mut x = if down { reach[at + 1] } else { reach[at - 1] + 1 };
            // Off the grid to the left never happens: a diagonal is entered from one that lies on it.
            let Some(mut y) = (x + middle).checked_sub(at) else { continue };
            while x < a.len() && y < b.len() && a[x] == b[y] {
                x += 1;
                y += 1;
            }
            reach[at] = x;
            if x >= a.len() && y >= b.len() {
                return walk_back(&trace, a.len(), b.len());
            }
        }
    }
    whole()
}

/// From the end back along the diagonals that were reached.
fn walk_back(trace: &[Vec<usize>], mut x: usize, mut y: usize) -> Vec<Kind> {
    let mut steps_back = Vec::new();
    for steps in (1..trace.len()).rev() {
        // The row of this copy is centred: diagonal `k` stands at `steps + k`.
        let reach = &trace[steps];
        let at = |k: isize| usize::try_from(steps as isize + k).ok().and_then(|at| reach.get(at)).copied();
        let k = x as isize - y as isize;
        let down = k == -(steps as isize)
            || (k != steps as isize && at(k - 1).unwrap_or(0) < at(k + 1).unwrap_or(0));
        let from_k = if down { k + 1 } else { k - 1 };
        let from_x = at(from_k).unwrap_or(0);
        let from_y = usize::try_from(from_x as isize - from_k).unwrap_or(0);
        let (begin_x, begin_y) = if down { (from_x, from_y + 1) } else { (from_x + 1, from_y) };
        while x > begin_x && y > begin_y {
            steps_back.push(Kind::Same);
            x -= 1;
            y -= 1;
        }
        steps_back.push(if down { Kind::In } else { Kind::Out });
        (x, y) = (from_x, from_y);
    }
    steps_back.extend(std::iter::repeat_n(Kind::Same, x.min(y)));
    steps_back.reverse();
    steps_back
}

/// Leaves out what is the same and far from a change.
fn fold(rows: Vec<Row>) -> Vec<Row> {
    let changed: Vec<usize> =
        rows.iter().enumerate().filter(|(_, row)| row.kind != Kind::Same).map(|(at, _)| at).collect();
    if changed.is_empty() {
        return Vec::new();
    }
    let near = |at: usize| {
        let next = changed.partition_point(|changed| *changed < at);
        let after = changed.get(next).is_some_and(|changed| changed - at <= AROUND);
        let before = next.checked_sub(1).is_some_and(|last| at - changed[last] <= AROUND);
        after || before
    };
    let mut folded: Vec<Row> = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        if near(at) {
            folded.push(row);
        } else if let Some(last) = folded.last_mut().filter(|last| last.kind == Kind::Skipped) {
            last.lines += 1;
        } else {
            folded.push(Row { kind: Kind::Skipped, text: String::new(), ..row });
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The difference as people write it: `-` out, `+` in, a number for lines that are skipped.
    fn told(before: &str, after: &str) -> Vec<String> {
        let rows = compare(before, after);
        let told = rows.iter().map(|row| match row.kind {
            Kind::Same => format!(" {}", row.text),
            Kind::Out => format!("-{}", row.text),
            Kind::In => format!("+{}", row.text),
            Kind::Skipped => format!("…{}", row.lines),
        });
        told.collect()
    }

    #[test]
    fn a_changed_line_stands_between_its_neighbours() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        assert_eq!(told(before, before), Vec::<String>::new());
        assert_eq!(
            told(before, &before.replace('6', "six")),
            ["…2", " 3", " 4", " 5", "-6", "+six", " 7", " 8", " 9"]
        );
        assert_eq!(told("a\nb\nc\n", "a\nc\nd\n"), [" a", "-b", " c", "+d"]);
        assert_eq!(told("", "a\n"), ["+a"]);
        assert_eq!(told("a\nb\n", ""), ["-a", "-b"]);
        let rows = compare("a\nb\n", "a\nx\nb\n");
        assert_eq!((rows[1].before, rows[1].after), (None, Some(2)));
        assert_eq!((rows[2].before, rows[2].after), (Some(2), Some(3)));
    }

    /// Taken out and put in, the earlier text becomes the later one; and no shorter way exists for small texts.
    #[test]
    fn the_way_leads_from_one_text_to_the_other_and_is_the_shortest() {
        let words = ["a", "b", "c"];
        let mut seed = 7_u64;
        let mut draw = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        for _ in 0..3_000 {
            let mut text = |most: u64| -> Vec<&str> {
                (0..draw(most)).map(|_| words[draw(3) as usize]).collect::<Vec<_>>()
            };
            let (a, b) = (text(9), text(9));
            let steps = script(&a, &b);
            let (mut x, mut made) = (0, Vec::new());
            let mut put_in = b.iter();
            let mut moved = 0;
            for step in &steps {
                match step {
                    Kind::Same | Kind::Skipped => {
                        assert_eq!(put_in.next(), Some(&a[x]));
                        made.push(a[x]);
                        x += 1;
                    }
                    Kind::Out => {
                        x += 1;
                        moved += 1;
                    }
                    Kind::In => {
                        made.push(put_in.next().unwrap());
                        moved += 1;
                    }
                }
            }
            assert_eq!((x, &made), (a.len(), &b), "{a:?} to {b:?}: {steps:?}");
            assert_eq!(moved, a.len() + b.len() - 2 * longest_common(&a, &b), "{a:?} to {b:?}");
        }
    }

    fn longest_common(a: &[&str], b: &[&str]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for x in a {
            let mut corner = 0;
            for (j, y) in b.iter().enumerate() {
                let here = if x == y { corner + 1 } else { row[j].max(row[j + 1]) };
                corner = row[j + 1];
                row[j + 1] = here;
            }
        }
        row[b.len()]
    }

    #[test]
    fn texts_that_have_nothing_in_common_end_soon() {
        let text =
            |name: &str| (0..20_000).map(|line| format!("{name} {line}\n")).collect::<Vec<_>>().concat();
        let rows = compare(&text("a"), &text("b"));
        assert_eq!(rows.len(), 40_000);
        assert_eq!((rows[0].kind, rows[39_999].kind), (Kind::Out, Kind::In));
    }
}
