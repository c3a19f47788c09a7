//! [`Rng`]: the generator that every random thing in Backstitch draws from.

use std::convert::Infallible;

use rand::{SeedableRng, TryRng};
use rand_chacha::ChaCha8Rng;

/// A random generator with a stable stream: ChaCha with 8 rounds.
///
/// The same seed gives the same numbers on every machine and in every release. There is no
/// global generator; whatever is random takes one as an argument.
///
/// # Examples
/// ```
/// use backstitch_tensor::Rng;
///
/// let mut rng = Rng::seed(7);
/// let copy = rng.clone();
/// assert_eq!(rng.next_u64(), copy.clone().next_u64());
/// assert_eq!(Rng::from_state(&copy.state()).next_u64(), copy.clone().next_u64());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng(ChaCha8Rng);

/// Where a generator stands: enough to make one that goes on with the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RngState {
    /// ChaCha's key.
    pub seed: [u8; 32],
    /// Which of the key's streams.
    pub stream: u64,
    /// How many 32-bit words were drawn.
    pub words: u128,
}

impl Rng {
    /// A generator for this seed.
    pub fn seed(seed: u64) -> Self {
        Rng(ChaCha8Rng::seed_from_u64(seed))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        rand::Rng::next_u64(&mut self.0)
    }

    /// A new generator whose numbers are independent of those that this one goes on to draw.
    pub fn split(&mut self) -> Self {
        let mut seed = [0; 32];
        rand::Rng::fill_bytes(&mut self.0, &mut seed);
        Rng(ChaCha8Rng::from_seed(seed))
    }

    /// Where the generator stands.
    pub fn state(&self) -> RngState {
        RngState {
            seed: self.0.get_seed(),
            stream: self.0.get_stream(),
            words: self.0.get_word_pos(),
        }
    }

    /// A generator that goes on from `state`.
    pub fn from_state(state: &RngState) -> Self {
        let mut rng = ChaCha8Rng::from_seed(state.seed);
        rng.set_stream(state.stream);
        rng.set_word_pos(state.words);
        Rng(rng)
    }
}

impl TryRng for Rng {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.try_next_u32()
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.try_next_u64()
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.try_fill_bytes(bytes)
    }
}
