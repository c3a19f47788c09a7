//! Element-wise maps over views: arithmetic, elementary functions, activations, comparisons.
