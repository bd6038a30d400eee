//! Stories of the whole system under a hand-turned clock, each on both databases.

mod ack;
mod cut;
mod replay;
mod ticket;
mod trouble;
mod wire;
