//! Instruction sets: which ones the machine has, which one runs, and how a test forces one.
//!
//! A program runs the machine's fastest set, or the one that the environment variable
//! `BACKSTITCH_ISA` names (`scalar`, `avx2`, `avx512` or `neon`): results have the same bits
//! wherever the set is the same, so a run on a machine with AVX-512 can be repeated on one that has
//! AVX2 only. The variable is read once, by the first kernel, which panics if it names no set of this
//! machine. Factorisations, which are faer's, do not follow it.
//!
//! Vector code makes no calls. A function or closure that uses registers and is not
//! `#[inline(always)]` all the way up to [`dispatch`] is compiled for the lowest instruction set,
//! with a call for each operation. In an optimised program,
//! `objdump -d -C PROGRAM | grep 'call.*core_arch.*_mm'` prints nothing; `std::array::from_fn` and
//! closures given to functions of the standard library are the usual culprits.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fmt;
use std::sync::OnceLock;

use pulp::{Simd, WithSimd};

use crate::Element;

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Isa {
    /// Baseline code, without explicit vectors.
    Scalar,
    /// x86-64-v3: AVX2, FMA, BMI2.
    Avx2,
    /// x86-64-v4: AVX-512 F, BW, CD, DQ, VL.
    Avx512,
    /// AArch64 Advanced SIMD.
    Neon,
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Neon => "neon",
        })
    }
}

/// The instruction sets of this machine, from the slowest to the fastest.
pub fn available() -> &'static [Isa] {
    static AVAILABLE: OnceLock<Vec<Isa>> = OnceLock::new();
    AVAILABLE.get_or_init(|| {
        let mut isas = vec![Isa::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            if pulp::x86::V3::try_new().is_some() {
                isas.push(Isa::Avx2);
            }
            if pulp::x86::V4::try_new().is_some() {
                isas.push(Isa::Avx512);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if pulp::aarch64::Neon::try_new().is_some() {
            isas.push(Isa::Neon);
        }
        isas
    })
}

thread_local! {
    static FORCED: Cell<Option<Isa>> = const { Cell::new(None) };
}

/// The instruction set that kernels called by this thread use: the one forced by [`with`], else
/// the one that the environment variable `BACKSTITCH_ISA` names, else the machine's fastest.
///
/// # Panics
/// If the variable names no set of this machine.
#[inline(never)]
pub fn current() -> Isa {
    FORCED.get().unwrap_or_else(of_process)
}

const VARIABLE: &str = "BACKSTITCH_ISA";

fn of_process() -> Isa {
    static OF_PROCESS: OnceLock<Isa> = OnceLock::new();
    *OF_PROCESS.get_or_init(|| {
        let named = std::env::var_os(VARIABLE).unwrap_or_default();
        chosen(&named).unwrap_or_else(|message| panic!("{message}"))
    })
}

/// The set that `named` names among those of this machine; the fastest if it is empty.
fn chosen(named: &OsStr) -> Result<Isa, String> {
    if named.is_empty() {
        return Ok(*available().last().expect("Scalar is always available"));
    }
    let names: Vec<String> = available().iter().map(Isa::to_string).collect();
    let found = names.iter().position(|name| named == name.as_str());
    found.map(|i| available()[i]).ok_or_else(|| {
        format!("{VARIABLE}: needs one of {} on this machine; got {named:?}", names.join(", "))
    })
}

/// Runs `f` with kernels forced to `isa`, on this thread and on whatever threads they employ.
///
/// Results of different instruction sets differ in the last bits: lane counts change the order
/// of sums, and fused multiply-add rounds once where plain code rounds twice.
///
/// # Panics
/// If the machine lacks `isa`.
pub fn with<R>(isa: Isa, f: impl FnOnce() -> R) -> R {
    assert!(
        available().contains(&isa),
        "arch::with: {isa} is not available here; have {:?}",
        available()
    );
    struct Restore(Option<Isa>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCED.set(self.0);
        }
    }
    let _restore = Restore(FORCED.replace(Some(isa)));
    f()
}

/// Runs a kernel compiled for the [`current`] instruction set.
///
/// `op` is a [`WithSimd`] struct; for a closure see [`inlined_for`]. Dispatch once per big slice: it is
/// an indirect call that nothing is inlined through.
#[inline]
pub fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    match current() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            // SAFETY: `current` gives only what is in `available`, which asks the CPU.
            Simd::vectorize(unsafe { pulp::x86::V3::new_unchecked() }, op)
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => {
            // SAFETY: as above.
            Simd::vectorize(unsafe { pulp::x86::V4::new_unchecked() }, op)
        }
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => {
            // SAFETY: as above.
            Simd::vectorize(unsafe { pulp::aarch64::Neon::new_unchecked() }, op)
        }
        _ => Simd::vectorize(pulp::Scalar::new(), op),
    }
}

