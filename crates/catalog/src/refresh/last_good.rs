//! The refreshed catalog in a folder of its own, so that a restart has yesterday's prices and not the program's.

use std::{
    fmt, fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use crate::{Catalog, EMBEDDED, EncodeError, SnapshotError};

/// More than this is no snapshot.
const MOST_BYTES: u64 = 64 << 20;

/// Where the last good catalog is kept. Its methods read and write files, and so block.
///
/// The file is `catalog-BASE.snapshot`, where BASE names the snapshot that the program was built with: a program with another
/// one starts from its own, because its types and rules are newer than what the older refresh knew. The one before is kept as
/// `catalog-BASE.previous.snapshot`.
#[derive(Debug, Clone)]
pub struct LastGood {
    pub(super) folder: PathBuf,
    base: String,
}

/// What there was.
#[derive(Debug)]
pub struct Loaded {
    /// `None`: nothing that can be used; take the embedded one.
    pub catalog: Option<Catalog>,
    /// What a person should know about it.
    pub warnings: Vec<Warning>,
}

/// Something about the folder that does not keep the program from working.
#[derive(Debug)]
pub enum Warning {
    Damaged {
        path: PathBuf,
        error: SnapshotError,
    },
    Unreadable {
        path: PathBuf,
        error: io::Error,
    },
    /// Prices of an earlier program are there, and are not used.
    OtherBase {
        path: PathBuf,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { path, error } => {
                write!(f, "{}: {error}; older prices are used until the next refresh", path.display())
            }
            Self::Unreadable { path, error } => {
                write!(f, "{} can't be read: {error}; older prices are used", path.display())
            }
            Self::OtherBase { path } => {
                write!(
                    f,
                    "{} was made by another version of the program and is not used; refresh the prices",
                    path.display()
                )
            }
        }
    }
}

/// Why a catalog was not kept. What was kept before is still there.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("{path} can't be written")]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error("the program's own catalog can't be read: {0}")]
    Embedded(#[from] SnapshotError),
}

impl LastGood {
    /// `folder` need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::with_base(folder, EMBEDDED)
    }

    pub(super) fn with_base(folder: impl Into<PathBuf>, embedded: &[u8]) -> Self {
        let base = blake3::hash(embedded).to_hex().as_str()[..16].to_owned();
        Self { folder: folder.into(), base }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join(format!("catalog-{}.snapshot", self.base))
    }

    /// The one before the last.
    pub fn previous_path(&self) -> PathBuf {
        self.folder.join(format!("catalog-{}.previous.snapshot", self.base))
    }

    /// The last good catalog, or the one before it if that is damaged.
    pub fn load(&self) -> Loaded {
        let mut warnings = Vec::new();
        let catalog = [self.path(), self.previous_path()].into_iter().find_map(|path| read(path, &mut warnings));
        if catalog.is_none() && warnings.is_empty() {
            warnings.extend(self.others().into_iter().next().map(|path| Warning::OtherBase { path }));
        }
        Loaded { catalog, warnings }
    }

    /// The catalog before the last refresh, for a diff; `None` when there is none that can be read.
    pub fn previous(&self) -> Option<Catalog> {
        read(self.previous_path(), &mut Vec::new())
    }

    /// Keeps it, and what was kept until now as the one before.
    pub fn save(&self, catalog: &Catalog) -> Result<(), SaveError> {
        self.write(catalog, true)
    }

    /// Keeps it instead of what is kept; the one before stays.
    pub(super) fn replace(&self, catalog: &Catalog) -> Result<(), SaveError> {
        self.write(catalog, false)
    }

    /// Writes beside, syncs, and renames: whenever the machine stops, there is a whole file.
    fn write(&self, catalog: &Catalog, set_aside: bool) -> Result<(), SaveError> {
        let bytes = catalog.to_snapshot()?;
        let path = self.path();
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |source| SaveError::Io { path, source }
        };
        fs::create_dir_all(&self.folder).map_err(fail(&self.folder))?;
        let mut draft = tempfile::Builder::new();
        draft.prefix(".catalog-");
        // Prices are no secret: whoever refreshes them, the server's user reads them too.
        #[cfg(unix)]
        draft.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut draft = draft.tempfile_in(&self.folder).map_err(fail(&path))?;
        draft.write_all(&bytes).map_err(fail(&path))?;
        draft.as_file().sync_all().map_err(fail(&path))?;
        // A copy that is damaged must not push out the good one before it.
        if set_aside && read(path.clone(), &mut Vec::new()).is_some() {
            fs::rename(&path, self.previous_path()).map_err(fail(&path))?;
        }
        draft.persist(&path).map_err(|error| SaveError::Io { path: path.clone(), source: error.error })?;
        fs::File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(fail(&self.folder))?;
        self.others().into_iter().for_each(|old| drop(fs::remove_file(old)));
        Ok(())
    }

    /// Files of programs with another base.
    fn others(&self) -> Vec<PathBuf> {
        let mine = [self.path(), self.previous_path()];
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut others: Vec<PathBuf> = entries
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                name.starts_with("catalog-") && name.ends_with(".snapshot") && !mine.contains(path)
            })
            .collect();
        others.sort();
        others
    }
}

fn read(path: PathBuf, warnings: &mut Vec<Warning>) -> Option<Catalog> {
    match read_bytes(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            warnings.push(Warning::Unreadable { path, error });
            None
        }
        Ok(bytes) => match Catalog::from_snapshot(&bytes) {
            Ok(catalog) => Some(catalog),
            Err(error) => {
                warnings.push(Warning::Damaged { path, error });
                None
            }
        },
    }
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe or a device would be read for ever.
    let about = fs::metadata(path)?;
    if !about.is_file() || about.len() > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file that a snapshot can be"));
    }
    fs::read(path)
}
