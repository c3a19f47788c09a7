//! Curves over epochs or steps.

use std::ops::Range;
use std::path::Path;

use backstitch_data::Error;
use plotters::prelude::*;

use super::{PALETTE, undrawable};
use crate::file::write_atomically;

/// A named line.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What the legend says.
    pub name: String,
    /// Its points, left to right. Points that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// Values at 1, 2, 3, ...
    pub fn new(name: impl Into<String>, values: &[f64]) -> Self {
        let points = values.iter().enumerate().map(|(i, &y)| ((i + 1) as f64, y)).collect();
        Curve { name: name.into(), points }
    }
}

/// Draws lines with a title, labelled axes and a legend, as SVG.
///
/// # Errors
/// When no curve has a finite point, or the system cannot write the file.
pub fn curves(
    path: impl AsRef<Path>,
    title: &str,
    x_label: &str,
    curves: &[Curve],
) -> Result<(), Error> {
    let path = path.as_ref();
    let finite = |&(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
    let points = || curves.iter().flat_map(|curve| &curve.points).copied().filter(finite);
    let ranges = (padded(points().map(|(x, _)| x), 0.0), padded(points().map(|(_, y)| y), 0.05));
    let (Some(xs), Some(ys)) = ranges else {
        return Err(undrawable(path, "no finite point"));
    };
    let mut svg = String::new();
    draw(&mut svg, title, x_label, curves, xs, ys).map_err(|error| undrawable(path, error))?;
    write_atomically(path, svg.as_bytes())
}

/// The range of the values and a little more; `None` without values.
fn padded(values: impl Iterator<Item = f64>, part: f64) -> Option<Range<f64>> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let space = if high > low { (high - low) * part } else { 0.5 };
    (low <= high).then_some(low - space..high + space)
}

fn draw(
    svg: &mut String,
    title: &str,
    x_label: &str,
    curves: &[Curve],
    xs: Range<f64>,
    ys: Range<f64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, (720, 440)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(xs, ys)?;
    chart.configure_mesh().x_desc(x_label).light_line_style(WHITE).draw()?;
    for (curve, &color) in curves.iter().zip(PALETTE.iter().cycle()) {
        let points = curve.points.iter().copied().filter(|(_, y)| y.is_finite());
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(&curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_an_svg_with_all_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loss.svg");
        let lines =
            [Curve::new("train", &[1.0, 0.5, f64::NAN]), Curve::new("test", &[1.2, 0.7, 0.6])];
        curves(&path, "loss", "epoch", &lines).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("train") && svg.contains("epoch"));
        assert!(curves(&path, "loss", "epoch", &[Curve::new("none", &[f64::NAN])]).is_err());
    }
}
