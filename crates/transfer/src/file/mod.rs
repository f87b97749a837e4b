//! Raw images in files, and block devices.
//!
//! Bytes go past the page cache where the file system allows it: a copy then neither pays for a second copy in memory
//! nor pushes out what others keep there, and a read-back says what the disk holds. What is not aligned (a last odd
//! sector) and what does not allow direct access goes through the page cache.

mod open;
mod reader;
mod writer;

pub use reader::FileReader;
pub use writer::FileWriter;

use novacron_provider::ALIGN;

/// The unit of direct access.
const BLOCK: u64 = ALIGN as u64;
