//! Where a mover keeps its ledgers, and which of them it still needs.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// A ledger that nothing was written to for so long belongs to a job that another mover has ended: who carries an operation on
/// elsewhere can't tell this one. If it is needed after all, its disk is moved from the beginning.
const FORGOTTEN: Duration = Duration::from_secs(14 * 24 * 3600);
/// How often that is looked for.
pub(super) const LOOK: Duration = Duration::from_secs(24 * 3600);

/// A key may be any text; a file's name may not.
pub(super) fn ledger_path(ledgers: &Path, key: &str) -> PathBuf {
    let readable: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(80).collect();
    let digest = blake3::hash(key.as_bytes()).to_hex();
    ledgers.join(format!("{readable}-{}.ledger", &digest[..16]))
}

/// Removes what is forgotten, and says how many there were. It blocks.
pub(super) fn sweep(ledgers: &Path, now: SystemTime) -> io::Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(ledgers)?.flatten() {
        let path = entry.path();
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        let old = written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > FORGOTTEN));
        if old && path.extension().is_some_and(|extension| extension == "ledger") {
            fs::remove_file(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_forgotten_goes() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for (name, age) in [("a.ledger", 15), ("b.ledger", 13), ("c.other", 15), ("d.ledger", 0)] {
            let file = fs::File::create(dir.path().join(name)).unwrap();
            file.set_modified(now - Duration::from_secs(age * 24 * 3600)).unwrap();
        }
        assert_eq!(sweep(dir.path(), now).unwrap(), 1);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
        assert!(!dir.path().join("a.ledger").exists());
    }
}
