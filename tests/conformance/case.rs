//! A case file, its tensors, and how a case is run and judged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use backstitch::{Element, Float, Tensor};
use serde_json::Value as Json;

/// A tensor of any element type. Numbers that can have derivatives are `T`.
#[derive(Clone)]
pub enum Value<T: Float> {
    Float(Tensor<T>),
    Int(Tensor<i64>),
    Bool(Tensor<bool>),
    Byte(Tensor<u8>),
}

impl<T: Float> From<Tensor<T>> for Value<T> {
    fn from(x: Tensor<T>) -> Self {
        Value::Float(x)
    }
}

/// What an op gives: its outputs, or why the case is not supported.
pub type Outputs<T> = Result<Vec<Option<Value<T>>>, String>;

/// An op of the runner: its ONNX name, and the function for both precisions.
pub struct Entry {
    pub name: &'static str,
    pub f32: fn(&Args<f32>) -> Outputs<f32>,
    pub f64: fn(&Args<f64>) -> Outputs<f64>,
}

/// `ops!["Relu" => relu, ...]`: entries of generic functions.
macro_rules! ops {
    ($($name:literal => $function:expr),+ $(,)?) => {
        &[$({
            fn generic<T: backstitch::Float>(
                args: &$crate::case::Args<T>,
            ) -> $crate::case::Outputs<T> {
                $function(args)
            }
            $crate::case::Entry { name: $name, f32: generic::<f32>, f64: generic::<f64> }
        }),+]
    };
}
pub(crate) use ops;

/// One output.
pub fn one<T: Float>(y: impl Into<Value<T>>) -> Outputs<T> {
    Ok(vec![Some(y.into())])
}

/// One output of whole numbers.
pub fn ints<T: Float>(y: Tensor<i64>) -> Outputs<T> {
    Ok(vec![Some(Value::Int(y))])
}

/// One output of truth values.
pub fn bools<T: Float>(y: Tensor<bool>) -> Outputs<T> {
    Ok(vec![Some(Value::Bool(y))])
}

/// Inputs and attributes of a case.
pub struct Args<'a, T: Float> {
    pub inputs: Vec<Option<Value<T>>>,
    attrs: &'a Json,
    /// The outputs that the case wants: how many they are, and the draw of a random op.
    pub wants: Vec<Option<Value<T>>>,
}

