//! [`Module`]: anything made of tensors, and [`Param`] and [`Running`], which layers keep them in.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Mutex;

use backstitch_kernels::{Element, Float};

use crate::tensor::Tensor;

/// A tensor that a layer owns and an optimizer changes.
///
/// Reads and calculates as a tensor wherever one is wanted. A clone is a parameter of its own:
/// gradients of the original do not reach it.
///
/// # Examples
/// ```
/// use backstitch_tensor::{Param, Tensor};
///
/// let w = Param::new(Tensor::from([1.0, 2.0]));
/// let grads = (&w * 3.0).sum().backward();
/// assert_eq!(grads.get(&w).unwrap().to_vec(), [3.0, 3.0]);
/// ```
pub struct Param<T: Float = f32> {
    value: Tensor<T>,
}

impl<T: Float> Param<T> {
    /// A trainable parameter with these values.
    pub fn new(value: Tensor<T>) -> Self {
        Param { value: value.leaf() }
    }

    /// Whether gradients reach the parameter.
    pub fn is_trainable(&self) -> bool {
        self.value.is_tracked()
    }

    /// The number of the parameter's leaf, by which [`Gradients`](crate::Gradients) know it: equal
    /// to no other in this process. `None` while the parameter is frozen, another one afterwards.
    pub fn leaf_id(&self) -> Option<u64> {
        self.value.node().map(|node| node.id)
    }

    /// Stops gradients and optimizers from reaching the parameter, or lets them again.
    pub fn set_trainable(&mut self, trainable: bool) {
        if trainable != self.is_trainable() {
            self.value = if trainable { self.value.leaf() } else { self.value.detach() };
        }
    }

    /// The elements, to change them in place; the parameter stays the same leaf.
    /// Copies them first where another tensor shares the buffer.
    pub fn data_mut(&mut self) -> &mut [T] {
        self.value.leaf_data_mut()
    }

    /// Replaces the values; the parameter stays the same leaf.
    ///
    /// # Panics
    /// When the shape differs.
    #[track_caller]
    pub fn set(&mut self, value: &Tensor<T>) {
        assert!(
            self.shape() == value.shape(),
            "Param::set: needs shape {:?}; got {:?}",
            self.shape(),
            value.shape()
        );
        let node = self.value.node().cloned();
        self.value = value.detach().with_node(node);
    }

    /// Puts a tensor with its node in place: how transforms follow a parameter through a graph.
    pub(crate) fn replace(&mut self, value: Tensor<T>) {
        self.value = value;
    }
}

impl<T: Float> Deref for Param<T> {
    type Target = Tensor<T>;
    fn deref(&self) -> &Tensor<T> {
        &self.value
    }
}

impl<T: Float> Borrow<Tensor<T>> for Param<T> {
    fn borrow(&self) -> &Tensor<T> {
        &self.value
    }
}

impl<T: Float> Clone for Param<T> {
    fn clone(&self) -> Self {
        let value = if self.is_trainable() { self.value.leaf() } else { self.value.detach() };
        Param { value }
    }
}

impl<T: Float> fmt::Debug for Param<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// A statistic that a layer updates in its forward, such as batch norm's running mean.
///
/// It is saved with the model, gets no gradient, and is copied when the model is cloned.
pub struct Running<T: Element = f32>(Mutex<Tensor<T>>);

impl<T: Element> Running<T> {
    /// A statistic that starts with these values.
    pub fn new(value: Tensor<T>) -> Self {
        Running(Mutex::new(value.detach()))
    }

    /// The present values.
    pub fn get(&self) -> Tensor<T> {
        self.lock().clone()
    }

    /// Replaces the values.
    pub fn set(&self, value: Tensor<T>) {
        *self.lock() = value.detach();
    }

