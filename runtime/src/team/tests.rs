use std::sync::atomic::AtomicUsize;

use super::*;

fn team(threads: usize) -> NonZeroUsize {
    NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN)
}

#[test]
fn nobody_passes_a_barrier_before_all_have_come() -> Result<(), TeamError> {
    const ROUNDS: usize = 10_000;
    for threads in [1, 2, 4] {
        let count = AtomicUsize::new(0);
        run(team(threads), |_, barrier| {
            for round in 1..=ROUNDS {
                count.fetch_add(1, Ordering::Relaxed);
                assert_eq!(barrier.wait(), Ok(()));
                assert_eq!(count.load(Ordering::Relaxed), round * threads);
                assert_eq!(barrier.wait(), Ok(()));
            }
        })?;
        assert_eq!(count.into_inner(), ROUNDS * threads);
    }
    Ok(())
}

/// Longer than any member looks for the others before it sleeps.
const LONG: Duration = Duration::from_millis(40);

#[test]
fn who_waits_long_sleeps_and_is_woken() -> Result<(), TeamError> {
    let sleepers = AtomicUsize::new(0);
    run(team(4), |index, barrier| {
        for round in 0..8 {
            if index == round % 4 {
                thread::sleep(LONG);
                sleepers.fetch_max(barrier.parked.sleepers.load(Ordering::SeqCst) as usize, Ordering::Relaxed);
            }
            assert_eq!(barrier.wait(), Ok(()));
        }
    })?;
    assert!(sleepers.into_inner() > 0, "nobody slept");
    Ok(())
}

#[test]
fn a_panic_wakes_those_who_sleep() {
    let error = run(team(3), |index, barrier| {
        if index == 1 {
            thread::sleep(LONG);
            panic!("late");
        }
        assert_eq!(barrier.wait(), Err(Broken));
    });
    assert!(error.is_err());
}

#[test]
fn each_index_runs_once_and_the_caller_is_the_first() -> Result<(), TeamError> {
    let caller = thread::current().id();
    let runs: [AtomicUsize; 3] = Default::default();
    run(team(3), |index, _| {
        runs[index].fetch_add(1, Ordering::Relaxed);
        assert_eq!(index == 0, thread::current().id() == caller);
    })?;
    assert_eq!(runs.map(AtomicUsize::into_inner), [1; 3]);
    Ok(())
}

#[test]
fn a_panic_is_an_error_and_frees_those_who_wait() {
    for panicking in 0..3 {
        let error = run(team(3), |index, barrier| {
            if index == panicking {
                panic!("member {index} fails");
            }
            assert_eq!(barrier.wait(), Err(Broken));
            assert_eq!(barrier.wait(), Err(Broken));
        });
        let expected = format!("thread {panicking} panicked: member {panicking} fails");
        assert_eq!(error.map_err(|error| error.to_string()), Err(expected));
    }
}

#[test]
fn generated_code_is_told_of_a_broken_barrier() {
    let barrier = Barrier::new(1);
    // SAFETY: the barrier lives to the end of the test.
    let status = || unsafe { gradc_barrier(&barrier) };
    assert_eq!(status(), 0);
    barrier.break_up();
    assert_eq!(status(), 1);
}

#[test]
fn a_watcher_wakes_when_the_members_end() -> Result<(), TeamError> {
    let go = AtomicUsize::new(0);
    let slept = run_watched(
        team(2),
        |_, barrier| {
            while go.load(Ordering::Acquire) == 0 {
                thread::yield_now();
            }
            assert_eq!(barrier.wait(), Ok(()));
        },
        |done| {
            assert!(!done.wait_for(Duration::from_millis(1)));
            assert!(!done.is_done());
            go.store(1, Ordering::Release);
            // Far longer than any run of the tests: only the members' end can wake it.
            done.wait_for(Duration::from_secs(3600))
        },
    )?;
    assert!(slept);
    Ok(())
}

#[test]
fn a_watcher_learns_of_a_panic_at_once() {
    let outcome = run_watched(
        team(2),
        |index, barrier| {
            if index == 1 {
                panic!("member fails");
            }
            assert_eq!(barrier.wait(), Err(Broken));
        },
        |done| assert!(done.wait_for(Duration::from_secs(3600))),
    );
    assert_eq!(outcome.map_err(|error| error.to_string()), Err("thread 1 panicked: member fails".into()));
}