/// [`dispatch`] of a kernel on elements `T`: where they have 8 bytes, AVX-512 machines run the code
/// for AVX2.
///
/// Code for f64 in AVX-512 would be a seventh of all that the compiler makes of these kernels, and
/// f64 serves to check gradients. Matrix products in f64, which take the time, have AVX-512.
#[inline]
pub fn dispatch_for<T: Element, Op: WithSimd>(op: Op) -> Op::Output {
    if const { size_of::<T>() == 8 } { dispatch_narrow(op) } else { dispatch(op) }
}

/// [`dispatch`] that runs the code for AVX2 where there is AVX-512.
#[inline]
fn dispatch_narrow<Op: WithSimd>(op: Op) -> Op::Output {
    #[cfg(target_arch = "x86_64")]
    return match current() {
        Isa::Scalar => Simd::vectorize(pulp::Scalar::new(), op),
        // SAFETY: `current` gives only what is in `available`; what has AVX-512 has AVX2.
        _ => Simd::vectorize(unsafe { pulp::x86::V3::new_unchecked() }, op),
    };
    #[cfg(not(target_arch = "x86_64"))]
    dispatch(op)
}

/// [`dispatch_for`] of a closure that is compiled into the code of every instruction set.
///
/// A closure given to [`dispatch`] is called through an adapter, which the compiler may share
/// between the sets and then compiles for the lowest of them; here the closure, marked
/// `#[inline(always)]`, is called itself.
#[inline]
pub fn inlined_for<T: Element, R>(body: impl FnMut() -> R) -> R {
    dispatch_for::<T, _>(Inlined(body))
}

/// [`inlined_for`] of a loop that is bound by memory: AVX-512 machines run the code for AVX2, for
/// less work of the compiler.
#[inline]
pub fn inlined_narrow<R>(body: impl FnMut() -> R) -> R {
    dispatch_narrow(Inlined(body))
}

struct Inlined<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Inlined<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            S::F32_LANES
        }
    }

    #[test]
    fn with_forces_and_restores() {
        let before = current();
        for &isa in available() {
            let lanes = with(isa, || dispatch(Lanes));
            let expected = match isa {
                Isa::Scalar => 1,
                Isa::Neon => 4,
                Isa::Avx2 => 8,
                Isa::Avx512 => 16,
            };
            assert_eq!(lanes, expected, "{isa}");
            let of = (
                with(isa, || dispatch_for::<f32, _>(Lanes)),
                with(isa, || dispatch_for::<f64, _>(Lanes)),
            );
            assert_eq!(of, (expected, expected.min(8)), "{isa}");
        }
        assert_eq!(current(), before);
    }

    /// Whether a process with the environment's variable at `named` succeeds in
    /// `says_the_set_of_the_process`, and all that it prints.
    fn child(named: &str) -> (bool, String) {
        let run = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "arch::tests::says_the_set_of_the_process", "--nocapture"])
            .env(VARIABLE, named)
            .output()
            .unwrap();
        let printed = [run.stdout, run.stderr].concat();
        (run.status.success(), String::from_utf8(printed).unwrap())
    }

    #[test]
    fn says_the_set_of_the_process() {
        println!("a process of {} of {} lanes", current(), dispatch(Lanes));
    }

    #[test]
    fn environment_names_the_set() {
        for &isa in available() {
            let lanes = with(isa, || dispatch(Lanes));
            let (succeeds, printed) = child(&isa.to_string());
            let expected = format!("a process of {isa} of {lanes} lanes");
            assert!(succeeds && printed.contains(&expected), "{isa}: {printed}");
        }
        let fastest = available().last().unwrap();
        assert!(child("").1.contains(&format!("a process of {fastest} ")));
    }

    #[test]
    fn environment_with_another_name_stops_the_process() {
        for named in ["AVX2", "sse2", "avx2 "] {
            let (succeeds, printed) = child(named);
            assert!(!succeeds, "{named}: {printed}");
            for part in [VARIABLE, &format!("got {named:?}"), "needs one of scalar"] {
                assert!(printed.contains(part), "{named}: {printed}");
            }
        }
    }

    #[test]
    fn with_restores_after_a_panic() {
        let before = current();
        let _ = std::panic::catch_unwind(|| with(Isa::Scalar, || panic!("on purpose")));
        assert_eq!(current(), before);
    }
}