    /// Replaces the values by a function of them; in place where nobody else sees them.
    pub fn update(&self, change: impl FnOnce(&mut Tensor<T>)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Tensor<T>> {
        self.0.lock().expect("no update of a running statistic panicked")
    }
}

impl<T: Element> Clone for Running<T> {
    fn clone(&self) -> Self {
        Running::new(self.get())
    }
}

impl<T: Element> fmt::Debug for Running<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// A tensor that a module holds, as a visitor sees it.
pub enum Slot<'a, T: Float = f32> {
    /// A parameter, trainable or frozen.
    Param(&'a Param<T>),
    /// A running statistic.
    Running(&'a Running<T>),
    /// A plain tensor.
    Tensor(&'a Tensor<T>),
}

/// A tensor that a module holds, to be changed.
pub enum SlotMut<'a, T: Float = f32> {
    /// A parameter, trainable or frozen.
    Param(&'a mut Param<T>),
    /// A running statistic.
    Running(&'a mut Running<T>),
    /// A plain tensor.
    Tensor(&'a mut Tensor<T>),
}

/// Anything made of tensors: a layer, a model, a tuple, a `Vec`, an array, a map from names.
///
/// Derive it; the fields' names, joined by dots, name the tensors, as in PyTorch. Fields without
/// tensors (sizes, rates) are passed over.
///
/// # Examples
/// ```
/// use backstitch_tensor::{Module, Tensor, grad};
///
/// // The gradient of a tree has the tree's type.
/// let pair = (Tensor::scalar(2.0), Tensor::scalar(5.0));
/// let (dx, dy) = grad(|(x, y): &(Tensor, Tensor)| x * y, &pair);
/// assert_eq!((dx.item(), dy.item()), (5.0, 2.0));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Module<{T}>`",
    label = "not made of tensors of `{T}`",
    note = "derive it with #[derive(Module)], or pass over the field with #[module(skip)]"
)]
pub trait Module<T: Float = f32> {
    /// Shows every tensor to the visitor, in order, each under its name.
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>);

    /// Shows every tensor to the visitor to be changed, in the same order and under the same names.
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>);
}

/// Walks a module; see [`Module::visit`] and [`for_each`].
pub struct Visitor<'v, 'a, T: Float> {
    path: Path,
    see: &'v mut dyn FnMut(&str, Slot<'a, T>),
}

impl<'a, T: Float> Visitor<'_, 'a, T> {
    /// Visits a part of the module under its name.
    pub fn field<M: Module<T> + ?Sized>(&mut self, name: impl fmt::Display, part: &'a M) {
        let outer = self.path.enter(name);
        part.visit(self);
        self.path.leave(outer);
    }

    /// Shows a tensor under the present name.
    pub fn slot(&mut self, slot: Slot<'a, T>) {
        (self.see)(&self.path.name, slot);
    }
}

/// Walks a module that may change; see [`Module::visit_mut`] and [`for_each_mut`].
pub struct VisitorMut<'v, 'a, T: Float> {
    path: Path,
    see: &'v mut dyn FnMut(&str, SlotMut<'a, T>),
}

impl<'a, T: Float> VisitorMut<'_, 'a, T> {
    /// Visits a part of the module under its name.
    pub fn field<M: Module<T> + ?Sized>(&mut self, name: impl fmt::Display, part: &'a mut M) {
        let outer = self.path.enter(name);
        part.visit_mut(self);
        self.path.leave(outer);
    }

    /// Shows a tensor under the present name.
    pub fn slot(&mut self, slot: SlotMut<'a, T>) {
        (self.see)(&self.path.name, slot);
    }
}

/// Where a visitor is, if anyone asks.
struct Path {
    name: String,
    /// Without names a walk costs no more than the visits.
    named: bool,
}

impl Path {
    fn new(named: bool) -> Self {
        Path { name: String::new(), named }
    }

    /// Appends a name; returns the length to cut the path back to.
    fn enter(&mut self, name: impl fmt::Display) -> usize {
        use fmt::Write;
        let outer = self.name.len();
        if self.named {
            let dot = if outer > 0 { "." } else { "" };
            write!(self.name, "{dot}{name}").expect("writing to a string cannot fail");
        }
        outer
    }

    fn leave(&mut self, outer: usize) {
        self.name.truncate(outer);
    }
}

/// Calls `see` with the dotted name and the slot of every tensor in `module`.
pub fn for_each<'a, T: Float, M: Module<T> + ?Sized>(
    module: &'a M,
    mut see: impl FnMut(&str, Slot<'a, T>),
) {
    module.visit(&mut Visitor { path: Path::new(true), see: &mut see });
}

/// Calls `see` with the dotted name and the slot of every tensor in `module`, to change them.
pub fn for_each_mut<'a, T: Float, M: Module<T> + ?Sized>(
    module: &'a mut M,
    mut see: impl FnMut(&str, SlotMut<'a, T>),
) {
    module.visit_mut(&mut VisitorMut { path: Path::new(true), see: &mut see });
}

/// Calls `see` with every parameter in `module`, in order, without spending time on names.
pub fn for_each_param<'a, T: Float, M: Module<T> + ?Sized>(
    module: &'a M,
    mut see: impl FnMut(&'a Param<T>),
) {
    let mut see = |_: &str, slot: Slot<'a, T>| {
        if let Slot::Param(param) = slot {
            see(param);
        }
    };
    module.visit(&mut Visitor { path: Path::new(false), see: &mut see });
}

