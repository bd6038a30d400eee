//! Checks what people typed, and the shape of every list.

use std::ops::RangeInclusive;

use serde::Serialize;

use crate::error::ApiError;

/// A list, and where the next part of it begins.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Items<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to send as `before` for the next part; `null` at the end.
    pub next: Option<String>,
}

impl<T> Items<T> {
    /// A list that is complete.
    pub fn all(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// One line of text without surrounding blanks, with a bounded number of characters.
pub fn line(field: &str, text: &str, length: RangeInclusive<usize>) -> Result<String, ApiError> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(ApiError::bad_request(
            field,
            "it holds a control character",
            "write it in one plain line",
        ));
    }
    bounded(field, text, length)
}

/// Text that may have several lines.
pub fn prose(field: &str, text: &str, length: RangeInclusive<usize>) -> Result<String, ApiError> {
    let text = text.trim();
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(ApiError::bad_request(field, "it holds a control character", "remove it"));
    }
    bounded(field, text, length)
}

/// One word of a short list.
pub fn one_of(field: &str, word: &str, list: &'static [&'static str]) -> Result<&'static str, ApiError> {
    list.iter().find(|one| **one == word).copied().ok_or_else(|| {
        let hint = format!("use one of {}", list.join(", "));
        ApiError::bad_request(field, format!("`{word}` is none of them"), hint)
    })
}

fn bounded(field: &str, text: &str, length: RangeInclusive<usize>) -> Result<String, ApiError> {
    let count = text.chars().count();
    if length.contains(&count) {
        return Ok(text.to_owned());
    }
    let (least, most) = (length.start(), length.end());
    let hint = format!("write {least} to {most} characters");
    if count == 0 {
        Err(ApiError::bad_request(field, "it is empty", hint))
    } else {
        Err(ApiError::bad_request(field, format!("it has {count} characters"), hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed_and_bounded() {
        assert_eq!(line("name", "  North Gate ", 1..=20).unwrap(), "North Gate");
        assert!(line("name", " ", 1..=20).is_err());
        assert!(line("name", "a\nb", 1..=20).is_err());
        assert!(line("name", "北门北门", 1..=3).is_err());
        assert_eq!(prose("note", "a\nb ", 0..=20).unwrap(), "a\nb");
        assert!(prose("note", "a\u{0}b", 0..=20).is_err());
        assert_eq!(one_of("how", "phone", &["letter", "phone"]).unwrap(), "phone");
        assert!(one_of("how", "", &["letter", "phone"]).is_err());
    }
}
