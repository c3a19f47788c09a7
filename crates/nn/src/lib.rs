//! Layers, losses, initialisation, optimizers and schedules.
