//! The log of rewrites as text: one line an application, in columns.

use super::Application;

/// Widest a column gets before its text pushes the next one to the right.
const WIDEST: usize = 56;

/// The canonical text: rule, before, after, exactness.
pub fn text(name: &str, log: &[Application]) -> String {
    if log.is_empty() {
        return format!("rewrites {name}\n  (unchanged)\n");
    }
    let width = |column: fn(&Application) -> &str| {
        log.iter().map(|application| column(application).chars().count()).filter(|&width| width <= WIDEST).max().unwrap_or(0)
    };
    let (rule, before, after) = (
        width(|application| application.rule),
        width(|application| &application.before),
        width(|application| &application.after),
    );
    let mut text = format!("rewrites {name}\n");
    for application in log {
        let line = format!(
            "  {:rule$}  {:before$}  -> {:after$}  {}",
            application.rule, application.before, application.after, application.exactness
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
