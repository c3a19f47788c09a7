//! [`Summary`]: a model as a table.

use std::fmt;

use backstitch_kernels::Float;
use backstitch_tensor::{Module, Slot, for_each};

/// A table of everything in a model; its `Display` is made for terminals.
///
/// # Examples
/// ```
/// use backstitch_nn::{Linear, ModuleExt};
/// use backstitch_tensor::Rng;
///
/// let fc: Linear = Linear::new(784, 10, &mut Rng::seed(0));
/// assert_eq!(
///     fc.summary().to_string(),
///     "name    kind   shape      elements  trainable\n\
///      weight  param  [10, 784]     7,840  yes\n\
///      bias    param  [10]             10  yes\n\
///      7,850 parameters, 7,850 of them trainable, 31.4 kB\n"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// One row per tensor, in order.
    pub rows: Vec<SummaryRow>,
}

/// A tensor of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow {
    /// Its dotted name.
    pub name: String,
    /// `param`, `running` or `tensor`.
    pub kind: &'static str,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether it is a parameter that is not frozen.
    pub trainable: bool,
    /// The size of an element in bytes.
    pub element_bytes: usize,
}

impl SummaryRow {
    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }
}

pub(super) fn summary<T: Float, M: Module<T> + ?Sized>(model: &M) -> Summary {
    let mut rows = Vec::new();
    for_each(model, |name, slot| {
        let (kind, shape, trainable) = match slot {
            Slot::Param(param) => ("param", param.shape().to_vec(), param.is_trainable()),
            Slot::Running(running) => ("running", running.get().shape().to_vec(), false),
            Slot::Tensor(x) => ("tensor", x.shape().to_vec(), false),
        };
        let (name, element_bytes) = (name.to_string(), T::DTYPE.size());
        rows.push(SummaryRow { name, kind, shape, trainable, element_bytes });
    });
    Summary { rows }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["name", "kind", "shape", "elements", "trainable"].map(String::from);
        let cells = |row: &SummaryRow| {
            let trainable = match (row.kind, row.trainable) {
                ("param", true) => "yes",
                ("param", false) => "no",
                _ => "",
            };
            [
                row.name.clone(),
                row.kind.to_string(),
                format!("{:?}", row.shape),
                grouped(row.numel()),
                trainable.to_string(),
            ]
        };
        let table: Vec<[String; 5]> =
            std::iter::once(header).chain(self.rows.iter().map(cells)).collect();
        let width = |column: usize| {
            table.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; 4] = std::array::from_fn(width);
        for [name, kind, shape, count, trainable] in &table {
            let [a, b, c, d] = widths;
            let line = format!("{name:a$}  {kind:b$}  {shape:c$}  {count:>d$}  {trainable}");
            writeln!(f, "{}", line.trim_end())?;
        }
        let params = || self.rows.iter().filter(|row| row.kind == "param");
        let total: usize = params().map(SummaryRow::numel).sum();
        let trainable: usize = params().filter(|r| r.trainable).map(SummaryRow::numel).sum();
        let bytes: usize = self.rows.iter().map(|row| row.numel() * row.element_bytes).sum();
        let (total, trainable) = (grouped(total), grouped(trainable));
        writeln!(f, "{total} parameters, {trainable} of them trainable, {}", size(bytes))
    }
}

/// A number with commas between thousands.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in decimal units.
fn size(bytes: usize) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.iter().find(|(unit, _)| bytes as f64 >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit),
        None => format!("{bytes} B"),
    }
}
