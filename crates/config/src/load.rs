//! Finds the configuration's file.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use crate::{
    config::Config,
    error::ConfigError,
    expand::Env,
    node::MAX_BYTES,
    parse::{Context, Overrides, parse},
    providers::KindInfo,
};

/// Where it is looked for when nobody says.
pub const DEFAULT_FILE: &str = "/etc/novacron/multicloud.yaml";
/// The environment variable that says where it is.
pub const FILE_VARIABLE: &str = "NOVACRON_CONFIG";

/// A configuration, and the file that it came from. No file: the built-in defaults.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub file: Option<PathBuf>,
}

/// Reads `explicit`, else the file that `$NOVACRON_CONFIG` names, else `/etc/novacron/multicloud.yaml` if it is
/// there, else takes the defaults. A file that was named must be there.
pub fn load(
    explicit: Option<&Path>,
    env: Env<'_>,
    kinds: &[KindInfo],
    overrides: Overrides,
) -> Result<Loaded, ConfigError> {
    let named = explicit
        .map(Path::to_path_buf)
        .or_else(|| env(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from));
    let (text, file) = match named {
        Some(path) => (read(&path)?, Some(path)),
        None => {
            let path = PathBuf::from(DEFAULT_FILE);
            if path.exists() { (read(&path)?, Some(path)) } else { (String::new(), None) }
        }
    };
    let shown = file.as_ref().map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
    let config = parse(&text, &Context { file: &shown, env, kinds, overrides })?;
    Ok(Loaded { config, file })
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| ConfigError::whole(&shown, format!("can't be read: {error}")))?;
    if bytes.len() > MAX_BYTES {
        return Err(ConfigError::whole(&shown, format!("a configuration has at most {MAX_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        ConfigError::whole(&shown, format!("line {line} is not UTF-8"))
    })
}
