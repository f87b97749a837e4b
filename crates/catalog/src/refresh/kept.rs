//! Changing the files of a [`LastGood`], one process at a time, and seeing from another that they were.

use std::{
    fs::{self, File, OpenOptions},
    time::SystemTime,
};

use super::{Fetched, LastGood, MergePolicy, SaveError, SourceResult, Warning, put_over};
use crate::{Catalog, EMBEDDED, SnapshotError};
use jiff::civil::Date;

/// Tells one state of the files from another. Taking it reads neither of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp([Option<(SystemTime, u64)>; 2]);

/// As long as it lives, nobody else changes the files who asked for it too.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "the lock goes when the file is closed")] File);

/// One refresh, whose sources are kept one by one. The catalog of before all of them stays the one to compare with.
#[derive(Debug)]
pub struct Keeping {
    kept: LastGood,
    begun: bool,
}

impl Keeping {
    pub fn new(kept: LastGood) -> Self {
        Self { kept, begun: false }
    }

    /// Puts what one source said over what is kept *now*, which may be newer than when it was asked, and keeps the result.
    /// Where it said nothing, nothing is made, not even the folder. Waits for other processes, and writes files: it blocks.
    pub fn keep(&mut self, fetched: Fetched, today: Date, policy: &MergePolicy) -> Result<SourceResult, SaveError> {
        let Fetched { kind, source, sheet } = fetched;
        let fetched = match sheet {
            Ok(sheet) => Fetched { kind, source, sheet: Ok(sheet) },
            Err(error) => return Ok(SourceResult { kind, source, outcome: Err(error) }),
        };
        let _held = self.kept.hold()?;
        let (mut catalog, _) = self.kept.load_or_embedded()?;
        let result = put_over(&mut catalog, fetched, today, policy);
        if result.outcome.is_ok() {
            if self.begun {
                self.kept.replace(&catalog)?
            } else {
                self.kept.save(&catalog)?
            }
            self.begun = true;
        }
        Ok(result)
    }
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
}
