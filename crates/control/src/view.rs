//! An operation as the API shows it.

use novacron_operations::OperationRecord;
use novacron_types::{ContentRoot, Migration, MigrationKind, MigrationProof, Status};

use crate::{ControlError, ErrorClass, work::with_command, workflow::MoveSummary};

/// The migration that the record is of. A record of another kind of operation is "not found".
pub(crate) fn migration(record: OperationRecord) -> Result<Migration, ControlError> {
    let kind = kind(&record.kind)
        .ok_or_else(|| ControlError::not_found("no_such_migration", format!("{} is not a migration", record.id)))?;
    let summary: MoveSummary =
        record.summary.and_then(|summary| serde_json::from_value(summary).ok()).ok_or_else(|| {
            ControlError::new(
                ErrorClass::Internal,
                "store",
                format!("the stored summary of {} can't be read", record.id),
            )
        })?;
    let error = record.error.map(|error| match record.status {
        Status::Failed => with_command(error, &format!("novacron migration retry {}", record.id)),
        _ => error,
    });
    let of_boot = |root: fn(&MigrationProof) -> Option<ContentRoot>| summary.proof.as_ref().and_then(root);
    Ok(Migration {
        migration_id: record.id,
        kind,
        status: record.status,
        phase: record.phase,
        progress: record.progress,
        start_time: record.created_at,
        end_time: record.ended_at,
        source: summary.source.clone(),
        destination: summary.destination.clone(),
        instance_id: Some(summary.instance_id.clone()),
        vm_id: summary.vm_id.clone(),
        target_instance_id: summary.target_instance_id.clone(),
        checkpoints: record.checkpoints,
        transfer_stats: record.transfer,
        source_checksum: of_boot(|proof| proof.disks.first().map(|disk| disk.source_root)),
        target_checksum: of_boot(|proof| proof.disks.first().and_then(|disk| disk.target_root)),
        proof: summary.proof.clone(),
        error,
        hold_reason: record.hold.map(|hold| hold.reason),
        cancel_requested: record.cancel_requested.is_some(),
    })
}

pub(crate) fn kind(name: &str) -> Option<MigrationKind> {
    MigrationKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}
