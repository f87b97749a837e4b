//! From a request to the parameters of a move: everything that can be refused before any work is, here.

use std::time::Duration;

use novacron_operations::{IdempotencyKey, Options, Submission};
use novacron_provider::{Provider, Realm};
use novacron_types::{
    ByteSize, DiskSpec, ExportOptions, ExportRequest, ImportOptions, ImportRequest, Instance, InstanceId,
    InstanceState, MigrateRequest, MigrationType, NetworkMode, NetworkSpec, VmId,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Caller, Control, ControlError, MoveRequest,
    directory::Entry,
    options,
    workflow::{BANDWIDTH_LIMIT, MoveParams, MoveState, StartPolicy},
};

/// A move, checked and ready to be submitted.
pub(crate) struct Prepared {
    pub params: MoveParams,
    pub source: Instance,
    /// Where the source is, whatever the provider is called.
    pub realm: Realm,
    pub options: Options,
    pub bandwidth_limit: Option<ByteSize>,
}

pub(crate) async fn prepare(control: &Control, asked: &MoveRequest) -> Result<Prepared, ControlError> {
    match asked {
        MoveRequest::Import { provider, request } => import(control, provider, request).await,
        MoveRequest::Export { provider, request } => export(control, provider, request).await,
        MoveRequest::Migrate { request } => migrate(control, request).await,
    }
}

async fn import(control: &Control, provider: &str, request: &ImportRequest) -> Result<Prepared, ControlError> {
    let options: ImportOptions = options::read(&request.options, &options::IMPORT)?;
    let source = control.find(provider)?;
    let target = control.target(request.target.as_deref())?;
    let instance = check_pair(source, target, &request.instance_id).await?;
    let vm_id = control.record_of(&source.definition.name, &request.instance_id).await?.map(|record| record.vm_id);
    let params = MoveParams {
        source: source.definition.name.clone(),
        target: target.definition.name.clone(),
        instance: request.instance_id.clone(),
        vm_id,
        name: checked_name(request.name.as_deref())?,
        migration_type: migration_type(options.migration_type, options.terminate_source)?,
        by_image: false,
        start: start_policy(options.start, StartPolicy::AsSource),
        delete_source: options.terminate_source,
        grace_seconds: control.grace().as_secs(),
        instance_type: None,
        disk: DiskSpec::default(),
        network: network(options.network_mode),
        ebs_optimized: options.ebs_optimized,
        transfer: options::transfer(&options.transfer, control.defaults())?,
    };
    finish(source, target, params, instance, options.timeout, options.retry_on_failure).await
}

async fn export(control: &Control, provider: &str, request: &ExportRequest) -> Result<Prepared, ControlError> {
    let options: ExportOptions = options::read(&request.options, &options::EXPORT)?;
    let target = control.find(provider)?;
    let (source, instance_id, vm_id) = control.locate(&request.vm_id).await?;
    let instance = check_pair(source, target, &instance_id).await?;
    let params = export_params(control, source, target, instance_id, vm_id, request.name.as_deref(), &options)?;
    finish(source, target, params, instance, options.timeout, options.retry_on_failure).await
}

fn export_params(
    control: &Control,
    source: &Entry,
    target: &Entry,
    instance: InstanceId,
    vm_id: Option<VmId>,
    name: Option<&str>,
    options: &ExportOptions,
) -> Result<MoveParams, ControlError> {
    Ok(MoveParams {
        source: source.definition.name.clone(),
        target: target.definition.name.clone(),
        instance,
        vm_id,
        name: checked_name(name)?,
        migration_type: migration_type(options.migration_type, options.delete_source)?,
        by_image: false,
        start: start_policy(options.start, StartPolicy::Start),
        delete_source: options.delete_source,
        grace_seconds: control.grace().as_secs(),
        instance_type: options.instance_type.clone(),
        disk: DiskSpec { disk_type: options.ebs_volume_type.clone(), iops: options.ebs_iops, ..DiskSpec::default() },
        network: network(options.network_mode),
        ebs_optimized: options.ebs_optimized,
        transfer: options::transfer(&options.transfer, control.defaults())?,
    })
}

async fn migrate(control: &Control, request: &MigrateRequest) -> Result<Prepared, ControlError> {
    let options: ExportOptions = options::read(&request.options, &options::EXPORT)?;
    let (source, target) = (control.find(&request.source)?, control.find(&request.destination)?);
    let by_image = goes_by_image(source, target);
    let instance = if by_image {
        movable(source.provider.get(&request.instance_id).await?)?
    } else {
        check_pair(source, target, &request.instance_id).await?
    };
    let vm_id = control.record_of(&source.definition.name, &request.instance_id).await?.map(|record| record.vm_id);
    let params =
        export_params(control, source, target, instance.instance_id.clone(), vm_id, request.name.as_deref(), &options)?;
    let params = MoveParams { by_image, ..params };
    finish(source, target, params, instance, options.timeout, options.retry_on_failure).await
}

/// One vendor, two regions, and both sides can copy images.
fn goes_by_image(source: &Entry, target: &Entry) -> bool {
    let (from, to) = (source.provider.identity(), target.provider.identity());
    from.kind == to.kind
        && from.region.is_some()
        && from.region != to.region
        && source.provider.images().is_some()
        && target.provider.images().is_some()
}

