//! gradc from the outside: programs that train, mistakes that get their message, texts that are blessed.

mod bits;
mod command;
mod digits;
mod doors;
mod glass;
mod golden;
mod inputs;
mod measures;
mod networks;
mod stages;
mod state;
mod tidy;
mod ui;
mod watch;
