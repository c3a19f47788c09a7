//! CSV into cells, with the csv crate.

use std::collections::BTreeSet;
use std::io::{Chain, Read};
use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::Cells;
use crate::Error;
use crate::error::quoted;

/// How to read CSV.
#[derive(Clone, Debug)]
pub struct CsvOptions {
    /// Whether the first line holds the names of the columns; without it they are called `0`,
    /// `1`, ... On by default.
    pub header: bool,
    /// The byte between fields; a comma by default.
    pub delimiter: u8,
    /// Cells with one of these texts are missing: the empty one and `NA` by default, as R writes
    /// and pandas reads them. `NaN` is not among them, so that it is reported.
    pub missing: Vec<String>,
    /// Whether to cut white space around fields; on by default.
    pub trim: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions {
            header: true,
            delimiter: b',',
            missing: vec![String::new(), "NA".to_string()],
            trim: true,
        }
    }
}

/// Reads all cells. Errors do not name the file yet.
pub(super) fn read_cells(
    stream: impl Read,
    options: &CsvOptions,
    file: Option<&Path>,
) -> Result<Cells, Error> {
    let mut records = Records::new(stream, options);
    let mut more = records.advance()?;
    if !more && options.header {
        return Err(Error::mismatch("line 1", "a header", "nothing"));
    }
    let names = if options.header {
        header(&records)?
    } else {
        (0..records.record.len()).map(|at| at.to_string()).collect()
    };
    let mut cells = Cells {
        file: file.map(Into::into),
        names,
        lines: Vec::new(),
        text: String::new(),
        ends: Vec::new(),
        missing: Vec::new(),
    };
    if options.header {
        more = records.advance()?;
    }
    while more {
        cells.push(&records, &options.missing)?;
        more = records.advance()?;
    }
    Ok(cells)
}

/// The csv crate's reader, and the record that it stands at.
struct Records<R> {
    reader: csv::Reader<Chain<R, &'static [u8]>>,
    record: ByteRecord,
    /// The line at which the record begins.
    line: u64,
    trim: bool,
}

impl<R: Read> Records<R> {
    fn new(stream: R, options: &CsvOptions) -> Self {
        // A line break at the very end makes the last line like all others, see `advance`.
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(options.delimiter)
            .from_reader(stream.chain(&b"\n"[..]));
        Records { reader, record: ByteRecord::new(), line: 1, trim: options.trim }
    }

    /// Goes to the next record, if there is one.
    ///
    /// The csv crate's own position is that of the blank lines before a record. So the line is
    /// counted back from where the reader is afterwards: one line break that ends the record, and
    /// those inside its quotes.
    fn advance(&mut self) -> Result<bool, Error> {
        let more = self.reader.read_byte_record(&mut self.record);
        let more = more.map_err(|error| {
            let place = format!("after line {}", self.line);
            Error::mismatch(place, "readable CSV", error.to_string())
        })?;
        let breaks = self.record.as_slice().iter().filter(|&&byte| byte == b'\n');
        let after = self.reader.position().line();
        self.line = after.saturating_sub(1 + breaks.count() as u64).max(1);
        Ok(more)
    }

    fn fields(&self) -> impl Iterator<Item = Result<&str, Error>> {
        self.record.iter().enumerate().map(|(at, bytes)| {
            let text = std::str::from_utf8(bytes).map_err(|_| {
                let place = format!("line {}, field {}", self.line, at + 1);
                let found = format!("`{}`", bytes.escape_ascii());
                Error::mismatch(place, "UTF-8 text", found)
            })?;
            Ok(if self.trim { text.trim() } else { text })
        })
    }
}

/// Refuses a column name that occurs again.
pub(super) fn repeated(place: impl Into<String>, name: &str) -> Error {
    Error::mismatch(place, "distinct column names", format!("{} twice", quoted(name)))
}

fn header<R: Read>(records: &Records<R>) -> Result<Vec<String>, Error> {
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for name in records.fields() {
        // Excel marks UTF-8 with a byte order mark at the start.
        let name = name?.trim_start_matches('\u{feff}');
        if !seen.insert(name) {
            return Err(repeated(format!("line {}", records.line), name));
        }
        names.push(name.to_string());
    }
    Ok(names)
}

impl Cells {
    fn push<R: Read>(&mut self, records: &Records<R>, missing: &[String]) -> Result<(), Error> {
        let (expected, found) = (self.names.len(), records.record.len());
        if expected != found {
            let place = format!("line {}", records.line);
            let expected = format!("{expected} fields as in the first line");
            return Err(Error::mismatch(place, expected, found.to_string()));
        }
        self.lines.push(records.line);
        for field in records.fields() {
            let field = field?;
            self.text.push_str(field);
            self.ends.push(self.text.len());
            self.missing.push(missing.iter().any(|text| text == field));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{CsvOptions, Table};

    /// Parses with default options.
    fn parse(text: &str) -> Result<Table, crate::Error> {
        Table::parse(text.as_bytes(), &CsvOptions::default())
    }

    #[test]
    fn quotes_trimming_missing_and_byte_order_marks() {
        let table = parse("\u{feff}a, b ,c\n1,\"x,\ny\",NA\n , z ,3\n").unwrap();
        assert_eq!(table.columns(), ["a", "b", "c"]);
        assert_eq!(table.numbers("a").unwrap(), [Some(1.0), None]);
        assert_eq!(table.words("b").unwrap(), [Some("x,\ny"), Some("z")]);
        assert_eq!(table.numbers("c").unwrap(), [None, Some(3.0)]);
        let error = table.numbers("b").unwrap_err().to_string();
        assert_eq!(error, "line 2, column `b`: expected a finite number, found `x,\\ny`");
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let table = parse("a,b\n1,\"two\nlines\"\n\n2,x\n").unwrap();
        let error = table.select(&[1]).numbers("b").unwrap_err().to_string();
        assert!(error.starts_with("line 5, "), "{error}");
    }

    #[test]
    fn without_a_header_columns_are_numbers() {
        let options = CsvOptions { header: false, delimiter: b';', ..Default::default() };
        let table = Table::parse(b"1;2\n3;4\n", &options).unwrap();
        assert_eq!(table.tensor(&["1", "0"]).unwrap().to_vec(), [2.0, 1.0, 4.0, 3.0]);
        assert_eq!(Table::parse(b"", &options).unwrap().rows(), 0);
    }

    #[test]
    fn malformed_files_are_explained() {
        let says = |text: &[u8], message: &str| {
            let error = Table::parse(text, &CsvOptions::default()).unwrap_err();
            assert_eq!(error.to_string(), message);
        };
        says(b"", "line 1: expected a header, found nothing");
        says(b"a,b,a\n", "line 1: expected distinct column names, found `a` twice");
        says(b"a,b\n1,2\n3\n", "line 3: expected 2 fields as in the first line, found 1");
        says(b"a,b\n1,\xff\n", "line 2, field 2: expected UTF-8 text, found `\\xff`");
    }
}
