//! Confusion matrices as coloured tables.

use std::path::Path;

use backstitch_data::Error;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::undrawable;
use crate::ConfusionMatrix;
use crate::file::write_atomically;

/// The side of a cell, in pixels.
const CELL: i32 = 46;
/// The space for the classes' names.
const MARGIN: i32 = 110;

/// Draws the matrix as SVG: true classes down, predicted classes across, darker for more.
///
/// # Errors
/// When there are more or fewer names than classes, or the system cannot write the file.
pub fn confusion_matrix(
    path: impl AsRef<Path>,
    matrix: &ConfusionMatrix,
    names: &[impl AsRef<str>],
) -> Result<(), Error> {
    let path = path.as_ref();
    if names.len() != matrix.classes() {
        let expected = format!("{} names of classes", matrix.classes());
        return Err(Error::mismatch("confusion matrix", expected, names.len().to_string()));
    }
    let mut svg = String::new();
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    draw(&mut svg, matrix, &names).map_err(|error| undrawable(path, error))?;
    write_atomically(path, svg.as_bytes())
}

fn draw(
    svg: &mut String,
    matrix: &ConfusionMatrix,
    names: &[&str],
) -> Result<(), Box<dyn std::error::Error>> {
    let side = (MARGIN + CELL * names.len() as i32 + 20) as u32;
    let root = SVGBackend::with_string(svg, (side, side)).into_drawing_area();
    root.fill(&WHITE)?;
    let font = ("sans-serif", 13).into_font();
    let centered = font.color(&BLACK).pos(Pos::new(HPos::Center, VPos::Center));
    let right = font.color(&BLACK).pos(Pos::new(HPos::Right, VPos::Center));
    root.draw(&Text::new("true \\ predicted", (MARGIN - 8, MARGIN / 2), right.clone()))?;
    for (class, name) in names.iter().enumerate() {
        let middle = MARGIN + CELL * class as i32 + CELL / 2;
        root.draw(&Text::new(*name, (MARGIN - 8, middle), right.clone()))?;
        let upward = font.transform(FontTransform::Rotate270).color(&BLACK);
        let upward = upward.pos(Pos::new(HPos::Left, VPos::Center));
        root.draw(&Text::new(*name, (middle, MARGIN - 8), upward))?;
    }
    for label in 0..names.len() {
        let row: usize = (0..names.len()).map(|predicted| matrix.count(label, predicted)).sum();
        for predicted in 0..names.len() {
            let count = matrix.count(label, predicted);
            let part = count as f64 / row.max(1) as f64;
            let (x, y) = (MARGIN + CELL * predicted as i32, MARGIN + CELL * label as i32);
            let cell = [(x, y), (x + CELL - 1, y + CELL - 1)];
            root.draw(&Rectangle::new(cell, RGBColor(0, 114, 178).mix(part).filled()))?;
            if count > 0 {
                let color = if part > 0.5 { WHITE } else { BLACK };
                let style = centered.color(&color);
                root.draw(&Text::new(count.to_string(), (x + CELL / 2, y + CELL / 2), style))?;
            }
        }
    }
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstitch_tensor::Tensor;

    #[test]
    fn writes_counts_and_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("confusion.svg");
        let mut matrix = ConfusionMatrix::new(2);
        matrix.add(&Tensor::from([[0.0f32, 1.0], [0.0, 2.0]]), &Tensor::from([0i64, 1]));
        confusion_matrix(&path, &matrix, &["cat", "dog"]).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        assert!(svg.contains("cat") && svg.contains("dog"));
        assert!(confusion_matrix(&path, &matrix, &["cat"]).is_err());
    }
}
