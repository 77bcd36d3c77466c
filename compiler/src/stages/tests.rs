//! Blessed stages of whole networks: `BLESS=1 cargo test -p gradc-compiler` writes them, and the difference is reviewed.

mod hostile;

use super::{Stage, Staged, between, fused, portable, read, rewrite, run};
use crate::base::place::Source;
use crate::fusion::text::unstored_gradients;
use crate::fusion::traffic::{Tensor, traffic};
use crate::fusion::{Group, Reason, Work, work};
use crate::graph::{self, Dim};
use crate::language::declaration::Declaration;
use crate::ops::Primitive;
use crate::passes::{self, Context, Pass};
use crate::pipeline::{Front, front};
use crate::program::{Assembled, Unit, assemble};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases").join(name)
}

/// A network of the cases, up to its program.
pub(crate) fn compiled(name: &str) -> (Front, Assembled) {
    let file = format!("{name}.net");
    let text = std::fs::read_to_string(case(&file)).expect("the case is there");
    compiled_text(&file, &text)
}

/// A network that stands in a text, up to its program.
pub(crate) fn compiled_text(file: &str, text: &str) -> (Front, Assembled) {
    let declaration = Declaration::parse(Source::new(file, text)).expect("the case has no mistake");
    let networks = declaration.elaborate().expect("the case has a meaning");
    let front = front(&networks.training, &networks.evaluation, declaration.text(), None).expect("the case has a step");
    let assembled = assemble(&front.info.name, &front.graphs, &front.fusion).expect("the case can be lowered");
    (front, assembled)
}

