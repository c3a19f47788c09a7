//! `View`: a strided, possibly broadcast, read-only window on a slice; and `Axes`, the loops that
//! walk several views in step.

use crate::element::Element;

/// The most axes that remain after mergeable ones are merged.
pub const MAX_AXES: usize = 16;

/// A strided window on a slice. Strides count elements; 0 repeats (broadcasts), negative ones
/// walk backwards. All offsets that the shape can reach are checked to lie in the slice.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T: Element> {
    data: &'a [T],
    offset: usize,
    layout: Layout<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Layout<'a> {
    /// All of the data, in order; takes on the shape of whatever it is combined with.
    Flat,
    /// One element, repeated; takes on the shape of whatever it is combined with.
    Scalar,
    Strided(&'a [usize], &'a [isize]),
}

impl<'a, T: Element> View<'a, T> {
    /// A window of `shape` that starts at `data[offset]`.
    ///
    /// # Panics
    /// If shape and strides differ in length, or an index of the shape falls outside of `data`.
    #[track_caller]
    pub fn new(data: &'a [T], offset: usize, shape: &'a [usize], strides: &'a [isize]) -> Self {
        assert!(
            shape.len() == strides.len(),
            "View: needs one stride per axis; got shape {shape:?} and strides {strides:?}"
        );
        if !shape.contains(&0) {
            let (mut first, mut last) = (offset as i128, offset as i128);
            for (&len, &stride) in shape.iter().zip(strides) {
                let reach = (len as i128 - 1) * stride as i128;
                first += reach.min(0);
                last += reach.max(0);
            }
            assert!(
                first >= 0 && last < data.len() as i128,
                "View: shape {shape:?} with strides {strides:?} from offset {offset} reaches \
                 {first}..={last}; got {} elements",
                data.len()
            );
        }
        View { data, offset, layout: Layout::Strided(shape, strides) }
    }

    /// All of a slice in order. It fits any shape of as many elements.
    pub fn flat(data: &'a [T]) -> Self {
        View { data, offset: 0, layout: Layout::Flat }
    }

    /// One value repeated. It fits any shape.
    pub fn scalar(value: &'a T) -> Self {
        View { data: std::slice::from_ref(value), offset: 0, layout: Layout::Scalar }
    }

    /// The elements as a slice, if they lie contiguously and in order.
    pub fn as_slice(&self) -> Option<&'a [T]> {
        match self.layout {
            Layout::Flat => Some(self.data),
            Layout::Scalar => None,
            Layout::Strided(shape, strides) => {
                let mut expected = 1isize;
                for (&len, &stride) in shape.iter().zip(strides).rev() {
                    if len == 0 {
                        return Some(&[]);
                    }
                    if len != 1 {
                        if stride != expected {
                            return None;
                        }
                        expected *= len as isize;
                    }
                }
                Some(&self.data[self.offset..self.offset + expected as usize])
            }
        }
    }

    /// The slice behind the view and the position of the view's first element in it; with
    /// [`Axes`], all that a strided loop needs.
    pub fn data(&self) -> (&'a [T], usize) {
        (self.data, self.offset)
    }
}

impl<'a, T: Element> From<&'a [T]> for View<'a, T> {
    fn from(data: &'a [T]) -> Self {
        View::flat(data)
    }
}

/// One loop over N operands in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis<const N: usize> {
    /// Number of steps.
    pub len: usize,
    /// How far each operand moves per step, in elements.
    pub strides: [isize; N],
}

/// The loops over N operands of one shape, outermost first, with axes of length 1 left out and
/// neighbours merged wherever every operand allows it. A contiguous operand merges with anything
/// into one axis of stride 1.
#[derive(Clone, Debug)]
pub struct Axes<const N: usize> {
    axes: [Axis<N>; MAX_AXES],
    rank: usize,
}

/// The part of a [`View`] that does not depend on the element type.
#[derive(Clone, Copy, Debug)]
pub struct Strides<'a> {
    len: usize,
    layout: Layout<'a>,
}