impl<T: Float> Args<'_, T> {
    /// Input `i`, if it is there.
    pub fn value(&self, i: usize) -> Option<&Value<T>> {
        self.inputs.get(i)?.as_ref()
    }

    /// Input `i`, which must be of floats.
    pub fn x(&self, i: usize) -> Result<&Tensor<T>, String> {
        match self.value(i) {
            Some(Value::Float(x)) => Ok(x),
            Some(_) => Err(format!("input {i} has whole numbers or truth values")),
            None => Err(format!("input {i} is omitted")),
        }
    }

    /// Input `i` of floats, if it is there.
    pub fn maybe_x(&self, i: usize) -> Result<Option<&Tensor<T>>, String> {
        self.value(i).map(|_| self.x(i)).transpose()
    }

    /// Input `i` as floats, whatever its type.
    pub fn number(&self, i: usize) -> Result<Tensor<T>, String> {
        match self.value(i) {
            Some(Value::Float(x)) => Ok(x.clone()),
            Some(Value::Int(x)) => Ok(x.to()),
            Some(Value::Bool(x)) => Ok(x.to()),
            Some(Value::Byte(x)) => Ok(x.to()),
            None => Err(format!("input {i} is omitted")),
        }
    }

    /// Numbers as a tensor of input 0's type.
    pub fn like_first(&self, y: Tensor<T>) -> Value<T> {
        match self.value(0) {
            Some(Value::Int(_)) => Value::Int(y.to()),
            Some(Value::Bool(_)) => Value::Bool(y.to()),
            Some(Value::Byte(_)) => Value::Byte(y.to()),
            _ => Value::Float(y),
        }
    }

    /// Input `i`, which must be of whole numbers.
    pub fn idx(&self, i: usize) -> Result<Tensor<i64>, String> {
        match self.value(i) {
            Some(Value::Int(x)) => Ok(x.clone()),
            Some(Value::Float(x)) => Ok(x.to()),
            Some(Value::Byte(x)) => Ok(x.to()),
            _ => Err(format!("input {i} needs whole numbers")),
        }
    }

    /// Input `i`, which must be of truth values.
    pub fn mask(&self, i: usize) -> Result<&Tensor<bool>, String> {
        match self.value(i) {
            Some(Value::Bool(x)) => Ok(x),
            _ => Err(format!("input {i} needs truth values")),
        }
    }

    /// The whole numbers of input `i`, or else of an attribute: newer versions of many ops take
    /// as input what older ones took as attribute.
    pub fn list(&self, i: usize, attr: &str) -> Option<Vec<i64>> {
        match self.value(i) {
            Some(Value::Int(x)) => Some(x.to_vec()),
            _ => self.longs(attr),
        }
    }

    pub fn attr(&self, name: &str) -> Option<&Json> {
        self.attrs.get(name)
    }

    pub fn float(&self, name: &str, default: f64) -> T {
        T::from_f64(self.f64(name, default))
    }

    pub fn f64(&self, name: &str, default: f64) -> f64 {
        self.attr(name).and_then(Json::as_f64).unwrap_or(default)
    }

    pub fn long(&self, name: &str, default: i64) -> i64 {
        let whole = |value: &Json| value.as_i64().or_else(|| value.as_f64().map(|x| x as i64));
        self.attr(name).and_then(whole).unwrap_or(default)
    }

    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.long(name, i64::from(default)) != 0
    }

    pub fn longs(&self, name: &str) -> Option<Vec<i64>> {
        let list = self.attr(name)?.as_array()?;
        Some(list.iter().map(|x| x.as_i64().expect("a list of whole numbers")).collect())
    }

    pub fn text(&self, name: &str, default: &str) -> String {
        self.attr(name).and_then(Json::as_str).unwrap_or(default).to_string()
    }
}

/// What a case showed.
pub enum Verdict {
    Passed,
    Failed(String),
    Unsupported(String),
}

/// A case, with its tensors still as JSON.
pub struct Case {
    pub name: String,
    pub op: String,
    json: Json,
    folder: std::path::PathBuf,
}

impl Case {
    /// The cases of a file.
    pub fn read(file: &Path) -> Vec<Case> {
        let text = std::fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{}: cannot be read: {error}", file.display()));
        let json: Json = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: no JSON: {error}", file.display()));
        assert!(json["schema"] == 1, "{}: needs schema 1; got {}", file.display(), json["schema"]);
        let cases = json["cases"].as_array().filter(|cases| !cases.is_empty()).cloned();
        let folder = file.parent().expect("a file is in a folder");
        cases
            .unwrap_or_else(|| panic!("{}: needs a list `cases` of one or more", file.display()))
            .into_iter()
            .map(|json| Case::new(json, folder))
            .collect()
    }

    /// A case of a file in `folder`.
    pub fn new(json: Json, folder: &Path) -> Case {
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_string();
        Case { name: text("name"), op: text("op"), json, folder: folder.to_path_buf() }
    }

