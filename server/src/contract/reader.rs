//! Reads a contract key by key and goes on after a complaint: whoever writes a contract wants every one of its
//! errors at once, each with its line, column, key and remedy.
//!
//! A value `ASK` is a question, wherever it stands. A key that nobody asked for is refused: nothing is ignored.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::measure::Fen;
use super::remark::{Remark, Weight, Words, words};

/// Remarks that are told of one text; what is beyond is said to be there.
pub(super) const REMARKS_MAX: usize = 300;

/// The text of a contract and what was said about it.
pub(super) struct Paper<'s> {
    text: &'s str,
    remarks: RefCell<Vec<Remark>>,
}

/// Where something stands: its key from the top, and its bytes in the text.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) key: String,
    pub(super) at: Range<usize>,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl<'s> Paper<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        Self { text, remarks: RefCell::new(Vec::new()) }
    }

    pub(super) fn say(
        &self,
        weight: Weight,
        code: &'static str,
        place: &Place,
        problem: Words,
        remedy: Words,
    ) {
        if self.remarks.borrow().len() > REMARKS_MAX {
            return;
        }
        let before = self.text.get(..place.at.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let key = place.key.clone();
        self.remarks.borrow_mut().push(Remark { weight, code, key, line, column, problem, remedy });
        if self.remarks.borrow().len() == REMARKS_MAX {
            self.remarks.borrow_mut().push(Remark {
                weight: Weight::Error,
                code: "many",
                key: String::new(),
                line,
                column,
                problem: words(
                    format!("there are more than {REMARKS_MAX} remarks; the rest is not told"),
                    format!("问题超过 {REMARKS_MAX} 处，其余不再列出"),
                ),
                remedy: words("Correct these first", "请先改正以上各处"),
            });
        }
    }

    pub(super) fn refuse(&self, code: &'static str, place: &Place, problem: Words, remedy: Words) {
        self.say(Weight::Error, code, place, problem, remedy);
    }

    pub(super) fn ask(&self, code: &'static str, place: &Place, problem: Words, remedy: Words) {
        self.say(Weight::Question, code, place, problem, remedy);
    }

    /// What was said since this was last asked.
    pub(super) fn take(&self) -> Vec<Remark> {
        self.remarks.take()
    }

    /// The whole text as a table.
    pub(super) fn parse<'p>(&'p self) -> Option<Table<'p>>
    where
        's: 'p,
    {
        match DeTable::parse(self.text) {
            Ok(table) => {
                let at = table.span();
                Some(Table {
                    paper: self,
                    key: String::new(),
                    at,
                    rest: table.into_inner(),
                    asked: Vec::new(),
                })
            }
            Err(error) => {
                let place = Place { key: String::new(), at: error.span().unwrap_or(0..0) };
                let said = error.message().trim().replace('\n', ", ");
                self.refuse(
                    "toml",
                    &place,
                    words(format!("this is not TOML: {said}"), format!("不是合法的 TOML：{said}")),
                    words("Correct the line", "请改正这一行"),
                );
                None
            }
        }
    }
}

/// Whether a text leaves a value open.
fn is_open(text: &str) -> bool {
    text.strip_prefix("ASK").is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

/// One table being read; [`Table::finish`] is its last call.
pub(super) struct Table<'p> {
    paper: &'p Paper<'p>,
    key: String,
    at: Range<usize>,
    rest: DeTable<'p>,
    asked: Vec<&'static str>,
}

/// A value as it stands in the text.
pub(super) type Raw<'p> = Found<DeValue<'p>>;

impl<'p> Table<'p> {
    pub(super) fn paper(&self) -> &'p Paper<'p> {
        self.paper
    }

    /// Names the table for its complaints, once its name was read.
    pub(super) fn rename(&mut self, key: impl Into<String>) {
        self.key = key.into();
    }

    pub(super) fn here(&self) -> Place {
        Place { key: self.key.clone(), at: self.at.clone() }
    }

