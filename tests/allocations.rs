//! Training allocates nothing: counted on all threads of the process, from the end of the first epoch to the end of the last.

use gradc::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts every allocation of the process.
struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Bytes that this thread has asked for.
    static BYTES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        counted(layout.size());
        // SAFETY: as for this function.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as for this function.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        counted(size);
        // SAFETY: as for this function.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Whether this thread trains: all do but the one that watches.
    static WATCHES: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// One test at a time counts.
static ALONE: Mutex<()> = Mutex::new(());

/// Allocations of all threads but the one that watches.
fn counted(bytes: usize) {
    BYTES.set(BYTES.get() + bytes);
    if !WATCHES.get() {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

network! {
    Small {
        input  x: [batch, 6];
        target y: class(3);
        let h = x.standardize().dense(16).batch_norm().relu().dropout(0.2);
        let logits = h.dense(3);
        predict  logits.softmax();
        minimize logits.cross_entropy(y) + l2(1e-4);
        using    adam(rate = 1e-3).clip_global_norm(1.0);
        report   accuracy = accuracy(logits, y);
    }
}

fn data(rows: usize) -> gradc::Result<Dataset> {
    let x: Vec<f32> = (0..rows * 6).map(|i| (i * 31 % 97) as f32).collect();
    let y: Vec<u32> = (0..rows).map(|i| (i % 3) as u32).collect();
    Dataset::new().f32("x", &[6], &x)?.class("y", 3, &y)
}

#[test]
fn three_epochs_with_validation_allocate_nothing() {
    let _alone = ALONE.lock();
    WATCHES.set(true);
    let (train, valid) = (data(500).expect("rows"), data(300).expect("rows"));
    let mut net = Small::options().compile().expect("it compiles");
    for (threads, diagnoses) in [(1, false), (2, false), (1, true)] {
        let mut counts = Vec::with_capacity(8);
        let watched = |_: &gradc::Epoch| {
            counts.push(COUNT.load(Ordering::Relaxed));
            ControlFlow::Continue(())
        };
        let run =
            net.fit(&train).validate(&valid).batch(32).epochs(4).patience(4).threads_exactly(threads).on_epoch(watched).quiet();
        let run = if diagnoses { run.diagnose() } else { run };
        run.run().expect("it trains");
        assert_eq!(counts.len(), 4);
        assert!(counts[0] > 0, "nothing is counted at all");
        assert_eq!(counts[0], counts[3], "{threads} threads: {counts:?}");
    }
}

/// What is left are names and shapes of the fields that each call checks, and names of settings.
#[test]
fn a_second_step_or_prediction_allocates_no_tensor() {
    let _alone = ALONE.lock();
    WATCHES.set(true);
    let rows = data(500).expect("rows");
    let declaration = Small::declaration().expect("no mistake");
    let mut net = Model::from_declaration(&declaration, &gradc::Options::default()).expect("it compiles");
    let bytes = |net: &mut Model, call: &dyn Fn(&mut Model)| {
        let before = BYTES.get();
        call(net);
        BYTES.get() - before
    };
    let step = |net: &mut Model| {
        net.step(&rows).expect("it steps");
    };
    let predict = |net: &mut Model| drop(net.predict(&rows).expect("it predicts"));
    let fit = |net: &mut Model| drop(net.fit(&rows).batch(500).steps(3).threads_exactly(1).quiet().run().expect("it trains"));
    let first = bytes(&mut net, &step);
    assert!(first > 16 << 10, "a workspace has more than {first} bytes");
    let second = bytes(&mut net, &step);
    assert!(second < 2 << 10, "{second} bytes in a second step");
    bytes(&mut net, &predict);
    let (step_again, predicted) = (bytes(&mut net, &step), bytes(&mut net, &predict));
    assert_eq!(step_again, second, "the workspace serves both");
    assert!(predicted < (2 << 10) + 4 * 3 * 500 * 3, "{predicted} bytes in a second prediction");
    let (fit_first, fit_second) = (bytes(&mut net, &fit), bytes(&mut net, &fit));
    assert!(fit_second < fit_first, "{fit_second} bytes after {fit_first}");
}
