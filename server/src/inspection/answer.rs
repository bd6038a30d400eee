//! How an item of a sheet is answered, and what of an answer is kept: a word that everybody reads the same, a number that
//! is one, names of people that can be counted, a test with what was wanted and what was measured.

use serde::Deserialize;

/// How an item is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Fine or wrong.
    #[default]
    Check,
    /// In words.
    Text,
    /// With a number.
    Number,
    /// With the names of people.
    People,
    /// With what was tested, what was wanted and what was measured, and whether that is enough; as often as something is
    /// tested.
    Test,
}

impl Answer {
    /// The word on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Text => "text",
            Self::Number => "number",
            Self::People => "people",
            Self::Test => "test",
        }
    }

    /// Reads the word back; one that nobody knows, or none, is a check.
    pub fn parse(word: &str) -> Self {
        [Self::Text, Self::Number, Self::People, Self::Test]
            .into_iter()
            .find(|how| how.as_str() == word)
            .unwrap_or_default()
    }

    /// Whether it says fine or wrong.
    pub fn judges(self) -> bool {
        matches!(self, Self::Check | Self::Test)
    }
}

/// Characters of an answer in words.
const WORDS_MAX: usize = 400;
/// Characters of a reading, of what was tested and of what was wanted.
const READING_MAX: usize = 200;
/// People of one answer.
const PEOPLE_MAX: usize = 200;
/// Characters of a name.
const NAME_MAX: usize = 40;
/// Digits of a number, before and behind its point.
const DIGITS_MAX: usize = 12;

/// What somebody says to an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// `ok`, `bad` or `none`; of an item that does not judge, `ok` says that it is answered.
    pub answer: String,
    /// What was read, in words, a number, or names.
    pub value: String,
    /// Of a test, what was tested.
    pub what: String,
    /// Of a test, what was wanted.
    pub wanted: String,
    /// What is worth saying; needed for what is wrong.
    pub note: String,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What to send instead.
    pub hint: String,
}

fn misfit(field: &'static str, problem: impl Into<String>, hint: impl Into<String>) -> Misfit {
    Misfit { field, problem: problem.into(), hint: hint.into() }
}

fn line(field: &'static str, text: &str, least: usize, most: usize) -> Result<String, Misfit> {
    let text = text.trim();
    let count = text.chars().count();
    if text.chars().any(char::is_control) {
        return Err(misfit(field, "it holds a control character", "write it in one plain line"));
    }
    if (least..=most).contains(&count) {
        return Ok(text.to_owned());
    }
    let problem = if count == 0 { "it is empty".to_owned() } else { format!("it has {count} characters") };
    Err(misfit(field, problem, format!("write {least} to {most} characters")))
}

