//! The functions that driver code calls by name on the first thread, and what stands behind them.
//!
//! [`Context::user`] points to a [`Handle`]; each function finds it there and calls the method of its name.

use gradc_compiler::abi::Context;
use gradc_compiler::program::calls;

/// What a run does when its driver calls. All methods are called on the first thread, while the others wait.
pub trait Driver {
    /// See [`calls::EPOCH`].
    fn epoch(&mut self) {}
    /// See [`calls::NEXT`].
    fn next(&mut self) {}
    /// See [`calls::STEPPED`].
    fn stepped(&mut self) {}
    /// See [`calls::VALIDATION`].
    fn validation(&mut self) {}
    /// See [`calls::CHUNK`].
    fn chunk(&mut self) {}
    /// See [`calls::SCORED`].
    fn scored(&mut self) {}
    /// See [`calls::RANKED`].
    fn ranked(&mut self) {}
    /// See [`calls::EPOCH_END`].
    fn epoch_end(&mut self) {}
    /// See [`Symbols::mark`](gradc_compiler::abi::Symbols::mark).
    fn mark(&mut self, _kernel: i64) {}
}

/// What [`Context::user`] points to.
pub struct Handle<'a>(pub &'a mut dyn Driver);

impl Handle<'_> {
    /// The pointer for [`Context::user`].
    pub fn pointer(&mut self) -> *mut u8 {
        std::ptr::from_mut(self).cast()
    }
}

macro_rules! driver_functions {
    ($($method:ident),*) => {
        $(unsafe extern "C" fn $method(context: *const Context) {
            // SAFETY: drivers are run only by this crate, which points `user` to a handle that outlives the run, and only the first
            // thread calls.
            let handle = unsafe { &mut *(*context).user.cast::<Handle>() };
            handle.0.$method();
        })*
    };
}

driver_functions!(epoch, next, stepped, validation, chunk, scored, ranked, epoch_end);

/// What [`Symbols::mark`](gradc_compiler::abi::Symbols::mark) is.
///
/// # Safety
/// Called on the first thread by an entry of a program with marks, whose context has a handle or no user.
pub unsafe extern "C" fn mark(context: *const Context, kernel: i64) {
    // SAFETY: as in the functions above; entries that are run without a driver have no user.
    if let Some(handle) = unsafe { (*context).user.cast::<Handle>().as_mut() } {
        handle.0.mark(kernel);
    }
}

/// The functions by the names that programs use.
pub fn table() -> Vec<(String, *const u8)> {
    let entry = |name: &str, function: unsafe extern "C" fn(*const Context)| (name.to_string(), function as *const u8);
    vec![
        entry(calls::EPOCH, epoch),
        entry(calls::NEXT, next),
        entry(calls::STEPPED, stepped),
        entry(calls::VALIDATION, validation),
        entry(calls::CHUNK, chunk),
        entry(calls::SCORED, scored),
        entry(calls::RANKED, ranked),
        entry(calls::EPOCH_END, epoch_end),
    ]
}
