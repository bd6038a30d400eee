//! What was written into the fields of a visit's form. Pure.

use serde_json::Value;

/// A form as it is kept: by field, the words that were written last.
#[derive(Clone, Debug, Default)]
pub struct Form(Value);

impl Form {
    /// Reads a kept form; one that cannot be read is empty.
    pub fn read(kept: &str) -> Self {
        Self(serde_json::from_str(kept).unwrap_or_default())
    }

    /// The words of a field; empty where nobody has written any.
    pub fn said(&self, field: &str) -> String {
        self.0[field]["text"].as_str().unwrap_or_default().trim().to_owned()
    }
}