/// The names in a line, each once, as they are kept: `王芳、li.wei`.
pub fn people(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let parts = text.split([',', '，', '、', ';', '；']).map(str::trim);
    for name in parts.filter(|name| !name.is_empty()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn names(text: &str) -> Result<String, Misfit> {
    let hint = format!("write 1 to {PEOPLE_MAX} names of at most {NAME_MAX} characters, commas between them");
    let all = people(
        &line("value", text, 1, PEOPLE_MAX * (NAME_MAX + 1))
            .map_err(|why| misfit(why.field, why.problem, &hint))?,
    );
    let fits = |name: &String| name.chars().count() <= NAME_MAX;
    if all.is_empty() || all.len() > PEOPLE_MAX || !all.iter().all(fits) {
        return Err(misfit("value", "these are no names, or too many", hint));
    }
    Ok(all.join("、"))
}

fn number(text: &str) -> Result<String, Misfit> {
    let text = text.trim();
    let digits =
        |text: &str| (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = text.strip_prefix('-').unwrap_or(text);
    let fits = match plain.split_once('.') {
        Some((whole, rest)) => digits(whole) && digits(rest),
        None => digits(plain),
    };
    if fits {
        return Ok(text.to_owned());
    }
    Err(misfit("value", format!("`{text}` is no number"), "write it as 12 or 12.5"))
}

/// What is kept of an answer to an item.
pub fn read(how: Answer, said: &Said) -> Result<Said, Misfit> {
    let words: &[&str] = if how.judges() { &["ok", "bad", "none"] } else { &["ok", "none"] };
    if !words.contains(&said.answer.as_str()) {
        let hint = format!("use {}", words.join(", "));
        return Err(misfit("answer", format!("`{}` does not fit here", said.answer), hint));
    }
    let least = usize::from(said.answer == "bad");
    let note = line("note", &said.note, least, WORDS_MAX).map_err(|why| match least {
        0 => why,
        _ => Misfit { hint: "say what is wrong".to_owned(), ..why },
    })?;
    let mut kept = Said { answer: said.answer.clone(), note, ..Said::default() };
    if said.answer == "none" {
        return Ok(kept);
    }
    match how {
        Answer::Check => kept.value = line("value", &said.value, 0, READING_MAX)?,
        Answer::Text => kept.value = line("value", &said.value, 1, WORDS_MAX)?,
        Answer::Number => kept.value = number(&said.value)?,
        Answer::People => kept.value = names(&said.value)?,
        Answer::Test => {
            kept.what = line("what", &said.what, 1, READING_MAX)?;
            kept.wanted = line("wanted", &said.wanted, 1, READING_MAX)?;
            kept.value = line("value", &said.value, 1, READING_MAX)?;
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(answer: &str, value: &str) -> Said {
        Said { answer: answer.into(), value: value.into(), ..Said::default() }
    }

    fn kept(how: Answer, value: &str) -> Result<String, &'static str> {
        read(how, &said("ok", value)).map(|kept| kept.value).map_err(|why| why.field)
    }

    #[test]
    fn each_kind_of_answer_is_kept_in_its_own_shape() {
        assert_eq!(kept(Answer::Check, ""), Ok(String::new()));
        assert_eq!(kept(Answer::Text, " "), Err("value"));
        assert_eq!(kept(Answer::Text, " 移交教材三套 "), Ok("移交教材三套".into()));
        assert_eq!(kept(Answer::People, "王芳，li.wei, 王芳；赵主任"), Ok("王芳、li.wei、赵主任".into()));
        assert_eq!(kept(Answer::People, " ，、"), Err("value"));
        assert_eq!(kept(Answer::People, &"一".repeat(41)), Err("value"));
        for good in ["0", "12.5", "-3", "007"] {
            assert_eq!(kept(Answer::Number, good), Ok(good.to_owned()));
        }
        for bad in ["", "-", "1.", ".5", "1e3", "12 h", "1.2.3", "1234567890123", "NaN"] {
            assert_eq!(kept(Answer::Number, bad), Err("value"), "{bad}");
        }
    }

    #[test]
    fn what_does_not_judge_is_never_wrong_and_what_is_wrong_says_why() {
        assert_eq!(read(Answer::Text, &said("bad", "x")).unwrap_err().field, "answer");
        assert_eq!(read(Answer::Check, &said("maybe", "")).unwrap_err().field, "answer");
        let silent = read(Answer::Check, &said("bad", "")).unwrap_err();
        assert_eq!((silent.field, silent.hint.as_str()), ("note", "say what is wrong"));
        // What does not apply here keeps nothing that was typed before.
        assert_eq!(read(Answer::People, &said("none", "王芳")).unwrap().value, "");
    }

    #[test]
    fn a_test_says_what_was_wanted_and_what_was_measured() {
        let test = Said {
            answer: "bad".into(),
            value: "520 lines".into(),
            what: "resolution".into(),
            wanted: "600 lines".into(),
            note: "too coarse".into(),
        };
        assert_eq!(read(Answer::Test, &test).unwrap(), test);
        for field in ["what", "wanted", "value"] {
            let mut short = test.clone();
            match field {
                "what" => short.what.clear(),
                "wanted" => short.wanted.clear(),
                _ => short.value.clear(),
            }
            assert_eq!(read(Answer::Test, &short).unwrap_err().field, field);
        }
    }
}
