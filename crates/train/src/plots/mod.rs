//! Pictures of a run: curves and confusion matrices as SVG, sheets of images as PNG.

mod confusion;
mod curves;
mod sheet;

pub use confusion::confusion_matrix;
pub use curves::{Curve, curves};
pub use sheet::{Tile, sheet};

use std::path::Path;

use backstitch_data::Error;
use plotters::style::RGBColor;

/// Colours that stay apart for readers who see few colours (Okabe and Ito, 2008).
const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// A picture that could not be drawn, as an error that names the file.
fn undrawable(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::mismatch("picture", "one that can be drawn", error.to_string()).in_file(path)
}
