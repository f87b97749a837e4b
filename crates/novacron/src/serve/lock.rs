//! The data directory: one server to a directory.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::exit::{Failure, Result};

/// A data directory that is this process's as long as the value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory where it is not there, and takes it.
    pub fn open(path: &Path) -> Result<Self> {
        let given = path;
        let unusable = |error: io::Error| unusable(given, &error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let path = fs::canonicalize(path).map_err(unusable)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("serve.lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(&path, &mut lock)),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let written =
            lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(unusable)?;
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A name for this directory's server that outlives its process, for leases in a store that several share.
    pub fn owner(&self) -> Result<String> {
        let path = self.path.join("server-id");
        let unusable = |error: io::Error| Failure::failed(format!("cannot use {}", path.display())).why(error);
        match fs::read_to_string(&path) {
            Ok(id) if uuid::Uuid::parse_str(id.trim()).is_ok() => return Ok(id.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(error)),
        }
        let id = uuid::Uuid::new_v4().to_string();
        let fresh = path.with_extension("new");
        fs::write(&fresh, &id).and_then(|()| fs::rename(&fresh, &path)).map_err(unusable)?;
        Ok(id)
    }
}

pub(super) fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot use the data directory {}", path.display()))
        .why(error)
        .hint("Give it to this user, or name another with --data-dir or the key `data_dir`.")
}

fn taken(path: &Path, lock: &mut File) -> Failure {
    let mut pid = String::new();
    let _ = lock.take(32).read_to_string(&mut pid);
    let who = match pid.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    Failure::failed(format!("the data directory {} is in use by another `novacron serve`", path.display()))
        .why(format!("{who} holds its lock"))
        .hint("Stop that one, or give this one its own directory with --data-dir. Several servers share work through\nPostgreSQL (`store.url`), each with a data directory of its own.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_to_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let first = DataDir::open(&path).unwrap();
        let refused = DataDir::open(&path).unwrap_err();
        assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
        let owner = first.owner().unwrap();
        drop(first);
        assert_eq!(DataDir::open(&path).unwrap().owner().unwrap(), owner);
    }
}
