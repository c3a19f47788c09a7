//! [`Tensor`]: a value of any number of axes, which may carry the node of the graph that made it.

use std::sync::Arc;

use backstitch_kernels::{Buffer, Element, Float, View, copy};

use crate::graph::Node;
use crate::shape::{Shape, Strides, broadcast_strides, contiguous_strides, numel};

/// An array of numbers: a cheap handle on a buffer that nobody changes while it is shared.
///
/// `Tensor` is a value. Cloning it, transposing it or taking a slice of it copies no elements;
/// changing elements ([`Tensor::data_mut`]) copies them first if anyone else can see them.
/// A tensor of floats may carry a node of the graph that computed it, and then
/// [`backward`](Tensor::backward) finds its derivatives.
///
/// `T` is `f32` (the default) or `f64` for numbers that can be differentiated, `i64` for labels
/// and indices, `bool` for masks, `u8` for raw pixels.
///
/// # Examples
/// ```
/// use backstitch_tensor::Tensor;
///
/// let x = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
/// let y = x.transpose(0, 1) + 1.0;
/// assert_eq!(y.shape(), [2, 2]);
/// assert_eq!(y.to_vec(), [2.0, 4.0, 3.0, 5.0]);
/// ```
pub struct Tensor<T: Element = f32> {
    storage: Arc<Buffer<T>>,
    shape: Shape,
    strides: Strides,
    offset: usize,
    node: Option<Arc<Node<T>>>,
}

impl<T: Element> Clone for Tensor<T> {
    fn clone(&self) -> Self {
        Tensor { storage: self.storage.clone(), node: self.node.clone(), ..*self }
    }
}

/// What a tensor holds and how it is laid out.
impl<T: Element> Tensor<T> {
    /// The lengths of the axes, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }

    /// The length of one axis; negative numbers count from the last.
    ///
    /// # Panics
    /// When there is no such axis.
    #[track_caller]
    pub fn size(&self, dim: isize) -> usize {
        self.shape[crate::shape::or_panic(crate::shape::axis_of("size", dim, self.rank()))]
    }

