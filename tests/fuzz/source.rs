//! Choices from the bytes of a fuzz input.

/// Bytes that are taken one after the other; when they are used up, every choice is the first.
pub struct Source<'a>(pub &'a [u8]);

impl Source<'_> {
    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        let bytes = if end > 256 { 2 } else { 1 };
        (0..bytes).fold(0, |number, _| number << 8 | self.byte()) % end
    }

    /// Whether there are bytes left.
    pub fn has_more(&self) -> bool {
        !self.0.is_empty()
    }

    fn byte(&mut self) -> usize {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first.into()
    }
}
