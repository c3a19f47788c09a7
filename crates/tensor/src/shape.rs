//! Shapes, strides and the rules of broadcasting.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// The highest number of axes a tensor can have.
pub const MAX_RANK: usize = 8;

/// A short list of numbers, one per axis, without a heap allocation.
#[derive(Clone, Copy)]
pub struct Axes<I> {
    len: u8,
    items: [I; MAX_RANK],
}

/// The lengths of a tensor's axes, outermost first.
pub type Shape = Axes<usize>;

/// How many elements lie between neighbours along each axis; 0 for an expanded axis.
pub type Strides = Axes<isize>;

impl<I: Copy + Default> Axes<I> {
    /// The items in a list of their own.
    ///
    /// # Panics
    /// With more than [`MAX_RANK`] items.
    #[track_caller]
    pub fn new(items: &[I]) -> Self {
        let mut axes = Self::default();
        axes.extend(items.iter().copied());
        axes
    }

    /// Appends one item.
    ///
    /// # Panics
    /// When the list holds [`MAX_RANK`] items already.
    #[track_caller]
    pub fn push(&mut self, item: I) {
        assert!((self.len as usize) < MAX_RANK, "shape: needs at most {MAX_RANK} axes; got more");
        self.items[self.len as usize] = item;
        self.len += 1;
    }

    /// Inserts one item before position `at`.
    #[track_caller]
    pub fn insert(&mut self, at: usize, item: I) {
        self.push(item);
        self[at..].rotate_right(1);
    }

    /// Takes the item at position `at` out.
    pub fn remove(&mut self, at: usize) -> I {
        self[at..].rotate_left(1);
        self.len -= 1;
        self.items[self.len as usize]
    }

    /// Appends all items.
    #[track_caller]
    pub fn extend(&mut self, items: impl IntoIterator<Item = I>) {
        for item in items {
            self.push(item);
        }
    }
}

impl<I: Copy + Default> Default for Axes<I> {
    fn default() -> Self {
        Axes { len: 0, items: [I::default(); MAX_RANK] }
    }
}

impl<I: Copy + Default> FromIterator<I> for Axes<I> {
    fn from_iter<It: IntoIterator<Item = I>>(items: It) -> Self {
        let mut axes = Self::default();
        axes.extend(items);
        axes
    }
}

impl<I> Deref for Axes<I> {
    type Target = [I];
    fn deref(&self) -> &[I] {
        &self.items[..self.len as usize]
    }
}

impl<I> DerefMut for Axes<I> {
    fn deref_mut(&mut self) -> &mut [I] {
        &mut self.items[..self.len as usize]
    }
}

impl<I> AsRef<[I]> for Axes<I> {
    fn as_ref(&self) -> &[I] {
        self
    }
}

impl<I: PartialEq> PartialEq for Axes<I> {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl<I: Eq> Eq for Axes<I> {}

impl<I: fmt::Debug> fmt::Debug for Axes<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}

/// An op was given shapes that its rule refuses: `<op>: needs <rule>; got <shapes>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError(String);

impl ShapeError {
    /// The error of `op`, whose arguments must fulfil `rule` but are as `got` says.
    pub fn new(op: &str, rule: impl fmt::Display, got: impl fmt::Display) -> Self {
        ShapeError(format!("{op}: needs {rule}; got {got}"))
    }

