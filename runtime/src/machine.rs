//! What the machine can do at most, measured: the floor that times are held against.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::kernels::InstructionSet;

/// The limits of one core.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Floating-point operations a second of fused multiply-adds that touch registers only.
    pub flops: f64,
    /// Bytes a second of a sum over memory that no cache holds.
    pub bandwidth: f64,
}

impl Limits {
    /// Measures them, in about a fifth of a second.
    pub fn measure(set: InstructionSet) -> Self {
        Limits { flops: peak(set), bandwidth: bandwidth() }
    }
}

/// How long each measurement tries to be disturbed less.
const PATIENCE: Duration = Duration::from_millis(80);

/// The least seconds that `run` takes.
fn best(mut run: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut least = Duration::MAX;
    while begin.elapsed() < PATIENCE {
        let start = Instant::now();
        run();
        least = least.min(start.elapsed());
    }
    least.as_secs_f64().max(1e-9)
}

/// Rounds of a measurement.
const ROUNDS: usize = 20_000;

/// Chains that run side by side: more than latency times units of any machine served.
const CHAINS: usize = 12;

fn peak(set: InstructionSet) -> f64 {
    let flops = |lanes: usize| (2 * lanes * CHAINS * ROUNDS) as f64;
    match set {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the set is asked for only where it is available.
        InstructionSet::Avx512 if set.is_available() => flops(16) / best(|| unsafe { sixteen() }),
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        InstructionSet::Avx2 if set.is_available() => flops(8) / best(|| unsafe { eight() }),
        _ => flops(4) / best(four),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn sixteen() {
    use std::arch::x86_64::*;
    let factor = std::hint::black_box(_mm512_set1_ps(0.5));
    let mut chains = [factor; CHAINS];
    for _ in 0..ROUNDS {
        for chain in &mut chains {
            *chain = _mm512_fmadd_ps(*chain, factor, factor);
        }
    }
    std::hint::black_box(chains);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn eight() {
    use std::arch::x86_64::*;
    let factor = std::hint::black_box(_mm256_set1_ps(0.5));
    let mut chains = [factor; CHAINS];
    for _ in 0..ROUNDS {
        for chain in &mut chains {
            *chain = _mm256_fmadd_ps(*chain, factor, factor);
        }
    }
    std::hint::black_box(chains);
}

/// What any machine has: multiplications and additions of four.
fn four() {
    let factor = std::hint::black_box([0.5f32; 4]);
    let mut chains = [factor; CHAINS];
    for _ in 0..ROUNDS {
        for chain in &mut chains {
            for (value, factor) in chain.iter_mut().zip(factor) {
                *value = *value * factor + factor;
            }
        }
    }
    std::hint::black_box(chains);
}

/// Floats of the array that is summed up: 64 MiB.
const FAR: usize = 16 << 20;

fn bandwidth() -> f64 {
    let numbers = vec![1.0f32; FAR];
    let mut sums = [0.0f32; 64];
    let seconds = best(|| {
        for chunk in numbers.chunks_exact(sums.len()) {
            for (sum, value) in sums.iter_mut().zip(chunk) {
                *sum += value;
            }
        }
        std::hint::black_box(&mut sums);
    });
    (FAR * size_of::<f32>()) as f64 / seconds
}

/// Round trips that are timed together, and how often.
const TRIPS: usize = 100;
const TIMES: usize = 201;

/// How long a word takes from one thread to another and back, at the median of some hundred measurements; `None` where there is one processor.
///
/// Two threads of a team hand over results that fast. In a virtual machine the time can change while a program runs: processors that its host
/// puts on cores with no cache in common are five times as far apart, and short kernels on two threads then take twice as long.
pub fn round_trip() -> Option<Duration> {
    if thread::available_parallelism().map_or(1, usize::from) < 2 {
        return None;
    }
    let ball = AtomicUsize::new(0);
    // Even numbers are the first thread's turn.
    let play = |own: usize, times: &mut Vec<Duration>| {
        pin(own);
        for _ in 0..TIMES {
            let start = Instant::now();
            for _ in 0..TRIPS {
                let mut looks = 0_u32;
                while ball.load(Ordering::Acquire) % 2 != own {
                    // Both may be on one processor where they cannot be bound.
                    looks = looks.wrapping_add(1);
                    if looks.is_multiple_of(1 << 14) { thread::yield_now() } else { std::hint::spin_loop() }
                }
                ball.fetch_add(1, Ordering::Release);
            }
            times.push(start.elapsed());
        }
    };
    let mut times = Vec::with_capacity(TIMES);
    thread::scope(|scope| {
        scope.spawn(|| play(1, &mut Vec::with_capacity(TIMES)));
        scope.spawn(|| play(0, &mut times));
    });
    times.sort_unstable();
    times.get(TIMES / 2).map(|time| *time / TRIPS as u32)
}

/// Binds the calling thread to one of the processors that it may run on, the `number`th, counted round. Whether that was done: on
/// systems other than Linux it is not, and nothing is lost but time.
pub fn pin(number: usize) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let Ok(allowed) = sched_getaffinity(None) else { return false };
        let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor)).collect();
        let Some(processor) = processors.get(number % processors.len().max(1)) else { return false };
        let mut one = CpuSet::new();
        one.set(*processor);
        sched_setaffinity(None, &one).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = number;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_available_set_has_limits_that_a_machine_can_have() {
        for set in InstructionSet::available() {
            let Limits { flops, bandwidth } = Limits::measure(set);
            assert!((1e6..1e14).contains(&flops), "{set}: {flops}");
            assert!((1e6..1e13).contains(&bandwidth), "{bandwidth}");
        }
    }

    #[test]
    fn a_word_goes_to_another_core_and_back() {
        let several = thread::available_parallelism().is_ok_and(|number| number.get() > 1);
        let trip = round_trip();
        assert_eq!(trip.is_some(), several);
        assert!(trip.is_none_or(|trip| trip > Duration::ZERO && trip < Duration::from_millis(1)), "{trip:?}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pinned_thread_may_run_on_one_processor() {
        use rustix::thread::sched_getaffinity;
        let allowed = |number| {
            let pinned = std::thread::spawn(move || {
                assert!(pin(number));
                sched_getaffinity(None).map(|set| (set.count(), set))
            });
            pinned.join().expect("it ends").expect("the system tells")
        };
        let all = sched_getaffinity(None).expect("the system tells").count();
        assert_eq!((allowed(0).0, allowed(7).0), (1, 1));
        assert_eq!(allowed(0), allowed(all as usize), "counted round");
        assert!(all == 1 || allowed(0) != allowed(1));
    }
}