/// Calls `see` with every parameter in `module`, in order, to change it; see [`for_each_param`].
pub fn for_each_param_mut<'a, T: Float, M: Module<T> + ?Sized>(
    module: &'a mut M,
    mut see: impl FnMut(&'a mut Param<T>),
) {
    let mut see = |_: &str, slot: SlotMut<'a, T>| {
        if let SlotMut::Param(param) = slot {
            see(param);
        }
    };
    module.visit_mut(&mut VisitorMut { path: Path::new(false), see: &mut see });
}

impl<T: Float> Module<T> for Tensor<T> {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
        visitor.slot(Slot::Tensor(self));
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
        visitor.slot(SlotMut::Tensor(self));
    }
}

/// Labels and masks are passed over.
macro_rules! without_gradients {
    ($($float:ty => $kind:ty),+) => {$(
        impl Module<$float> for Tensor<$kind> {
            fn visit<'a>(&'a self, _: &mut Visitor<'_, 'a, $float>) {}
            fn visit_mut<'a>(&'a mut self, _: &mut VisitorMut<'_, 'a, $float>) {}
        }
    )+};
}

without_gradients!(
    f32 => i64, f32 => bool, f32 => u8, f64 => i64, f64 => bool, f64 => u8
);

impl<T: Float> Module<T> for Param<T> {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
        visitor.slot(Slot::Param(self));
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
        visitor.slot(SlotMut::Param(self));
    }
}

impl<T: Float> Module<T> for Running<T> {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
        visitor.slot(Slot::Running(self));
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
        visitor.slot(SlotMut::Running(self));
    }
}

impl<T: Float, M: Module<T> + ?Sized> Module<T> for Box<M> {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
        (**self).visit(visitor);
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
        (**self).visit_mut(visitor);
    }
}

impl<T: Float, M: Module<T>> Module<T> for Option<M> {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
        if let Some(module) = self {
            module.visit(visitor);
        }
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
        if let Some(module) = self {
            module.visit_mut(visitor);
        }
    }
}

impl<T: Float, M: Module<T>> Module<T> for [M] {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
        for (i, module) in self.iter().enumerate() {
            visitor.field(i, module);
        }
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
        for (i, module) in self.iter_mut().enumerate() {
            visitor.field(i, module);
        }
    }
}

impl<T: Float, M: Module<T>> Module<T> for Vec<M> {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
        self.as_slice().visit(visitor);
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
        self.as_mut_slice().visit_mut(visitor);
    }
}

impl<T: Float, M: Module<T>, const N: usize> Module<T> for [M; N] {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
        self.as_slice().visit(visitor);
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
        self.as_mut_slice().visit_mut(visitor);
    }
}

impl<T: Float, M: Module<T>> Module<T> for BTreeMap<String, M> {
    fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
        for (name, module) in self {
            visitor.field(name, module);
        }
    }
    fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
        for (name, module) in self {
            visitor.field(name, module);
        }
    }
}

macro_rules! tuples {
    ($(($($name:ident $idx:tt),+))+) => {$(
        impl<T: Float, $($name: Module<T>),+> Module<T> for ($($name,)+) {
            fn visit<'a>(&'a self, visitor: &mut Visitor<'_, 'a, T>) {
                $(visitor.field($idx, &self.$idx);)+
            }
            fn visit_mut<'a>(&'a mut self, visitor: &mut VisitorMut<'_, 'a, T>) {
                $(visitor.field($idx, &mut self.$idx);)+
            }
        }
    )+};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

macro_rules! without_tensors {
    ($($kind:ty),+) => {$(
        impl<T: Float> Module<T> for $kind {
            fn visit<'a>(&'a self, _: &mut Visitor<'_, 'a, T>) {}
            fn visit_mut<'a>(&'a mut self, _: &mut VisitorMut<'_, 'a, T>) {}
        }
    )+};
}

without_tensors!(
    (),
    bool,
    char,
    u8,
    u16,
    u32,
    u64,
    usize,
    i8,
    i16,
    i32,
    i64,
    isize,
    f32,
    f64,
    String,
    &'static str
);

impl<T: Float, P> Module<T> for std::marker::PhantomData<P> {
    fn visit<'a>(&'a self, _: &mut Visitor<'_, 'a, T>) {}
    fn visit_mut<'a>(&'a mut self, _: &mut VisitorMut<'_, 'a, T>) {}
}