impl Strides<'_> {
    /// Fits any shape.
    pub(crate) const ANY: Self = Strides { len: 1, layout: Layout::Scalar };
}

impl<T: Element> View<'_, T> {
    /// The layout alone, for [`Axes::new`].
    pub fn strides(&self) -> Strides<'_> {
        Strides { len: self.data.len(), layout: self.layout }
    }
}

impl<const N: usize> Axes<N> {
    /// The loops over `operands`, which are views of one shape with `len` elements in all.
    ///
    /// # Panics
    /// If the shapes differ, or do not hold `len` elements, or more than [`MAX_AXES`] axes remain.
    #[track_caller]
    pub fn new(len: usize, operands: [Strides<'_>; N]) -> Self {
        let shape = common_shape(len, &operands);
        let mut axes = Axes { axes: [Axis { len: 0, strides: [0; N] }; MAX_AXES], rank: 0 };
        if len == 0 {
            axes.push(Axis { len: 0, strides: [1; N] });
            return axes;
        }
        let flat = [len];
        let shape = shape.unwrap_or(&flat);
        let mut inner = len;
        for (i, &axis_len) in shape.iter().enumerate() {
            inner /= axis_len;
            let strides = operands.map(|operand| match operand.layout {
                Layout::Flat => inner as isize,
                Layout::Scalar => 0,
                Layout::Strided(_, strides) => strides[i],
            });
            if axis_len != 1 {
                axes.push(Axis { len: axis_len, strides });
            }
        }
        if axes.rank == 0 {
            axes.push(Axis { len: 1, strides: [1; N] });
        }
        axes
    }

    /// Adds an axis inside of the others, merged with the last one if all operands allow it.
    #[track_caller]
    fn push(&mut self, axis: Axis<N>) {
        if let Some(last) = self.axes[..self.rank].last_mut() {
            let mergeable = (0..N).all(|i| last.strides[i] == axis.strides[i] * axis.len as isize);
            if mergeable {
                last.len *= axis.len;
                last.strides = axis.strides;
                return;
            }
        }
        assert!(self.rank < MAX_AXES, "Axes: needs at most {MAX_AXES} axes after merging");
        self.axes[self.rank] = axis;
        self.rank += 1;
    }

    /// The loops, outermost first; at least one.
    pub fn as_slice(&self) -> &[Axis<N>] {
        &self.axes[..self.rank]
    }

    /// The innermost loop.
    pub fn inner(&self) -> Axis<N> {
        self.axes[self.rank - 1]
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.as_slice().iter().map(|axis| axis.len).product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How far each operand has moved when the `row`-th run of the innermost loop begins.
    #[inline]
    pub fn row_offsets(&self, mut row: usize) -> [isize; N] {
        let mut offsets = [0; N];
        for axis in self.axes[..self.rank - 1].iter().rev() {
            let index = (row % axis.len) as isize;
            row /= axis.len;
            for (offset, stride) in offsets.iter_mut().zip(axis.strides) {
                *offset += index * stride;
            }
        }
        offsets
    }
}

/// The shape that all operands with a shape share; `None` if they all are flat or scalar.
#[track_caller]
pub(crate) fn common_shape<'a>(len: usize, operands: &[Strides<'a>]) -> Option<&'a [usize]> {
    let mut common: Option<&[usize]> = None;
    for operand in operands {
        match operand.layout {
            Layout::Scalar => {}
            Layout::Flat => assert!(
                operand.len == len,
                "Axes: needs {len} elements; got a flat view of {}",
                operand.len
            ),
            Layout::Strided(shape, _) => {
                assert!(
                    shape.iter().product::<usize>() == len,
                    "Axes: needs {len} elements; got shape {shape:?}"
                );
                let first = *common.get_or_insert(shape);
                assert!(first == shape, "Axes: needs one shape; got {first:?} and {shape:?}");
            }
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes_of(shape: &[usize], strides: &[&[isize]; 2]) -> Vec<(usize, [isize; 2])> {
        let data = vec![0.0f32; 1000];
        let views = strides.map(|s| View::new(&data, 500, shape, s));
        Axes::new(shape.iter().product(), [views[0].strides(), views[1].strides()])
            .as_slice()
            .iter()
            .map(|axis| (axis.len, axis.strides))
            .collect()
    }

    #[test]
    fn axes_merge_where_all_operands_allow_it() {
        assert_eq!(axes_of(&[2, 3, 4], &[&[12, 4, 1], &[12, 4, 1]]), [(24, [1, 1])]);
        assert_eq!(axes_of(&[2, 3, 4], &[&[12, 4, 1], &[0, 0, 1]]), [(6, [4, 0]), (4, [1, 1])]);
        assert_eq!(axes_of(&[2, 3, 4], &[&[12, 4, 1], &[0, 0, 0]]), [(24, [1, 0])]);
        assert_eq!(axes_of(&[2, 1, 4], &[&[4, 77, 1], &[-4, 9, -1]]), [(8, [1, -1])]);
        assert_eq!(axes_of(&[3, 4], &[&[1, 3], &[4, 1]]), [(3, [1, 4]), (4, [3, 1])]);
        assert_eq!(axes_of(&[0, 4], &[&[4, 1], &[1, 0]]), [(0, [1, 1])]);
        assert_eq!(axes_of(&[1, 1], &[&[4, 1], &[1, 0]]), [(1, [1, 1])]);
        assert_eq!(axes_of(&[], &[&[], &[]]), [(1, [1, 1])]);
    }

    #[test]
    fn flat_and_scalar_take_the_others_shape() {
        let data = [0.0f32; 12];
        let view = View::new(&data, 0, &[3, 4], &[1, 3]);
        let axes = Axes::new(
            12,
            [view.strides(), View::flat(&data).strides(), View::scalar(&data[0]).strides()],
        );
        let expected = [Axis { len: 3, strides: [1, 4, 0] }, Axis { len: 4, strides: [3, 1, 0] }];
        assert_eq!(axes.as_slice(), expected);
        assert_eq!(axes.row_offsets(2), [2, 8, 0]);
    }

    #[test]
    fn as_slice_finds_contiguous_windows() {
        let data: Vec<i64> = (0..24).collect();
        let window = View::new(&data, 6, &[2, 1, 3], &[3, 99, 1]);
        assert_eq!(window.as_slice(), Some(&data[6..12]));
        assert_eq!(View::new(&data, 0, &[3, 2], &[1, 3]).as_slice(), None);
        assert_eq!(View::new(&data, 0, &[5], &[0]).as_slice(), None);
        assert_eq!(View::new(&data, 24, &[0, 5], &[5, 1]).as_slice(), Some(&data[..0]));
        assert_eq!(View::flat(&data).as_slice(), Some(&data[..]));
    }

    #[test]
    #[should_panic(expected = "reaches -1..=0")]
    fn reaching_before_the_slice_is_refused() {
        View::new(&[1.0f32, 2.0], 0, &[2], &[-1]);
    }

    #[test]
    #[should_panic(expected = "reaches 0..=2")]
    fn reaching_behind_the_slice_is_refused() {
        View::new(&[1.0f32, 2.0], 0, &[2], &[2]);
    }

    #[test]
    #[should_panic(expected = "needs one shape; got [2, 3] and [3, 2]")]
    fn different_shapes_are_refused() {
        axes_of(&[2, 3], &[&[3, 1], &[3, 1]]);
        let data = [0.0f32; 6];
        let a = View::new(&data, 0, &[2, 3], &[3, 1]);
        let b = View::new(&data, 0, &[3, 2], &[2, 1]);
        Axes::new(6, [a.strides(), b.strides()]);
    }
}
