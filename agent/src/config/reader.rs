//! Reads one TOML table key by key, so that every complaint can name the line, the key and what to write
//! instead. A key that nobody asked for is refused when the table is finished: nothing is ignored.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// What is wrong with a file, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}. {remedy}")]
pub struct Error {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong, with the key; never a secret's value.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

/// A file and its text, for finding lines.
#[derive(Clone, Copy)]
pub struct Source<'s> {
    /// The file as the user named it.
    pub file: &'s str,
    /// All of it.
    pub text: &'s str,
}

impl<'s> Source<'s> {
    /// The whole file as a table.
    pub fn parse(self) -> Result<Table<'s>, Error> {
        match DeTable::parse(self.text) {
            Ok(table) => {
                let span = table.span();
                Ok(Table::new(self, span, table.into_inner()))
            }
            Err(error) => {
                let at = error.span().unwrap_or(0..0);
                let problem = error.message().trim().replace('\n', ", ");
                Err(self.error(at, format!("this is not TOML: {problem}"), "Correct the line".into()))
            }
        }
    }

    /// An error at a place of the file.
    pub fn error(self, at: Range<usize>, problem: String, remedy: String) -> Error {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Error { file: self.file.to_owned(), line, problem, remedy }
    }
}

/// One table being read. [`Table::finish`] must be the last call.
pub struct Table<'s> {
    source: Source<'s>,
    span: Range<usize>,
    rest: DeTable<'s>,
    asked: Vec<&'static str>,
}

/// A value that was there, with its place.
pub struct Found<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the text.
    pub at: Range<usize>,
}

impl<'s> Table<'s> {
    fn new(source: Source<'s>, span: Range<usize>, rest: DeTable<'s>) -> Self {
        Self { source, span, rest, asked: Vec::new() }
    }

    /// An error about a place in this table's file.
    pub fn error(&self, at: Range<usize>, problem: String, remedy: impl Into<String>) -> Error {
        self.source.error(at, problem, remedy.into())
    }

    /// An error about the table as a whole.
    pub fn error_here(&self, problem: String, remedy: impl Into<String>) -> Error {
        self.error(self.span.clone(), problem, remedy)
    }

