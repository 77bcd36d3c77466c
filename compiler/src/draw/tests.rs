//! Pictures show every node once, and what a step must keep.

use super::{Options, Part, Picture, dot, parts, picture, svg};
use crate::graph::{Graph, NodeId};
use crate::ops::Primitive;
use crate::stages::tests::{compiled, compiled_text};

fn drawn(case: &str, lines: Option<usize>) -> (Graph, Picture) {
    let (front, _) = compiled(case);
    let graph = front.graphs.training.expect("the case trains");
    let picture = picture(&graph, Options { lines, batch: 64, folded: false });
    (graph, picture)
}

#[test]
fn every_node_but_constants_stands_in_one_box() {
    let (graph, picture) = drawn("digits", None);
    let mut found: Vec<u32> = picture.boxes.iter().flat_map(|layer| layer.lines.iter().map(|(id, _)| id.0)).collect();
    found.sort_unstable();
    let expected: Vec<u32> = graph.ids().filter(|id| graph.constant(*id).is_none()).map(|id| id.0).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_parts_of_a_step_follow_one_another() {
    let (graph, picture) = drawn("digits", None);
    let parts = parts(&graph);
    for id in graph.ids() {
        for operand in &graph.node(id).operands {
            let source = graph.node(*operand).operands.is_empty();
            assert!(source || parts[operand.index()] <= parts[id.index()], "%{} reads %{}", id.0, operand.0);
        }
    }
    let update = graph.ids().find(|id| graph.node(*id).primitive == Primitive::Step);
    assert_eq!(update.map(|id| parts[id.index()]), Some(Part::Update));
    for part in Part::ALL {
        assert!(picture.boxes.iter().any(|layer| layer.part == part), "{}", part.name());
    }
}

#[test]
fn what_is_kept_for_the_backward_pass_is_marked_with_its_bytes() {
    let (_, picture) = drawn("xor", None);
    let named = |name: &str, part| picture.boxes.iter().position(|layer| layer.name == name && layer.part == part);
    let (from, to) = (named("h.sigmoid", Part::Forward).unwrap(), named("h.sigmoid", Part::Backward).unwrap());
    let edge = picture.edges.iter().find(|edge| edge.from == from && edge.to == to).expect("the sigmoid keeps its output");
    assert_eq!(edge.bytes, 64 * 4 * 4);
    assert!(svg::svg(&picture).contains(">1.0 KiB</text>"));
    assert!(dot::dot(&picture).contains("[label=\"1.0 KiB\"]"));
}

/// The derivative asks a scan for further columns; the steps are those of the layer all the same.
#[test]
fn the_steps_of_a_recurrent_layer_stand_where_they_were_written() {
    let (graph, picture) = drawn("sequences", None);
    let is_scan = |id: &NodeId| graph.node(*id).primitive == Primitive::Scan;
    let scans = |part: Part| {
        let boxes = picture.boxes.iter().filter(move |layer| layer.part == part);
        boxes.flat_map(|layer| layer.lines.iter().map(|(id, _)| *id)).filter(is_scan).collect::<Vec<_>>()
    };
    let ([forward], [backward]) = (&scans(Part::Forward)[..], &scans(Part::Backward)[..]) else { panic!("a scan each way") };
    assert_eq!((graph.origin(*forward).path.as_str(), graph.origin(*forward).rule.as_str()), ("read.gru", ""));
    assert!(!graph.origin(*backward).rule.is_empty());
}

/// Programs that show pictures mostly know no variables of CSS, and draw black what has no other colour.
#[test]
fn colours_stand_in_the_picture_itself() {
    let (_, picture) = drawn("digits", None);
    let svg = svg::svg(&picture);
    assert!(!svg.contains("var("));
    for part in Part::ALL.map(Part::name) {
        for class in
            [format!(".graph .{part}{{stroke:#"), format!(".graph .name-{part}{{fill:#"), format!(".graph .end-{part}{{fill:#")]
        {
            assert_eq!(svg.matches(&class).count(), 2, "{class} light and dark");
        }
    }
}

#[test]
fn boxes_do_not_overlap() {
    let (_, picture) = drawn("w2", Some(8));
    let areas = super::layout::layout(&picture).boxes;
    for (at, a) in areas.iter().enumerate() {
        for b in &areas[..at] {
            let apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
            assert!(apart, "{a:?} and {b:?}");
        }
    }
}

#[test]
fn long_boxes_are_cut_and_say_so() {
    let (_, picture) = drawn("digits", Some(3));
    assert!(picture.boxes.iter().all(|layer| layer.lines.len() <= 4));
    assert!(picture.boxes.iter().any(|layer| !layer.note.is_empty()));
    assert!(svg::svg(&picture).contains("nodes before"));
}

/// The first turns read the loop's first value and the last one leads out: what differs is drawn, and what is alike is drawn once.
#[test]
fn turns_of_a_loop_that_are_alike_share_a_box() {
    let source = "Deep { input x: [batch, 6]; target y: class(3); let mut h = x; for i in 0..9 { h = h.dense(6).elu(); } \
                  let logits = h.dense(3); predict logits; minimize logits.cross_entropy(y); using sgd(0.1); }";
    let (front, _) = compiled_text("deep.net", source);
    let graph = front.graphs.training.expect("the network trains");
    let [all, folded] = [false, true].map(|folded| picture(&graph, Options { lines: Some(8), batch: 64, folded }));
    for part in Part::ALL {
        let shared: Vec<_> = folded.boxes.iter().filter(|layer| layer.part == part && layer.name.contains(" to ")).collect();
        let [shared] = shared[..] else { panic!("{} has {} shared boxes", part.name(), shared.len()) };
        assert_eq!((shared.name.as_str(), shared.note.as_str()), ("h.2 to h.8", "7 turns like h.1"));
        assert!(svg::svg(&folded).contains("… 7 turns like h.1"));
    }
    assert_eq!(
        folded.boxes.iter().filter(|layer| layer.name.starts_with("h.1.")).count(),
        all.boxes.iter().filter(|layer| layer.name.starts_with("h.7.")).count()
    );
    assert!(all.boxes.iter().all(|layer| !layer.name.contains(" to ")));
    assert!(folded.rows < all.rows / 2);
    // What passes between the shared boxes is the sum of what passes between the layers.
    let kept = |picture: &Picture| {
        let crosses = |edge: &&super::Edge| picture.boxes[edge.from].part != picture.boxes[edge.to].part;
        picture.edges.iter().filter(crosses).flat_map(|edge| edge.tensors.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(kept(&folded), kept(&all));
}
