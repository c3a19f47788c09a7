//! [`Progress`]: how far an epoch is, in the terminal.

use std::time::{Duration, Instant};

/// A progress bar for one epoch: loss, accuracy, samples per second, time left.
///
/// Draws only with the feature `progress` and on a terminal; always measures.
pub struct Progress {
    samples: usize,
    done: usize,
    start: Instant,
    #[cfg(feature = "progress")]
    bar: indicatif::ProgressBar,
}

impl Progress {
    /// A bar for an epoch of so many samples; `title` stands in front of it.
    pub fn new(title: impl Into<String>, samples: usize) -> Self {
        #[cfg(not(feature = "progress"))]
        let _: String = title.into();
        Progress {
            samples,
            done: 0,
            start: Instant::now(),
            #[cfg(feature = "progress")]
            bar: bar(title.into(), samples),
        }
    }

    /// `samples` more are done; `message` says how they went, such as loss and accuracy.
    pub fn add(&mut self, samples: usize, message: impl FnOnce() -> String) {
        self.done += samples;
        #[cfg(feature = "progress")]
        if !self.bar.is_hidden() {
            self.bar.set_message(message());
            self.bar.inc(samples as u64);
        }
        #[cfg(not(feature = "progress"))]
        drop(message);
    }

    /// Samples per second so far.
    pub fn samples_per_second(&self) -> f64 {
        self.done as f64 / self.start.elapsed().as_secs_f64()
    }

    /// The time that the rest will take at this rate; none before the first sample.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.samples.saturating_sub(self.done) as f64 / self.samples_per_second();
        Duration::try_from_secs_f64(left).ok()
    }

    /// Takes the bar off the screen.
    pub fn finish(self) {
        #[cfg(feature = "progress")]
        self.bar.finish_and_clear();
    }
}

#[cfg(feature = "progress")]
fn bar(title: String, samples: usize) -> indicatif::ProgressBar {
    let style = "{prefix} {bar:30} {pos}/{len}  {msg}  {per_sec:.0}  {eta} left";
    let style = indicatif::ProgressStyle::with_template(style).expect("the template is valid");
    let style = style.with_key(
        "per_sec",
        |state: &indicatif::ProgressState, f: &mut dyn std::fmt::Write| {
            let _ = write!(f, "{:.0} samples/s", state.per_sec());
        },
    );
    indicatif::ProgressBar::new(samples as u64).with_style(style).with_prefix(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_without_a_terminal() {
        let mut progress = Progress::new("epoch 1", 100);
        assert!(progress.time_left().is_none());
        progress.add(100, || "loss 1.0".to_string());
        assert!(progress.samples_per_second() > 0.0);
        assert_eq!(progress.time_left(), Some(Duration::ZERO));
        progress.finish();
    }
}
