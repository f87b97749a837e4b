//! What is noted of machines that their host has sent away.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use novacron_operations::OperationRecord;
use novacron_store::Declared;
use novacron_types::{OperationId, ProviderName, Status, VmId, VmRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Control, ControlError, take_on::Note};

/// What notes are kept as.
const KEPT: &str = "sent";

/// After a move that failed, so long nothing is tried with that machine.
pub(super) const PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// A machine that its host has sent away. It is stored with the move that it tells of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub home: ProviderName,
    pub vm_id: VmId,
    /// Where it was sent; a machine that is elsewhere was moved by somebody, and is left alone.
    pub to: ProviderName,
    /// The last one, away or home.
    pub migration_id: OperationId,
    /// When it could not be taken home since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moves {
    OnItsWay,
    /// The last move failed not long ago.
    Rests,
    No,
}

/// The machines that were sent away, or were to be. What is over is forgotten here.
pub(super) async fn known<'r>(
    control: &Control,
    records: &'r [VmRecord],
    now: Timestamp,
) -> Result<Vec<(&'r VmRecord, Sent, Moves)>, ControlError> {
    let placements = control.store().placements();
    let mut notes: HashMap<String, Value> =
        placements.kept(KEPT).await?.into_iter().map(|note| (note.name, note.manifest)).collect();
    let mut known = Vec::new();
    for record in records {
        let Some(note) = notes.remove(&noted_as(&record.vm_id)) else { continue };
        let Ok(sent) = serde_json::from_value::<Sent>(note) else { continue };
        let moves = moves(control.inner.engine.get(&sent.migration_id).await?.as_ref(), sent.refused, now);
        let is_away = record.provider == sent.to;
        if moves == Moves::No && !is_away {
            let over = Declared { name: noted_as(&record.vm_id), manifest: json!({}), updated_at: now };
            placements.put_declared(&over).await?;
        } else {
            known.push((record, sent, moves));
        }
    }
    Ok(known)
}

fn moves(last: Option<&OperationRecord>, refused: Option<Timestamp>, now: Timestamp) -> Moves {
    let failed = match last {
        Some(last) if !last.status.is_terminal() => return Moves::OnItsWay,
        Some(last) if last.status != Status::Completed => Some(last.ended_at.unwrap_or(last.updated_at)),
        _ => None,
    };
    let rests = failed.max(refused).is_some_and(|at| now.duration_since(at) < PAUSE);
    if rests { Moves::Rests } else { Moves::No }
}

/// It can't be taken home now, and is left alone for a while.
pub(super) async fn refused(control: &Control, sent: &Sent, now: Timestamp) -> Result<(), ControlError> {
    let manifest = json!(Sent { refused: Some(now), ..sent.clone() });
    let note = Declared { name: noted_as(&sent.vm_id), manifest, updated_at: now };
    Ok(control.store().placements().put_declared(&note).await?)
}

/// What is noted of a move away or home, once its id is known.
pub(crate) fn sent(home: ProviderName, vm_id: VmId, to: ProviderName) -> Note {
    Box::new(move |migration_id| {
        let name = noted_as(&vm_id);
        let (home, vm_id, to, migration_id) = (home.clone(), vm_id.clone(), to.clone(), migration_id.clone());
        let manifest = json!(Sent { home, vm_id, to, migration_id, refused: None });
        Declared { name, manifest, updated_at: Timestamp::now() }
    })
}

pub(super) fn noted_as(vm_id: &VmId) -> String {
    format!("{KEPT}:{vm_id}")
}
