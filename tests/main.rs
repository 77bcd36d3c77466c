//! gradc from the outside: programs that train, mistakes that get their message, texts that are blessed.

mod accumulate;
mod bits;
mod command;
mod data;
mod diagnose;
mod digits;
mod doors;
mod flags;
mod glass;
mod golden;
mod guide;
mod hostile;
mod inputs;
mod measures;
mod networks;
mod outputs;
mod programs;
mod resume;
mod stages;
mod state;
mod tidy;
mod ui;
mod watch;
