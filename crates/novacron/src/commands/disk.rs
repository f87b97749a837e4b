//! `novacron disk …`

use std::{fs::File, path::Path};

use novacron_transfer::format::ImageFormat;
use novacron_transfer::{content, format};
use serde_json::json;

use crate::{
    cli::DiskCommand,
    exit::{Failure, Result},
    output::{Output, human},
};

pub async fn run(output: &Output, command: DiskCommand) -> Result<()> {
    match command {
        DiskCommand::Root { file, format } => root(output, &file, format.as_deref()).await,
    }
}

async fn root(output: &Output, path: &Path, asked: Option<&str>) -> Result<()> {
    let name = path.display().to_string();
    let unreadable = |why: &dyn std::fmt::Display| Failure::refused(format!("cannot read {name}")).why(why);
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    if file.metadata().map_err(|error| unreadable(&error))?.is_dir() {
        return Err(unreadable(&"it is a directory").hint("Name the disk image in it."));
    }
    let by_name = || path.extension().and_then(|ending| ImageFormat::from_extension(ending.to_str()?));
    let format = match asked {
        Some(asked) => asked.parse().map_err(|error: String| Failure::usage(error))?,
        None => by_name().unwrap_or_default(),
    };
    // A guest writes the first bytes of a raw disk as it likes, so they don't choose the format.
    if let (ImageFormat::Raw, None, Ok(Some(other))) = (format, asked, format::probe(&file)) {
        output.note(format_args!("{name} begins like {other}, and is read as raw; --format says otherwise."));
    }
    let reader = format::open_reader(file, &name, format)
        .map_err(|error| unreadable(&error.message).maybe_hint(error.advice))?;
    let root = content::content_root_of_disk(reader.as_ref()).await.map_err(|error| unreadable(&error.message))?;
    let value = json!({
        "file": name, "format": format, "size_bytes": reader.size(), "content_root": root,
    });
    output.note(format_args!("{} of {format}", human::bytes(reader.size())));
    output.one(&value, || format!("{root}  {name}"))
}
