//! `LoaderState`: where an epoch stands.

use crate::Error;

/// Where an epoch stands: with the same dataset, enough to go on with the same batches.
///
/// Save it with the model and the generators; [`Loader::resume`](crate::Loader::resume) takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderState {
    /// The number that the epoch drew from the generator.
    pub seed: u64,
    /// Whether the order is shuffled by the seed.
    pub shuffled: bool,
    /// How many batches were delivered.
    pub next_batch: usize,
    /// The number of samples of the dataset, to refuse another one.
    pub samples: usize,
    /// The batch size, to refuse another one.
    pub batch_size: usize,
}

impl LoaderState {
    /// The state as numbers, for a checkpoint.
    pub fn to_words(&self) -> [u64; 5] {
        let counts = [self.next_batch, self.samples, self.batch_size].map(|count| count as u64);
        [self.seed, u64::from(self.shuffled), counts[0], counts[1], counts[2]]
    }

    /// The state from its numbers.
    ///
    /// # Errors
    /// Not five numbers, or numbers that no state has.
    pub fn from_words(words: &[u64]) -> Result<LoaderState, Error> {
        let refuse = || Error::mismatch("loader state", "its five numbers", format!("{words:?}"));
        let &[seed, shuffled @ (0 | 1), next_batch, samples, batch_size] = words else {
            return Err(refuse());
        };
        let count = |word: u64| usize::try_from(word).map_err(|_| refuse());
        Ok(LoaderState {
            seed,
            shuffled: shuffled == 1,
            next_batch: count(next_batch)?,
            samples: count(samples)?,
            batch_size: count(batch_size)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        let state = LoaderState {
            seed: u64::MAX,
            shuffled: true,
            next_batch: 3,
            samples: 10,
            batch_size: 4,
        };
        assert_eq!(LoaderState::from_words(&state.to_words()).unwrap(), state);
        assert!(LoaderState::from_words(&[1, 2, 3, 4, 5]).is_err());
        assert!(LoaderState::from_words(&[1, 1, 3]).is_err());
    }
}
