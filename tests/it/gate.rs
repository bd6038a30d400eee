//! The gate: nobody gets in who should not, and nobody is kept out by those who try. Every defect of a stock
//! listener, every attack that came to mind, and what one gateway can do to another, which is nothing.

mod company;
mod isolation;
