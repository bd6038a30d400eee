//! The one integration binary: stories of the whole system, and real peers that judge its parts.

mod probe;
mod deploy;
mod sim;
mod tidy;
