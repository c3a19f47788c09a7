//! `Encoder`: columns to features, fitted on training rows and applied to others.

use backstitch_tensor::Tensor;

use super::Table;
use crate::Error;

/// What to make of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Feature {
    /// One number.
    Number {
        /// The column.
        column: String,
        /// What to do where it is missing.
        missing: Missing,
        /// How to scale it.
        scale: Scale,
    },
    /// One number for each category seen in training: 1 for the cell's own, 0 for the others.
    /// Missing is a category too if it was seen. A category not seen in training gives all 0.
    Category {
        /// The column.
        column: String,
    },
}

/// What stands in for a number that is missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Missing {
    /// Nothing: it is an error.
    Refuse,
    /// The mean of the training rows.
    Mean,
    /// The median of the training rows.
    Median,
    /// This number.
    Value(f64),
}

/// How a number is scaled, after missing ones were filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Not at all.
    None,
    /// To mean 0 and standard deviation 1 over the training rows (`n` in the denominator, as
    /// scikit-learn's `StandardScaler`). A constant column becomes 0.
    Standard,
    /// To [0, 1] over the training rows. A constant column becomes 0.
    MinMax,
}

impl Feature {
    /// A number, missing ones filled with the mean, standardised.
    pub fn number(column: impl Into<String>) -> Feature {
        let column = column.into();
        Feature::Number { column, missing: Missing::Mean, scale: Scale::Standard }
    }

    /// A category, one-hot.
    pub fn category(column: impl Into<String>) -> Feature {
        Feature::Category { column: column.into() }
    }

    /// All columns except those named: [`Feature::number`] where all cells read as numbers,
    /// [`Feature::category`] elsewhere.
    ///
    /// # Errors
    /// A column in `except` that the table does not have.
    pub fn infer(table: &Table, except: &[&str]) -> Result<Vec<Feature>, Error> {
        for column in except {
            table.find(column)?;
        }
        let columns = table.columns().iter().filter(|column| !except.contains(&column.as_str()));
        let feature = |column: &String| match table.is_numeric(column)? {
            true => Ok(Feature::number(column)),
            false => Ok(Feature::category(column)),
        };
        columns.map(feature).collect()
    }
}

/// Columns to features (N, F), with everything that was learnt from the training rows.
///
/// # Examples
/// ```
/// use backstitch_data::{CsvOptions, Encoder, Feature, Table};
/// let csv = b"size,colour,price\n10,red,1\n30,blue,3\n,red,2\n";
/// let table = Table::parse(csv, &CsvOptions::default())?;
/// let encoder = Encoder::fit(&table, &Feature::infer(&table, &["price"])?)?;
/// assert_eq!(encoder.names(), ["size", "colour=blue", "colour=red"]);
/// let features = encoder.apply(&table.select(&[2, 1]))?;
/// // The size that is missing is the mean, 20, of size's mean 20.
/// assert_eq!(features.to_vec()[..3], [0.0, 0.0, 1.0]);
/// # Ok::<(), backstitch_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Encoder {
    /// The features, in the order of their columns in the result. [`Encoder::to_csv`] saves them.
    pub features: Vec<FittedFeature>,
}

/// A feature, and what was learnt about it from the training rows.
#[derive(Clone, Debug, PartialEq)]
pub enum FittedFeature {
    /// `(x - shift) / divisor`.
    Number {
        /// The column.
        column: String,
        /// What stands in for a missing number; `None` refuses it.
        fill: Option<f64>,
        /// What is subtracted.
        shift: f64,
        /// What it is divided by.
        divisor: f64,
    },
    /// One-hot.
    Category {
        /// The column.
        column: String,
        /// The categories in the order of their features; `None` is a missing cell.
        categories: Vec<Option<String>>,
    },
}

impl Encoder {
    /// Learns means, scales and categories from the training rows.
    ///
    /// # Errors
    /// A column that the table does not have; a cell that is not a number where one should be; a
    /// missing number that is to be refused; a mean or median of no numbers.
    pub fn fit(table: &Table, features: &[Feature]) -> Result<Encoder, Error> {
        let fit = |feature: &Feature| match feature {
            Feature::Number { column, missing, scale } => {
                fit_number(table, column, *missing, *scale)
            }
            Feature::Category { column } => {
                let words = table.words(column)?;
                let mut categories: Vec<Option<String>> =
                    words.into_iter().map(|word| word.map(str::to_string)).collect();
                categories.sort_unstable();
                categories.dedup();
                Ok(FittedFeature::Category { column: column.clone(), categories })
            }
        };
        let features = features.iter().map(fit).collect::<Result<_, Error>>()?;
        Ok(Encoder { features })
    }