    pub(super) fn path(&self, key: &str) -> String {
        if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) }
    }

    /// Whether a key stands here that nobody has read yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.rest.contains_key(key)
    }

    /// A value; one that is left open is asked for and counts as absent.
    pub(super) fn raw(&mut self, key: &'static str) -> Option<Raw<'p>> {
        self.asked.push(key);
        let value: Spanned<DeValue<'p>> = self.rest.remove(key)?;
        let place = Place { key: self.path(key), at: value.span() };
        closed(self.paper, value.into_inner(), place)
    }

    fn wrong(&self, found: &Raw<'_>, example: &str) {
        wrong(self.paper, &found.place, found.value.type_str(), example);
    }

    /// Says that a key is missing, unless it stands there and is left open.
    fn missing(&self, key: &'static str, example: &str, was_there: bool) {
        if !was_there {
            let place = Place { key: self.path(key), at: self.at.clone() };
            self.paper.refuse(
                "missing",
                &place,
                words(format!("`{key}` is missing"), format!("缺少 `{key}`")),
                words(format!("Add for example: {key} = {example}"), format!("例如：{key} = {example}")),
            );
        }
    }

    pub(super) fn text(&mut self, key: &'static str, example: &str) -> Option<Found<String>> {
        let found = self.raw(key)?;
        match &found.value {
            DeValue::String(text) if !text.trim().is_empty() => {
                Some(Found { value: text.trim().to_owned(), place: found.place })
            }
            DeValue::String(_) => {
                self.paper.refuse(
                    "empty",
                    &found.place,
                    words(format!("`{key}` is empty"), format!("`{key}` 是空的")),
                    words(
                        format!("Write for example: {key} = {example}"),
                        format!("例如：{key} = {example}"),
                    ),
                );
                None
            }
            _ => {
                self.wrong(&found, example);
                None
            }
        }
    }

    pub(super) fn required(&mut self, key: &'static str, example: &str) -> Option<Found<String>> {
        let there = self.has(key);
        let found = self.text(key, example);
        self.missing(key, example, there);
        found
    }

    pub(super) fn plain(&mut self, key: &'static str, example: &str) -> Option<String> {
        self.text(key, example).map(|found| found.value)
    }

    /// One word of a short list, given as (word, meaning).
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, list: &[(&str, T)]) -> Option<T> {
        let example = format!("{:?}", list.first().map_or("", |word| word.0));
        let found = self.text(key, &example)?;
        let hit = list.iter().find(|word| word.0 == found.value).map(|word| word.1);
        if hit.is_none() {
            let all = list.iter().map(|word| word.0).collect::<Vec<_>>().join(", ");
            self.paper.refuse(
                "word",
                &found.place,
                words(
                    format!("`{key}` cannot be {:?}", found.value),
                    format!("`{key}` 不能是 {:?}", found.value),
                ),
                words(format!("Use one of: {all}"), format!("可用：{all}")),
            );
        }
        hit
    }

    pub(super) fn required_word<T: Copy>(&mut self, key: &'static str, list: &[(&str, T)]) -> Option<T> {
        let there = self.has(key);
        let found = self.word(key, list);
        self.missing(key, &format!("{:?}", list.first().map_or("", |word| word.0)), there);
        found
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let found = self.raw(key)?;
        if let DeValue::Boolean(flag) = found.value {
            Some(flag)
        } else {
            self.wrong(&found, "true");
            None
        }
    }

    pub(super) fn number(&mut self, key: &'static str, from: i64, to: i64) -> Option<i64> {
        let found = self.raw(key)?;
        let number = integer(&found.value);
        if number.is_none() {
            self.wrong(&found, &from.to_string());
        }
        let number = number?;
        if !(from..=to).contains(&number) {
            self.paper.refuse(
                "range",
                &found.place,
                words(format!("`{key}` is {number}, out of range"), format!("`{key}` 为 {number}，超出范围")),
                words(
                    format!("Use a whole number from {from} to {to}"),
                    format!("请用 {from} 到 {to} 的整数"),
                ),
            );
            return None;
        }
        Some(number)
    }

    /// A text that its own parser reads; the parser's error is (problem, remedy).
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        example: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Found<T>> {
        let found = self.text(key, example)?;
        let value = parse(&found.value);
        if value.is_none() {
            self.paper.refuse(
                "form",
                &found.place,
                words(
                    format!("`{key}` cannot be {:?}", found.value),
                    format!("`{key}` 不能是 {:?}", found.value),
                ),
                words(format!("Write for example: {key} = {example}"), format!("例如：{key} = {example}")),
            );
        }
        Some(Found { value: value?, place: found.place })
    }

    /// An amount of money: a text such as `"400.00"`, or whole yuan.
    pub(super) fn money(&mut self, key: &'static str) -> Option<Found<Fen>> {
        let found = self.raw(key)?;
        money(self.paper, &found)
    }

    /// One text or a list of them.
    pub(super) fn texts(&mut self, key: &'static str, example: &str) -> Vec<Found<String>> {
        let Some(found) = self.raw(key) else { return Vec::new() };
        match found.value {
            DeValue::String(text) => vec![Found { value: text.into_owned(), place: found.place }],
            DeValue::Array(array) => {
                let mut texts = Vec::new();
                for item in array {
                    let place = Place { key: found.place.key.clone(), at: item.span() };
                    let Some(raw) = closed(self.paper, item.into_inner(), place) else { continue };
                    if let DeValue::String(text) = raw.value {
                        texts.push(Found { value: text.into_owned(), place: raw.place });
                    } else {
                        self.wrong(&raw, example);
                    }
                }
                texts
            }
            _ => {
                self.wrong(&found, example);
                Vec::new()
            }
        }
    }

    pub(super) fn plain_texts(&mut self, key: &'static str, example: &str) -> Vec<String> {
        self.texts(key, example).into_iter().map(|found| found.value).collect()
    }

    /// The table of `[key]` or `key = { … }`.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Table<'p>> {
        let found = self.raw(key)?;
        table_of(self.paper, found)
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Table<'p>> {
        let Some(found) = self.raw(key) else { return Vec::new() };
        let DeValue::Array(array) = found.value else {
            wrong(self.paper, &found.place, found.value.type_str(), &format!("[[{key}]]"));
            return Vec::new();
        };
        let items = array.into_iter().enumerate().filter_map(|(index, item)| {
            let place = Place { key: format!("{}[{}]", found.place.key, index + 1), at: item.span() };
            table_of(self.paper, Found { value: item.into_inner(), place })
        });
        items.collect()
    }

    /// Every key of a table whose keys are the writer's own, in the order of the text.
    pub(super) fn own(mut self) -> Vec<(String, Raw<'p>)> {
        let mut all: Vec<_> = std::mem::take(&mut self.rest).into_iter().collect();
        all.sort_by_key(|(key, _)| key.span().start);
        let named = all.into_iter().filter_map(|(key, value)| {
            let name = key.into_inner().into_owned();
            let place = Place { key: self.path(&name), at: value.span() };
            closed(self.paper, value.into_inner(), place).map(|raw| (name, raw))
        });
        named.collect()
    }

    /// The same, where every value is a text.
    pub(super) fn own_texts(self) -> Vec<(String, String)> {
        let paper = self.paper;
        let mut texts = Vec::new();
        for (name, raw) in self.own() {
            match raw.value {
                DeValue::String(text) => texts.push((name, text.into_owned())),
                other => wrong(paper, &raw.place, other.type_str(), "\"…\""),
            }
        }
        texts
    }

    /// Refuses what is left over. `whole` names the table in both languages.
    pub(super) fn finish(self, whole: (&str, &str)) {
        let mut left: Vec<_> = self.rest.iter().collect();
        left.sort_by_key(|(key, _)| key.span().start);
        for (key, _) in left {
            let name = key.get_ref().as_ref();
            let place = Place { key: self.path(name), at: key.span() };
            let remedy = match self.asked.iter().find(|asked| distance(asked, name) <= 2) {
                Some(asked) => words(format!("Did you mean `{asked}`?"), format!("是不是 `{asked}`？")),
                None => words(
                    format!("Remove it; {} takes: {}", whole.0, self.asked.join(", ")),
                    format!("请删去；{}可用的键：{}", whole.1, self.asked.join("、")),
                ),
            };
            let problem = words(
                format!("`{name}` is not a key of {}", whole.0),
                format!("`{name}` 不是{}的键", whole.1),
            );
            self.paper.refuse("unknown_key", &place, problem, remedy);
        }
    }
}