    /// Adds a hint at the commonest cause.
    #[must_use]
    pub fn hint(self, hint: impl fmt::Display) -> Self {
        ShapeError(format!("{}; {hint}", self.0))
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ShapeError {}

/// The value, or a panic at the caller's line with the error's text.
#[track_caller]
pub(crate) fn or_panic<V, E: fmt::Display>(result: Result<V, E>) -> V {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// The number of elements of a shape.
///
/// # Panics
/// When the number does not fit into `usize`.
#[track_caller]
pub fn numel(shape: &[usize]) -> usize {
    match shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) {
        Some(n) => n,
        // A zero further right makes the product zero after all.
        None if shape.contains(&0) => 0,
        None => panic!("shape: needs a number of elements below 2^{}; got {shape:?}", usize::BITS),
    }
}

/// Row-major strides of a shape.
pub fn contiguous_strides(shape: &[usize]) -> Strides {
    let mut strides = Strides::new(&[0; MAX_RANK][..shape.len()]);
    let mut step = 1isize;
    for axis in (0..shape.len()).rev() {
        strides[axis] = step;
        step *= shape[axis].max(1) as isize;
    }
    strides
}

/// The shape that NumPy's broadcasting gives two operands of `op`: aligned at the last axis,
/// each pair of lengths equal or one of them 1.
///
/// # Errors
/// When a pair of lengths differs and none is 1.
pub fn broadcast(op: &str, a: &[usize], b: &[usize]) -> Result<Shape, ShapeError> {
    if a == b {
        return Ok(Shape::new(a));
    }
    let rank = a.len().max(b.len());
    let length = |shape: &[usize], axis: usize| match (axis + shape.len()).checked_sub(rank) {
        Some(own) => shape[own],
        None => 1,
    };
    let mut shape = Shape::default();
    for axis in 0..rank {
        match (length(a, axis), length(b, axis)) {
            (x, y) if x == y => shape.push(x),
            (1, y) => shape.push(y),
            (x, 1) => shape.push(x),
            _ => {
                let rule = "shapes that broadcast (equal lengths, or 1, from the last axis on)";
                return Err(ShapeError::new(op, rule, format!("{a:?} and {b:?}")));
            }
        }
    }
    Ok(shape)
}

/// The strides that make a tensor of `shape` and `strides` look like the broadcast shape `to`.
pub(crate) fn broadcast_strides(shape: &[usize], strides: &[isize], to: &[usize]) -> Strides {
    let lead = to.len() - shape.len();
    (0..to.len())
        .map(|axis| match axis.checked_sub(lead) {
            Some(own) if shape[own] == to[axis] => strides[own],
            _ => 0,
        })
        .collect()
}

/// The strides with which a tensor of another shape reads the same elements in the same order,
/// if there are such.
pub(crate) fn view_strides(shape: &[usize], strides: &[isize], to: &[usize]) -> Option<Strides> {
    if shape.contains(&0) {
        return None;
    }
    let mut found = Strides::new(&[0; MAX_RANK][..to.len()]);
    // The axes still to be laid out, from the last; stretches of the old axes, each of which walks
    // memory in equal steps.
    let (mut left, mut axis) = (to.len(), shape.len());
    while axis > 0 {
        if shape[axis - 1] == 1 {
            axis -= 1;
            continue;
        }
        let step = strides[axis - 1];
        let mut len = 1;
        while axis > 0 && (shape[axis - 1] == 1 || strides[axis - 1] == step * len as isize) {
            len *= shape[axis - 1];
            axis -= 1;
        }
        let mut laid = 1;
        while left > 0 && (laid < len || to[left - 1] == 1) {
            left -= 1;
            found[left] = step * laid as isize;
            laid *= to[left];
        }
        if laid != len {
            return None;
        }
    }
    to[..left].iter().all(|&n| n == 1).then_some(found)
}

/// An axis counted from the front, from one that may count from the back (-1 is the last).
///
/// # Errors
/// When there is no such axis.
pub fn axis_of(op: &str, dim: isize, rank: usize) -> Result<usize, ShapeError> {
    let axis = if dim < 0 { dim + rank as isize } else { dim };
    if axis < 0 || axis >= rank as isize {
        let rule = format!("a dim from {} to {}", -(rank as isize), rank as isize - 1);
        return Err(ShapeError::new(op, rule, dim));
    }
    Ok(axis as usize)
}

/// A choice of axes: one number, an array, a slice or a vector of them.
/// Negative numbers count from the last axis; an empty list means all axes.
pub trait IntoDims {
    /// The numbers, as given.
    fn into_dims(self) -> Axes<isize>;
}

impl IntoDims for isize {
    fn into_dims(self) -> Axes<isize> {
        Axes::new(&[self])
    }
}

impl<const N: usize> IntoDims for [isize; N] {
    fn into_dims(self) -> Axes<isize> {
        Axes::new(&self)
    }
}

impl IntoDims for &[isize] {
    fn into_dims(self) -> Axes<isize> {
        Axes::new(self)
    }
}

impl IntoDims for &Vec<isize> {
    fn into_dims(self) -> Axes<isize> {
        Axes::new(self)
    }
}

impl IntoDims for Axes<isize> {
    fn into_dims(self) -> Axes<isize> {
        self
    }
}

/// The lengths of axes: one number, an array, a slice or a vector of them.
pub trait IntoShape {
    /// The lengths, as given.
    fn into_shape(self) -> Shape;
}

impl IntoShape for usize {
    fn into_shape(self) -> Shape {
        Axes::new(&[self])
    }
}

impl<const N: usize> IntoShape for [usize; N] {
    fn into_shape(self) -> Shape {
        Axes::new(&self)
    }
}

impl IntoShape for &[usize] {
    fn into_shape(self) -> Shape {
        Axes::new(self)
    }
}

impl IntoShape for &Vec<usize> {
    fn into_shape(self) -> Shape {
        Axes::new(self)
    }
}

/// A set of axes of a tensor of some rank, as a mask per axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisSet {
    rank: usize,
    mask: [bool; MAX_RANK],
}

impl AxisSet {
    /// The axes named by `dims`; all of them when `dims` is empty.
    ///
    /// # Errors
    /// When an axis does not exist or is named twice.
    pub fn new(op: &str, dims: impl IntoDims, rank: usize) -> Result<Self, ShapeError> {
        let dims = dims.into_dims();
        let mut mask = [dims.is_empty(); MAX_RANK];
        for &dim in dims.iter() {
            let axis = axis_of(op, dim, rank)?;
            if mask[axis] {
                return Err(ShapeError::new(op, "each dim once", format!("{dims:?}")));
            }
            mask[axis] = true;
        }
        Ok(AxisSet { rank, mask })
    }

