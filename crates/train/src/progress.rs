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
            self.bar.inc(samples as u64);
            self.bar.set_message(message());
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
    let style = "{prefix} {bar:30} {pos}/{len}  {msg}  {per_sec}  {eta} left";
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

    /// A terminal that keeps what is written to it.
    #[cfg(feature = "progress")]
    #[derive(Clone, Debug, Default)]
    struct Terminal(std::sync::Arc<std::sync::Mutex<String>>);

    #[cfg(feature = "progress")]
    impl indicatif::TermLike for Terminal {
        fn width(&self) -> u16 {
            120
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> std::io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[cfg(feature = "progress")]
    #[test]
    fn the_bar_says_how_far_how_well_how_fast_and_how_long() {
        let terminal = Terminal::default();
        let mut progress = Progress::new("epoch 1/3", 100);
        let target = indicatif::ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        progress.bar.set_draw_target(target);
        progress.add(25, || "loss 1.250  accuracy 0.500".to_string());
        progress.bar.force_draw();
        let shown = terminal.0.lock().unwrap().clone();
        let mut rest = shown.as_str();
        for part in
            ["epoch 1/3 █", " 25/100  loss 1.250  accuracy 0.500  ", " samples/s  ", "s left"]
        {
            let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is missing in {shown:?}"));
            rest = &rest[at + part.len()..];
        }
        // No colours: black is invisible on black.
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}
