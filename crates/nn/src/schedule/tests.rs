//! Every schedule against PyTorch's numbers, and by the same few rules.

use super::*;

type Entry = (&'static str, Box<dyn Schedule>);

/// The registry of schedules: each under its name in `tests/golden/schedules.csv`.
fn schedules() -> Vec<Entry> {
    let lr = 0.1;
    let early =
        OneCycleLr { pct_start: 0.1, div_factor: 10.0, final_div_factor: 100.0, ..one_cycle() };
    let warm_up = LinearLr { lr, start_factor: 0.1, end_factor: 1.0, total_iters: 10 };
    let sequential =
        SequentialLr::new(warm_up).then(10, CosineAnnealingLr { lr, t_max: 40, eta_min: 0.0 });
    let chained = ChainedLr::new(ConstantLr { lr, factor: 0.1, total_iters: 20 })
        .times(ExponentialLr { lr: 1.0, gamma: 0.9 });
    vec![
        ("constant", Box::new(ConstantLr { lr, factor: 1.0 / 3.0, total_iters: 5 })),
        ("step", Box::new(StepLr { lr, step_size: 7, gamma: 0.5 })),
        ("multi_step", Box::new(MultiStepLr { lr, milestones: vec![10, 11, 30], gamma: 0.1 })),
        ("exponential", Box::new(ExponentialLr { lr, gamma: 0.93 })),
        ("cosine", Box::new(CosineAnnealingLr { lr, t_max: 30, eta_min: 0.01 })),
        (
            "cosine_restarts",
            Box::new(CosineAnnealingWarmRestarts { lr, t_0: 8, t_mult: 2, eta_min: 0.001 }),
        ),
        ("linear", Box::new(LinearLr { lr, start_factor: 0.25, end_factor: 1.0, total_iters: 12 })),
        ("polynomial", Box::new(PolynomialLr { lr, total_iters: 40, power: 1.7 })),
        ("one_cycle", Box::new(one_cycle())),
        ("one_cycle_early", Box::new(early)),
        ("sequential", Box::new(sequential)),
        ("chained", Box::new(chained)),
        ("momentum", Box::new(LambdaLr(|step| one_cycle().momentum_at(step)))),
    ]
}

fn one_cycle() -> OneCycleLr {
    OneCycleLr::new(0.1, 50)
}

#[test]
fn schedules_equal_pytorchs() {
    let golden = include_str!("../../tests/golden/schedules.csv");
    let schedules = schedules();
    assert_eq!(golden.lines().count(), schedules.len());
    for (line, (name, schedule)) in golden.lines().zip(schedules) {
        let mut cells = line.split(',');
        assert_eq!(cells.next(), Some(name));
        let rates: Vec<f64> = cells.map(|cell| cell.parse().unwrap()).collect();
        assert_eq!(rates.len(), 50);
        for (step, rate) in rates.into_iter().enumerate() {
            // PyTorch goes from step to step by ratios, whose terms nearly vanish at the turns of a
            // cosine: that costs it digits.
            let error = (schedule.at(step) - rate).abs();
            assert!(error < 1e-13, "{name} at {step}: {} is not {rate}", schedule.at(step));
        }
    }
}

#[test]
fn schedules_are_finite_and_not_negative_at_any_step() {
    for (name, schedule) in schedules() {
        for step in (0..200).chain([10_000, usize::MAX >> 12]) {
            let lr = schedule.at(step);
            assert!(lr.is_finite() && lr >= 0.0, "{name} at {step}: {lr}");
        }
    }
}

#[test]
fn short_and_empty_schedules_are_finite() {
    for total in [0, 1, 2, 3] {
        let schedules: [Box<dyn Schedule>; 4] = [
            Box::new(OneCycleLr::new(0.1, total)),
            Box::new(LinearLr { lr: 0.1, start_factor: 0.1, end_factor: 1.0, total_iters: total }),
            Box::new(PolynomialLr { lr: 0.1, total_iters: total, power: 2.0 }),
            Box::new(CosineAnnealingLr { lr: 0.1, t_max: total, eta_min: 0.0 }),
        ];
        for schedule in schedules {
            for step in 0..5 {
                assert!(schedule.at(step).is_finite(), "total {total}, step {step}");
            }
        }
    }
}