/// A value that is not left open.
fn closed<'p>(paper: &Paper<'_>, value: DeValue<'p>, place: Place) -> Option<Raw<'p>> {
    if let DeValue::String(text) = &value
        && is_open(text)
    {
        let about = text.trim_start_matches("ASK").trim_start_matches([':', ' ']);
        let about = if about.is_empty() { String::new() } else { format!(": {about}") };
        paper.ask(
            "ask",
            &place,
            words(format!("`{}` is left open{about}", place.key), format!("`{}` 尚未约定{about}", place.key)),
            words(
                "It must be decided: write the value, and who decided it under [[decided]]",
                "必须先定下来：写上数值，并在 [[decided]] 里写明由谁决定",
            ),
        );
        return None;
    }
    Some(Found { value, place })
}

fn table_of<'p>(paper: &'p Paper<'p>, found: Raw<'p>) -> Option<Table<'p>> {
    if let DeValue::Table(rest) = found.value {
        return Some(Table { paper, key: found.place.key, at: found.place.at, rest, asked: Vec::new() });
    }
    wrong(paper, &found.place, found.value.type_str(), "{ … }");
    None
}

/// A value as a table of its own keys; `None` without a complaint where it is something else.
pub(super) fn inline<'p>(paper: &'p Paper<'p>, raw: Raw<'p>) -> Result<Table<'p>, Raw<'p>> {
    match raw.value {
        DeValue::Table(rest) => {
            Ok(Table { paper, key: raw.place.key, at: raw.place.at, rest, asked: Vec::new() })
        }
        _ => Err(raw),
    }
}