    /// Where the table begins.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'s>>> {
        self.asked.push(key);
        self.rest.remove(key)
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'s>>, example: &str) -> Error {
        let kind = value.get_ref().type_str();
        self.error(
            value.span(),
            format!("`{key}` must not be a {kind}"),
            format!("Write for example: {key} = {example}"),
        )
    }

    /// A text.
    pub fn text(&mut self, key: &'static str, example: &str) -> Result<Option<Found<String>>, Error> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let at = value.span();
        match value.get_ref().as_str() {
            Some(text) => Ok(Some(Found { value: text.to_owned(), at })),
            None => Err(self.wrong_type(key, &value, example)),
        }
    }

    /// A text that must be there.
    pub fn required_text(&mut self, key: &'static str, example: &str) -> Result<Found<String>, Error> {
        match self.text(key, example)? {
            Some(found) if !found.value.trim().is_empty() => Ok(found),
            Some(found) => Err(self.error(
                found.at,
                format!("`{key}` is empty"),
                format!("Write for example: {key} = {example}"),
            )),
            None => {
                Err(self
                    .error_here(format!("`{key}` is missing"), format!("Add for example: {key} = {example}")))
            }
        }
    }

    /// One word of a short list, given as (word, meaning).
    pub fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<Found<T>>, Error> {
        let example = format!("\"{}\"", words.first().map_or("", |w| w.0));
        let Some(found) = self.text(key, &example)? else { return Ok(None) };
        if let Some((_, value)) = words.iter().find(|w| w.0 == found.value) {
            return Ok(Some(Found { value: *value, at: found.at }));
        }
        let all: Vec<&str> = words.iter().map(|w| w.0).collect();
        Err(self.error(
            found.at,
            format!("`{key}` cannot be {:?}", found.value),
            format!("Use one of: {}", all.join(", ")),
        ))
    }

    /// A whole number within a range, or the default.
    pub fn number<T>(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<T>,
        default: T,
    ) -> Result<T, Error>
    where
        T: TryFrom<i64> + PartialOrd + std::fmt::Display + Copy,
    {
        let Some(value) = self.take(key) else { return Ok(default) };
        let Some(integer) = value.get_ref().as_integer() else {
            return Err(self.wrong_type(key, &value, &default.to_string()));
        };
        i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .and_then(|n| T::try_from(n).ok())
            .filter(|n| range.contains(n))
            .ok_or_else(|| {
                self.error(
                    value.span(),
                    format!("`{key}` is out of range"),
                    format!("Use a whole number from {} to {}", range.start(), range.end()),
                )
            })
    }

    /// true or false, or the default.
    pub fn flag(&mut self, key: &'static str, default: bool) -> Result<bool, Error> {
        let Some(value) = self.take(key) else { return Ok(default) };
        value.get_ref().as_bool().ok_or_else(|| self.wrong_type(key, &value, "true"))
    }

    /// A duration for people (`"30s"`, `"5m"`), or the default.
    pub fn duration(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<Duration>,
        default: Duration,
    ) -> Result<Duration, Error> {
        Ok(self.optional_duration(key, range)?.unwrap_or(default))
    }

    /// A duration for people; absent is None.
    pub fn optional_duration(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<Duration>,
    ) -> Result<Option<Duration>, Error> {
        let Some(found) = self.text(key, "\"30s\"")? else { return Ok(None) };
        found
            .value
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|d| Duration::try_from(d).ok())
            .filter(|d| range.contains(d))
            .map(Some)
            .ok_or_else(|| {
                self.error(
                    found.at,
                    format!("`{key}` cannot be {:?}", found.value),
                    format!(
                        "Use a duration such as \"30s\" or \"5m\", from {:?} to {:?}",
                        range.start(),
                        range.end()
                    ),
                )
            })
    }

    /// A list of texts; absent is None.
    pub fn texts(&mut self, key: &'static str, example: &str) -> Result<Option<Vec<Found<String>>>, Error> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let Some(array) = value.get_ref().as_array() else {
            return Err(self.wrong_type(key, &value, example));
        };
        array
            .iter()
            .map(|item| match item.get_ref().as_str() {
                Some(text) => Ok(Found { value: text.to_owned(), at: item.span() }),
                None => Err(self.wrong_type(key, item, example)),
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The tables of `[[key]]`; absent is none.
    pub fn tables(&mut self, key: &'static str) -> Result<Vec<Table<'s>>, Error> {
        let Some(value) = self.take(key) else { return Ok(Vec::new()) };
        let refuse = |at, source: Source<'_>| {
            source.error(
                at,
                format!("`{key}` must be tables"),
                format!("Write each one as [[{key}]] on a line of its own"),
            )
        };
        let span = value.span();
        let DeValue::Array(array) = value.into_inner() else { return Err(refuse(span, self.source)) };
        let source = self.source;
        array
            .into_iter()
            .map(|item| {
                let at = item.span();
                match item.into_inner() {
                    DeValue::Table(table) => Ok(Table::new(source, at, table)),
                    DeValue::String(_)
                    | DeValue::Integer(_)
                    | DeValue::Float(_)
                    | DeValue::Boolean(_)
                    | DeValue::Datetime(_)
                    | DeValue::Array(_) => Err(refuse(at, source)),
                }
            })
            .collect()
    }

    /// The table of `[key]`; absent is None.
    pub fn table(&mut self, key: &'static str) -> Result<Option<Table<'s>>, Error> {
        let Some(value) = self.take(key) else { return Ok(None) };
        let at = value.span();
        if let DeValue::Table(table) = value.into_inner() {
            Ok(Some(Table::new(self.source, at, table)))
        } else {
            Err(self.error(
                at,
                format!("`{key}` must be a table"),
                format!("Write [{key}] on a line of its own"),
            ))
        }
    }

    /// The tables in this one, each under a name of its own.
    pub fn named_tables(self) -> Result<Vec<(String, Table<'s>)>, Error> {
        let source = self.source;
        let of = |(key, value): (Spanned<DeString<'s>>, Spanned<DeValue<'s>>)| {
            let (name, at) = (key.get_ref().to_string(), value.span());
            match value.into_inner() {
                DeValue::Table(table) => Ok((name, Table::new(source, at, table))),
                _ => Err(source.error(
                    at,
                    format!("`{name}` must be a table"),
                    "Give it a name and a line of its own, for example: [credentials.cameras]".into(),
                )),
            }
        };
        self.rest.into_iter().map(of).collect()
    }

    /// An empty table in the same place.
    pub fn beside(&self) -> Self {
        Self::new(self.source, self.span.clone(), DeTable::new())
    }

    /// Adds the keys of a text that are not written, as if they stood where the table begins.
    pub fn fill(&mut self, keys: &'s str) {
        let Ok(table) = DeTable::parse(keys) else { return };
        for (key, value) in table.into_inner() {
            if !self.has(key.get_ref()) {
                let (key, value) = (key.into_inner(), value.into_inner());
                let at = || self.span.clone();
                self.rest.insert(Spanned::new(at(), key), Spanned::new(at(), value));
            }
        }
    }

    /// Adds a text, as if it stood where the table begins.
    pub fn fill_text(&mut self, key: &'static str, word: &str) {
        let value = DeValue::String(word.to_owned().into());
        self.rest.insert(Spanned::new(self.span.clone(), key.into()), Spanned::new(self.span.clone(), value));
    }

    /// Whether a key is written, without taking it.
    pub fn has(&self, key: &str) -> bool {
        self.rest.contains_key(key)
    }

    /// A text, without taking it.
    pub fn peek(&self, key: &str) -> Option<&str> {
        self.rest.get(key).and_then(|value| value.get_ref().as_str())
    }

    /// The keys that nobody asked for, in place of [`Table::finish`] where a newer server may say more.
    pub fn left(self) -> Vec<String> {
        self.rest.keys().map(|key| key.get_ref().to_string()).collect()
    }

    /// Refuses what is left over. `whole` names the table for the reader: "an icmp check".
    pub fn finish(self, whole: &str) -> Result<(), Error> {
        let Some((key, _)) = self.rest.iter().min_by_key(|(key, _)| key.span().start) else { return Ok(()) };
        let name = key.get_ref().as_ref();
        let close = self.asked.iter().find(|asked| is_close(asked, name));
        let remedy = match close {
            Some(asked) => format!("Did you mean `{asked}`?"),
            None => format!("Remove it; {whole} takes: {}", self.asked.join(", ")),
        };
        Err(self.error(key.span(), format!("`{name}` is not a key of {whole}"), remedy))
    }
}

/// One letter wrong, missing, added or swapped with its neighbour.
fn is_close(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (ra, rb) = (&a[head..], &b[head..]);
    ra == rb
        || (ra.len() == rb.len() && ra.len() > 1 && ra[0] == rb[1] && ra[1] == rb[0] && ra[2..] == rb[2..])
        || (!ra.is_empty() && !rb.is_empty() && ra[1..] == rb[1..])
        || (!ra.is_empty() && ra[1..] == *rb)
        || (!rb.is_empty() && *ra == rb[1..])
}
