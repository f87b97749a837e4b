//! NBD.
use crate::{fault::unavailable, xml::Server};
use novacron_provider::{BlockReader, BlockWriter, ExtentPage, Result};
use std::{sync::Arc, time::Duration};
pub async fn reader(_: &Server, _: &str, _: Duration) -> Result<Arc<dyn BlockReader>> {
    Err(unavailable("NBD", ""))
}
pub async fn writer(_: &Server, _: &str, _: Duration) -> Result<Arc<dyn BlockWriter>> {
    Err(unavailable("NBD", ""))
}
pub async fn changed(_: &Server, _: &str, _: &str, _: u64, _: Duration) -> Result<ExtentPage> {
    Err(unavailable("NBD", ""))
}
