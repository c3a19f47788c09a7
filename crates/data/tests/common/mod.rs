//! Mutated bytes for the short seeded fuzz runs of the parsers.

use backstitch_data::Rng;

/// `rounds` variants of the seeds: bytes flipped, cut, repeated, inserted, and sizes made huge.
/// A failing input can be printed as Rust with `{:?}`.
pub fn mutations(seeds: &[Vec<u8>], rounds: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..rounds).map(move |round| {
        let rng = &mut Rng::seed(round);
        let mut bytes = seeds[below(rng, seeds.len())].clone();
        for _ in 0..=below(rng, 4) {
            mutate(&mut bytes, rng);
        }
        bytes
    })
}

fn below(rng: &mut Rng, end: usize) -> usize {
    (rng.next_u64() % end.max(1) as u64) as usize
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = below(rng, bytes.len());
    let end = at + below(rng, bytes.len() + 1 - at);
    match below(rng, 6) {
        0 => bytes.truncate(at),
        1 => bytes.extend_from_within(at..end),
        2 => bytes.insert(at, rng.next_u64() as u8),
        // Most structure is at the front.
        3 if !bytes.is_empty() => {
            let front = below(rng, bytes.len().min(16));
            bytes[front] = [0, 1, 0x7f, 0x80, 0xff, rng.next_u64() as u8][below(rng, 6)];
        }
        4 if at < bytes.len() => bytes[at] ^= 1 << below(rng, 8),
        _ => bytes[at..end].fill(0xff),
    }
}
