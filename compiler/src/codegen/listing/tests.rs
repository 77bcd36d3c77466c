//! Readers of processors that this machine may not be: bytes as their makers' manuals have them.

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::LibCall;
use cranelift_module::{ModuleReloc, ModuleRelocTarget};

use super::{Act, Decoded, Refers, aarch64, words, x86_64};

fn symbol(offset: u32, kind: Reloc) -> ModuleReloc {
    ModuleReloc { offset, kind, name: ModuleRelocTarget::LibCall(LibCall::FmaF32), addend: 0 }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn lines(decoded: &[Decoded]) -> Vec<(usize, usize, &str, Option<Refers>, Act)> {
    decoded.iter().map(|one| (one.offset, one.size, one.text.as_str(), one.refers, one.act)).collect()
}

#[test]
fn instructions_of_an_aarch64() {
    let code = bytes(&[
        0xa9bf_7bfd, // stp x29, x30, [sp, #-16]!
        0x9100_03fd, // mov x29, sp
        0xd100_83ff, // sub sp, sp, #32
        0x9c00_0220, // ldr q0, 68 bytes on
        0x3d80_07e0, // str q0, [sp, #16]
        0x5800_0048, // ldr x8, 8 bytes on
        0x1400_0003, // b 12 bytes on
        0x0000_0000, // the address of a far function
        0x0000_0000,
        0xd63f_0100, // blr x8
        0x4e22_cc20, // fmla v0.4s, v1.4s, v2.4s
        0xb4ff_ffe0, // cbz x0, 4 bytes back
        0x9400_0000, // bl of a near function
        0x0000_0001, // no instruction
        0x9100_83ff, // add sp, sp, #32
        0xa8c1_7bfd, // ldp x29, x30, [sp], #16
        0xd65f_03c0, // ret
        0x9100_43e5, // add x5, sp, #16
        0xd503_201f, // nop, so that numbers are aligned
        0xd503_201f,
        0x3f80_0000, // four numbers
        0x4000_0000,
        0x4040_0000,
        0x4080_0000,
    ]);
    let (decoded, end) = aarch64::decode(&code, &[symbol(28, Reloc::Abs8), symbol(48, Reloc::Arm64Call)]);
    let expected = [
        (0, 4, "stp x29, x30, [sp, #-0x10]!", None, Act::Frame),
        (4, 4, "mov x29, sp", None, Act::Frame),
        (8, 4, "sub sp, sp, #0x20", None, Act::Frame),
        (12, 4, "ldr q0, [", Some(Refers::Constant(80)), Act::Other),
        (16, 4, "str q0, [sp, #0x10]", None, Act::Stack(16)),
        (20, 4, "ldr x8, $+0x8", None, Act::Other),
        (24, 4, "b ", Some(Refers::Place(36)), Act::Other),
        (28, 8, "address of ", Some(Refers::Symbol(0)), Act::Other),
        (36, 4, "blr x8", None, Act::Other),
        (40, 4, "fmla v0.4s, v1.4s, v2.4s", None, Act::Other),
        (44, 4, "cbz x0, ", Some(Refers::Place(40)), Act::Other),
        (48, 4, "bl ", Some(Refers::Symbol(1)), Act::Other),
        (52, 4, "udf #0x1", None, Act::Other),
        (56, 4, "add sp, sp, #0x20", None, Act::Frame),
        (60, 4, "ldp x29, x30, [sp], #0x10", None, Act::Frame),
        (64, 4, "ret", None, Act::Return),
        (68, 4, "add x5, sp, #0x10", None, Act::Other),
        (72, 4, "nop", None, Act::Other),
        (76, 4, "nop", None, Act::Other),
    ];
    assert_eq!((lines(&decoded), end), (expected.to_vec(), 80));
}

#[test]
fn instructions_of_an_x86_64() {
    let code = [
        0x55, // push rbp
        0x48, 0x89, 0xe5, // mov rbp, rsp
        0x0f, 0x28, 0x05, 0x25, 0, 0, 0, // movaps xmm0, [rip + 0x25]
        0x0f, 0x11, 0x44, 0x24, 0x10, // movups [rsp + 16], xmm0
        0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, // mov rax, a symbol
        0xff, 0xd0, // call rax
        0x74, 0xfc, // je 2 back
        0x5d, // pop rbp
        0xc3, // ret
        0, 0, 0, 0, // padding
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let (decoded, end) = x86_64::decode(&code, &[symbol(18, Reloc::Abs8)]);
    let expected = [
        (0, 1, "push rbp", None, Act::Frame),
        (1, 3, "mov rbp,rsp", None, Act::Frame),
        (4, 7, "movaps xmm0,[", Some(Refers::Constant(48)), Act::Other),
        (11, 5, "movups [rsp+10h],xmm0", None, Act::Stack(16)),
        (16, 10, "mov rax,", Some(Refers::Symbol(0)), Act::Other),
        (26, 2, "call rax", None, Act::Other),
        (28, 2, "je ", Some(Refers::Place(26)), Act::Other),
        (30, 1, "pop rbp", None, Act::Frame),
        (31, 1, "ret", None, Act::Return),
    ];
    assert_eq!((lines(&decoded), end), (expected.to_vec(), 32));
}

#[test]
fn a_processor_without_a_reader_has_its_bytes_listed() {
    let (decoded, end) = words::decode(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &[symbol(4, Reloc::Abs8)]);
    let expected = [
        (0, 4, "bytes 01 02 03 04", None, Act::Other),
        (4, 4, "bytes 05 06 07 08 with ", Some(Refers::Symbol(0)), Act::Other),
        (8, 2, "bytes 09 0a", None, Act::Other),
    ];
    assert_eq!((lines(&decoded), end), (expected.to_vec(), 10));
}
