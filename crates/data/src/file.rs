//! Files, plain or gzipped: reading with bounded memory, writing that leaves nothing half-written.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::Error;

/// The bytes behind `source`: decompressed if they start as gzip does (`1f 8b`).
pub(crate) fn plain_stream<'a>(mut source: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let gzipped = source.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if gzipped { Box::new(MultiGzDecoder::new(source)) } else { Box::new(source) })
}

/// Opens a file as a stream of plain bytes, whether or not it is gzipped.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>, Error> {
    // A folder opens on some systems and only fails when read; both name the path.
    let stream = File::open(path).and_then(|file| plain_stream(BufReader::new(file)));
    stream.map_err(|cause| Error::unreadable(path, cause))
}

/// Reads up to `limit` bytes. Memory grows with what arrives, not with `limit`, so that a length
/// in a header costs nothing until its bytes exist.
pub(crate) fn read_up_to(stream: &mut dyn Read, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match stream.take(limit).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(cause) => Err(Error::mismatch("content", "a readable stream", cause.to_string())),
    }
}

/// The names of the files in a folder, in a fixed order.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let unreadable = |cause| Error::Io {
        path: folder.to_path_buf(),
        expected: "a folder that can be read",
        cause,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        // A name that is not Unicode is none of ours.
        names.extend(entry.map_err(unreadable)?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// Writes a whole file or nothing, as [`write_atomically`]; gzipped if the name ends in `.gz`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if path.extension().is_none_or(|extension| extension != "gz") {
        return write_atomically(path, bytes);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let zipped = encoder.write_all(bytes).and_then(|()| encoder.finish());
    write_atomically(path, &zipped.expect("writing to memory cannot fail"))
}

/// Writes `bytes` to `path`: to a temporary file beside it, synced, then renamed over it.
///
/// Missing folders are made. Whatever happens, nothing half-written remains at `path`; what
/// processes left beside it that were killed while they wrote it is removed.
///
/// # Errors
/// When the system cannot write there; the temporary file is removed.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
    let path = path.as_ref();
    if let Some(folder) = folder(path) {
        fs::create_dir_all(folder).map_err(|cause| {
            Error::mismatch("folder", "one that is there or can be made", cause.to_string())
                .in_file(folder)
        })?;
    }
    let temporary = temporary(path);
    write_through(path, &temporary, bytes).map_err(|cause| {
        // The first error says more than a failure to clean up.
        let _ = fs::remove_file(&temporary);
        Error::Io { path: path.to_path_buf(), expected: "a file that can be written", cause }
    })?;
    sweep(path);
    Ok(())
}

/// The folder that the path names, if it names one.
fn folder(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

fn write_through(path: &Path, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    // Tells other processes that this one lives. Not every system has locks.
    let _ = file.try_lock();
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    // The rename itself must reach the disk. Not every system can sync a folder.
    if let Ok(folder) = File::open(folder(path).unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
    Ok(())
}

const TEMPORARY: &str = ".tmp";

/// A name beside the file that no other process uses.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}{TEMPORARY}", std::process::id()));
    path.with_file_name(name)
}

/// Removes the temporary files of processes that were killed while they wrote `path`: those that
/// nobody holds a lock on. What cannot be removed harms nobody.
fn sweep(path: &Path) {
    let Some(own) = path.file_name().and_then(|name| name.to_str()) else { return };
    let folder = folder(path).unwrap_or(Path::new("."));
    for name in names(folder).unwrap_or_default() {
        let rest = name.strip_prefix(own).and_then(|rest| rest.strip_prefix('.'));
        let process = rest.and_then(|rest| rest.strip_suffix(TEMPORARY));
        if process.is_some_and(|id| id.parse::<u32>().is_ok()) {
            let left = folder.join(&name);
            if File::open(&left).is_ok_and(|file| file.try_lock().is_ok()) {
                let _ = fs::remove_file(left);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_found_by_its_magic_not_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let gz = folder.path().join("a.gz");
        write(&gz, b"hello").unwrap();
        assert!(std::fs::read(&gz).unwrap().starts_with(&[0x1f, 0x8b]));
        let renamed = folder.path().join("plain-name");
        std::fs::rename(&gz, &renamed).unwrap();
        let mut stream = open(&renamed).unwrap();
        assert_eq!(read_up_to(&mut stream, 100).unwrap(), b"hello");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("taken");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("file"), b"x").unwrap();
        let error = write(&target, b"hello").unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = open(Path::new("/no/such/file")).err().unwrap().to_string();
        assert!(
            error.starts_with("/no/such/file: expected a file that can be read, found "),
            "{error}"
        );
    }

    #[test]
    fn writes_replace_and_leave_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_killed_processes_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // Of a dead process, of one that writes, and of nobody's.
        for name in ["run.123.tmp", "run.456.tmp", "run.old.tmp", "running.123.tmp"] {
            fs::write(at(name), b"half").unwrap();
        }
        let held = File::open(at("run.456.tmp")).unwrap();
        held.lock().unwrap();
        write_atomically(at("run"), b"whole").unwrap();
        let left = ["run", "run.456.tmp", "run.old.tmp", "running.123.tmp"];
        assert_eq!(names(folder.path()).unwrap(), left);
    }

    #[test]
    fn an_unwritable_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"x").unwrap();
        let error = write_atomically(file.join("below"), b"y").unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: folder: expected", file.display())), "{error}");
        assert!(!error.contains('\n'), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
