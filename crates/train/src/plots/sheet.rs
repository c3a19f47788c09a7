//! Sheets of small images, such as the worst mistakes of a classifier.

use std::path::Path;

use backstitch_data::Error;
use image::{ImageFormat, Rgb, RgbImage};

use super::undrawable;
use crate::file::write_atomically;

/// One image of a sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// Channels, height, width; one channel is grey, three are red, green and blue.
    pub shape: [usize; 3],
    /// Pixels, channel after channel, row after row.
    pub pixels: Vec<u8>,
    /// The colour of the frame: what the reader should know about the image at a glance.
    pub frame: [u8; 3],
}

/// Pixels of the sheet per pixel of an image.
const ZOOM: u32 = 3;
/// The width of a frame, and of the space around it.
const FRAME: u32 = 3;

/// Draws images in rows of `columns`, as PNG.
///
/// # Errors
/// When there are no images, they differ in shape or have other than 1 or 3 channels, or the
/// system cannot write the file.
pub fn sheet(path: impl AsRef<Path>, tiles: &[Tile], columns: usize) -> Result<(), Error> {
    let path = path.as_ref();
    let Some(first) = tiles.first() else {
        return Err(undrawable(path, "a sheet without images"));
    };
    let [channels, height, width] = first.shape;
    let fits =
        |tile: &Tile| tile.shape == first.shape && tile.pixels.len() == channels * height * width;
    if !matches!(channels, 1 | 3) || columns == 0 || !tiles.iter().all(fits) {
        return Err(undrawable(path, "images of different shapes, or not of 1 or 3 channels"));
    }
    let (cell_width, cell_height) =
        (width as u32 * ZOOM + 4 * FRAME, height as u32 * ZOOM + 4 * FRAME);
    let columns = columns.min(tiles.len());
    let rows = tiles.len().div_ceil(columns) as u32;
    let white = Rgb([255; 3]);
    let mut picture = RgbImage::from_pixel(columns as u32 * cell_width, rows * cell_height, white);
    for (i, tile) in tiles.iter().enumerate() {
        let corner = ((i % columns) as u32 * cell_width, (i / columns) as u32 * cell_height);
        draw(&mut picture, tile, corner);
    }
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(|error| undrawable(path, error))?;
    write_atomically(path, bytes.get_ref())
}

/// Draws one image with its frame.
fn draw(picture: &mut RgbImage, tile: &Tile, (left, top): (u32, u32)) {
    let [channels, height, width] = tile.shape;
    let (inner_width, inner_height) = (width as u32 * ZOOM, height as u32 * ZOOM);
    for y in 0..inner_height + 2 * FRAME {
        for x in 0..inner_width + 2 * FRAME {
            let inside = (FRAME..FRAME + inner_width).contains(&x)
                && (FRAME..FRAME + inner_height).contains(&y);
            let color = match inside {
                false => tile.frame,
                true => {
                    let (row, col) = ((y - FRAME) / ZOOM, (x - FRAME) / ZOOM);
                    let at = row as usize * width + col as usize;
                    [0, 1, 2].map(|c| tile.pixels[c.min(channels - 1) * height * width + at])
                }
            };
            picture.put_pixel(left + FRAME + x, top + FRAME + y, Rgb(color));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_png_of_the_expected_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        let tile = Tile { shape: [1, 2, 4], pixels: (0..8).collect(), frame: [255, 0, 0] };
        sheet(&path, &vec![tile.clone(); 5], 3).unwrap();
        let picture = image::open(&path).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (3 * 24, 2 * 18));
        assert_eq!(picture.get_pixel(3, 3), &Rgb([255, 0, 0]));
        assert_eq!(picture.get_pixel(6, 6), &Rgb([0; 3]));
        assert_eq!(picture.get_pixel(9, 6), &Rgb([1; 3]));
        assert!(sheet(&path, &[], 3).is_err());
        let odd = Tile { shape: [2, 2, 2], pixels: vec![0; 8], frame: [0; 3] };
        assert!(sheet(&path, &[tile, odd], 3).is_err());
    }
}
