//! What a move was asked to do, and what its steps have learned.

use jiff::Timestamp;
use novacron_provider::{DiskSnapshot, TargetDisk, Written};
use novacron_types::{
    DiskProof, DiskSpec, ImageId, Instance, InstanceId, InstanceState, MigrationProof, MigrationType, NetworkSpec,
    ProviderName, TransferOptions, VmId, VmRecord,
};
use serde::{Deserialize, Serialize};

/// The request, with every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MoveParams {
    pub source: ProviderName,
    pub target: ProviderName,
    pub instance: InstanceId,
    /// The federation's record of the source, if it has one.
    pub vm_id: Option<VmId>,
    pub name: Option<String>,
    pub migration_type: MigrationType,
    /// Moved as an image inside one vendor, instead of disk by disk.
    #[serde(default)]
    pub by_image: bool,
    pub start: StartPolicy,
    pub delete_source: bool,
    pub grace_seconds: u64,
    pub instance_type: Option<String>,
    pub disk: DiskSpec,
    pub network: NetworkSpec,
    pub ebs_optimized: Option<bool>,
    pub transfer: TransferOptions,
}

/// Whether the machine runs at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StartPolicy {
    Start,
    LeaveStopped,
    /// As the source was, if that is stopped or deleted by this move; two copies never run side by side.
    AsSource,
}

/// Stored after every step. It holds no secrets: user data is read from the source when it is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MoveState {
    pub params: MoveParams,
    pub source: Option<Instance>,
    pub was_running: bool,
    /// When the run began that was ended for this move, as the provider says it.
    #[serde(default)]
    pub stopped_launch: Option<Timestamp>,
    /// The record's id at the end.
    pub new_vm_id: Option<VmId>,
    pub snapshots: Vec<DiskSnapshot>,
    pub disks: Vec<TargetDisk>,
    pub written: Vec<Written>,
    pub proofs: Vec<DiskProof>,
    #[serde(default)]
    pub source_image: Option<ImageId>,
    #[serde(default)]
    pub target_image: Option<ImageId>,
    pub created: Option<Instance>,
    /// When the source may be deleted.
    pub grace_until: Option<Timestamp>,
    /// It was started again after it had been copied, and a person has been told.
    #[serde(default)]
    pub told_of_restart: bool,
    /// The record as it was before, to be put back.
    pub record_before: Option<VmRecord>,
}

impl MoveState {
    pub fn new(params: MoveParams) -> Self {
        Self {
            params,
            source: None,
            was_running: false,
            stopped_launch: None,
            new_vm_id: None,
            snapshots: Vec::new(),
            disks: Vec::new(),
            written: Vec::new(),
            proofs: Vec::new(),
            source_image: None,
            target_image: None,
            created: None,
            grace_until: None,
            told_of_restart: false,
            record_before: None,
        }
    }

    pub fn name(&self) -> String {
        let of_source = || self.source.as_ref().map(|source| source.display_name().to_owned());
        self.params.name.clone().or_else(of_source).unwrap_or_else(|| self.params.instance.to_string())
    }

    /// Whether the source, as it is `now`, may hold what the copy does not: it runs, or was started since it was stopped.
    pub fn source_ran_since(&self, now: &Instance) -> bool {
        let runs = matches!(now.state, InstanceState::Running | InstanceState::Pending | InstanceState::Stopping);
        runs || now.launched_at != self.stopped_launch
    }

    /// Whether the machine should run at the target.
    pub fn starts(&self) -> bool {
        match self.params.start {
            StartPolicy::Start => true,
            StartPolicy::LeaveStopped => false,
            StartPolicy::AsSource => {
                let source_stays = self.params.migration_type == MigrationType::Snapshot && !self.params.delete_source;
                self.was_running && !source_stays
            }
        }
    }
}

/// Whether a machine in this state runs, or is about to: a cold move stops it.
pub(crate) fn runs(state: InstanceState) -> bool {
    matches!(state, InstanceState::Running | InstanceState::Pending)
}

/// What users see of the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct MoveSummary {
    pub source: ProviderName,
    pub destination: ProviderName,
    pub instance_id: InstanceId,
    pub vm_id: Option<VmId>,
    pub target_instance_id: Option<InstanceId>,
    pub proof: Option<MigrationProof>,
}

impl MoveSummary {
    pub fn of(state: &MoveState) -> Self {
        Self {
            source: state.params.source.clone(),
            destination: state.params.target.clone(),
            instance_id: state.params.instance.clone(),
            vm_id: state.new_vm_id.clone().or_else(|| state.params.vm_id.clone()),
            target_instance_id: state.created.as_ref().map(|created| created.instance_id.clone()),
            proof: (!state.proofs.is_empty()).then(|| MigrationProof { disks: state.proofs.clone() }),
        }
    }
}
