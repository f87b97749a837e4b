//! The snapshot that ships inside the executable.

use std::sync::OnceLock;

use crate::Catalog;

/// Made by `ingest` from the sources that the snapshot's groups name.
pub static EMBEDDED: &[u8] = include_bytes!("../data/catalog.snapshot");

static CATALOG: OnceLock<Option<Catalog>> = OnceLock::new();

impl Catalog {
    /// The embedded catalog, read once. `None` would mean that the executable itself is damaged;
    /// [`Catalog::from_snapshot`] of [`EMBEDDED`] says how.
    pub fn embedded() -> Option<&'static Catalog> {
        CATALOG.get_or_init(|| Catalog::from_snapshot(EMBEDDED).ok()).as_ref()
    }
}