    /// How many elements lie between neighbours along each axis.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Whether the elements lie in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        let mut step = 1;
        for axis in (0..self.rank()).rev() {
            if self.shape[axis] != 1 {
                if self.strides[axis] != step {
                    return self.numel() == 0;
                }
                step *= self.shape[axis] as isize;
            }
        }
        true
    }

    /// The elements in row-major order, where they lie so; `None` for other layouts.
    pub fn as_slice(&self) -> Option<&[T]> {
        let len = self.numel();
        match len {
            0 => Some(&[]),
            _ => self.is_contiguous().then(|| &self.storage[self.offset..self.offset + len]),
        }
    }

    /// The elements in row-major order, copied.
    pub fn to_vec(&self) -> Vec<T> {
        match self.as_slice() {
            Some(data) => data.to_vec(),
            None => self.contiguous().to_vec(),
        }
    }

    /// The only element of a tensor that has one.
    ///
    /// # Panics
    /// When the tensor has more elements, or none.
    #[track_caller]
    pub fn item(&self) -> T {
        assert!(self.numel() == 1, "item: needs one element; got shape {:?}", self.shape());
        self.storage[self.offset]
    }

    /// The element at `idx`, one number per axis.
    ///
    /// # Panics
    /// When `idx` has another length than the shape, or lies outside.
    #[track_caller]
    pub fn at(&self, idx: &[usize]) -> T {
        let inside = idx.len() == self.rank() && idx.iter().zip(self.shape()).all(|(i, n)| i < n);
        assert!(inside, "at: needs an index inside {:?}; got {idx:?}", self.shape());
        let step: isize = idx.iter().zip(self.strides()).map(|(&i, &s)| i as isize * s).sum();
        self.storage[(self.offset as isize + step) as usize]
    }

    /// The elements and their layout, for a kernel.
    pub fn view(&self) -> View<'_, T> {
        View::new(&self.storage, self.offset, &self.shape, &self.strides)
    }

    /// The same values in row-major order; the tensor itself where they lie so already.
    /// Outside the graph: ops use it, users need not.
    pub(crate) fn contiguous(&self) -> Tensor<T> {
        if self.is_contiguous() {
            return self.detach();
        }
        Tensor::build(&self.shape, |out| copy::copy(self.view(), out))
    }

    /// A tensor whose elements `fill` writes, all of them, in row-major order.
    pub fn build(shape: &[usize], fill: impl FnOnce(&mut [T])) -> Tensor<T> {
        let mut buffer = Buffer::unspecified(numel(shape));
        fill(&mut buffer);
        Tensor::from_buffer(buffer, shape)
    }

    /// A tensor that owns `buffer`, whose elements lie in row-major order.
    pub(crate) fn from_buffer(buffer: Buffer<T>, shape: &[usize]) -> Tensor<T> {
        debug_assert_eq!(buffer.len(), numel(shape));
        Tensor {
            storage: Arc::new(buffer),
            shape: Shape::new(shape),
            strides: contiguous_strides(shape),
            offset: 0,
            node: None,
        }
    }

    /// Another way to look at the same elements, outside the graph.
    pub(crate) fn relaid(&self, shape: Shape, strides: Strides, offset: usize) -> Tensor<T> {
        Tensor { storage: self.storage.clone(), shape, strides, offset, node: None }
    }

    /// The same elements in another row-major shape, outside the graph; copies if it must.
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Tensor<T> {
        debug_assert_eq!(self.numel(), numel(shape));
        let source = self.contiguous();
        source.relaid(Shape::new(shape), contiguous_strides(shape), source.offset)
    }

    /// A view with repeated elements, outside the graph; the shapes must broadcast.
    pub(crate) fn broadcast_view(&self, shape: &[usize]) -> Tensor<T> {
        let strides = broadcast_strides(&self.shape, &self.strides, shape);
        self.relaid(Shape::new(shape), strides, self.offset)
    }

    /// The offset of the first element in the buffer.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// The whole buffer that the tensor looks into.
    pub(crate) fn storage(&self) -> &[T] {
        &self.storage
    }

    /// The elements in row-major order, to change them in place.
    ///
    /// Copies them first where another tensor shares the buffer or the layout has gaps.
    /// The tensor leaves the graph: what changes has no derivative.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let mut x = Tensor::from([1.0, 2.0]);
    /// let y = x.clone();
    /// x.data_mut()[0] = 5.0;
    /// assert_eq!((x.to_vec(), y.to_vec()), (vec![5.0, 2.0], vec![1.0, 2.0]));
    /// ```
    pub fn data_mut(&mut self) -> &mut [T] {
        self.node = None;
        self.leaf_data_mut()
    }

    /// Like [`Tensor::data_mut`], for a tensor that is a leaf and stays one.
    pub(crate) fn leaf_data_mut(&mut self) -> &mut [T] {
        if !self.is_contiguous() || Arc::get_mut(&mut self.storage).is_none() {
            let node = self.node.take();
            *self = Tensor::build(&self.shape, |out| copy::copy(self.view(), out)).with_node(node);
        }
        let len = self.numel();
        let start = if len == 0 { 0 } else { self.offset };
        let storage = Arc::get_mut(&mut self.storage).expect("the buffer was just made unique");
        &mut storage[start..start + len]
    }

    /// Whether both tensors look into the same buffer.
    pub fn shares_buffer(&self, other: &Tensor<T>) -> bool {
        Arc::ptr_eq(&self.storage, &other.storage)
    }

    /// Whether nobody else holds the buffer, so that [`Tensor::data_mut`] would not copy.
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.storage) == 1
    }

    /// The same values outside the graph: no gradient flows through the result.
    ///
    /// This is the only way in which Backstitch stops a gradient; others call it `stop_gradient`.
    pub fn detach(&self) -> Tensor<T> {
        Tensor { storage: self.storage.clone(), node: None, ..*self }
    }

    /// Whether the tensor was computed from something that wants a gradient.
    pub fn is_tracked(&self) -> bool {
        self.node.is_some()
    }

    pub(crate) fn node(&self) -> Option<&Arc<Node<T>>> {
        self.node.as_ref()
    }

    pub(crate) fn with_node(mut self, node: Option<Arc<Node<T>>>) -> Tensor<T> {
        self.node = node;
        self
    }
}

/// What only numbers with derivatives can do.
impl<T: Float> Tensor<T> {
    /// The same values as a fresh start of the graph: a leaf, whose gradient
    /// [`backward`](Tensor::backward) finds.
    ///
    /// # Examples
    /// ```
    /// use backstitch_tensor::Tensor;
    ///
    /// let x = Tensor::from([3.0, 4.0]).leaf();
    /// let grads = (&x * &x).sum().backward();
    /// assert_eq!(grads.get(&x).unwrap().to_vec(), [6.0, 8.0]);
    /// ```
    pub fn leaf(&self) -> Tensor<T> {
        self.detach().with_node(Some(Node::leaf()))
    }
}

/// The elements of a tensor that is known to be contiguous, for a kernel.
pub(crate) fn data<T: Element>(x: &Tensor<T>) -> &[T] {
    x.as_slice().expect("made contiguous")
}