#[test]
fn stages_are_as_blessed() {
    let mut failures = Vec::new();
    for name in ["digits", "w2", "clipped"] {
        let (front, assembled) = compiled(name);
        for (stage, extension) in [(Stage::Fused, "fused"), (Stage::Loops, "loops"), (Stage::Memory, "memory")] {
            let found = portable(stage, &front, &assembled).expect("these stages know no machine");
            let path = case(&format!("{name}.{extension}"));
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&path, &found).expect("a blessed text can be written");
                continue;
            }
            let blessed = std::fs::read_to_string(&path).unwrap_or_default();
            // These texts are long: the first line that differs tells most.
            let mut lines = (1..).zip(blessed.lines().zip(found.lines()));
            if let Some((line, (before, after))) = lines.find(|(_, (before, after))| before != after) {
                failures.push(format!("{}:{line}\n- {before}\n+ {after}", path.display()));
            } else if blessed != found {
                failures.push(format!("{} ends elsewhere", path.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{}\nBLESS=1 cargo test -p gradc-compiler stages writes them", failures.join("\n"));
}

/// The training unit of a case.
fn training(name: &str) -> Unit {
    compiled(name).1.units.into_iter().find(|unit| unit.name == "train").expect("the case trains")
}

fn works(unit: &Unit, group: &Group) -> Vec<Work> {
    group.members.iter().map(|member| work(&unit.graph, *member)).collect()
}

/// Members of these layers, by the path of their origin.
fn serves(unit: &Unit, group: &Group, path: &str) -> bool {
    group.members.iter().any(|member| unit.graph.origin(member.node).path == path)
}

#[test]
fn a_clipped_gradient_goes_into_its_update_without_a_buffer() {
    let (_, assembled) = compiled("clipped");
    let unit = training("clipped");
    for name in ["first.dense.weight", "second.dense.weight", "answer_guess.dense.weight"] {
        let weight = unit.graph.find_source(Primitive::Parameter, name).expect("the case has it");
        let found = (0..unit.fusion.groups.len())
            .flat_map(|number| unstored_gradients(&unit.graph, &unit.fusion, number).into_iter().map(move |pair| (number, pair)))
            .find(|(_, (_, source))| *source == weight);
        let Some((number, (gradient, _))) = found else { panic!("the gradient of {name} is stored") };
        let group = &unit.fusion.groups[number];
        let clips = |primitive: Primitive| {
            group.members.iter().any(|member| {
                let origin = unit.graph.origin(member.node);
                unit.graph.node(member.node).primitive == primitive && origin.path == "clip_value"
            })
        };
        assert!(clips(Primitive::Min) && clips(Primitive::Max), "{name} is not clipped in its kernel");
        assert!(!unit.fusion.staged.contains(&weight), "{name} is not written in place");
        // What the kernel moves: operands, the old weight and the new one.
        let moved = &traffic(&unit.graph, &unit.fusion)[number];
        assert_eq!(moved.writes, [Tensor::Source(weight)].into());
        assert!(assembled.program.buffers.iter().all(|buffer| buffer.name != format!("train.%{}", gradient.0)));
    }
}

#[test]
fn bias_and_activation_are_a_products_epilogue() {
    let unit = training("clipped");
    let group = unit.fusion.groups.iter().find(|group| serves(&unit, group, "second.tanh")).expect("the case has a tanh");
    assert_eq!(works(&unit, group)[0], Work::Product);
    let primitives: Vec<Primitive> = group.members.iter().map(|member| unit.graph.node(member.node).primitive).collect();
    assert_eq!(primitives[..3], [Primitive::Contract, Primitive::Add, Primitive::Tanh]);
    assert_eq!(group.reasons[1..3], [Reason::Pointwise, Reason::Pointwise]);
}

#[test]
fn a_batch_norm_panel_holds_its_product_and_its_activation() {
    let unit = training("clipped");
    let group = unit.fusion.groups.iter().find(|group| serves(&unit, group, "first.relu")).expect("the case has a relu");
    let works = works(&unit, group);
    assert_eq!(works[0], Work::Product);
    assert_eq!(works.iter().filter(|work| **work == Work::Column).count(), 2, "mean and variance");
    assert!(serves(&unit, group, "first.batch_norm"));
    // Columns outside, the whole batch inside.
    assert_eq!((group.axes[0], group.parallel.as_slice()), (Dim::Batch, &[1][..]));
}

#[test]
fn dropout_is_drawn_in_the_panel_of_its_batch_norm() {
    let unit = training("w2");
    for (relu, dropout) in [("first.relu", "first.dropout"), ("second.relu", "second.dropout")] {
        let group = unit.fusion.groups.iter().find(|group| serves(&unit, group, relu)).expect("the case has a relu");
        let works = works(&unit, group);
        assert!(works[0] == Work::Product && works.contains(&Work::Random), "{relu}");
        assert!(serves(&unit, group, dropout));
    }
}

#[test]
fn partial_norms_ride_in_the_epilogues_of_weight_gradients() {
    let unit = training("w2");
    for name in ["first.dense.weight", "second.dense.weight", "logits.dense.weight"] {
        let shape = unit.graph.shape(unit.graph.find_source(Primitive::Parameter, name).expect("the case has it"));
        let rides = unit.fusion.groups.iter().any(|group| {
            let works = works(&unit, group);
            works[0] == Work::Product && works.contains(&Work::Cells) && unit.graph.shape(group.members[0].node) == shape
        });
        assert!(rides, "{name}");
    }
}

#[test]
fn a_stage_is_found_by_its_number_or_its_name() {
    assert_eq!(["5", "05", "05-f"].map(Stage::find), [Some(Stage::Fused); 3]);
    assert_eq!(["0", "10", "005-"].map(Stage::find), [None; 3]);
    assert_eq!(Stage::find("loops"), Some(Stage::Loops));
    assert_eq!(Stage::find("nothing"), None);
}

#[test]
fn what_was_dumped_can_be_rewritten_and_read_again() {
    for name in ["xor", "digits", "w2", "clipped"] {
        let (front, assembled) = compiled(name);
        let text = |stage| portable(stage, &front, &assembled).expect("these stages know no machine");
        for (stage, graph) in [(Stage::Graph, &front.forward), (Stage::Gradient, &front.gradient)] {
            let Ok(Staged::Graph(read)) = read(&text(stage)) else { panic!("{name}: {} is no graph", stage.file_name()) };
            assert_eq!(graph::text::print(&read, true), graph::text::print(graph, true), "{name}");
        }
        let Ok(Staged::Graph(gradient)) = read(&text(Stage::Gradient)) else { panic!("{name} is no graph") };
        let context = Context { validate: true, ..Context::new() };
        let rewritten = rewrite(&gradient, passes::STEP, &context).expect("the passes are right");
        let Ok(Staged::Graph(after)) = read(&rewritten) else { panic!("{name}: what was rewritten is no graph") };
        let simplified = front.graphs.training.as_ref().expect("the case trains");
        assert_eq!(graph::text::print(&after, true), graph::text::print(simplified, true), "{name}");
        let Ok(Staged::Loops(program)) = read(&text(Stage::Loops)) else { panic!("{name} has no loops") };
        let printed = |program| crate::loops::text::print(program, None);
        let (found, expected) = (printed(&program), printed(&assembled.program));
        let unlike = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
        assert_eq!(unlike, None, "{name}");
        assert_eq!(found.lines().count(), expected.lines().count(), "{name}");
    }
}

/// What `gradc opt --pass fuse` says of stage 04 is what stage 05 says of training.
#[test]
fn a_graph_that_was_read_is_fused_as_the_network_is() {
    for name in ["digits", "xor", "clipped"] {
        let (front, assembled) = compiled(name);
        let text = |stage| portable(stage, &front, &assembled).expect("these stages know no machine");
        let stage = text(Stage::Fused);
        let training = stage.split("\nunit ").find_map(|unit| unit.strip_prefix("train\n")).expect("the case trains");
        for (before, passes) in [(Stage::Simplified, &[][..]), (Stage::Gradient, passes::STEP)] {
            let Ok(Staged::Graph(graph)) = read(&text(before)) else { panic!("{name} is no graph") };
            let found = fused(&graph, passes, &Context::new()).expect("it can be fused");
            let (_, kernels) = found.split_once('\n').expect("a head");
            assert_eq!(kernels.trim_end(), training.trim_end(), "{name} from {}", before.file_name());
        }
    }
}

#[test]
fn a_graph_begins_with_its_counts() {
    let (front, assembled) = compiled("xor");
    let text = |stage| portable(stage, &front, &assembled).expect("these stages know no machine");
    for (stage, graph) in [(Stage::Graph, &front.forward), (Stage::Gradient, &front.gradient)] {
        let counts = format!("// nodes {}, parameters 4 (17 values), states 0", graph.nodes.len());
        assert_eq!(text(stage).lines().nth(1), Some(counts.as_str()));
    }
}

#[test]
fn a_pass_that_finds_nothing_says_so() {
    let (front, _) = compiled("xor");
    let simplified = front.graphs.training.expect("the case trains");
    let dead = Pass::find("dead").expect("there is such a pass");
    assert!(rewrite(&simplified, &[dead], &Context::new()).expect("it is right").contains("(unchanged)"));
}

#[test]
fn loops_and_graph_compute_the_same_from_the_same_inputs() {
    let (front, assembled) = compiled("xor");
    let inputs = run::Inputs { given: [("y".to_string(), vec![1.0, 0.0, 1.0])].into(), batch: 3, seed: 5 };
    let graph = run::graph(front.graphs.training.as_ref().expect("it trains"), &inputs).expect("the inputs fit");
    let loops = run::loops(&assembled.program, "step", &inputs).expect("the inputs fit");
    let find =
        |results: &run::Results, name: &str| results.iter().find(|(known, _)| known == name).map(|(_, array)| array.data.clone());
    for (of_graph, of_loops) in [("loss", "train.loss"), ("next h.dense.weight", "h.dense.weight")] {
        let (expected, found) = (find(&graph, of_graph).expect("a result"), find(&loops, of_loops).expect("a result"));
        assert_eq!(expected.len(), found.len());
        assert!(expected.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-5), "{expected:?} {found:?}");
    }
    assert!(run::graph(&front.forward, &run::Inputs { given: [("q".to_string(), vec![1.0])].into(), ..inputs }).is_err());
}

/// Classes and lengths are drawn alike too.
#[test]
fn loops_and_graph_draw_the_same_whole_numbers() {
    for name in ["sequences", "words", "images"] {
        let (front, assembled) = compiled(name);
        let inputs = run::Inputs { given: BTreeMap::new(), batch: 3, seed: 5 };
        let graph = run::graph(front.graphs.training.as_ref().expect("it trains"), &inputs).expect("the inputs fit");
        let loops = run::loops(&assembled.program, "step", &inputs).expect("the inputs fit");
        let loss = |results: &run::Results, name: &str| {
            results.iter().find(|(known, _)| known == name).map(|(_, array)| array.data[0]).expect("a loss")
        };
        let (expected, found) = (loss(&graph, "loss"), loss(&loops, "train.loss"));
        assert!((expected - found).abs() <= 1e-4 * expected.abs(), "{name}: {expected} {found}");
    }
}

#[test]
fn between_two_stages_stand_the_rules() {
    let (front, _) = compiled("xor");
    let (before, after) = between::graphs(&front, Stage::Gradient, Stage::Simplified).expect("both are graphs");
    // Nodes that stayed have kept their numbers.
    let stayed = after.lines().filter(|line| before.lines().any(|known| known == *line)).count();
    assert!(2 * stayed > after.lines().count(), "{stayed} of {}", after.lines().count());
    assert!(between::rules(&front, Stage::Gradient, Stage::Simplified).contains("add-neg x3"));
    assert!(between::rules(&front, Stage::Graph, Stage::Gradient).contains("derivative d(sigmoid a)"));
}
