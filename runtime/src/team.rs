//! Threads that run the same code side by side and meet at barriers.
//!
//! Every member of a team runs one closure with its index in `0..threads`. A member that panics breaks the barrier: whoever waits
//! there, or comes later, is told so and can leave. Nothing is allocated between the start of the members and their end.

use std::any::Any;
use std::hint::spin_loop;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::Duration;

/// Looks at the barrier before the processor is offered to other threads: some microseconds, longer than members that
/// have equal work need to meet, shorter than a slice of the scheduler.
const SPINS: u32 = 256;

/// Times that it is offered before the waiting thread sleeps: longer than a kernel that one member runs alone takes as a rule, for waking
/// takes tens of microseconds.
const YIELDS: u32 = 1024;

const LOOKS: u32 = SPINS + YIELDS;

/// A point that no member passes before all have reached it.
///
/// What a member wrote before the barrier is seen by every other behind it. The barrier can be used any number of times.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Barrier {
    threads: u32,
    arrived: AtomicU32,
    /// Waiters read this line only; those who arrive write the other.
    round: Round,
    parked: Parked,
}

/// Members that have waited so long that they sleep.
#[derive(Debug)]
struct Parked {
    sleepers: AtomicU32,
    mutex: Mutex<()>,
    wake: Condvar,
}

impl Parked {
    /// Sleeps while the round is this one. The sleeper is counted before it looks, and a round begins before sleepers are looked for: one
    /// of both sees the other.
    fn sleep(&self, round: &AtomicU32, this: u32) {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let mut guard = self.mutex.lock().unwrap_or_else(PoisonError::into_inner);
        while round.load(Ordering::SeqCst) == this {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Wakes the sleepers, if there are any.
    fn wake(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            // Whoever was about to sleep does so before the lock is had, and hears the call.
            drop(self.mutex.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }
}

/// Counts the rounds; [`BROKEN`] in the lowest bit.
#[derive(Debug)]
#[repr(C, align(64))]
struct Round(AtomicU32);

const BROKEN: u32 = 1;
const ROUND: u32 = 2;

/// The barrier was broken, because a member panicked: do not wait for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a member of the team panicked")]
pub struct Broken;

impl Barrier {
    /// A barrier for that many threads.
    pub const fn new(threads: u32) -> Self {
        let parked = Parked { sleepers: AtomicU32::new(0), mutex: Mutex::new(()), wake: Condvar::new() };
        Self { threads, arrived: AtomicU32::new(0), round: Round(AtomicU32::new(0)), parked }
    }

    /// Waits until all threads are here.
    ///
    /// # Errors
    /// [`Broken`] if a member of the team panicked, now or before.
    pub fn wait(&self) -> Result<(), Broken> {
        // Read before arriving: the last to arrive may change it at once.
        let round = self.round.0.load(Ordering::Acquire);
        if round & BROKEN != 0 {
            return Err(Broken);
        }
        if self.threads <= 1 {
            return Ok(());
        }
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            // An addition, not a store, keeps a `BROKEN` set meanwhile.
            let before = self.round.0.fetch_add(ROUND, Ordering::SeqCst);
            self.parked.wake();
            return if before & BROKEN == 0 { Ok(()) } else { Err(Broken) };
        }
        let mut spins = 0;
        loop {
            let now = self.round.0.load(Ordering::Acquire);
            if now & BROKEN != 0 {
                return Err(Broken);
            }
            if now != round {
                return Ok(());
            }
            match spins {
                ..SPINS => spin_loop(),
                SPINS..LOOKS => thread::yield_now(),
                LOOKS.. => self.parked.sleep(&self.round.0, round),
            }
            spins = (spins + 1).min(LOOKS);
        }
    }

    /// Makes every wait, also those under way, return [`Broken`].
    pub fn break_up(&self) {
        self.round.0.fetch_or(BROKEN, Ordering::SeqCst);
        self.parked.wake();
    }
}

/// [`Barrier::wait`] for generated code: 0 if all threads have met, 1 if the barrier is broken and the caller is to leave.
///
/// # Safety
/// `barrier` points to a barrier that lives as long as any thread uses it.
pub unsafe extern "C" fn gradc_barrier(barrier: *const Barrier) -> i64 {
    // SAFETY: the caller's promise.
    let barrier = unsafe { &*barrier };
    i64::from(barrier.wait().is_err())
}

/// Why a team did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum TeamError {
    /// The system gave no further thread.
    #[error("cannot start thread {index} of {threads}")]
    Spawn {
        /// The member that could not be started.
        index: usize,
        /// Members of the team.
        threads: usize,
        /// The system's reason.
        source: io::Error,
    },
    /// A member panicked.
    #[error("thread {index} panicked: {message}")]
    Panicked {
        /// The first member to panic.
        index: usize,
        /// What it said.
        message: String,
    },
}

/// Tells a watcher whether the members are done.
#[derive(Debug)]
pub struct Done {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    working: usize,
    panicked: Option<(usize, String)>,
}

impl Done {
    /// Whether all members have ended.
    pub fn is_done(&self) -> bool {
        self.with(|state| state.working == 0)
    }

