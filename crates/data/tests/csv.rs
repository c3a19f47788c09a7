//! CSV: the file's name in errors, whole files, a tabular pipeline, and a short fuzz run.

mod common;

use backstitch_data::{
    CsvOptions, Dataset, Encoder, Feature, Rng, Table, TensorDataset, check_finite, split,
};
use proptest::prelude::*;

const HOUSES: &str = "area,street,price\n100,paved,200\n50,gravel,90\n,paved,150\n80,NA,140\n70,paved,120\n90,gravel,160\n";

#[test]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("houses.csv");
    std::fs::write(&path, HOUSES.replace("90,gravel", "ninety,gravel")).unwrap();
    let table = Table::read(&path, &CsvOptions::default()).unwrap();
    let says = |error: backstitch_data::Error, message: &str| {
        assert_eq!(error.to_string(), format!("{}: {message}", path.display()));
    };
    says(
        table.tensor(&["area"]).unwrap_err(),
        "line 7, column `area`: expected a finite number, found `ninety`",
    );
    says(
        table.target("cost").unwrap_err(),
        "columns: expected a column `cost`, found `area`, `street`, `price`",
    );
    says(
        table.labels("street", &["paved"]).unwrap_err(),
        "line 3, column `street`: expected one of `paved`, found `gravel`",
    );
    std::fs::write(&path, "a,b\n1,2,3\n").unwrap();
    says(
        Table::read(&path, &CsvOptions::default()).unwrap_err(),
        "line 2: expected 2 fields as in the first line, found 3",
    );
}

/// The digits that are here: a file without a header, gzipped.
#[test]
fn the_embedded_digits_load() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/digits/digits.csv.gz");
    let options = CsvOptions { header: false, ..CsvOptions::default() };
    let table = Table::read(path, &options).unwrap();
    let pixels = table.tensor(&table.columns()[..64]).unwrap();
    assert_eq!(pixels.shape(), [1797, 64]);
    assert!(pixels.to_vec().iter().all(|x| (0.0..=16.0).contains(x)));
    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    let labels = table.labels("64", &digits).unwrap().to_vec();
    assert_eq!(labels[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
}

/// Row 11.2 of the course in small: features fitted on the training rows of each fold.
#[test]
fn a_tabular_pipeline_goes_by_folds() {
    let table = Table::parse(HOUSES.as_bytes(), &CsvOptions::default()).unwrap();
    let features = Feature::infer(&table, &["price"]).unwrap();
    assert_eq!(features, [Feature::number("area"), Feature::category("street")]);
    for fold in split::k_fold(table.rows(), 3, &mut Rng::seed(4)).unwrap() {
        let (train, test) = (table.select(&fold.train), table.select(&fold.test));
        let encoder = Encoder::fit(&train, &features).unwrap();
        let inputs = encoder.apply(&train).unwrap();
        check_finite(&inputs).unwrap();
        let column = |at: usize| inputs.to_vec().into_iter().skip(at).step_by(encoder.width());
        assert!(column(0).sum::<f32>().abs() < 1e-5);
        let data = TensorDataset::new(inputs.clone(), train.target("price").unwrap()).unwrap();
        assert_eq!(data.len(), 4);
        assert_eq!(encoder.apply(&test).unwrap().shape(), [2, encoder.width()]);
    }
}

#[test]
fn classes_are_numbered_in_order() {
    let table = Table::parse(HOUSES.as_bytes(), &CsvOptions::default()).unwrap();
    let classes = table.classes("street").unwrap();
    assert_eq!(classes, ["gravel", "paved"]);
    let known = table.select(&[5, 0]);
    assert_eq!(known.labels("street", &classes).unwrap().to_vec(), [0, 1]);
    let error = table.labels("street", &classes).unwrap_err().to_string();
    assert_eq!(
        error,
        "line 5, column `street`: expected one of `gravel`, `paved`, found a missing value"
    );
    assert!(table.target("area").unwrap_err().to_string().ends_with("found a missing value"));
}

proptest! {
    #[test]
    fn numbers_round_trip(rows in prop::collection::vec(prop::array::uniform3(prop::option::of(-1e30..1e30f64)), 0..20), quoted: bool) {
        let cell = |number: &Option<f64>| match number {
            Some(number) if quoted => format!("\"{number}\""),
            Some(number) => number.to_string(),
            None => "NA".to_string(),
        };
        let lines = rows.iter().map(|row| row.each_ref().map(cell).join(","));
        let text = std::iter::once("a,b,c".to_string()).chain(lines).collect::<Vec<_>>().join("\n");
        let table = Table::parse(text.as_bytes(), &CsvOptions::default()).unwrap();
        prop_assert_eq!(table.rows(), rows.len());
        for (at, column) in ["a", "b", "c"].into_iter().enumerate() {
            let expected: Vec<Option<f64>> = rows.iter().map(|row| row[at]).collect();
            prop_assert_eq!(table.numbers(column).unwrap(), expected);
        }
    }
}

/// The stable twin of the fuzz target `csv`: never panics, whatever is asked of the table.
#[test]
fn mutated_files_never_panic() {
    let saved = b"kind,column,fill,shift,divisor,category\nnumber,x,1,2,3,\nvalue,c,,,,a\n";
    let seeds =
        [HOUSES.as_bytes().to_vec(), saved.to_vec(), b"a;\"b\nb\"\n1;\"\"\"\"\n".to_vec(), vec![]];
    let mut encoded = 0;
    for bytes in common::mutations(&seeds, 20_000) {
        let _ = std::str::from_utf8(&bytes).map(Encoder::parse);
        for (header, delimiter) in [(true, b','), (false, b';')] {
            let options = CsvOptions { header, delimiter, ..CsvOptions::default() };
            let Ok(table) = Table::parse(&bytes, &options) else {
                continue;
            };
            let features = Feature::infer(&table, &[]).unwrap();
            if let Ok(encoder) = Encoder::fit(&table, &features) {
                let inputs = encoder.apply(&table).unwrap();
                assert_eq!(inputs.shape(), [table.rows(), encoder.names().len()], "{bytes:?}");
                encoded += 1;
            }
        }
    }
    assert!(encoded > 100, "only {encoded} mutations are encoded: they miss the interesting part");
}
