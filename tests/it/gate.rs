//! The gate: nobody gets in who should not, and nobody is kept out by those who try. Every defect of a stock
//! listener, every attack that came to mind, and what one gateway can do to another, which is nothing.

mod attack;
mod back;
mod company;
mod defect;
mod http;
mod isolation;
mod quota;
mod restart;

/// Both ends of every connection lie in this process.
fn allow_many_sockets() {
    let own = std::process::id().to_string();
    let done = std::process::Command::new("prlimit").args(["--pid", &own, "--nofile=4096:"]).status();
    assert!(done.is_ok_and(|done| done.success()), "prlimit of util-linux");
}
