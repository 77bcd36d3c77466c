//! Comparing a checkpoint with the parameters a network has.

use super::Checkpoint;
use crate::error::{Error, Result, Unlike};

/// What [`match_some`] found, each in the order of the network's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Parameters that the checkpoint holds in the right shape.
    pub taken: Vec<String>,
    /// Parameters that it does not hold.
    pub missing: Vec<String>,
    /// Parameters that it holds in another shape.
    pub unlike: Vec<Unlike>,
    /// Tensors of the checkpoint that the network does not have, by name.
    pub unknown: Vec<String>,
    /// What was taken although it holds a NaN or an infinity: all that is computed from it may be none either.
    pub not_finite: Vec<String>,
}

/// Which of the `expected` names and shapes `checkpoint` holds; what else it holds is not in the way.
pub fn match_some(expected: &[(&str, &[usize])], checkpoint: &Checkpoint) -> Loaded {
    let known: std::collections::BTreeSet<&str> = expected.iter().map(|(name, _)| *name).collect();
    let unknown = checkpoint.tensors.keys().filter(|name| !known.contains(&name[..])).cloned().collect();
    let mut loaded = Loaded { unknown, ..Loaded::default() };
    for &(name, shape) in expected {
        match checkpoint.tensors.get(name) {
            None => loaded.missing.push(name.to_owned()),
            Some((found, values)) if found == shape => {
                loaded.taken.push(name.to_owned());
                if values.iter().any(|value| !value.is_finite()) {
                    loaded.not_finite.push(name.to_owned());
                }
            }
            Some((found, _)) => {
                loaded.unlike.push(Unlike { name: name.to_owned(), found: found.clone(), expected: shape.to_vec() });
            }
        }
    }
    loaded
}

/// An error ([`Error::Parameters`]) unless `checkpoint` holds exactly the `expected` names and shapes.
pub fn match_strict(expected: &[(&str, &[usize])], checkpoint: &Checkpoint) -> Result<()> {
    let Loaded { missing, unlike, unknown: extra, .. } = match_some(expected, checkpoint);
    if missing.is_empty() && unlike.is_empty() && extra.is_empty() {
        return Ok(());
    }
    Err(Error::Parameters { file: None, missing, extra, unlike })
}

/// An error if one of these tensors of `checkpoint` holds a NaN or an infinity.
pub fn check_finite<'a>(names: impl IntoIterator<Item = &'a str>, checkpoint: &Checkpoint) -> Result<()> {
    for name in names {
        let Some((_, values)) = checkpoint.tensors.get(name) else { continue };
        let wrong = values.iter().filter(|value| !value.is_finite()).count();
        if wrong > 0 {
            return Err(Error::Checkpoint {
                file: None,
                found: format!("{wrong} of {} values of `{name}` are NaN or infinite", values.len()),
                expected: "finite numbers".into(),
                help: "use an earlier file; `load_matching` takes this one as it is".into(),
            });
        }
    }
    Ok(())
}
