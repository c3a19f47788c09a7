//! Vector math: elementary functions and activations on registers, with stated error bounds.
