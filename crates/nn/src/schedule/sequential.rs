//! [`SequentialLr`]: one schedule after the other.

use super::Schedule;

/// Schedules that follow each other, each counting its steps from its own start.
///
/// # Reference
/// `torch.optim.lr_scheduler.SequentialLR`.
pub struct SequentialLr {
    /// The step at which each schedule starts, rising from 0, and the schedule.
    pub parts: Vec<(usize, Box<dyn Schedule + Send + Sync>)>,
}

impl SequentialLr {
    /// A schedule that starts at step 0.
    pub fn new(first: impl Schedule + Send + Sync + 'static) -> Self {
        SequentialLr { parts: vec![(0, Box::new(first))] }
    }

    /// The same with another schedule from step `start` on.
    ///
    /// # Panics
    /// When `start` is not after the start of the schedule before.
    #[track_caller]
    pub fn then(mut self, start: usize, next: impl Schedule + Send + Sync + 'static) -> Self {
        let before = self.parts.last().map(|&(start, _)| start);
        assert!(
            before.is_none_or(|before| before < start),
            "SequentialLr: needs a start after {before:?}; got {start}"
        );
        self.parts.push((start, Box::new(next)));
        self
    }
}

impl Schedule for SequentialLr {
    fn at(&self, step: usize) -> f64 {
        let part = self.parts.iter().rev().find(|(start, _)| *start <= step);
        let (start, schedule) = part.expect("the first part starts at step 0");
        schedule.at(step - start)
    }
}
