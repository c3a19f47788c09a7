//! [`History`]: a table with a row per epoch, kept as CSV.

use std::path::Path;

use backstitch_data::Error;

use crate::file;

/// A table of numbers: named columns, a row per epoch.
///
/// # Examples
/// ```
/// use backstitch_train::History;
///
/// let mut history = History::new(["epoch", "loss"]);
/// history.push([1.0, 0.5]);
/// assert_eq!(history.to_csv(), "epoch,loss\n1,0.5\n");
/// assert_eq!(history.column("loss").unwrap(), [0.5]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    columns: Vec<String>,
    rows: Vec<Vec<f64>>,
}

impl History {
    /// A table without rows.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        History { columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// When it has more or fewer numbers than there are columns.
    #[track_caller]
    pub fn push(&mut self, row: impl IntoIterator<Item = f64>) {
        let row: Vec<f64> = row.into_iter().collect();
        assert!(
            row.len() == self.columns.len(),
            "History: needs {} numbers a row; got {}",
            self.columns.len(),
            row.len()
        );
        self.rows.push(row);
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The rows.
    pub fn rows(&self) -> &[Vec<f64>] {
        &self.rows
    }

    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<Vec<f64>> {
        let at = self.columns.iter().position(|column| column == name)?;
        Some(self.rows.iter().map(|row| row[at]).collect())
    }

    /// The table as CSV, with a header. Numbers come back as the same bits.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let written = writer.write_record(&self.columns);
        written.expect("writing to memory cannot fail");
        for row in &self.rows {
            let written = writer.write_record(row.iter().map(f64::to_string));
            written.expect("rows have as many numbers as there are columns");
        }
        let bytes = writer.into_inner().expect("flushing to memory cannot fail");
        String::from_utf8(bytes).expect("names and numbers are text")
    }

    /// Writes the table as CSV; a crash leaves the old file or the new one.
    ///
    /// # Errors
    /// When the system cannot write there.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        file::write_atomically(path, self.to_csv().as_bytes())
    }

    /// Reads a table from CSV.
    ///
    /// # Errors
    /// When a line has more or fewer fields than the header, or a field is no number.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let refuse =
            |error: csv::Error| Error::mismatch("CSV", "a table of numbers", error.to_string());
        let columns: Vec<String> =
            reader.headers().map_err(refuse)?.iter().map(str::to_string).collect();
        let mut history = History::new(columns);
        for record in reader.records() {
            let record = record.map_err(refuse)?;
            let line = record.position().map_or(0, csv::Position::line);
            let number = |(column, field): (&String, &str)| {
                let place = || format!("line {line}, column {column:?}");
                field.parse::<f64>().map_err(|_| Error::mismatch(place(), "a number", field))
            };
            let row: Result<Vec<f64>, Error> =
                history.columns.iter().zip(&record).map(number).collect();
            history.rows.push(row?);
        }
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_round_trips_every_bit() {
        let mut history = History::new(["epoch", "loss, mean"]);
        history.push([1.0, 0.1 + 0.2]);
        history.push([2.0, f64::MIN_POSITIVE / 3.0]);
        assert_eq!(History::parse(&history.to_csv()).unwrap(), history);
    }

    #[test]
    fn words_and_short_lines_are_named() {
        let error = History::parse("a,b\n1,2\n3,x\n").unwrap_err().to_string();
        assert_eq!(error, "line 3, column \"b\": expected a number, found x");
        assert!(History::parse("a,b\n1\n").is_err());
    }
}
