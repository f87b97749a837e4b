//! EBS snapshots as EC2 describes them.

use aws_sdk_ec2::types::{Filter, Snapshot, SnapshotState};
use novacron_provider::{ErrorKind, ProviderError, Readiness, Result};

use crate::{
    AwsProvider,
    error::{self, ec2, not_found},
};

/// Pages of a search for what one operation made; more is taken as an answer that never ends.
const PAGES: u32 = 100;

impl AwsProvider {
    pub async fn snapshot_by_id(&self, id: &str) -> Result<Snapshot> {
        let answer =
            self.clients.ec2.describe_snapshots().snapshot_ids(id).send().await.map_err(ec2("DescribeSnapshots"))?;
        let snapshot = answer.snapshots.unwrap_or_default().into_iter().next();
        snapshot.ok_or_else(|| not_found("DescribeSnapshots", format!("there is no snapshot {id}")))
    }

    /// This account's snapshots that match.
    pub async fn snapshots_with(&self, filters: Vec<Filter>) -> Result<Vec<Snapshot>> {
        let mut found = Vec::new();
        let mut next = None;
        for _ in 0..PAGES {
            let answer = self
                .clients
                .ec2
                .describe_snapshots()
                .owner_ids("self")
                .set_filters(Some(filters.clone()))
                .set_next_token(next)
                .send()
                .await
                .map_err(ec2("DescribeSnapshots"))?;
            found.extend(answer.snapshots.unwrap_or_default());
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// Deletes it, or succeeds if it is gone.
    pub async fn remove_snapshot(&self, id: &str) -> Result<()> {
        match self.clients.ec2.delete_snapshot().snapshot_id(id).send().await {
            Ok(_) => Ok(()),
            Err(error) if error::code(&error) == Some("InvalidSnapshot.NotFound") => Ok(()),
            Err(error) => Err(ec2("DeleteSnapshot")(error)),
        }
    }
}

pub fn readiness(snapshot: &Snapshot) -> Result<Readiness> {
    match snapshot.state() {
        Some(SnapshotState::Completed) => Ok(Readiness::READY),
        Some(SnapshotState::Error) => {
            let id = snapshot.snapshot_id().unwrap_or_default();
            let why = snapshot.state_message().filter(|why| !why.is_empty()).unwrap_or("no reason given");
            let message = format!("snapshot {id} has failed: {why}");
            Err(ProviderError::new(ErrorKind::Conflict, "DescribeSnapshots", message))
        }
        _ => {
            let percent = snapshot.progress().and_then(|text| text.trim_end_matches('%').parse().ok());
            Ok(Readiness { ready: false, percent: percent.map(|percent: u8| percent.min(100)) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_progress() {
        let pending = |text: &str| Snapshot::builder().state(SnapshotState::Pending).progress(text).build();
        assert_eq!(readiness(&pending("42%")).unwrap(), Readiness { ready: false, percent: Some(42) });
        assert_eq!(readiness(&pending("")).unwrap(), Readiness { ready: false, percent: None });
        let failed = Snapshot::builder().state(SnapshotState::Error).state_message("no key").build();
        assert!(readiness(&failed).unwrap_err().message.contains("no key"));
    }
}
