//! How many threads a step is worth: a cost model of shapes, which decides how long a run takes and none of its bits.

use super::schedule::schedule;
use crate::fusion::Fusion;
use crate::fusion::traffic::{product_flops, traffic};
use crate::graph::Graph;

/// Operations a second that products reach with each lane of one core's vectors.
const OPERATIONS: f64 = 15e9;
/// Bytes a second that one core moves while they fit its caches, with each lane.
const BYTES: f64 = 6e9;
/// Seconds that a kernel takes longer for two threads: they wait for one another, and lines that one has written come to the other. For
/// four it is twice as long.
const HANDOVER: f64 = 1e-6;

/// The number of threads, `most` at most, with which a step of `rows` rows is likely to take the shortest time on cores whose vectors
/// have `lanes` floats.
pub fn threads(graph: &Graph, fusion: &Fusion, rows: usize, lanes: usize, most: usize) -> usize {
    if most <= 1 {
        return 1;
    }
    let moved = traffic(graph, fusion);
    let kernels: Vec<(f64, usize)> = fusion
        .groups
        .iter()
        .zip(&moved)
        .enumerate()
        .map(|(number, (group, moved))| {
            let operations = product_flops(graph, fusion, number, rows) / OPERATIONS;
            let bytes = moved.bytes(graph, rows) as f64 / BYTES;
            let tiles = schedule(graph, group).parallel.map_or(1, |(axis, step)| group.axes[axis].at(rows).div_ceil(step));
            ((operations + bytes) / lanes as f64, tiles.max(1))
        })
        .collect();
    let time = |threads: usize| {
        let shares = kernels.iter().map(|(work, tiles)| work * tiles.div_ceil(threads) as f64 / *tiles as f64).sum::<f64>();
        shares + HANDOVER * kernels.len() as f64 * (threads as f64).log2()
    };
    (1..=most).min_by(|one, other| time(*one).total_cmp(&time(*other))).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::threads;
    use crate::stages::tests::compiled_text;

    fn worth(text: &str, rows: usize, lanes: usize) -> Vec<usize> {
        let (_, assembled) = compiled_text("net.net", text);
        let unit = assembled.unit("train").expect("it trains");
        [1, 2, 8].map(|most| threads(&unit.graph, &unit.fusion, rows, lanes, most)).to_vec()
    }

    #[test]
    fn short_kernels_get_one_thread_and_long_ones_all() {
        let net = |inputs: usize, hidden: usize| {
            format!(
                "Net {{ input x: [batch, {inputs}]; target y: class(10); let h = x.dense({hidden}).relu().dense({hidden}).relu().dense(10); \
                 predict h; minimize h.cross_entropy(y); using adam(1e-3); }}"
            )
        };
        assert_eq!(worth(&net(64, 64), 32, 16), [1, 1, 1]);
        assert_eq!(worth(&net(512, 1024), 256, 16), [1, 2, 8]);
        // Narrow vectors take longer, and so it pays sooner.
        let (wide, narrow) = (worth(&net(128, 128), 64, 16), worth(&net(128, 128), 64, 4));
        assert!(wide.iter().zip(&narrow).all(|(wide, narrow)| wide <= narrow) && wide != narrow, "{wide:?} {narrow:?}");
    }
}
