//! CIFAR: never panics, and what parses is every byte. Stable twin: `crates/data/tests/cifar.rs`.

#![no_main]

use backstitch_data::cifar;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(images) = cifar::parse(bytes, 10) {
        let records = images.labels().iter().zip(images.pixels().chunks_exact(3072));
        let again: Vec<u8> =
            records.flat_map(|(&label, pixels)| [&[label], pixels].concat()).collect();
        assert_eq!(again, bytes);
    }
});