    /// The features of a table (N, F): training rows or others.
    ///
    /// # Errors
    /// As [`Encoder::fit`], about this table.
    pub fn apply(&self, table: &Table) -> Result<Tensor, Error> {
        let (rows, width) = (table.rows(), self.width());
        let mut values = vec![0.0f32; rows * width];
        let mut at = 0;
        for feature in &self.features {
            feature.apply(table, values.get_mut(at..).unwrap_or_default(), width)?;
            at += feature.width();
        }
        Ok(Tensor::build(&[rows, width], |out| out.copy_from_slice(&values)))
    }

    /// The number of features F.
    pub fn width(&self) -> usize {
        self.features.iter().map(FittedFeature::width).sum()
    }

    /// The name of each feature: the column, or `column=category`.
    pub fn names(&self) -> Vec<String> {
        self.features.iter().flat_map(FittedFeature::names).collect()
    }
}

impl FittedFeature {
    fn width(&self) -> usize {
        match self {
            FittedFeature::Number { .. } => 1,
            FittedFeature::Category { categories, .. } => categories.len(),
        }
    }

    fn names(&self) -> Vec<String> {
        match self {
            FittedFeature::Number { column, .. } => vec![column.clone()],
            FittedFeature::Category { column, categories } => {
                let name = |category: &Option<String>| {
                    format!("{column}={}", category.as_deref().unwrap_or_default())
                };
                categories.iter().map(name).collect()
            }
        }
    }

