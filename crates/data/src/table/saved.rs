//! An [`Encoder`] as text, to be saved beside the model that it belongs to.
//!
//! A CSV table with a line for each feature and for each category, in order: `number` has what
//! fills, shifts and divides; `category` is followed by its categories, `value` or `missing`.

use super::{CsvOptions, Encoder, FittedFeature, Table};
use crate::Error;
use crate::error::quoted;

const COLUMNS: [&str; 6] = ["kind", "column", "fill", "shift", "divisor", "category"];

impl Encoder {
    /// The encoder as CSV, for a file or a checkpoint. Numbers come back as the same bits.
    ///
    /// # Examples
    /// ```
    /// use backstitch_data::{CsvOptions, Encoder, Feature, Table};
    ///
    /// let table = Table::parse(b"size,colour\n10,red\n30,blue\n", &CsvOptions::default())?;
    /// let encoder = Encoder::fit(&table, &Feature::infer(&table, &[])?)?;
    /// assert_eq!(Encoder::parse(&encoder.to_csv())?, encoder);
    /// # Ok::<(), backstitch_data::Error>(())
    /// ```
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut line = |fields: [&str; 6]| {
            writer.write_record(fields).expect("writing to memory cannot fail");
        };
        line(COLUMNS);
        for feature in &self.features {
            match feature {
                FittedFeature::Number { column, fill, shift, divisor } => {
                    let fill = fill.map_or(String::new(), |fill| fill.to_string());
                    let (shift, divisor) = (shift.to_string(), divisor.to_string());
                    line(["number", column, &fill, &shift, &divisor, ""]);
                }
                FittedFeature::Category { column, categories } => {
                    line(["category", column, "", "", "", ""]);
                    for category in categories {
                        match category {
                            Some(text) => line(["value", column, "", "", "", text]),
                            None => line(["missing", column, "", "", "", ""]),
                        }
                    }
                }
            }
        }
        let bytes = writer.into_inner().expect("writing to memory cannot fail");
        String::from_utf8(bytes).expect("all fields are UTF-8")
    }

    /// The encoder from its CSV.
    ///
    /// # Errors
    /// What is no table of this form, named by line and column. Numbers must be finite.
    pub fn parse(text: &str) -> Result<Encoder, Error> {
        let options =
            CsvOptions { missing: vec![String::new()], trim: false, ..Default::default() };
        let table = Table::parse(text.as_bytes(), &options)?;
        let [kinds, columns, categories] =
            ["kind", "column", "category"].map(|name| table.words(name));
        let [fills, shifts, divisors] =
            ["fill", "shift", "divisor"].map(|name| table.numbers(name));
        let (kinds, columns, categories) = (kinds?, columns?, categories?);
        let (fills, shifts, divisors) = (fills?, shifts?, divisors?);
        let mut features = Vec::new();
        for row in 0..table.rows() {
            let refuse = |name: &str, expected: &str, found: &str| match table.find(name) {
                Ok(at) => table.misfit(row, at, expected, found),
                Err(error) => error,
            };
            let needed = |numbers: &[Option<f64>], name| {
                numbers[row].ok_or_else(|| refuse(name, "a number", "nothing"))
            };
            let column = columns[row].unwrap_or_default().to_string();
            match (kinds[row].unwrap_or_default(), features.last_mut()) {
                ("number", _) => features.push(FittedFeature::Number {
                    column,
                    fill: fills[row],
                    shift: needed(&shifts, "shift")?,
                    divisor: needed(&divisors, "divisor")?,
                }),
                ("category", _) => {
                    features.push(FittedFeature::Category { column, categories: Vec::new() });
                }
                ("value", Some(FittedFeature::Category { categories: seen, .. })) => {
                    seen.push(Some(categories[row].unwrap_or_default().to_string()));
                }
                ("missing", Some(FittedFeature::Category { categories, .. })) => {
                    categories.push(None);
                }
                (kind, _) => {
                    let rule = "`number`, `category`, or behind that `value` or `missing`";
                    return Err(refuse("kind", rule, &quoted(kind)));
                }
            }
        }
        Ok(Encoder { features })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn feature() -> impl Strategy<Value = FittedFeature> {
        let text = || prop_oneof![Just(String::new()), "[ a,\"\r\n=é]{1,4}", any::<String>()];
        let number = || prop::num::f64::NORMAL | prop::num::f64::ZERO;
        let numbers = (text(), prop::option::of(number()), number(), number());
        let categories = prop::collection::vec(prop::option::of(text()), 0..4);
        prop_oneof![
            numbers.prop_map(|(column, fill, shift, divisor)| {
                FittedFeature::Number { column, fill, shift, divisor }
            }),
            (text(), categories)
                .prop_map(|(column, categories)| FittedFeature::Category { column, categories }),
        ]
    }

    proptest! {
        #[test]
        fn comes_back_as_it_was(features in prop::collection::vec(feature(), 0..4)) {
            let encoder = Encoder { features };
            prop_assert_eq!(Encoder::parse(&encoder.to_csv()).unwrap(), encoder);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let says = |lines: &str, message: &str| {
            let text = format!("kind,column,fill,shift,divisor,category\n{lines}");
            assert_eq!(Encoder::parse(&text).unwrap_err().to_string(), message);
        };
        says("number,x,,1,,\n", "line 2, column `divisor`: expected a number, found nothing");
        says("number,x,,1,a,\n", "line 2, column `divisor`: expected a finite number, found `a`");
        let kinds = "`number`, `category`, or behind that `value` or `missing`";
        says("value,,,,,\n", &format!("line 2, column `kind`: expected {kinds}, found `value`"));
        let error = Encoder::parse("a,b\n").unwrap_err().to_string();
        assert_eq!(error, "columns: expected a column `kind`, found `a`, `b`");
    }
}
