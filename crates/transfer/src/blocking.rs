//! Work that would hold up a runtime's thread.

use novacron_provider::{ErrorKind, ProviderError, Result};

/// Runs it on a thread of its own. Dropping the future does not stop it.
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ProviderError::new(
            ErrorKind::Unavailable,
            operation,
            format!("a worker thread ended before its work: {error}"),
        )),
    }
}
