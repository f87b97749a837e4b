//! The commands that talk to a server, and those that look at things of this machine.

pub mod apply;
pub mod burst;
pub mod catalog;
pub mod config;
pub mod disk;
pub mod explain;
pub mod migrate;
pub mod migration;
pub mod operation;
pub mod place;
pub mod plan;
pub mod provider;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod statistics;
pub mod vm;
pub mod work;

use std::io::Read;

use serde::de::DeserializeOwned;

use crate::{
    cli::Global,
    client::Client,
    exit::{Failure, Result},
    output::{Output, Row},
};

/// Where the server is when nobody says.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// What every client command has.
pub struct Context {
    pub client: Client,
    pub output: Output,
}

impl Context {
    pub fn new(global: &Global, output: Output) -> Result<Self> {
        let token = token(global)?;
        let client = Client::new(global.server.as_deref().unwrap_or(DEFAULT_SERVER), token, global.cacert.as_deref())?;
        Ok(Self { client, output })
    }

    /// Prints a list page by page, at most `limit` of it.
    async fn list<T: Row + DeserializeOwned>(
        &self,
        path: &str,
        mut query: Vec<(String, String)>,
        limit: Option<u64>,
    ) -> Result<()> {
        let mut printer = self.output.list::<T>();
        let mut cursors = std::collections::HashSet::new();
        if let Some(limit) = limit {
            query.push(("limit".to_owned(), limit.clamp(1, 200).to_string()));
        }
        let plain = query.len();
        loop {
            let mut page = self.client.page::<T>(path, &query).await?;
            if let Some(limit) = limit {
                page.items.truncate(usize::try_from(limit - printer.printed()).unwrap_or(usize::MAX));
            }
            printer.page(&page.items)?;
            let enough = limit.is_some_and(|limit| printer.printed() >= limit);
            match page.next {
                Some(cursor) if !enough => {
                    if !cursors.insert(cursor.clone()) {
                        return Err(Failure::failed("the server repeats a page of the list without end"));
                    }
                    query.truncate(plain);
                    query.push(("cursor".to_owned(), cursor));
                }
                _ => return printer.end(),
            }
        }
    }
}

/// The token's file wins over $NOVACRON_TOKEN.
fn token(global: &Global) -> Result<Option<String>> {
    const LIMIT: u64 = 64 << 10;
    let token = match &global.token_file {
        Some(path) => {
            let mut text = String::new();
            std::fs::File::open(path)
                .and_then(|file| file.take(LIMIT).read_to_string(&mut text))
                .map_err(|error| Failure::usage(format!("cannot read the token in {}", path.display())).why(error))?;
            if text.trim().is_empty() {
                return Err(Failure::usage(format!("there is no token in {}", path.display()))
                    .why("the file is empty")
                    .hint("Write the token into it that the server knows, or leave --token-file and $NOVACRON_TOKEN_FILE out."));
            }
            Some(text)
        }
        None => std::env::var("NOVACRON_TOKEN").ok(),
    };
    Ok(token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()))
}
