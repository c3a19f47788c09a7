//! State dicts as safetensors files, such as PyTorch writes and reads.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use backstitch_data::Error;
use backstitch_nn::StateDict;
use backstitch_tensor::Float;

use crate::entry::{self, Entry};
use crate::file;

/// Reads the tensors of a safetensors file, whoever wrote it, for
/// [`load_state_dict`](backstitch_nn::ModuleExt::load_state_dict), which reports names that are
/// missing or unexpected.
///
/// Floats of 64, 32 and 16 bits (both kinds), whole numbers and truth values become the nearest
/// numbers of `T`: PyTorch counts batches in `num_batches_tracked` with whole numbers, we with
/// floats.
///
/// # Errors
/// When the file cannot be read, is no whole safetensors file, or has other element types.
///
/// # Examples
/// ```
/// use backstitch_nn::{Linear, ModuleExt};
/// use backstitch_tensor::Rng;
/// use backstitch_train::weights;
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("fc.safetensors");
/// let (saved, mut fc): (Linear, Linear) =
///     (Linear::new(3, 2, &mut Rng::seed(0)), Linear::new(3, 2, &mut Rng::seed(1)));
/// weights::save(&path, &saved.state_dict())?;
/// fc.load_state_dict(&weights::load(&path)?).expect("the same names and shapes");
/// assert_eq!(fc.weight.to_vec(), saved.weight.to_vec());
/// # Ok::<(), backstitch_data::Error>(())
/// ```
pub fn load<T: Float>(path: impl AsRef<Path>) -> Result<StateDict<T>, Error> {
    let path = path.as_ref();
    parse(&file::read(path)?).map_err(|error| error.in_file(path))
}

/// Reads the bytes of a file; never panics.
///
/// # Errors
/// As [`load`].
pub fn parse<T: Float>(bytes: &[u8]) -> Result<StateDict<T>, Error> {
    let (entries, _) = entry::deserialize(bytes)?;
    let tensor = |(name, entry): (String, Entry)| match entry.converted() {
        Some(x) => Ok((name, x)),
        None => Err(Error::mismatch(name, "real numbers", format!("{:?}", entry.dtype))),
    };
    entries.into_iter().map(tensor).collect()
}

/// Writes a state dict, whole or not at all; PyTorch's `safetensors.torch.load_file` reads it.
///
/// # Errors
/// When the system cannot write there.
pub fn save<T: Float>(path: impl AsRef<Path>, state: &StateDict<T>) -> Result<(), Error> {
    file::write_atomically(path, &to_bytes(state))
}

/// The bytes of the file.
pub fn to_bytes<T: Float>(state: &StateDict<T>) -> Vec<u8> {
    let entries: BTreeMap<String, Entry> =
        state.iter().map(|(name, x)| (name.clone(), Entry::new(x))).collect();
    // The format that others' readers look for.
    entry::serialize(&entries, HashMap::from([("format".to_string(), "pt".to_string())]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backstitch_tensor::Tensor;
    use safetensors::tensor::Dtype;

    /// A file of one tensor of three elements.
    fn file(dtype: Dtype, bytes: &[u8]) -> Vec<u8> {
        let entry = Entry { dtype, shape: vec![3], bytes: bytes.to_vec() };
        entry::serialize(&BTreeMap::from([("x".to_string(), entry)]), HashMap::new())
    }

    #[test]
    fn all_kinds_of_numbers_are_read() {
        let wide = |x: [u16; 3]| x.map(u16::to_le_bytes).concat();
        let files = [
            file(Dtype::F64, &[1.0f64, -2.5, 65504.0].map(f64::to_le_bytes).concat()),
            file(Dtype::F32, &[1.0f32, -2.5, 65504.0].map(f32::to_le_bytes).concat()),
            file(Dtype::F16, &wide([0x3c00, 0xc100, 0x7bff])),
        ];
        for file in files {
            assert_eq!(parse::<f32>(&file).unwrap()["x"].to_vec(), [1.0, -2.5, 65504.0]);
            assert_eq!(parse::<f64>(&file).unwrap()["x"].to_vec(), [1.0, -2.5, 65504.0]);
        }
        // The smallest and the largest of the subnormal numbers, and infinity.
        let small = parse::<f32>(&file(Dtype::F16, &wide([0x0001, 0x83ff, 0xfc00]))).unwrap();
        let (smallest, largest) = (f32::powi(2.0, -24), -1023.0 * f32::powi(2.0, -24));
        assert_eq!(small["x"].to_vec(), [smallest, largest, f32::NEG_INFINITY]);
        let nan =
            parse::<f32>(&file(Dtype::F16, &wide([0x7e00, 0, 0x8000]))).unwrap()["x"].to_vec();
        assert!(nan[0].is_nan() && nan[1].to_bits() == 0 && nan[2].to_bits() == 1 << 31);
        let brain = parse::<f32>(&file(Dtype::BF16, &wide([0x3f80, 0xc020, 0x7f80]))).unwrap();
        assert_eq!(brain["x"].to_vec(), [1.0, -2.5, f32::INFINITY]);
        let whole = [
            file(Dtype::I64, &[7i64, -1, 0].map(i64::to_le_bytes).concat()),
            file(Dtype::I32, &[7i32, -1, 0].map(i32::to_le_bytes).concat()),
        ];
        for file in whole {
            assert_eq!(parse::<f32>(&file).unwrap()["x"].to_vec(), [7.0, -1.0, 0.0]);
        }
        let error = parse::<f32>(&file(Dtype::U16, &wide([0; 3]))).unwrap_err();
        assert_eq!(error.to_string(), "x: expected real numbers, found U16");
    }

    #[test]
    fn what_is_written_is_read_bit_for_bit() {
        let odd = [f32::NAN, -0.0, f32::MIN_POSITIVE / 2.0];
        let state = StateDict::from([("a.b".to_string(), Tensor::from(odd))]);
        let read = parse::<f32>(&to_bytes(&state)).unwrap();
        let bits = |x: &Tensor| x.to_vec().into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(&read["a.b"]), bits(&state["a.b"]));
    }
}
