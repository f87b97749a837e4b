//! Changing the files of a [`LastGood`], one process at a time, and seeing from another that they were.

use std::{
    fs::{self, File, OpenOptions},
    time::SystemTime,
};

use jiff::civil::Date;

use super::{Fetched, LastGood, MergePolicy, Refreshed, SaveError, Warning, merge_all};
use crate::{Catalog, EMBEDDED, SnapshotError};

/// Tells one state of the files from another. Taking it reads neither of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp([Option<(SystemTime, u64)>; 2]);

/// As long as it lives, nobody else changes the files who asked for it too.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "the lock goes when the file is closed")] File);

/// A refresh that was put over what was kept.
#[derive(Debug)]
pub struct Updated {
    pub before: Catalog,
    pub refreshed: Refreshed,
    /// Of what was kept before.
    pub warnings: Vec<Warning>,
}

impl LastGood {
    pub fn stamp(&self) -> Stamp {
        let of = |path| {
            fs::metadata(path).ok().map(|about| (about.modified().unwrap_or(SystemTime::UNIX_EPOCH), about.len()))
        };
        Stamp([of(self.path()), of(self.previous_path())])
    }

    /// The last good catalog, else the program's own.
    pub fn load_or_embedded(&self) -> Result<(Catalog, Vec<Warning>), SnapshotError> {
        let loaded = self.load();
        match loaded.catalog {
            Some(catalog) => Ok((catalog, loaded.warnings)),
            None => Ok((Catalog::from_snapshot(EMBEDDED)?, loaded.warnings)),
        }
    }

    /// Waits until nobody else holds the files.
    pub fn hold(&self) -> Result<Held, SaveError> {
        let path = self.folder.join("refresh.lock");
        let held = fs::create_dir_all(&self.folder).and_then(|()| {
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
            file.lock().map(|()| Held(file))
        });
        held.map_err(|source| SaveError::Io { path, source })
    }

    /// Puts what was fetched over what is kept *now*, which may be newer than when the sources were asked, and keeps the
    /// result if anything of it was refreshed. Where nothing was fetched, nothing is made, not even the folder.
    pub fn update(&self, fetched: Vec<Fetched>, today: Date, policy: &MergePolicy) -> Result<Updated, SaveError> {
        let any = fetched.iter().any(|fetched| fetched.sheet.is_ok());
        let _held = if any { Some(self.hold()?) } else { None };
        let (before, warnings) = self.load_or_embedded()?;
        let refreshed = merge_all(&before, fetched, today, policy);
        if refreshed.sources.iter().any(|source| source.outcome.is_ok()) {
            self.save(&refreshed.catalog)?;
        }
        Ok(Updated { before, refreshed, warnings })
    }
}
