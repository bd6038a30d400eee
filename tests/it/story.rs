//! Stories of the whole system under a hand-turned clock, each on both databases.

mod ack;
mod cut;
mod page;
mod replay;
mod restore;
mod retention;
mod ticket;
mod trouble;
mod wire;