    /// Writes the feature at the start of each row of `out`, which holds zeros.
    fn apply(&self, table: &Table, out: &mut [f32], width: usize) -> Result<(), Error> {
        match self {
            FittedFeature::Number { column, fill, shift, divisor } => {
                let numbers = filled(table, column, *fill)?;
                for (row, number) in numbers.into_iter().enumerate() {
                    out[row * width] = ((number - shift) / divisor) as f32;
                }
            }
            FittedFeature::Category { column, categories } => {
                for (row, word) in table.words(column)?.into_iter().enumerate() {
                    let seen = categories.iter().position(|category| category.as_deref() == word);
                    if let Some(at) = seen {
                        out[row * width + at] = 1.0;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A column of numbers with missing ones filled, or refused if there is nothing to fill with.
fn filled(table: &Table, column: &str, fill: Option<f64>) -> Result<Vec<f64>, Error> {
    let at = table.find(column)?;
    let fill_in = |(row, number): (usize, Option<f64>)| {
        number
            .or(fill)
            .ok_or_else(|| table.misfit(table.rows[row], at, "a number", "a missing value"))
    };
    table.numbers(column)?.into_iter().enumerate().map(fill_in).collect()
}

fn fit_number(
    table: &Table,
    column: &str,
    missing: Missing,
    scale: Scale,
) -> Result<FittedFeature, Error> {
    let mut present: Vec<f64> = table.numbers(column)?.into_iter().flatten().collect();
    present.sort_by(f64::total_cmp);
    let some = |fill: Option<f64>| {
        fill.map(Some).ok_or_else(|| {
            let place = format!("column `{column}`");
            table.in_file(Error::mismatch(place, "numbers to fill missing ones from", "none"))
        })
    };
    let fill = match missing {
        Missing::Refuse => None,
        Missing::Value(value) => Some(value),
        Missing::Mean => some(mean(&present))?,
        Missing::Median => some(median(&present))?,
    };
    let values = filled(table, column, fill)?;
    let (shift, divisor) = match scale {
        Scale::None => (0.0, 1.0),
        Scale::Standard => {
            let centre = mean(&values).unwrap_or(0.0);
            let squares: Vec<f64> = values.iter().map(|value| (value - centre).powi(2)).collect();
            (centre, mean(&squares).unwrap_or(0.0).sqrt())
        }
        Scale::MinMax => {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if low <= high { (low, high - low) } else { (0.0, 1.0) }
        }
    };
    let divisor = if divisor > 0.0 { divisor } else { 1.0 };
    Ok(FittedFeature::Number { column: column.to_string(), fill, shift, divisor })
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn median(sorted: &[f64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CsvOptions;

    fn table(text: &str) -> Table {
        Table::parse(text.as_bytes(), &CsvOptions::default()).unwrap()
    }

    fn number(missing: Missing, scale: Scale) -> [Feature; 1] {
        [Feature::Number { column: "x".to_string(), missing, scale }]
    }

    #[test]
    fn numbers_are_filled_then_scaled_by_training_rows_only() {
        let train = table("x\n1\n2\n\"\"\n6\n");
        let test = table("x\nNA\n10\n");
        let check = |missing, scale, expected: [f64; 2]| {
            let got = Encoder::fit(&train, &number(missing, scale)).unwrap().apply(&test).unwrap();
            assert_eq!(got.to_vec(), expected.map(|v| v as f32), "{missing:?} {scale:?}");
        };
        check(Missing::Mean, Scale::None, [3.0, 10.0]);
        check(Missing::Median, Scale::None, [2.0, 10.0]);
        check(Missing::Value(-1.0), Scale::None, [-1.0, 10.0]);
        // 1, 2, 3, 6: mean 3, squares 4 + 1 + 0 + 9 over 4.
        check(Missing::Mean, Scale::Standard, [0.0, 7.0 / 3.5f64.sqrt()]);
        check(Missing::Median, Scale::MinMax, [0.2, 1.8]);
    }

    #[test]
    fn constant_columns_become_0() {
        for scale in [Scale::Standard, Scale::MinMax] {
            let train = table("x\n5\n5\n");
            let got = Encoder::fit(&train, &number(Missing::Refuse, scale))
                .unwrap()
                .apply(&train)
                .unwrap();
            assert_eq!(got.to_vec(), [0.0, 0.0]);
        }
    }

    #[test]
    fn unseen_categories_are_0_and_missing_is_one_if_seen() {
        let features = [Feature::category("c"), Feature::number("x")];
        let encoder = Encoder::fit(&table("x,c\n1,b\n1,a\n1,NA\n"), &features).unwrap();
        assert_eq!(encoder.names(), ["c=", "c=a", "c=b", "x"]);
        let got = encoder.apply(&table("c,x\nb,1\nz,2\nNA,1\n")).unwrap();
        assert_eq!(got.shape(), [3, 4]);
        assert_eq!(got.to_vec(), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        let without = Encoder::fit(&table("c\na\n"), &[Feature::category("c")]).unwrap();
        assert_eq!(without.apply(&table("c\nNA\n")).unwrap().to_vec(), [0.0]);
    }

    #[test]
    fn what_cannot_be_encoded_is_named() {
        let refuse = number(Missing::Refuse, Scale::None);
        let error = Encoder::fit(&table("x\n1\nNA\n"), &refuse).unwrap_err().to_string();
        assert_eq!(error, "line 3, column `x`: expected a number, found a missing value");
        let encoder = Encoder::fit(&table("x\n1\n2\n"), &refuse).unwrap();
        let error = encoder.apply(&table("x\n1\nhouse\n")).unwrap_err().to_string();
        assert_eq!(error, "line 3, column `x`: expected a finite number, found `house`");
        let error = encoder.apply(&table("y,z\n1,2\n")).unwrap_err().to_string();
        assert_eq!(error, "columns: expected a column `x`, found `y`, `z`");
        let error = Encoder::fit(&table("x\nNA\n"), &number(Missing::Mean, Scale::None))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "column `x`: expected numbers to fill missing ones from, found none");
    }

    #[test]
    fn nan_in_a_column_of_numbers_is_reported_not_made_a_category() {
        let nan = table("x,y\n1,2\nNaN,3\n");
        let error =
            Encoder::fit(&nan, &Feature::infer(&nan, &["y"]).unwrap()).unwrap_err().to_string();
        assert_eq!(error, "line 3, column `x`: expected a finite number, found `NaN`");
    }

    #[test]
    fn tables_without_rows_or_features_work() {
        let encoder = Encoder::fit(&table("x\n1\n"), &[Feature::number("x")]).unwrap();
        assert_eq!(encoder.apply(&table("x\n")).unwrap().shape(), [0, 1]);
        let none = Encoder::fit(&table("x\n1\n"), &[]).unwrap();
        assert_eq!(none.apply(&table("x\n1\n2\n")).unwrap().shape(), [2, 0]);
    }
}
