//! The one error type of this crate: one line that names file, place, expected and found.

use std::any::Any;
use std::path::{Path, PathBuf};

/// What can go wrong with data that comes from outside.
///
/// Every message is one line. The first part that applies comes first: the file, the sample, the
/// place in it; then what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system could not read or write a file.
    #[error("{}: expected {expected}, found {cause}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it needs to be, such as a file that can be read.
        expected: &'static str,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The input differs from what is needed.
    #[error("{place}: expected {expected}, found {found}")]
    Mismatch {
        /// Where: a byte, a line and column, a sample and feature, an argument.
        place: String,
        /// What would have been right.
        expected: String,
        /// What was there.
        found: String,
    },
    /// An error inside a file.
    #[error("{}: {cause}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        cause: Box<Error>,
    },
    /// An error while one sample was loaded, transformed or put into its batch.
    #[error("sample {index}: {cause}")]
    Sample {
        /// The sample's index in the dataset that was loaded.
        index: usize,
        /// What went wrong.
        cause: Box<Error>,
    },
    /// The user's dataset or transform panicked.
    #[error("panicked: {message}")]
    Panic {
        /// The panic's message, on one line.
        message: String,
    },
    /// An error of the user's dataset or transform; see [`Error::other`].
    #[error("{}", one_line(&.0.to_string()))]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An input that differs from what is needed. Control characters in `found` are escaped and
    /// long text is cut, so that the message stays one line.
    pub fn mismatch(
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl AsRef<str>,
    ) -> Error {
        Error::Mismatch {
            place: place.into(),
            expected: expected.into(),
            found: one_line(found.as_ref()),
        }
    }

    /// Wraps any error (or a message) of a user's dataset or transform.
    ///
    /// ```
    /// let error = backstitch_data::Error::other("the camera is off");
    /// assert_eq!(error.to_string(), "the camera is off");
    /// ```
    pub fn other(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Other(cause.into())
    }

    /// Says in which file the error is. An error that names a file already stays as it is.
    #[must_use]
    pub fn in_file(self, path: impl AsRef<Path>) -> Error {
        match self {
            Error::Io { .. } | Error::File { .. } => self,
            cause => Error::File { path: path.as_ref().to_path_buf(), cause: Box::new(cause) },
        }
    }

    /// Says at which sample the error is. The outermost index wins, because that is the one the
    /// user of the loader knows.
    #[must_use]
    pub fn at_sample(self, index: usize) -> Error {
        let cause = match self {
            Error::Sample { cause, .. } => cause,
            cause => Box::new(cause),
        };
        Error::Sample { index, cause }
    }

    /// A file that the system did not read.
    pub(crate) fn unreadable(path: &Path, cause: std::io::Error) -> Error {
        Error::Io { path: path.to_path_buf(), expected: "a file that can be read", cause }
    }

    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Error {
        let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
            (Some(text), _) => one_line(text),
            (_, Some(text)) => one_line(text),
            _ => "no message".to_string(),
        };
        Error::Panic { message }
    }
}

/// The most characters of foreign text that a message repeats.
const FOUND_CHARS_MAX: usize = 160;

/// `text` with control characters escaped and its tail cut.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == FOUND_CHARS_MAX {
            line.push_str("...");
            break;
        }
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

/// Foreign text in quotes, cut to a length that fits a message.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("`{}...`", &text[..at]),
        None => format!("`{text}`"),
    }
}

/// Names in quotes with commas, the first few of them.
pub(crate) fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 6;
    let count = names.len();
    let mut text = names.take(SHOWN).map(quoted).collect::<Vec<_>>().join(", ");
    if count > SHOWN {
        text.push_str(&format!(" and {} more", count - SHOWN));
    }
    if count == 0 {
        text.push_str("none");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line() {
        let error = Error::mismatch("line 3, column `a`", "a number", quoted("x\ny\u{7}"))
            .in_file("data/a.csv")
            .in_file("ignored");
        assert_eq!(
            error.to_string(),
            "data/a.csv: line 3, column `a`: expected a number, found `x\\ny\\u{7}`"
        );
        let long = Error::other("z\n".repeat(1000)).to_string();
        assert!(long.len() < 500 && !long.contains('\n'), "{long}");
    }

    #[test]
    fn the_outermost_sample_is_named() {
        let error = Error::other("no").at_sample(3).at_sample(70);
        assert_eq!(error.to_string(), "sample 70: no");
    }

    #[test]
    fn lists_are_cut() {
        assert_eq!(listed(["a", "b"].into_iter()), "`a`, `b`");
        assert!(listed(["a"; 9].into_iter()).ends_with("and 3 more"));
        assert_eq!(listed([].into_iter()), "none");
    }
}
