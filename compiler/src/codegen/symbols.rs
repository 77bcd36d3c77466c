//! Every function that generated code can name: those of the program, those of the runtime, and those written here.
//!
//! A [`Callee`] has one number in its program, the same in every function of it, so that functions are compiled apart from one
//! another and linked later. Functions written here are what a processor may lack (Cranelift calls them by its own names for
//! [`LibCall`]s) and the step scalars' functions, from the pure-Rust `libm` so that each machine gets the same bits.

use std::collections::BTreeSet;

use cranelift_codegen::ir::{AbiParam, LibCall, Signature, types};
use cranelift_codegen::isa::CallConv;

use crate::abi::Symbols;
use crate::loops::{Control, Program, ScalarFunction};

/// Something that generated code calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Callee {
    Kernel(u32),
    Entry(u32),
    Part(u32),
    /// A [wide function](super::wide) of the function that calls it, by its place there.
    Wide(u32),
    Product,
    Barrier,
    /// First tile of a thread, see [`share`].
    Share,
    /// Copies bytes, see [`copy`].
    Copy,
    /// Tells the runtime which kernel begins or that one has ended.
    Mark,
    Scalar(ScalarFunction),
    /// A function of the driver, by its place in [`Names::drivers`].
    Driver(u32),
}

impl Callee {
    /// Whether it is a function of the module.
    pub fn is_compiled(&self) -> bool {
        matches!(self, Callee::Kernel(_) | Callee::Entry(_) | Callee::Part(_))
    }
}

/// The step scalars' functions, in the order of their numbers.
const SCALARS: [(ScalarFunction, &str); 10] = [
    (ScalarFunction::Exp, "exp"),
    (ScalarFunction::Log, "log"),
    (ScalarFunction::Expm1, "expm1"),
    (ScalarFunction::Log1p, "log1p"),
    (ScalarFunction::Pow, "pow"),
    (ScalarFunction::Sin, "sin"),
    (ScalarFunction::Cos, "cos"),
    (ScalarFunction::Tanh, "tanh"),
    (ScalarFunction::Erf, "erf"),
    (ScalarFunction::Floor, "floor"),
];

/// The callees of a program, numbered: kernels, entries and their parts, the fixed ones, then the driver's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Names {
    kernels: Vec<String>,
    entries: Vec<String>,
    parts: u32,
    /// Symbols that the program's entries call, in alphabetical order.
    pub drivers: Vec<String>,
}

impl Names {
    /// Numbers the callees of a program whose entries have so many parts.
    pub fn of(program: &Program, parts: usize) -> Self {
        let mut drivers = BTreeSet::new();
        for entry in &program.entries {
            collect(&entry.body, &mut drivers);
        }
        Names {
            kernels: program.kernels.iter().map(|k| k.name.clone()).collect(),
            entries: program.entries.iter().map(|e| e.name.clone()).collect(),
            parts: parts as u32,
            drivers: drivers.into_iter().collect(),
        }
    }

    /// All callees, in the order of their numbers.
    pub fn all(&self) -> impl Iterator<Item = Callee> {
        (0..self.kernels.len() as u32)
            .map(Callee::Kernel)
            .chain((0..self.entries.len() as u32).map(Callee::Entry))
            .chain((0..self.parts).map(Callee::Part))
            .chain(self.others())
    }

    /// Those that are not compiled, in the order of their numbers.
    fn others(&self) -> impl Iterator<Item = Callee> {
        [Callee::Product, Callee::Barrier, Callee::Share, Callee::Copy, Callee::Mark]
            .into_iter()
            .chain(SCALARS.iter().map(|&(function, _)| Callee::Scalar(function)))
            .chain((0..self.drivers.len() as u32).map(Callee::Driver))
    }

    /// The callee of a number.
    pub fn callee(&self, number: u32) -> Option<Callee> {
        let [entries, parts, others, wides] =
            [Callee::Entry(0), Callee::Part(0), Callee::Product, Callee::Wide(0)].map(|first| self.number(first));
        match number {
            _ if number < entries => Some(Callee::Kernel(number)),
            _ if number < parts => Some(Callee::Entry(number - entries)),
            _ if number < others => Some(Callee::Part(number - parts)),
            _ if number < wides => self.others().nth((number - others) as usize),
            _ => Some(Callee::Wide(number - wides)),
        }
    }

    /// The number of a callee.
    pub fn number(&self, callee: Callee) -> u32 {
        let entries = self.kernels.len() as u32;
        let parts = entries + self.entries.len() as u32;
        let fixed = parts + self.parts;
        let scalars = fixed + 5;
        match callee {
            Callee::Kernel(i) => i,
            Callee::Entry(i) => entries + i,
            Callee::Part(i) => parts + i,
            Callee::Product => fixed,
            Callee::Barrier => fixed + 1,
            Callee::Share => fixed + 2,
            Callee::Copy => fixed + 3,
            Callee::Mark => fixed + 4,
            Callee::Scalar(function) => scalars + scalar_number(function),
            Callee::Driver(i) => scalars + SCALARS.len() as u32 + i,
            // Those of one function; no other function knows them.
            Callee::Wide(i) => scalars + (SCALARS.len() + self.drivers.len()) as u32 + i,
        }
    }

    /// The name of a callee in a module and in text.
    pub fn name(&self, callee: Callee) -> String {
        match callee {
            Callee::Kernel(i) => format!("kernel{i}.{}", self.kernels[i as usize]),
            Callee::Entry(i) => format!("entry{i}.{}", self.entries[i as usize]),
            Callee::Part(i) => format!("part{i}"),
            Callee::Wide(i) => format!("wide{i}"),
            Callee::Product => "gradc.product".to_owned(),
            Callee::Barrier => "gradc.barrier".to_owned(),
            Callee::Share => "gradc.share".to_owned(),
            Callee::Copy => "gradc.copy".to_owned(),
            Callee::Mark => "gradc.mark".to_owned(),
            Callee::Scalar(function) => {
                format!("gradc.{}", SCALARS[scalar_number(function) as usize].1)
            }
            Callee::Driver(i) => format!("driver.{}", self.drivers[i as usize]),
        }
    }

