//! Every stage of a network can be read, is the same on every run, and lands in a numbered file.

use crate::networks::{Digits, Mixed};
use gradc::prelude::*;
use gradc::{Model, Options};

fn compiled(declaration: gradc::Result<gradc::Declaration>) -> Model {
    let options = Options { text: true, ..Options::default() };
    declaration.and_then(|declaration| Model::from_declaration(&declaration, &options)).expect("it compiles")
}

#[test]
fn every_stage_is_a_text_and_the_same_twice() {
    for declaration in [Digits::declaration, Mixed::declaration] {
        let (first, second) = (compiled(declaration()), compiled(declaration()));
        for stage in Stage::ALL {
            let text = first.stage(*stage);
            assert!(text.lines().count() > 3, "{} is empty:\n{text}", stage.file_name());
            assert_eq!(text, second.stage(*stage), "{}", stage.file_name());
        }
    }
}

#[test]
fn lines_of_the_graph_know_their_place_in_this_source() {
    let net = compiled(Digits::declaration());
    for stage in [Stage::Declaration, Stage::Graph, Stage::Gradient, Stage::Simplified, Stage::Loops] {
        assert!(net.stage(stage).contains("tests/networks.rs:"), "{}:\n{}", stage.file_name(), net.stage(stage));
    }
}

#[test]
fn all_stages_are_written_to_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    compiled(Digits::declaration()).dump(folder.path().join("new/stages")).expect("it is written");
    for stage in Stage::ALL {
        let file = folder.path().join(format!("new/stages/{}.txt", stage.file_name()));
        assert!(file.metadata().expect("it is there").len() > 100, "{}", file.display());
    }
}

#[test]
fn machine_code_is_named_not_addressed() {
    let net = compiled(Digits::declaration());
    let assembly = net.stage(Stage::Assembly);
    assert!(assembly.contains("hidden.dense") && assembly.contains("fit"), "functions have the names of their kernels");
    let clif = net.stage(Stage::Clif);
    assert!(clif.contains("f32x4"), "loops are vector code");
}

/// A reader finds why each line is there: no kernel without a name, no value without an origin, an optimizer of one's own as any other.
#[test]
fn every_line_says_where_it_comes_from() {
    let text = "optimizer own(rate) { state m = zeros; at theta + 0.9 * m; m = 0.9 * m - rate * gradient; theta = theta + m; }\n\
                Net { input x: [batch, 4]; target y: [batch, 2]; let p = x.dense(8).batch_norm().relu().dense(2); predict p; \
                minimize p.mean_squared_error(y) + l2(1e-4); using own(0.1); }";
    let declaration = gradc::Declaration::parse(gradc::compiler::base::place::Source::new("own.net", text));
    let net = compiled(Ok(declaration.expect("a text")));
    for stage in [Stage::Graph, Stage::Gradient, Stage::Simplified] {
        let graph = net.stage(stage);
        for line in graph.lines().filter(|line| line.starts_with("  %")) {
            assert!(line.contains(" ; "), "{}: {line}", stage.file_name());
        }
        // Before batch norm nobody asks for a bias.
        assert!(graph.contains("parameters 5 (66 values)") && !graph.contains("p.dense.bias"), "{graph}");
    }
    assert!(net.stage(Stage::Gradient).contains("; p.dense.weight @ own.net:1:"));
    assert!(net.stage(Stage::Gradient).contains("<- own of %"));
    assert!(!net.stage(Stage::Fused).contains("\"\""), "{}", net.stage(Stage::Fused));
}
