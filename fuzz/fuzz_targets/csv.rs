//! CSV: never panics, whatever is asked of the table. Stable twin: `crates/data/tests/csv.rs`.

#![no_main]

use backstitch_data::{CsvOptions, Encoder, Feature, Table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = std::str::from_utf8(bytes).map(Encoder::parse);
    for (header, delimiter) in [(true, b','), (false, b';')] {
        let options = CsvOptions { header, delimiter, ..CsvOptions::default() };
        let Ok(table) = Table::parse(bytes, &options) else { continue };
        let features = Feature::infer(&table, &[]).unwrap();
        if let Ok(encoder) = Encoder::fit(&table, &features) {
            let inputs = encoder.apply(&table).unwrap();
            assert_eq!(inputs.shape(), [table.rows(), encoder.names().len()]);
        }
    }
});
