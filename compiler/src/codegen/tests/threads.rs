//! Compiling on several threads, modules shared by threads, memory given back.

use super::nests::filled;
use super::*;
use crate::codegen::{Compiled, Error, compile_kernel};

/// A program of some kernels of middling size.
fn several(kernels: usize) -> Program {
    let words = Linear::fixed(64);
    let mut program = program(&[("x", Space::Arena, Lane::F32, words), ("y", Space::Arena, Lane::F32, words)]);
    for index in 0..kernels {
        let body = nest("chain", &[axis(0, Extent::fixed(64), true)], |b| {
            let mut x = b.load(view(0, 0, &[(0, 1)]), Lane::F32);
            let y = b.load(view(1, 0, &[(0, 1)]), Lane::F32);
            for turn in 0..20 {
                let constant = b.f32((index * 31 + turn) as f32 * 0.01);
                let scaled = b.mul(x, constant);
                x = b.max(scaled, y);
            }
            b.store(view(1, 0, &[(0, 1)]), x);
        });
        program.kernels.push(kernel("chain", None, vec![body]));
    }
    program
}

#[test]
fn threads_do_not_change_the_code() {
    let program = several(9);
    for target in targets() {
        let alone = compile(&program, target, &symbols(), 1).expect("the program compiles");
        let team = compile(&program, target, &symbols(), 4).expect("the program compiles");
        let texts = |module: &Module| {
            let mut functions: Vec<_> = module.functions().iter().collect();
            functions.sort_by_key(|function| function.name.clone());
            functions.into_iter().map(|function| (function.size, function.text.clone())).collect::<Vec<_>>()
        };
        assert_eq!(texts(&alone), texts(&team));
    }
    check(&program, &filled(&program, 1, 1), 1);
}

#[test]
fn modules_are_shared_and_functions_sent() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Module>();
    sent::<Compiled>();
}

#[test]
fn a_module_needs_all_its_functions() {
    let program = several(2);
    let target = targets()[0];
    let first = compile_kernel(&program, 0, target).expect("the kernel compiles");
    let error = Module::link(&program, target, &symbols(), vec![first]).err();
    assert_eq!(error, Some(Error::MissingSymbol("kernel1.chain".to_owned())));
}

#[test]
fn a_machine_refuses_what_it_lacks() {
    let program = several(1);
    for set in InstructionSet::ALL {
        let linked = compile(&program, Target::new(set), &symbols(), 1);
        assert_eq!(linked.is_ok(), set.runs_here(), "{set}");
        assert_eq!(set.to_string().parse(), Ok(set));
    }
    assert!("sse9".parse::<InstructionSet>().is_err());
}

/// Pages of code in this process that belong to no file.
#[cfg(target_os = "linux")]
fn generated_pages() -> usize {
    let text = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
    let pages = text.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next()?, fields.next()?);
        let (start, end) = range.split_once('-')?;
        let size = usize::from_str_radix(end, 16).ok()? - usize::from_str_radix(start, 16).ok()?;
        let inode = fields.nth(2)?;
        (rights.contains('x') && inode == "0").then_some(size / 4096)
    });
    pages.sum()
}

#[cfg(target_os = "linux")]
#[test]
fn dropped_modules_give_their_memory_back() {
    let program = several(3);
    let target = Target { text: false, ..targets()[0] };
    let run = |times| {
        for _ in 0..times {
            let module = compile(&program, target, &symbols(), 1).expect("the program compiles");
            assert!(module.kernel(2).is_some() && module.kernel(3).is_none());
        }
    };
    run(50);
    let before = generated_pages();
    run(500);
    let grown = generated_pages().saturating_sub(before);
    // A leak would be a page a module or more. Other tests run beside this one, so the bound is not tight.
    assert!(grown < 400, "{grown} pages more");
}
