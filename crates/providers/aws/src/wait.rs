//! Waiting for AWS inside one call, where the next request needs the end of the last.

use std::{future::Future, time::Duration};

use novacron_provider::{ErrorKind, ProviderError, Result};
use tokio::time::Instant;

/// Asks until there is an answer, or gives up after `limit`.
pub async fn until<T, F, Fut>(name: &'static str, what: &str, limit: Duration, mut ask: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let started = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if started.elapsed() + pause > limit {
            let message = format!("gave up after {} s of waiting for {what}", started.elapsed().as_secs());
            return Err(ProviderError::new(ErrorKind::Unavailable, name, message));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(5));
    }
}
