//! Meters, progress, history, pictures and checkpoints: helpers for a loop you can see.
