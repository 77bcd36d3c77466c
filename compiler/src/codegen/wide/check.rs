//! TODO
use super::select::Selection;
use super::{Form, Wide};
pub(super) fn check(_: &Wide, _: &Selection, _: Form) -> Result<(), String> {
    Ok(())
}
