//! Where in the files a name stands that was refused by who did not see them.

use std::path::Path;

use super::request::read_text;
use crate::exit::Failure;

/// So many places are told of one name.
const TOLD: usize = 3;

/// The failure with the places of the first name that it quotes and the files have. What came through a pipe is gone.
pub fn locate<'p>(files: impl IntoIterator<Item = &'p Path>, failure: Failure) -> Failure {
    let files = files.into_iter().filter(|path| path.as_os_str() != "-");
    let texts: Vec<(String, String)> =
        files.filter_map(|path| Some((path.display().to_string(), read_text(path).ok()?))).collect();
    let said = format!("{}\n{}", failure.what, failure.why.as_deref().unwrap_or_default());
    let quoted = said.split('"').skip(1).step_by(2).filter(|name| !name.trim().is_empty());
    let Some(places) = quoted.map(|name| places(&texts, name)).find(|places| !places.is_empty()) else {
        return failure;
    };
    let why = failure.why.iter().cloned().chain(places).collect::<Vec<_>>().join("\n");
    failure.why(why)
}

fn places(texts: &[(String, String)], name: &str) -> Vec<String> {
    let of = |(file, text): &(String, String)| {
        let found = novacron_config::find_text(text, name).into_iter();
        found.map(|(path, at)| format!("{file}:{}:{}: `{path}`", at.line, at.column)).collect::<Vec<_>>()
    };
    let mut all: Vec<String> = texts.iter().flat_map(of).collect();
    if all.len() > TOLD {
        let more = all.len() - TOLD;
        all.truncate(TOLD);
        all.push(format!("and {more} more"));
    }
    all
}
