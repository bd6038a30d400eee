//! Identifiers that the server makes itself, so that both databases agree on them.

use std::sync::Mutex;

use uuid::ContextV7;

/// Declares an identifier: a UUID version 7 as text, a column in both databases.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new identifier; later ones sort after earlier ones.
            pub fn new(now: jiff::Timestamp) -> Self {
                Self($crate::id::uuid_v7(now))
            }
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}
pub(crate) use id;

/// Keeps identifiers of one millisecond in the order in which they were made.
static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

/// A UUID version 7 (RFC 9562) whose time part is `now`, or a little later where that keeps the order.
pub fn uuid_v7(now: jiff::Timestamp) -> String {
    let ms = now.as_millisecond().max(0);
    let stamp =
        uuid::Timestamp::from_unix(&ORDER, (ms / 1000).unsigned_abs(), ((ms % 1000) * 1_000_000) as u32);
    uuid::Uuid::new_v7(stamp).to_string()
}
