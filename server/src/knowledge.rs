//! What helped before: visits that were finished and say what was wrong and what was done, offered on the next ticket that
//! looks like theirs, and searched. Pure; it lives in the visits' own words and is never copied, so nothing in it can grow old
//! beside them. What came again and again a person may take over into the manual ([`item`]), in words of its own.

pub mod api;
pub mod item;
pub mod store;

/// Answers of one question.
pub const SHOWN_MAX: usize = 20;

/// A finished visit with its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what its name says, as people wrote it")]
pub struct Case {
    pub ticket_number: i64,
    pub title: String,
    pub code: String,
    pub device_id: Option<String>,
    pub device: String,
    pub class: String,
    pub model: String,
    pub site: String,
    pub site_zh: String,
    pub symptom: String,
    pub cause: String,
    pub solution: String,
    /// When it was written down last, Unix ms.
    pub at: i64,
}

/// The trouble that somebody stands before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what its name says")]
pub struct Trouble {
    pub device_id: Option<String>,
    pub class: String,
    pub model: String,
    pub code: String,
}

/// Why a case is offered, the best reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The same fault on the same device.
    Again,
    /// The same fault on the same model.
    Model,
    /// The same fault on a device of the same class.
    Class,
    /// Another trouble of the same device.
    Device,
    /// Its words were looked for.
    Words,
}

impl Why {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::Model => "model",
            Self::Class => "class",
            Self::Device => "device",
            Self::Words => "words",
        }
    }
}

/// A case that is shown, for all that say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Why.
    pub why: Why,
    /// The newest of them.
    pub case: Case,
    /// How many say the same.
    pub times: usize,
}

/// What a case has to do with a trouble; None when nothing.
pub fn why(case: &Case, trouble: &Trouble) -> Option<Why> {
    let same = |a: &str, b: &str| !a.is_empty() && a.eq_ignore_ascii_case(b);
    let same_device = case.device_id.is_some() && case.device_id == trouble.device_id;
    let same_code = same(&case.code, &trouble.code);
    if same_code && same_device {
        Some(Why::Again)
    } else if same_code && same(&case.model, &trouble.model) {
        Some(Why::Model)
    } else if same_code && same(&case.class, &trouble.class) {
        Some(Why::Class)
    } else {
        same_device.then_some(Why::Device)
    }
}

/// The cases that have something to do with a trouble: the best reasons first, then what helped most often, then the newest.
pub fn offered(cases: Vec<Case>, trouble: &Trouble) -> Vec<Known> {
    gathered(cases.into_iter().filter_map(|case| Some((why(&case, trouble)?, case))))
}

/// The cases that hold all of these words, in whatever field.
pub fn found(cases: Vec<Case>, words: &str) -> Vec<Known> {
    let words: Vec<String> = plain(words).split(' ').map(str::to_owned).collect();
    let holds = |case: &Case| {
        let Case { title, code, device, class, model, symptom, cause, solution, .. } = case;
        let all = plain(
            &[title, code, device, class, model, symptom, cause, solution].map(String::as_str).join(" "),
        );
        words.iter().all(|word| all.contains(word.as_str()))
    };
    gathered(cases.into_iter().filter(holds).map(|case| (Why::Words, case)))
}

fn gathered(cases: impl Iterator<Item = (Why, Case)>) -> Vec<Known> {
    let mut all: Vec<(String, Known)> = Vec::new();
    for (why, case) in cases {
        let said = format!("{} / {}", plain(&case.cause), plain(&case.solution));
        match all.iter_mut().find(|(other, _)| *other == said) {
            Some((_, known)) => {
                known.times += 1;
                if (why, -case.at) < (known.why, -known.case.at) {
                    (known.why, known.case) = (why, case);
                }
            }
            None => all.push((said, Known { why, case, times: 1 })),
        }
    }
    let mut all: Vec<Known> = all.into_iter().map(|(_, known)| known).collect();
    all.sort_by_key(|known| (known.why, std::cmp::Reverse(known.times), std::cmp::Reverse(known.case.at)));
    all.truncate(SHOWN_MAX);
    all
}

/// Without capital letters, marks at the ends of words, and blanks that say nothing.
fn plain(text: &str) -> String {
    let is_mark =
        |c: char| c.is_ascii_punctuation() && c != '-' && c != '_' || "，。、；：！？（）“”".contains(c);
    let text: String = text.chars().map(|c| if is_mark(c) { ' ' } else { c }).collect();
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(number: i64, device: &str, model: &str, cause: &str) -> Case {
        Case {
            ticket_number: number,
            code: "unreachable".into(),
            device_id: Some(device.into()),
            class: "camera".into(),
            model: model.into(),
            cause: cause.into(),
            solution: "new plug".into(),
            at: number,
            ..Case::default()
        }
    }

    fn trouble() -> Trouble {
        let (class, model, code) = ("camera".into(), "DS-2CD".into(), "unreachable".into());
        Trouble { device_id: Some("cam-3".into()), class, model, code }
    }

    #[test]
    fn what_says_the_same_counts_together_and_the_nearest_comes_first() {
        let cases = vec![
            case(1, "cam-9", "other", "Lightning"),
            case(2, "cam-9", "ds-2cd", "Water in the plug."),
            case(3, "cam-3", "DS-2CD", "water in  the plug"),
            case(4, "cam-8", "", "Loose connector"),
            case(5, "cam-8", "", "loose connector"),
            Case { code: "picture_black".into(), ..case(6, "cam-3", "DS-2CD", "Lens cap") },
            Case { code: "picture_black".into(), ..case(7, "cam-7", "DS-2CD", "Lens cap") },
        ];
        let told: Vec<(Why, i64, usize)> = offered(cases, &trouble())
            .into_iter()
            .map(|known| (known.why, known.case.ticket_number, known.times))
            .collect();
        assert_eq!(told, [(Why::Again, 3, 2), (Why::Class, 5, 2), (Why::Class, 1, 1), (Why::Device, 6, 1)]);
    }

    #[test]
    fn a_ticket_by_hand_is_offered_what_its_device_had() {
        let by_hand = Trouble { code: String::new(), ..trouble() };
        let cases = vec![case(1, "cam-3", "DS-2CD", "water"), case(2, "cam-4", "DS-2CD", "rust")];
        let told: Vec<_> =
            offered(cases, &by_hand).into_iter().map(|known| (known.why, known.case.cause)).collect();
        assert_eq!(told, [(Why::Device, "water".to_owned())]);
        assert!(offered(vec![case(1, "cam-4", "", "rust")], &Trouble::default()).is_empty());
    }

    #[test]
    fn words_are_found_in_either_language_in_any_order() {
        let cases = || {
            vec![
                Case {
                    symptom: "无画面，接头进水".into(), ..case(1, "cam-1", "DS-2CD2143", "进水")
                },
                case(2, "cam-2", "IPC-HFW", "Water in the plug"),
            ]
        };
        let numbers = |words: &str| -> Vec<i64> {
            found(cases(), words).into_iter().map(|known| known.case.ticket_number).collect()
        };
        assert_eq!(numbers("进水"), [1]);
        assert_eq!(numbers("PLUG water"), [2]);
        assert_eq!(numbers("ds-2cd2143"), [1]);
        assert_eq!(numbers("new plug"), [2, 1]);
        assert_eq!(numbers("lightning"), Vec::<i64>::new());
    }
}