    /// The address of a callee that is not compiled, if there is one.
    pub fn address(&self, callee: Callee, symbols: &Symbols) -> Option<*const u8> {
        match callee {
            Callee::Kernel(_) | Callee::Entry(_) | Callee::Part(_) | Callee::Wide(_) => None,
            Callee::Product => Some(symbols.product),
            Callee::Barrier => Some(symbols.barrier),
            Callee::Share => Some(share as *const u8),
            Callee::Copy => Some(copy as *const u8),
            Callee::Mark => Some(symbols.mark),
            Callee::Scalar(function) => Some(scalar_address(function)),
            Callee::Driver(i) => {
                let name = &self.drivers[i as usize];
                symbols.driver.iter().find(|(known, _)| known == name).map(|&(_, address)| address)
            }
        }
    }
}

/// The place of a function in [`SCALARS`].
fn scalar_number(function: ScalarFunction) -> u32 {
    function as u32
}

/// Number of arguments of a step scalars' function.
pub(super) fn arity(function: ScalarFunction) -> usize {
    match function {
        ScalarFunction::Pow => 2,
        _ => 1,
    }
}

fn collect(body: &[Control], found: &mut BTreeSet<String>) {
    for statement in body {
        match statement {
            Control::Call { symbol } => {
                found.insert(symbol.clone());
            }
            Control::Loop { body, .. } => collect(body, found),
            Control::If { then, otherwise, .. } => {
                collect(then, found);
                collect(otherwise, found);
            }
            Control::Kernel(_) | Control::Barrier | Control::Scalar(_) | Control::Batch(_) | Control::Copy { .. } => {}
        }
    }
}

/// The signature of a callee.
pub(super) fn signature(callee: Callee, convention: CallConv) -> Signature {
    let (parameters, result): (&[_], _) = match callee {
        Callee::Kernel(_) => (&[types::I64; 4], None),
        Callee::Part(_) | Callee::Wide(_) | Callee::Mark => (&[types::I64; 2], None),
        Callee::Entry(_) | Callee::Product | Callee::Barrier | Callee::Driver(_) => (&[types::I64], None),
        Callee::Share => (&[types::I64; 4], Some(types::I64)),
        Callee::Copy => (&[types::I64; 3], None),
        Callee::Scalar(function) => match arity(function) {
            2 => (&[types::F64; 2], Some(types::F64)),
            _ => (&[types::F64], Some(types::F64)),
        },
    };
    // Wide functions are the same everywhere; the convention says that they may change every vector register.
    let convention = match callee {
        Callee::Wide(_) => CallConv::SystemV,
        _ => convention,
    };
    let mut signature = Signature::new(convention);
    signature.params = parameters.iter().map(|&ty| AbiParam::new(ty)).collect();
    signature.returns = result.into_iter().map(AbiParam::new).collect();
    signature
}

/// Where thread `thread` of `threads` starts in the tiles of `total` rows, `step` to a tile: shares are contiguous and even.
extern "C" fn share(total: i64, step: i64, thread: i64, threads: i64) -> i64 {
    let tiles = (total + step - 1) / step.max(1);
    tiles * thread / threads.max(1)
}

/// Copies `bytes` bytes.
///
/// # Safety
/// Both pointers must be valid for `bytes` bytes.
unsafe extern "C" fn copy(from: *const u8, to: *mut u8, bytes: i64) {
    // SAFETY: generated code passes two buffers of the program and their common size.
    unsafe { std::ptr::copy(from, to, bytes as usize) }
}

fn scalar_address(function: ScalarFunction) -> *const u8 {
    macro_rules! call {
        ($name:ident($($argument:ident),*)) => {{
            extern "C" fn call($($argument: f64),*) -> f64 {
                libm::$name($($argument),*)
            }
            call as *const u8
        }};
    }
    match function {
        ScalarFunction::Exp => call!(exp(x)),
        ScalarFunction::Log => call!(log(x)),
        ScalarFunction::Expm1 => call!(expm1(x)),
        ScalarFunction::Log1p => call!(log1p(x)),
        ScalarFunction::Pow => call!(pow(x, y)),
        ScalarFunction::Sin => call!(sin(x)),
        ScalarFunction::Cos => call!(cos(x)),
        ScalarFunction::Tanh => call!(tanh(x)),
        ScalarFunction::Erf => call!(erf(x)),
        ScalarFunction::Floor => call!(floor(x)),
    }
}

/// The name under which a module finds what Cranelift calls for an instruction that the processor lacks.
pub(super) fn library_name(call: LibCall) -> String {
    format!("gradc.library.{call}")
}

/// What block instructions can make Cranelift call, with addresses.
pub(super) fn library() -> [(LibCall, *const u8); 4] {
    extern "C" fn fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
    extern "C" fn nearest(x: f32) -> f32 {
        x.round_ties_even()
    }
    extern "C" fn truncate(x: f32) -> f32 {
        x.trunc()
    }
    extern "C" fn floor(x: f32) -> f32 {
        x.floor()
    }
    [
        (LibCall::FmaF32, fma as *const u8),
        (LibCall::NearestF32, nearest as *const u8),
        (LibCall::TruncF32, truncate as *const u8),
        (LibCall::FloorF32, floor as *const u8),
    ]
}
