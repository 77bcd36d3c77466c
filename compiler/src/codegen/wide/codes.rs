//! Which machine instruction each operation is.

use iced_x86::{Code, Register};

use super::Form;
use super::operations::{One, Shift, Two};

/// A vector register.
pub(super) fn vector(form: Form, number: u8) -> Register {
    let first = match form {
        Form::Eight => Register::YMM0,
        Form::Sixteen => Register::ZMM0,
    };
    first + u32::from(number)
}

/// The first four lanes of a vector register.
pub(super) fn quarter(number: u8) -> Register {
    Register::XMM0 + u32::from(number)
}

/// The part of a vector register that holds its first lanes: 8, or up to 4.
pub(super) fn low(number: u8, lanes: u8) -> Register {
    if lanes > 4 { Register::YMM0 + u32::from(number) } else { quarter(number) }
}

/// The first element is for 8 lanes, the second for 16.
macro_rules! of {
    ($form:expr, $eight:ident, $sixteen:ident) => {
        match $form {
            Form::Eight => Code::$eight,
            Form::Sixteen => Code::$sixteen,
        }
    };
}

pub(super) fn two(form: Form, two: Two) -> Code {
    match two {
        Two::AddFloat => of!(form, VEX_Vaddps_ymm_ymm_ymmm256, EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er),
        Two::SubFloat => of!(form, VEX_Vsubps_ymm_ymm_ymmm256, EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er),
        Two::MulFloat => of!(form, VEX_Vmulps_ymm_ymm_ymmm256, EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er),
        Two::DivFloat => of!(form, VEX_Vdivps_ymm_ymm_ymmm256, EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er),
        Two::MinFloat => of!(form, VEX_Vminps_ymm_ymm_ymmm256, EVEX_Vminps_zmm_k1z_zmm_zmmm512b32_sae),
        Two::MaxFloat => of!(form, VEX_Vmaxps_ymm_ymm_ymmm256, EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae),
        Two::AddInt => of!(form, VEX_Vpaddd_ymm_ymm_ymmm256, EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32),
        Two::SubInt => of!(form, VEX_Vpsubd_ymm_ymm_ymmm256, EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32),
        Two::MulInt => of!(form, VEX_Vpmulld_ymm_ymm_ymmm256, EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32),
        Two::MinInt => of!(form, VEX_Vpminsd_ymm_ymm_ymmm256, EVEX_Vpminsd_zmm_k1z_zmm_zmmm512b32),
        Two::MaxInt => of!(form, VEX_Vpmaxsd_ymm_ymm_ymmm256, EVEX_Vpmaxsd_zmm_k1z_zmm_zmmm512b32),
        Two::And => of!(form, VEX_Vpand_ymm_ymm_ymmm256, EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32),
        Two::Or => of!(form, VEX_Vpor_ymm_ymm_ymmm256, EVEX_Vpord_zmm_k1z_zmm_zmmm512b32),
        Two::Xor => of!(form, VEX_Vpxor_ymm_ymm_ymmm256, EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32),
        // With 16 lanes comparisons are tests.
        Two::CompareFloat(_) => Code::VEX_Vcmpps_ymm_ymm_ymmm256_imm8,
        Two::EqualInt => Code::VEX_Vpcmpeqd_ymm_ymm_ymmm256,
        Two::GreaterInt => Code::VEX_Vpcmpgtd_ymm_ymm_ymmm256,
    }
}

pub(super) fn one(form: Form, one: One) -> Code {
    match one {
        One::Sqrt => of!(form, VEX_Vsqrtps_ymm_ymmm256, EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er),
        One::Round(_) => of!(form, VEX_Vroundps_ymm_ymmm256_imm8, EVEX_Vrndscaleps_zmm_k1z_zmmm512b32_imm8_sae),
        One::ToInt => of!(form, VEX_Vcvttps2dq_ymm_ymmm256, EVEX_Vcvttps2dq_zmm_k1z_zmmm512b32_sae),
        One::ToFloat => of!(form, VEX_Vcvtdq2ps_ymm_ymmm256, EVEX_Vcvtdq2ps_zmm_k1z_zmmm512b32_er),
    }
}

pub(super) fn shift(form: Form, shift: Shift) -> Code {
    match shift {
        Shift::Left => of!(form, VEX_Vpslld_ymm_ymm_imm8, EVEX_Vpslld_zmm_k1z_zmmm512b32_imm8),
        Shift::Right => of!(form, VEX_Vpsrld_ymm_ymm_imm8, EVEX_Vpsrld_zmm_k1z_zmmm512b32_imm8),
        Shift::RightSigned => of!(form, VEX_Vpsrad_ymm_ymm_imm8, EVEX_Vpsrad_zmm_k1z_zmmm512b32_imm8),
        // Selected with 16 lanes only.
        Shift::Round => Code::EVEX_Vprold_zmm_k1z_zmmm512b32_imm8,
    }
}

/// `first = second * third + first` (`adds`), or `first = second * first + third`.
pub(super) fn fma(form: Form, adds: bool) -> Code {
    match adds {
        true => of!(form, VEX_Vfmadd231ps_ymm_ymm_ymmm256, EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er),
        false => of!(form, VEX_Vfmadd213ps_ymm_ymm_ymmm256, EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er),
    }
}

/// A vector from memory.
pub(super) fn load(form: Form) -> Code {
    of!(form, VEX_Vmovups_ymm_ymmm256, EVEX_Vmovups_zmm_k1z_zmmm512)
}

/// A vector to memory.
pub(super) fn store(form: Form) -> Code {
    of!(form, VEX_Vmovups_ymmm256_ymm, EVEX_Vmovups_zmmm512_k1z_zmm)
}

/// A vector between registers.
pub(super) fn copy(form: Form) -> Code {
    of!(form, VEX_Vmovaps_ymm_ymmm256, EVEX_Vmovaps_zmm_k1z_zmmm512)
}

/// A word from memory to every lane.
pub(super) fn broadcast(form: Form) -> Code {
    of!(form, VEX_Vbroadcastss_ymm_m32, EVEX_Vbroadcastss_zmm_k1z_xmmm32)
}

/// How the first 8, 4, 2 or 1 lanes are loaded, the others becoming zero, and stored.
pub(super) fn piece(form: Form, lanes: u8) -> (Code, Code) {
    let load = match lanes {
        1 => of!(form, VEX_Vmovss_xmm_m32, EVEX_Vmovss_xmm_k1z_m32),
        2 => of!(form, VEX_Vmovq_xmm_xmmm64, EVEX_Vmovq_xmm_xmmm64),
        4 => of!(form, VEX_Vmovups_xmm_xmmm128, EVEX_Vmovups_xmm_k1z_xmmm128),
        _ => of!(form, VEX_Vmovups_ymm_ymmm256, EVEX_Vmovups_ymm_k1z_ymmm256),
    };
    let store = match lanes {
        1 => of!(form, VEX_Vmovss_m32_xmm, EVEX_Vmovss_m32_k1_xmm),
        2 => of!(form, VEX_Vmovlps_m64_xmm, EVEX_Vmovlps_m64_xmm),
        4 => of!(form, VEX_Vmovups_xmmm128_xmm, EVEX_Vmovups_xmmm128_k1z_xmm),
        _ => of!(form, VEX_Vmovups_ymmm256_ymm, EVEX_Vmovups_ymmm256_k1z_ymm),
    };
    (load, store)
}
