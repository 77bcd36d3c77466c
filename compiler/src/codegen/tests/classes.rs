//! Kernels that are alike share what was compiled for one of them: each gets the bytes that it would get by itself.

use super::targets;
use crate::base::place::Source;
use crate::codegen::Target;
use crate::codegen::classes::{classes, compile_class, same_call};
use crate::codegen::compile::compile_function;
use crate::codegen::outline::Outline;
use crate::language::declaration::Declaration;
use crate::loops::{Instruction, Program, Statement};
use crate::pipeline::front;
use crate::program::assemble;

fn program(text: &str) -> Program {
    let declaration = Declaration::parse(Source::new("deep", text)).expect("it can be read");
    let networks = declaration.elaborate().expect("it has a meaning");
    let front = front(&networks.training, &networks.evaluation, String::new(), None).expect("it can be differentiated");
    assemble("deep", &front.graphs, &front.fusion).expect("it can be lowered").program
}

fn deep() -> Program {
    program(
        "Deep {
            input  x: [batch, 24];
            target y: class(10);
            let mut h = x;
            for i in 0..12 { h = h.dense(24).batch_norm().relu().dropout(0.1); }
            let logits = h.dense(10);
            predict  logits;
            minimize logits.cross_entropy(y) + l2(1e-4);
            using    adam(1e-3).clip_global_norm(1.0);
        }",
    )
}

#[test]
fn bytes_of_a_class_are_those_of_each_kernel_compiled_by_itself() {
    let program = deep();
    let outline = Outline::of(&program).expect("it can be outlined");
    let classes = classes(&program);
    assert!(classes.iter().any(|members| members.len() >= 10), "{} classes of {} kernels", classes.len(), program.kernels.len());
    for target in targets().into_iter().map(|target| Target { text: false, ..target }) {
        for members in &classes {
            let together = compile_class(&outline, members, target).expect("they compile");
            for (&index, shared) in members.iter().zip(&together) {
                let alone = compile_function(&outline, index, target).expect("it compiles");
                assert_eq!(shared.relocations.len(), alone.relocations.len());
                let mut calls = shared.relocations.iter().zip(&alone.relocations);
                assert!(shared.bytes == alone.bytes && calls.all(|(a, b)| same_call(a, b)), "{}", alone.name);
                assert_eq!((&shared.name, shared.number, shared.alignment), (&alone.name, alone.number, alone.alignment));
            }
        }
    }
}

#[test]
fn a_number_of_another_sign_is_another_class() {
    let mut program = deep();
    let whole = classes(&program);
    let shared = whole
        .iter()
        .find(|members| members.len() > 2 && constant(&mut program.kernels[members[0]].body, |number| *number = 0.0).is_some());
    let members = shared.expect("a class has numbers").clone();
    for &index in &members {
        constant(&mut program.kernels[index].body, |number| *number = 0.0);
    }
    constant(&mut program.kernels[members[1]].body, |number| *number = -0.0);
    let class = |index: usize| classes(&program).iter().position(|members| members.contains(&index));
    assert_eq!(class(members[0]), class(members[2]));
    assert_ne!(class(members[0]), class(members[1]));
}

/// Changes the first number of a kernel, if it has one.
fn constant(body: &mut [Statement], change: impl Fn(&mut f32)) -> Option<()> {
    let nests = body.iter_mut().filter_map(|statement| match statement {
        Statement::Nest(nest) => Some(nest),
        _ => None,
    });
    let mut numbers = nests.flat_map(|nest| &mut nest.block.code).filter_map(|instruction| match instruction {
        Instruction::ConstF32(number) => Some(number),
        _ => None,
    });
    numbers.next().map(change)
}
