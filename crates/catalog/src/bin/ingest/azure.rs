use std::path::Path;

use novacron_catalog::Draft;

use crate::LeftOut;

pub fn add(_folder: &Path, _draft: &mut Draft, _left_out: &mut LeftOut) -> Result<(), String> {
    Ok(())
}