    /// Runs the op, compares its outputs, then its gradients.
    pub fn run(&self, entry: &Entry) -> Verdict {
        let doubles = self.tensors("inputs").iter().any(|x| x["dtype"] == "f64");
        let run = || match doubles {
            true => self.forward::<f64>(entry.f64),
            false => self.forward::<f32>(entry.f32),
        };
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Verdict::Passed) if self.json["grads"].is_array() => {
                match catch_unwind(AssertUnwindSafe(|| self.gradients(entry.f64))) {
                    Ok(verdict) => verdict,
                    Err(panic) => Verdict::Failed(format!("gradient panics: {}", text_of(&*panic))),
                }
            }
            Ok(verdict) => verdict,
            Err(panic) => Verdict::Failed(format!("panics: {}", text_of(&*panic))),
        }
    }

    fn forward<T: Float>(&self, op: fn(&Args<T>) -> Outputs<T>) -> Verdict {
        let wants = self.tensors("outputs");
        if wants.iter().all(Json::is_null) {
            return Verdict::Failed("the case wants no output".into());
        }
        let args = self.args::<T>();
        let outputs = match op(&args) {
            Ok(outputs) => outputs,
            Err(why) => return Verdict::Unsupported(why),
        };
        for (i, want) in wants.iter().enumerate().filter(|(_, want)| !want.is_null()) {
            let Some(Some(got)) = outputs.get(i) else {
                return Verdict::Unsupported(format!("output {i} is not computed"));
            };
            if let Err(why) = self.compare(got, &self.value::<T>(want)) {
                return Verdict::Failed(format!("output {i}: {why}"));
            }
        }
        Verdict::Passed
    }

    /// The VJP of the outputs with the case's cotangents: the gradient of `Σ cotangent * output`.
    fn gradients(&self, op: fn(&Args<f64>) -> Outputs<f64>) -> Verdict {
        let cotangents = self.tensors("cotangents");
        let grads = self.tensors("grads");
        let mut args = self.args::<f64>();
        for (input, grad) in args.inputs.iter_mut().zip(&grads) {
            if let (Some(Value::Float(x)), false) = (input, grad.is_null()) {
                *x = x.leaf();
            }
        }
        let outputs = match op(&args) {
            Ok(outputs) => outputs,
            Err(why) => return Verdict::Unsupported(why),
        };
        let mut loss = Tensor::scalar(0.0);
        for (output, cotangent) in outputs.iter().zip(&cotangents) {
            if let (Some(Value::Float(y)), false) = (output, cotangent.is_null()) {
                let Value::Float(dy) = self.value::<f64>(cotangent) else {
                    return Verdict::Failed("a cotangent needs to be of floats".into());
                };
                loss = loss + (y * dy).sum();
            }
        }
        if !loss.is_tracked() {
            return Verdict::Failed("the outputs do not depend on the inputs".into());
        }
        let found = loss.backward();
        for (i, want) in grads.iter().enumerate().filter(|(_, want)| !want.is_null()) {
            let Some(Value::Float(x)) = args.value(i) else {
                return Verdict::Failed(format!("input {i} is not of floats, and has no gradient"));
            };
            let zeros = || Tensor::zeros(x.shape());
            let got = found.get(x).cloned().unwrap_or_else(zeros);
            if let Err(why) = self.compare(&Value::Float(got), &self.value::<f64>(want)) {
                return Verdict::Failed(format!("gradient of input {i}: {why}"));
            }
        }
        Verdict::Passed
    }

    fn args<T: Float>(&self) -> Args<'_, T> {
        let value = |json: &Json| (!json.is_null()).then(|| self.value(json));
        let values = |key: &str| self.tensors(key).iter().map(value).collect();
        Args { inputs: values("inputs"), attrs: &self.json["attrs"], wants: values("outputs") }
    }

    fn tensors(&self, key: &str) -> Vec<Json> {
        self.json[key].as_array().cloned().unwrap_or_default()
    }

    fn value<T: Float>(&self, json: &Json) -> Value<T> {
        match json["dtype"].as_str() {
            Some("f32") => Value::Float(self.tensor::<f32>(json).to()),
            Some("f64") => Value::Float(self.tensor::<f64>(json).to()),
            Some("i64") => Value::Int(self.tensor(json)),
            Some("bool") => Value::Bool(self.tensor(json)),
            Some("u8") => Value::Byte(self.tensor(json)),
            other => panic!("{}: needs a known dtype; got {other:?}", self.name),
        }
    }

    fn tensor<T: Element>(&self, json: &Json) -> Tensor<T> {
        let shape = json["shape"].as_array().expect("a tensor has a shape");
        let shape: Vec<usize> =
            shape.iter().map(|n| n.as_u64().expect("lengths are whole") as usize).collect();
        let data: Vec<T> = match (json["data"].as_array(), json["bin"].as_str()) {
            (Some(data), _) => data.iter().map(element).collect(),
            (None, Some(file)) => {
                let offset = json["offset"].as_u64().unwrap_or(0) as usize;
                self.binary(file, offset, shape.iter().product())
            }
            (None, None) => panic!("{}: needs data or bin in a tensor", self.name),
        };
        Tensor::from_vec(data, shape)
    }

    /// Little-endian elements of a file beside the case file.
    fn binary<T: Element>(&self, file: &str, offset: usize, count: usize) -> Vec<T> {
        let bytes = std::fs::read(self.folder.join(file)).expect("the case's file can be read");
        let size = T::DTYPE.size();
        let element = |bytes: &[u8]| {
            let mut raw = [0; 8];
            raw[..size].copy_from_slice(bytes);
            match (T::DTYPE.name(), size) {
                ("f32", _) => T::from_f32(f32::from_bits(u64::from_le_bytes(raw) as u32)),
                ("f64", _) => T::from_f64(f64::from_le_bytes(raw)),
                (_, 8) => T::from_i64(i64::from_le_bytes(raw)),
                _ => T::from_u8(raw[0]),
            }
        };
        bytes[offset..][..count * size].chunks(size).map(element).collect()
    }

    fn compare<T: Float>(&self, got: &Value<T>, want: &Value<T>) -> Result<(), String> {
        match (got, want) {
            (Value::Float(got), Value::Float(want)) => self.near(got, want),
            (Value::Int(got), Value::Int(want)) => equal(got, want),
            (Value::Bool(got), Value::Bool(want)) => equal(got, want),
            (Value::Byte(got), Value::Byte(want)) => equal(got, want),
            _ => Err("the element type is another".into()),
        }
    }

    fn near<T: Float>(&self, got: &Tensor<T>, want: &Tensor<T>) -> Result<(), String> {
        same_shape(got, want)?;
        let tolerance = |key: &str| self.json[key].as_f64().expect("a case has tolerances");
        let (atol, rtol) = (tolerance("atol"), tolerance("rtol"));
        for (i, (got, want)) in got.to_vec().into_iter().zip(want.to_vec()).enumerate() {
            let (got, want) = (got.to_f64(), want.to_f64());
            // Not where the tolerance itself would be infinite.
            let near = want.is_finite() && (got - want).abs() <= atol + rtol * want.abs();
            if !(near || got == want || (got.is_nan() && want.is_nan())) {
                return Err(format!("needs {want:e} at element {i}; got {got:e}"));
            }
        }
        Ok(())
    }
}

