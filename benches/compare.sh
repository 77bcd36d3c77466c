#!/usr/bin/env bash
# Prints gradc's training steps per second beside the peers', in one interleaved run, with the floor that the products alone set.
# usage: PEERS=folder-with-the-peers'-benchmarks PY=python benches/compare.sh "1 2" 3 "W1 W2 W3 W4"     (threads, seconds, workloads)
# The peers are those of a folder with bench_jax.py and bench_torch.py that print the same JSON lines; without it gradc runs alone.
set -eu
cd "$(dirname "$0")/.."
threads=${1:-1}; seconds=${2:-3}; work=${3:-W1 W2 W3 W4}
cargo build --release --bench training 2>/dev/null
bin=$(ls -t target/release/deps/training-* | grep -v '\.d$' | head -n 1)
peak=$(cargo run -q --release -p gradc-runtime --example kernels 2>/dev/null | awk '/peak/ { for (i = 1; i <= NF; i++) if ($i + 0 > best) best = $i + 0 } END { print best + 0 }')
for t in $threads; do for w in $work; do
  pin=""; [ "$t" = 1 ] && pin="taskset -c 0"
  {
    $pin "$bin" --workload "$w" --threads "$t" --seconds "$seconds"
    if [ -n "${PEERS:-}" ]; then
      ( cd "$PEERS"
        "${PY:-python3}" bench_jax.py --workload "$w" --threads "$t" --seconds "$seconds" --mode scan 2>/dev/null || true
        case $w in W1|W4) "${PY:-python3}" bench_jax.py --workload "$w" --threads "$t" --seconds "$seconds" --mode scan --variant onehot 2>/dev/null || true;; esac
        "${PY:-python3}" bench_torch.py --workload "$w" --threads "$t" --seconds "$seconds" --mode eager 2>/dev/null || true )
    fi
    $pin "$bin" --workload "$w" --threads "$t" --seconds "$seconds"
  } | PEAK="$peak" THREADS="$t" python3 -c '
import json, os, sys
rows = [json.loads(line) for line in sys.stdin if line.startswith("{")]
peak = float(os.environ["PEAK"] or 0) * int(os.environ["THREADS"])
ours = [r for r in rows if r["peer"] == "gradc"]
best = max(r["steps_per_s_median"] for r in ours)
flop = ours[0]["gemm_flop"]
for r in rows:
    rate = r["steps_per_s_median"]
    name = r["peer"] + " " + r["mode"] + (" " + r["variant"] if r.get("variant") else "")
    print("%-4s %d thread  %-20s %10.1f steps/s  %9.1f us/step  %6.1f GFLOP/s  gradc is %5.2fx" % (r["workload"], r["threads"], name, rate, 1e6 / rate, r["gemm_gflop_per_s"], best / rate))
if peak:
    print("     floor of the products: %.1f us/step at %.0f GFLOP/s; gradc takes %.2f times that" % (1e-3 * flop / peak, peak, 1e6 / best / (1e-3 * flop / peak)))
'
done; done