    /// Sleeps for that time, or until all members have ended if that is sooner; whether they have.
    pub fn wait_for(&self, time: Duration) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, _) =
            self.changed.wait_timeout_while(state, time, |state| state.working > 0).unwrap_or_else(PoisonError::into_inner);
        state.working == 0
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the threads of one run share.
struct Run<'a, W> {
    worker: &'a W,
    barrier: Barrier,
    done: Done,
}

impl<W: Fn(usize, &Barrier) + Sync> Run<'_, W> {
    /// Runs the worker as one member; its panic ends here.
    fn member(&self, index: usize) {
        // Members start together, or not at all if one of them cannot be started.
        let outcome = match self.barrier.wait() {
            // Unwind safety: after a panic the shared state is only dropped, or judged by the caller, who gets the error.
            Ok(()) => catch_unwind(AssertUnwindSafe(|| (self.worker)(index, &self.barrier))),
            Err(Broken) => Ok(()),
        };
        let panicked = outcome.is_err();
        self.done.with(|state| {
            state.working -= 1;
            if let Err(panic) = outcome {
                state.panicked.get_or_insert_with(|| (index, message(&*panic)));
            }
        });
        // Only now, lest a member that panics over the broken barrier is taken for the first.
        if panicked {
            self.barrier.break_up();
        }
        self.done.changed.notify_all();
    }

    /// Starts the members of `indices`.
    fn spawn<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, indices: std::ops::Range<usize>) -> Result<(), TeamError> {
        let threads = indices.end;
        for index in indices {
            let started = thread::Builder::new().name(format!("gradc-{index}")).spawn_scoped(scope, move || self.member(index));
            if let Err(source) = started {
                self.barrier.break_up();
                return Err(TeamError::Spawn { index, threads, source });
            }
        }
        Ok(())
    }

    fn outcome(&self) -> Result<(), TeamError> {
        match self.done.with(|state| state.panicked.take()) {
            Some((index, message)) => Err(TeamError::Panicked { index, message }),
            None => Ok(()),
        }
    }
}

fn start<W>(threads: NonZeroUsize, worker: &W) -> Run<'_, W> {
    Run {
        worker,
        barrier: Barrier::new(u32::try_from(threads.get()).unwrap_or(u32::MAX)),
        done: Done { state: Mutex::new(State { working: threads.get(), panicked: None }), changed: Condvar::new() },
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// Runs `worker(index, barrier)` for every index in `0..threads`, 0 on the calling thread, and returns when all have ended.
///
/// # Errors
/// [`TeamError::Spawn`] if a thread could not be started; then no member has run. [`TeamError::Panicked`] if a member panicked.
pub fn run<W>(threads: NonZeroUsize, worker: W) -> Result<(), TeamError>
where
    W: Fn(usize, &Barrier) + Sync,
{
    let run = start(threads, &worker);
    thread::scope(|scope| {
        run.spawn(scope, 1..threads.get())?;
        run.member(0);
        Ok(())
    })?;
    run.outcome()
}

/// As [`run`], but all members have threads of their own, and the calling thread runs `watcher` meanwhile, whose value is
/// returned once the members have ended too.
///
/// The watcher sleeps in [`Done::wait_for`] between its looks. If it panics, the panic goes on when the members have ended: a
/// watcher whose panic is to stop them sets their stop flag as it unwinds.
///
/// # Errors
/// As for [`run`]; the watcher does not run if a thread could not be started.
pub fn run_watched<W, T>(threads: NonZeroUsize, worker: W, watcher: impl FnOnce(&Done) -> T) -> Result<T, TeamError>
where
    W: Fn(usize, &Barrier) + Sync,
{
    let run = start(threads, &worker);
    let value = thread::scope(|scope| {
        run.spawn(scope, 0..threads.get())?;
        Ok(watcher(&run.done))
    })?;
    run.outcome().map(|()| value)
}

#[cfg(test)]
mod tests;
