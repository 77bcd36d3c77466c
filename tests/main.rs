//! gradc from the outside: programs that train, mistakes that get their message, texts that are blessed.

mod bits;
mod digits;
mod doors;
mod glass;
mod golden;
mod hostile;
mod inputs;
mod networks;
mod stages;
mod state;
mod tidy;
mod ui;
