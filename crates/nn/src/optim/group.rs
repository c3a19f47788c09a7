//! [`Group`]: parameters that an optimizer treats apart from the rest.

use std::fmt;
use std::sync::Arc;

/// Parameters with a learning rate and a weight decay of their own, picked by name and shape.
///
/// A parameter belongs to the first group that picks it, or to none.
///
/// # Examples
/// No decay on biases and norms, which have one axis, and a slower pretrained part:
/// ```
/// use backstitch_nn::{AdamW, AdamWConfig, Group};
///
/// let groups = [
///     Group { weight_decay: Some(0.0), ..Group::new(|_, shape| shape.len() < 2) },
///     Group { lr_factor: 0.1, ..Group::new(|name, _| name.starts_with("backbone.")) },
/// ];
/// let optimizer: AdamW = AdamW::with_groups(AdamWConfig::default(), groups);
/// ```
#[derive(Clone)]
pub struct Group {
    /// Whether the group picks a parameter, by name and shape.
    #[allow(clippy::type_complexity, reason = "a function, spelled once")]
    pub picks: Arc<dyn Fn(&str, &[usize]) -> bool + Send + Sync>,
    /// Factor on the learning rate of each step.
    pub lr_factor: f64,
    /// The weight decay; `None` for the optimizer's.
    pub weight_decay: Option<f64>,
}

impl Group {
    /// A group of the parameters that `picks` picks by name and shape; as yet treated like the
    /// rest.
    pub fn new(picks: impl Fn(&str, &[usize]) -> bool + Send + Sync + 'static) -> Self {
        Group { picks: Arc::new(picks), lr_factor: 1.0, weight_decay: None }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("lr_factor", &self.lr_factor)
            .field("weight_decay", &self.weight_decay)
            .finish_non_exhaustive()
    }
}