    /// Whether the set has this axis.
    pub fn contains(&self, axis: usize) -> bool {
        self.mask[axis]
    }

    /// The axes of the set, rising.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.rank).filter(|&axis| self.mask[axis])
    }

    /// The shape with the set's axes of length 1.
    pub fn kept(&self, shape: &[usize]) -> Shape {
        (0..self.rank).map(|axis| if self.mask[axis] { 1 } else { shape[axis] }).collect()
    }

    /// The shape without the set's axes.
    pub fn dropped(&self, shape: &[usize]) -> Shape {
        (0..self.rank).filter(|&axis| !self.mask[axis]).map(|axis| shape[axis]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_follows_numpy() {
        let check = |a: &[usize], b: &[usize], want: &[usize]| {
            assert_eq!(&broadcast("add", a, b).unwrap()[..], want);
            assert_eq!(&broadcast("add", b, a).unwrap()[..], want);
        };
        check(&[], &[], &[]);
        check(&[3], &[], &[3]);
        check(&[2, 3], &[3], &[2, 3]);
        check(&[2, 1], &[1, 3], &[2, 3]);
        check(&[0, 3], &[1, 1], &[0, 3]);
        check(&[5, 1, 4], &[3, 1], &[5, 3, 4]);
    }

    #[test]
    fn broadcasting_refuses_with_both_shapes() {
        let error = broadcast("add", &[2, 3], &[4]).unwrap_err().to_string();
        assert!(
            error.starts_with("add: needs") && error.ends_with("got [2, 3] and [4]"),
            "{error}"
        );
    }

    #[test]
    fn axes_insert_and_remove() {
        let mut shape = Shape::new(&[2, 3]);
        shape.insert(1, 7);
        assert_eq!(&shape[..], [2, 7, 3]);
        assert_eq!(shape.remove(0), 2);
        assert_eq!(&shape[..], [7, 3]);
    }

    #[test]
    fn numel_of_zero_and_overflow() {
        assert_eq!(numel(&[usize::MAX, 2, 0]), 0);
        assert!(std::panic::catch_unwind(|| numel(&[usize::MAX, 2])).is_err());
    }
}
