//! Stories of the whole system under a hand-turned clock, each on both databases.

mod ack;
mod alone;
mod camera;
mod cause;
mod clocks;
mod contract_life;
mod cut;
mod deal;
mod escalation;
mod flap;
mod hold;
mod kill;
mod maintenance;
mod page;
mod pager;
mod remedy;
mod replay;
mod restore;
mod retention;
mod rota;
mod send;
mod ticket;
mod trouble;
mod visit;
mod whatif;
mod wire;