pub(super) fn wrong(paper: &Paper<'_>, place: &Place, kind: &str, example: &str) {
    let key = place.key.rsplit('.').next().unwrap_or(&place.key);
    paper.refuse(
        "type",
        place,
        words(format!("`{key}` must not be of type {kind}"), format!("`{key}` 不能是 {kind} 类型")),
        words(format!("Write for example: {key} = {example}"), format!("例如：{key} = {example}")),
    );
}

pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    value.as_integer().and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok())
}

/// Money out of a value; a number with a fraction is refused, since binary fractions are no money.
pub(super) fn money(paper: &Paper<'_>, found: &Raw<'_>) -> Option<Found<Fen>> {
    let value = match &found.value {
        DeValue::String(text) => Fen::parse(text),
        other => integer(other).and_then(|yuan| yuan.checked_mul(100)).map(Fen),
    };
    match value {
        Some(fen) if (Fen(0)..=Fen::MOST).contains(&fen) => {
            Some(Found { value: fen, place: found.place.clone() })
        }
        Some(_) | None => {
            paper.refuse(
                "money",
                &found.place,
                words("this is no amount of yuan", "这不是人民币金额"),
                words(
                    "Write yuan with two places as a text: \"400.00\"",
                    "请写成带两位小数的文字，单位元：\"400.00\"",
                ),
            );
            None
        }
    }
}

/// How many letters lie between two words, at most three.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return 3;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let step = if x == y { corner } else { corner + 1 };
            corner = row[j + 1];
            row[j + 1] = step.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()].min(a.len().min(b.len())).min(3)
}
