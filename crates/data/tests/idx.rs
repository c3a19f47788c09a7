//! IDX: round trips, every kind of broken file, and a short fuzz run.

mod common;

use std::io::Write;

use backstitch_data::idx::{self, Idx, IdxData};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A header of u8 elements.
fn header(sizes: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes
}

fn any_idx() -> impl Strategy<Value = Idx> {
    let shapes = prop::collection::vec(0usize..5, 0..5);
    (shapes, 0..6, any::<[u8; 8]>()).prop_map(|(shape, kind, bits)| {
        let count = shape.iter().product();
        let mut word = u64::from_be_bytes(bits);
        let words: Vec<u64> = std::iter::repeat_with(|| {
            word = word.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            word >> 7
        })
        .take(count)
        .collect();
        let data = match kind {
            0 => IdxData::U8(words.iter().map(|&w| w as u8).collect()),
            1 => IdxData::I8(words.iter().map(|&w| w as i8).collect()),
            2 => IdxData::I16(words.iter().map(|&w| w as i16).collect()),
            3 => IdxData::I32(words.iter().map(|&w| w as i32).collect()),
            4 => IdxData::F32(words.iter().map(|&w| w as f32 - 1e9).collect()),
            _ => IdxData::F64(words.iter().map(|&w| w as f64 / 3.0).collect()),
        };
        Idx::new(&shape, data).unwrap()
    })
}

proptest! {
    #[test]
    fn bytes_round_trip_plain_and_gzipped(content in any_idx()) {
        let bytes = content.to_bytes().unwrap();
        prop_assert_eq!(&idx::parse(&bytes).unwrap(), &content);
        prop_assert_eq!(&idx::parse(&gzip(&bytes)).unwrap(), &content);
        prop_assert_eq!(content.to_f32().len(), content.data().len());
    }

    #[test]
    fn every_cut_and_every_addition_is_refused(content in any_idx(), cut: prop::sample::Index) {
        let bytes = content.to_bytes().unwrap();
        let short = &bytes[..cut.index(bytes.len())];
        prop_assert!(idx::parse(short).is_err());
        prop_assert!(idx::parse(&gzip(short)).is_err());
        let long = [&bytes[..], &[0]].concat();
        prop_assert!(idx::parse(&long).is_err());
        prop_assert!(idx::parse(&gzip(&long)).is_err());
        let zipped = gzip(&bytes);
        prop_assert!(idx::parse(&zipped[..cut.index(zipped.len())]).is_err());
    }
}

#[test]
fn each_fault_has_its_message() {
    let says = |bytes: &[u8], message: &str| {
        assert_eq!(idx::parse(bytes).unwrap_err().to_string(), message);
    };
    let magic =
        "byte 0: expected IDX magic 0x0000TTRR with type TT of 08, 09, 0b, 0c, 0d, 0e, found";
    says(b"", "byte 0: expected 4 bytes of IDX magic, found 0 bytes");
    says(b"PK\x03\x04", &format!("{magic} 0x504b0304"));
    says(&[0, 0, 0x0a, 1], &format!("{magic} 0x00000a01"));
    says(&[0, 1, 8, 1], &format!("{magic} 0x00010801"));
    says(&header(&[2, 3])[..9], "byte 4: expected 2 axis sizes of 4 bytes, found 5 bytes");
    says(&header(&[2, 3]), "byte 12: expected 6 bytes for u8 [2, 3], found 0");
    let long = [header(&[2]), vec![1, 2, 3]].concat();
    says(&long, "byte 10: expected the end after u8 [2], found more bytes");
    let zipped = gzip(&[header(&[2]), vec![1, 2]].concat());
    assert!(
        idx::parse(&zipped[..zipped.len() - 3]).unwrap_err().to_string().starts_with("content: ")
    );
}

/// Headers that claim terabytes are refused without the memory for them.
#[test]
fn huge_claims_cost_nothing() {
    let max = u32::MAX;
    for sizes in [
        vec![max],
        vec![max, 200],
        vec![max; 2],
        vec![max; 3],
        vec![max; 200],
        vec![max, max, max, 0],
    ] {
        let bytes = header(&sizes);
        assert!(idx::parse(&bytes).is_err() || sizes.contains(&0), "{sizes:?}");
        assert!(idx::parse(&gzip(&bytes)).is_err() || sizes.contains(&0), "{sizes:?}");
    }
    let error = idx::parse(&header(&[max, max, max, 0])).unwrap_err().to_string();
    assert!(error.starts_with("byte 4: expected sizes that fit into memory"), "{error}");
    assert!(idx::parse(&header(&[0, 28, 28])).unwrap().data().is_empty());
}

#[test]
fn files_are_written_whole_plain_or_gzipped() {
    let folder = tempfile::tempdir().unwrap();
    let content = Idx::new(&[2, 2], IdxData::I16(vec![1, -2, 300, -400])).unwrap();
    for (name, magic) in [("a-idx2-short", [0, 0]), ("a-idx2-short.gz", [0x1f, 0x8b])] {
        let path = folder.path().join(name);
        idx::write(&path, &content).unwrap();
        assert_eq!(std::fs::read(&path).unwrap()[..2], magic);
        assert_eq!(idx::read(&path).unwrap(), content);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    let broken = folder.path().join("broken");
    std::fs::write(&broken, b"nothing").unwrap();
    let error = idx::read(&broken).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: byte 0: expected", broken.display())), "{error}");
    assert!(!error.contains('\n'));
}

#[test]
fn shapes_and_elements_must_agree() {
    let error = Idx::new(&[2, 3], IdxData::U8(vec![0; 5])).unwrap_err().to_string();
    assert_eq!(error, "IDX data: expected as many elements as shape [2, 3] has, found 5");
    assert!(Idx::new(&[0; 256], IdxData::U8(vec![])).unwrap().to_bytes().is_err());
}

/// The stable twin of the fuzz target `idx`: never panics, and what parses round-trips.
#[test]
fn mutated_files_never_panic() {
    let plain = [header(&[3, 2, 2]), (0..12).collect()].concat();
    let floats = Idx::new(&[2], IdxData::F64(vec![1.5, -2.5])).unwrap().to_bytes().unwrap();
    let seeds = [gzip(&plain), plain, floats, header(&[0]), vec![]];
    let mut parsed = 0;
    for bytes in common::mutations(&seeds, 20_000) {
        if let Ok(content) = idx::parse(&bytes) {
            let again = content.to_bytes().unwrap();
            assert_eq!(idx::parse(&again).unwrap().to_bytes().unwrap(), again, "{bytes:?}");
            parsed += 1;
        }
    }
    assert!(parsed > 100, "only {parsed} mutations parse: they miss the interesting part");
}
