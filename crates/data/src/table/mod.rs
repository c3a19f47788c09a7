//! `Table`: rows and named columns of text, read from CSV; numbers and classes are made on demand.

mod encoder;
mod read;
mod saved;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use backstitch_tensor::Tensor;

pub use encoder::{Encoder, Feature, FittedFeature, Missing, Scale};
pub use read::CsvOptions;

use crate::Error;
use crate::error::{listed, quoted};

/// Rows and named columns. Cells stay text until they are asked for as numbers or classes, so
/// that nothing is guessed; what does not fit is reported with file, line and column.
///
/// A selection of rows ([`Table::select`]) shares the cells.
///
/// # Examples
/// ```
/// use backstitch_data::{CsvOptions, Table};
/// let csv = b"size,colour,price\n10,red,1.5\n20,,3\n";
/// let table = Table::parse(csv, &CsvOptions::default())?;
/// assert_eq!(table.tensor(&["size", "price"])?.to_vec(), [10.0, 1.5, 20.0, 3.0]);
/// assert_eq!(table.words("colour")?, [Some("red"), None]);
/// let error = table.numbers("colour").unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column `colour`: expected a finite number, found `red`");
/// # Ok::<(), backstitch_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    cells: Arc<Cells>,
    rows: Arc<[usize]>,
}

/// All cells of a file.
#[derive(Debug)]
struct Cells {
    file: Option<Box<Path>>,
    names: Vec<String>,
    /// The line in the file at which each row begins.
    lines: Vec<u64>,
    /// The text of all cells, row by row.
    text: String,
    /// Where the text of each cell ends.
    ends: Vec<usize>,
    missing: Vec<bool>,
}

impl Table {
    /// Reads a CSV file, plain or gzipped (told by its first bytes, not by its name).
    ///
    /// # Errors
    /// As [`Table::parse`], with the file's name in front.
    pub fn read(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Table, Error> {
        let path = path.as_ref();
        let stream = crate::file::open(path)?;
        let cells = read::read_cells(stream, options, Some(path));
        cells.map(Table::new).map_err(|error| error.in_file(path))
    }

    /// Parses the bytes of a CSV file, plain or gzipped.
    ///
    /// # Errors
    /// No header where there should be one, a column name that occurs twice, a line with another
    /// number of fields than the first, text that is not UTF-8, broken gzip.
    pub fn parse(bytes: &[u8], options: &CsvOptions) -> Result<Table, Error> {
        let stream = crate::file::plain_stream(bytes).map_err(Error::other)?;
        read::read_cells(stream, options, None).map(Table::new)
    }

    /// A table of cells in memory, such as a request to a service; `None` is missing, and so is
    /// an empty text.
    ///
    /// # Errors
    /// A column name that occurs twice.
    ///
    /// # Examples
    /// ```
    /// use backstitch_data::Table;
    ///
    /// let row = Table::from_rows(["size", "colour"], &[[None, Some("red, and blue")]])?;
    /// assert_eq!(row.words("colour")?, [Some("red, and blue")]);
    /// # Ok::<(), backstitch_data::Error>(())
    /// ```
    pub fn from_rows<const K: usize>(
        columns: [&str; K],
        rows: &[[Option<&str>; K]],
    ) -> Result<Table, Error> {
        let twice = |at: &usize| columns[..*at].contains(&columns[*at]);
        if let Some(at) = (0..K).find(twice) {
            return Err(read::repeated("columns", columns[at]));
        }
        let (mut text, mut ends, mut missing) = (String::new(), Vec::new(), Vec::new());
        for cell in rows.as_flattened() {
            text.push_str(cell.unwrap_or_default());
            ends.push(text.len());
            missing.push(cell.is_none_or(str::is_empty));
        }
        let names = columns.map(String::from).to_vec();
        let lines = (1..=rows.len() as u64).collect();
        Ok(Table::new(Cells { file: None, names, lines, text, ends, missing }))
    }

    fn new(cells: Cells) -> Table {
        let rows = (0..cells.lines.len()).collect();
        Table { cells: Arc::new(cells), rows }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.cells.names
    }

    /// Some rows, in the order of `indices`.
    ///
    /// # Panics
    /// If an index is not below [`Table::rows`].
    #[must_use]
    #[track_caller]
    pub fn select(&self, indices: &[usize]) -> Table {
        let count = self.rows();
        let select = |&index: &usize| {
            assert!(index < count, "select: needs indices below {count}; got {index}");
            self.rows[index]
        };
        Table { cells: self.cells.clone(), rows: indices.iter().map(select).collect() }
    }

    /// A column as text; `None` where it is missing.
    ///
    /// # Errors
    /// There is no such column.
    pub fn words(&self, column: &str) -> Result<Vec<Option<&str>>, Error> {
        let at = self.find(column)?;
        Ok(self.rows.iter().map(|&row| self.cells.get(row, at)).collect())
    }

    /// A column as numbers; `None` where it is missing.
    ///
    /// # Errors
    /// There is no such column, or a cell is not a finite number.
    pub fn numbers(&self, column: &str) -> Result<Vec<Option<f64>>, Error> {
        let at = self.find(column)?;
        let number = |&row: &usize| match self.cells.get(row, at) {
            None => Ok(None),
            Some(text) => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(self.misfit(row, at, "a finite number", &quoted(text))),
            },
        };
        self.rows.iter().map(number).collect()
    }

