//! Whole training runs give the same bits on any number of threads.

mod run;

/// Every bit of the model after `steps` steps.
fn bits_after(steps: usize) -> Vec<u32> {
    let model = run::train(steps, || ());
    let mut bits = Vec::new();
    backstitch::for_each(&model, |_, slot| match slot {
        backstitch::Slot::Param(param) => bits.extend(param.to_vec().iter().map(|x| x.to_bits())),
        backstitch::Slot::Running(running) => {
            bits.extend(running.get().to_vec().iter().map(|x| x.to_bits()));
        }
        backstitch::Slot::Tensor(_) => {}
    });
    bits
}

#[test]
fn a_whole_run_has_the_same_bits_on_any_number_of_threads() {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| bits_after(20))
    };
    let one = on(1);
    assert!(one.len() > 784 * 256);
    for threads in [2, 3, 8] {
        assert!(on(threads) == one, "{threads} threads give other bits than one");
    }
}
