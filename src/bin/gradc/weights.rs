//! Parameters from files, and what is to be said of them.

use crate::print::tell;
use gradc::runtime::checkpoint::Loaded;
use gradc::{Model, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Names that a list shows.
const LISTED: usize = 8;

/// Whether a file begins as safetensors do: with the length of a header, which fits into the file, and the header's brace. What is no regular
/// file is not looked into: it can be read once.
pub fn is_of_tensors(file: &Path) -> bool {
    let begin = || -> std::io::Result<bool> {
        let about = std::fs::metadata(file)?;
        let mut bytes = [0; 9];
        if !about.is_file() {
            return Ok(false);
        }
        File::open(file)?.read_exact(&mut bytes)?;
        let [length @ .., brace] = bytes;
        Ok(brace == b'{' && u64::from_le_bytes(length) < about.len())
    };
    begin().unwrap_or(false)
}

/// Loads those that fit and says which; none, or one of another shape, is an error.
pub fn load_fitting(model: &mut Model, file: &Path) -> Result<()> {
    let loaded = model.load_matching(file)?;
    if loaded.taken.is_empty() || !loaded.unlike.is_empty() {
        model.load(file)?;
    }
    tell(&parts(&loaded, file));
    warn(model, file);
    Ok(())
}

/// What was taken, if it was not all.
fn parts(loaded: &Loaded, file: &Path) -> String {
    let Loaded { taken, missing, unknown, .. } = loaded;
    if missing.is_empty() && unknown.is_empty() {
        return String::new();
    }
    let all = taken.len() + missing.len();
    let mut text = format!("note: {} of {all} tensors of the network come from `{}`\n", taken.len(), file.display());
    for (what, names) in [("taken", taken), ("missing in the file", missing), ("unknown to the network", unknown)] {
        if !names.is_empty() {
            let rest = names.len().saturating_sub(LISTED);
            let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            text += &format!("  {what:22}  {}{rest}\n", names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", "));
        }
    }
    text
}

/// A warning for each tensor with a NaN or an infinity: all that is computed from it may be none as well.
fn warn(model: &Model, file: &Path) {
    let states = model.info().states.iter().filter(|state| state.saved).map(|state| state.name.as_str());
    for name in model.parameters().map(|(name, _)| name).chain(states) {
        let Ok(values) = model.parameter(name) else { continue };
        let wrong = values.iter().filter(|value| !value.is_finite()).count();
        if wrong > 0 {
            let of = values.len();
            tell(&format!("warning: {wrong} of {of} values of `{name}` in `{}` are NaN or infinite\n", file.display()));
        }
    }
}
