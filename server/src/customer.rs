//! Customers: who pays. Every site belongs to one, and no customer ever sees another's rows.

use crate::id::id;

pub mod api;
pub mod store;

id! {
    /// Names a customer.
    CustomerId
}
