//! One suite for every provider and every layer around one: it holds them to the contract in the docs of
//! `novacron-provider`.
//!
//! A [`Harness`] says how to make what the provider finds, how to count what is left behind, and in which points the
//! place behind the provider is known to deviate: such a check has to fail, so that the list can't grow stale.
//!
//! ```no_run
//! # async fn example(harness: &dyn novacron_provider_suite::Harness) {
//! novacron_provider_suite::run(harness).await.assert();
//! # }
//! ```

mod bytes;
mod checks;
mod context;
mod memory;
mod report;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use novacron_provider::{Capability, Patience, Provider, ProviderError, ProviderExt};
use novacron_types::{DiskId, ImageId, InstanceId};

use context::Context;

pub use memory::MemoryHarness;
pub use report::{Outcome, Report};

/// Why a check failed.
#[derive(Debug, Clone)]
pub struct Trouble(pub String);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ProviderError> for Trouble {
    fn from(error: ProviderError) -> Self {
        Self(format!("{} ({})", error, error.kind.code()))
    }
}

impl From<String> for Trouble {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Trouble {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// A point in which the place behind a provider is not like the real one.
#[derive(Debug, Clone, Copy)]
pub struct Deviation {
    /// The check's name.
    pub check: &'static str,
    pub why: &'static str,
}

/// A provider to be checked, and what is around it.
#[async_trait]
pub trait Harness: Send + Sync {
    fn provider(&self) -> Arc<dyn Provider>;

    /// Makes a running machine by other means than the provider. Its disks hold these bytes, the first one boots;
    /// what they are longer than the bytes reads zero.
    async fn seed(&self, name: &str, disks: &[&[u8]]) -> Result<InstanceId, Trouble>;

    /// Changes a disk of a machine, as its guest would.
    async fn write(&self, disk: &DiskId, offset: u64, bytes: &[u8]) -> Result<(), Trouble>;

    /// How many there are of everything that an operation can leave behind.
    async fn leftovers(&self) -> Result<BTreeMap<String, u64>, Trouble>;

    /// Another provider of the same machines: by another name, and reached in another way where there is one.
    async fn again(&self) -> Option<Arc<dyn Provider>> {
        None
    }

    /// An image that machines can be made from; without one those checks are skipped.
    fn image(&self) -> Option<String> {
        None
    }

    /// Well-formed ids of a machine and of an image that are not there.
    fn absent(&self) -> (InstanceId, ImageId);

    /// A size that new machines can have.
    fn instance_type(&self) -> Option<String> {
        None
    }

    /// Whether a layer loses answers, so that calls happen twice and the second finds nothing left to do.
    fn loses_answers(&self) -> bool {
        false
    }

    fn deviations(&self) -> &[Deviation] {
        &[]
    }

    fn patience(&self) -> Patience {
        Patience { first: Duration::from_millis(5), most: Duration::from_millis(500), limit: Duration::from_secs(60) }
    }
}

/// Runs every check whose capabilities the provider has, one after the other.
pub async fn run(harness: &dyn Harness) -> Report {
    let capabilities = harness.provider().capabilities();
    let mut report = Report::default();
    for check in checks::all() {
        let missing = check.needs.iter().find(|needed| !capabilities.contains(needed));
        let outcome = match missing {
            Some(missing) => Outcome::Skipped(format!("the provider has no {missing}")),
            None => {
                let result = one(harness, &check).await;
                let known = harness.deviations().iter().find(|deviation| deviation.check == check.name);
                match (result, known) {
                    (Ok(None), None) => Outcome::Passed,
                    (Ok(Some(why)), _) => Outcome::Skipped(why),
                    (Err(trouble), Some(known)) => Outcome::Deviates(format!("{}: {trouble}", known.why)),
                    (Err(trouble), None) => Outcome::Failed(trouble.0),
                    (Ok(None), Some(_)) => Outcome::Failed("it passes, but is listed as a known deviation".to_owned()),
                }
            }
        };
        report.add(check.name, outcome);
    }
    for deviation in harness.deviations() {
        if !checks::all().iter().any(|check| check.name == deviation.check) {
            report.add(deviation.check, Outcome::Failed("there is no such check to deviate from".to_owned()));
        }
    }
    report
}

/// One check with its cleaning up; afterwards there must be as much of everything as before. Answers why it was
/// skipped, where it was.
async fn one(harness: &dyn Harness, check: &Check) -> Result<Option<String>, Trouble> {
    const LIMIT: Duration = Duration::from_secs(180);
    let before = harness.leftovers().await?;
    let context = Context::new(harness);
    let result = tokio::time::timeout(LIMIT, (check.run)(&context)).await;
    let result = result.unwrap_or_else(|_| Err(Trouble(format!("it took longer than {} s", LIMIT.as_secs()))));
    let cleaned = context.clean_up().await;
    if let Some(why) = context.skipped() {
        return Ok(Some(why));
    }
    result?;
    cleaned?;
    context.leaves(&before).await?;
    Ok(None)
}

/// One point of the contract.
struct Check {
    name: &'static str,
    needs: &'static [Capability],
    run: for<'a> fn(&'a Context<'a>) -> futures::future::BoxFuture<'a, Result<(), Trouble>>,
}

/// Fails a check unless something holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::Trouble(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;