/// The source exists and can be read, the target can be written to.
async fn check_pair(source: &Entry, target: &Entry, instance: &InstanceId) -> Result<Instance, ControlError> {
    let lacks = |entry: &Entry, what: &str| {
        ControlError::invalid("no_such_capability", format!("provider {} can't {what}", entry.definition.name))
            .advice("`novacron provider list` shows what each provider can do.")
    };
    if source.provider.disk_source().is_none() {
        return Err(lacks(source, "be read from"));
    }
    if target.provider.disk_sink().is_none() {
        return Err(lacks(target, "be written to"));
    }
    if source.definition.name == target.definition.name {
        return Err(ControlError::invalid("same_provider", "source and target are the same provider"));
    }
    movable(source.provider.get(instance).await?)
}

fn movable(instance: Instance) -> Result<Instance, ControlError> {
    if matches!(instance.state, InstanceState::Terminated | InstanceState::Failed) {
        let message = format!("{} is {}", instance.instance_id, instance.state);
        return Err(ControlError::new(crate::ErrorClass::Conflict, "wrong_state", message)
            .advice("Only a machine that is running or stopped can be moved."));
    }
    Ok(instance)
}

async fn finish(
    from: &Entry,
    to: &Entry,
    params: MoveParams,
    source: Instance,
    timeout: Option<u64>,
    retry_on_failure: Option<bool>,
) -> Result<Prepared, ControlError> {
    options::check_timeout(timeout)?;
    let options =
        Options { timeout: timeout.map(Duration::from_secs), retry_on_failure: retry_on_failure.unwrap_or(true) };
    let realm = from.provider.realm().await?;
    // With credentials that are refused there nothing could be made, nor looked for to be undone.
    to.provider.health().await?;
    Ok(Prepared { bandwidth_limit: params.transfer.bandwidth_limit, params, source, realm, options })
}

/// What a running source writes after its snapshot would be lost with it, so a source that is deleted is stopped first.
fn migration_type(asked: Option<MigrationType>, deletes_source: bool) -> Result<MigrationType, ControlError> {
    match (asked, deletes_source) {
        (Some(MigrationType::Snapshot), true) => Err(ControlError::invalid(
            "would_lose_writes",
            "`migration_type: snapshot` leaves the source running, and what it writes after the snapshot would be deleted with it",
        )
        .advice("Use `migration_type: cold`, or keep the source.")),
        (None, true) => Ok(MigrationType::Cold),
        (asked, _) => Ok(asked.unwrap_or_default()),
    }
}

fn start_policy(asked: Option<bool>, otherwise: StartPolicy) -> StartPolicy {
    match asked {
        Some(true) => StartPolicy::Start,
        Some(false) => StartPolicy::LeaveStopped,
        None => otherwise,
    }
}

fn network(mode: NetworkMode) -> NetworkSpec {
    match mode {
        NetworkMode::Vpc | NetworkMode::Default => NetworkSpec::default(),
        NetworkMode::Public => NetworkSpec { public_ip: Some(true), ..NetworkSpec::default() },
    }
}

fn checked_name(name: Option<&str>) -> Result<Option<String>, ControlError> {
    let Some(name) = name else { return Ok(None) };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 128 || !name.chars().all(plain) || name.starts_with(['.', '-']) {
        return Err(ControlError::invalid("invalid_name", format!("{name:?} can't be a VM's name")).advice(
            "Use up to 128 letters, digits, hyphens, underscores and dots, and start with a letter or a digit.",
        ));
    }
    Ok(Some(name.to_owned()))
}

impl Prepared {
    /// Two moves of one machine at once are refused by the first key, two makings of one record by the second.
    pub fn submission(self, idempotency: Option<IdempotencyKey>) -> Submission<MoveState> {
        let params = self.params;
        let mut exclusive = vec![format!("instance {}/{}", self.realm, params.instance)];
        exclusive.extend(params.vm_id.as_ref().map(vm_key));
        let mut submission = Submission::new(params.instance.to_string(), MoveState::new(params));
        submission.exclusive = exclusive;
        submission.options = self.options;
        submission.idempotency = idempotency;
        if let Some(limit) = self.bandwidth_limit {
            submission.controls = Map::from_iter([(BANDWIDTH_LIMIT.to_owned(), Value::from(limit.0))]);
        }
        submission
    }
}

/// Held by whoever is at work on a VM.
pub(crate) fn vm_key(vm_id: &VmId) -> String {
    format!("VM {vm_id}")
}

/// The caller's key, if there is one, beside the digest of the request.
pub(crate) fn idempotency(caller: &Caller, request: &impl Serialize) -> Result<Option<IdempotencyKey>, ControlError> {
    let Some(key) = &caller.idempotency_key else { return Ok(None) };
    if key.is_empty() || key.len() > 255 {
        return Err(ControlError::invalid("invalid_idempotency_key", "an idempotency key has 1 to 255 bytes"));
    }
    let body = serde_json::to_vec(request).map_err(|error| ControlError::invalid("invalid", error.to_string()))?;
    // A key is its caller's own: another caller's request under the same key is another request.
    let digest = blake3::hash(&body).to_hex().to_string();
    Ok(Some(IdempotencyKey { key: format!("{}/{key}", caller.actor), digest }))
}
