//! gradc from the outside: programs that train, mistakes that get their message, texts that are blessed.

mod bits;
mod digits;
mod doors;
mod glass;
mod golden;
mod guide;
mod inputs;
mod networks;
mod programs;
mod stages;
mod state;
mod tidy;
mod ui;