fn equal<T: Element>(got: &Tensor<T>, want: &Tensor<T>) -> Result<(), String> {
    same_shape(got, want)?;
    let (got, want) = (got.to_vec(), want.to_vec());
    match got.iter().zip(&want).position(|(got, want)| got != want) {
        Some(i) => Err(format!("needs {} at element {i}; got {}", want[i], got[i])),
        None => Ok(()),
    }
}

fn same_shape<T: Element>(got: &Tensor<T>, want: &Tensor<T>) -> Result<(), String> {
    match got.shape() == want.shape() {
        true => Ok(()),
        false => Err(format!("needs shape {:?}; got {:?}", want.shape(), got.shape())),
    }
}

/// A number, or one of the strings for those that JSON lacks.
fn element<T: Element>(json: &Json) -> T {
    match json {
        Json::Bool(x) => T::from_bool(*x),
        Json::String(text) => T::from_f64(match text.as_str() {
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            "NaN" => f64::NAN,
            other => panic!("{other} is no number"),
        }),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(x), _) => T::from_i64(x),
            (_, x) => T::from_f64(x.expect("a JSON number fits f64")),
        },
        other => panic!("{other} is no number"),
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let owned = panic.downcast_ref::<String>().cloned();
    owned.or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string())).unwrap_or_default()
}