    /// Columns of numbers as a tensor (N, K).
    ///
    /// # Errors
    /// There is no such column, or a cell is missing or not a number of f32's range.
    pub fn tensor<C: AsRef<str>>(&self, columns: &[C]) -> Result<Tensor, Error> {
        let (rows, width) = (self.rows(), columns.len());
        let mut values = vec![0.0; rows * width];
        for (place, column) in columns.iter().enumerate() {
            for (row, value) in self.column(column.as_ref())?.into_iter().enumerate() {
                values[row * width + place] = value;
            }
        }
        Ok(Tensor::build(&[rows, width], |out| {
            out.copy_from_slice(&values);
        }))
    }

    /// A column of numbers as a tensor (N): the target of a regression.
    ///
    /// # Errors
    /// As [`Table::tensor`].
    pub fn target(&self, column: &str) -> Result<Tensor, Error> {
        let values = self.column(column)?;
        Ok(Tensor::build(&[values.len()], |out| {
            out.copy_from_slice(&values);
        }))
    }

    /// A column as class numbers (N): the target of a classification. `classes` gives the order;
    /// [`Table::classes`] finds them.
    ///
    /// # Errors
    /// There is no such column, or a cell is missing or not one of the classes.
    pub fn labels<C: AsRef<str>>(&self, column: &str, classes: &[C]) -> Result<Tensor<i64>, Error> {
        let at = self.find(column)?;
        let label = |&row: &usize| {
            let text = self.cells.get(row, at);
            let class = classes.iter().position(|class| Some(class.as_ref()) == text);
            class.map(|class| class as i64).ok_or_else(|| {
                let expected = format!("one of {}", listed(classes.iter().map(AsRef::as_ref)));
                self.misfit(row, at, &expected, &shown(text))
            })
        };
        let labels: Vec<i64> = self.rows.iter().map(label).collect::<Result<_, _>>()?;
        Ok(Tensor::build(&[labels.len()], |out| {
            out.copy_from_slice(&labels);
        }))
    }

    /// The distinct texts of a column in rising order, missing cells left out.
    ///
    /// # Errors
    /// There is no such column.
    pub fn classes(&self, column: &str) -> Result<Vec<String>, Error> {
        let distinct: BTreeSet<&str> = self.words(column)?.into_iter().flatten().collect();
        Ok(distinct.into_iter().map(str::to_string).collect())
    }

    /// Whether all cells of a column that are not missing read as numbers, NaN and infinities
    /// included, and there is one at least.
    ///
    /// # Errors
    /// There is no such column.
    pub fn is_numeric(&self, column: &str) -> Result<bool, Error> {
        let words = self.words(column)?;
        let mut present = words.into_iter().flatten().peekable();
        Ok(present.peek().is_some() && present.all(|text| text.parse::<f64>().is_ok()))
    }

    /// A column of numbers, none of them missing.
    fn column(&self, column: &str) -> Result<Vec<f32>, Error> {
        let at = self.find(column)?;
        let numbers = self.numbers(column)?;
        let narrow = |(number, &row): (Option<f64>, &usize)| {
            let narrow = number.map(|number| number as f32);
            narrow.filter(|number| number.is_finite()).ok_or_else(|| {
                let found = shown(self.cells.get(row, at));
                self.misfit(row, at, "a number of f32's range", &found)
            })
        };
        numbers.into_iter().zip(self.rows.iter()).map(narrow).collect()
    }

    fn find(&self, column: &str) -> Result<usize, Error> {
        let names = &self.cells.names;
        names.iter().position(|name| name == column).ok_or_else(|| {
            let expected = format!("a column {}", quoted(column));
            let found = listed(names.iter().map(String::as_str));
            self.in_file(Error::mismatch("columns", expected, found))
        })
    }

    /// The error of a cell, given by its row in the file.
    fn misfit(&self, row: usize, at: usize, expected: &str, found: &str) -> Error {
        let (line, name) = (self.cells.lines[row], &self.cells.names[at]);
        let place = format!("line {line}, column {}", quoted(name));
        self.in_file(Error::mismatch(place, expected, found))
    }

    fn in_file(&self, error: Error) -> Error {
        match &self.cells.file {
            Some(file) => error.in_file(file),
            None => error,
        }
    }
}

impl Cells {
    /// The text of a cell; `None` if it is missing.
    fn get(&self, row: usize, at: usize) -> Option<&str> {
        let cell = row * self.names.len() + at;
        if self.missing[cell] {
            return None;
        }
        let start = if cell == 0 { 0 } else { self.ends[cell - 1] };
        Some(&self.text[start..self.ends[cell]])
    }
}

/// A cell in a message.
fn shown(text: Option<&str>) -> String {
    text.map_or("a missing value".to_string(), quoted)
}
