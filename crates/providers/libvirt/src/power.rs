//! Starting, stopping and deleting machines.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use novacron_provider::Result;
use uuid::Uuid;
use virt::{connect::Connect, domain::Domain, error::ErrorNumber};
use virt_sys as sys;

use crate::{
    backup,
    fault::{conflict, fault},
    host::Access,
    inner::{Inner, describe, find, lookup, write_ledger},
    pool,
};

pub fn start(inner: &Inner, connect: &Connect, uuid: Uuid) -> Result<()> {
    let _turn = inner.turn(uuid);
    inner.forget_grace(uuid);
    let domain = lookup(connect, uuid)?;
    let (state, _) = domain.get_state().map_err(fault("virDomainGetState"))?;
    match state {
        sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED => Ok(()),
        // Also one that is held: it has not run since it was started, and its backup stays what it was.
        sys::VIR_DOMAIN_PAUSED => {
            domain.resume().map_err(fault("virDomainResume"))?;
            release_marks(&domain)
        }
        sys::VIR_DOMAIN_PMSUSPENDED => domain.pm_wakeup(0).map(drop).map_err(fault("virDomainPMWakeup")),
        sys::VIR_DOMAIN_SHUTDOWN => {
            Err(conflict("virDomainCreate", format!("{uuid} is shutting down; start it when it has stopped")))
        }
        _ => domain.create().map(drop).map_err(fault("virDomainCreate")),
    }
}

fn release_marks(domain: &Domain) -> Result<()> {
    let mut ledger = describe(domain)?.ledger;
    if !ledger.holds() {
        return Ok(());
    }
    for entry in &mut ledger.entries {
        entry.held = false;
    }
    write_ledger(domain, &ledger)
}

/// Asks the guest to shut down. Gives the number of its run, by which it is known whether it has stopped.
pub fn stop(connect: &Connect, uuid: Uuid) -> Result<Option<u32>> {
    let domain = lookup(connect, uuid)?;
    let held = describe(&domain)?.ledger.holds();
    let (state, _) = domain.get_state().map_err(fault("virDomainGetState"))?;
    match state {
        sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED => {}
        sys::VIR_DOMAIN_PAUSED | sys::VIR_DOMAIN_PMSUSPENDED if !held => {
            return Err(conflict("virDomainShutdown", format!("{uuid} is paused and can't hear that it should stop"))
                .advice("Resume it (`virsh resume`), or switch it off (`virsh destroy`)."));
        }
        _ => return Ok(None),
    }
    let run = domain.get_id();
    match domain.shutdown() {
        Ok(_) => Ok(run),
        Err(error) if error.code() == ErrorNumber::OperationInvalid => Ok(None),
        Err(error) => Err(fault("virDomainShutdown")(error)),
    }
}

/// Switches a guest off if it is still in the run in which it was asked to stop.
fn switch_off(connect: &Connect, uuid: Uuid, run: u32) -> Result<()> {
    match find(connect, uuid)? {
        Some(domain) if domain.get_id() == Some(run) => {
            tracing::warn!(%uuid, "the guest did not shut down in time; switching it off");
            destroy(&domain)
        }
        _ => Ok(()),
    }
}

/// Switches a domain off, or succeeds if it is.
pub fn destroy(domain: &Domain) -> Result<()> {
    match domain.destroy() {
        Err(error) if !matches!(error.code(), ErrorNumber::OperationInvalid | ErrorNumber::NoDomain) => {
            Err(fault("virDomainDestroy")(error))
        }
        _ => Ok(()),
    }
}

/// Deletes a machine with what libvirt keeps of it, then the volumes that were made for it. Others' disks stay. Tells
/// what it has deleted.
pub fn delete(inner: &Inner, connect: &Connect, uuid: Uuid) -> Result<Vec<String>> {
    let _turn = inner.turn(uuid);
    inner.forget_grace(uuid);
    let mut deleted = Vec::new();
    if let Some(domain) = find(connect, uuid)? {
        let xml = describe(&domain)?;
        destroy(&domain)?;
        // Whoever still reads it finds it gone, and with it the record of what to clean up.
        for entry in &xml.ledger.entries {
            backup::clean(&inner.settings, &xml, entry.name);
        }
        undefine(&domain)?;
        deleted.push(uuid.to_string());
    }
    deleted.extend(pool::delete_all(connect, &inner.settings, uuid)?);
    Ok(deleted)
}

fn undefine(domain: &Domain) -> Result<()> {
    let all = sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
        | sys::VIR_DOMAIN_UNDEFINE_NVRAM;
    let gone = |error: &virt::error::Error| error.code() == ErrorNumber::NoDomain;
    match domain.undefine_flags(all) {
        Ok(()) => Ok(()),
        // A transient one was gone when it was switched off.
        Err(error) if gone(&error) => Ok(()),
        // A driver that does not know all the flags has nothing that they are for.
        Err(error) if matches!(error.code(), ErrorNumber::InvalidArg | ErrorNumber::ArgumentUnsupported) => {
            match domain.undefine() {
                Err(error) if !gone(&error) => Err(fault("virDomainUndefine")(error)),
                _ => Ok(()),
            }
        }
        Err(error) => Err(fault("virDomainUndefineFlags")(error)),
    }
}

impl Inner {
    /// Switches the guest off when its grace has passed, unless it is started again or stopped by itself before.
    pub fn grant_grace(self: &Arc<Self>, uuid: Uuid, run: u32) {
        let inner = Arc::clone(self);
        let grace = Duration::from_secs(self.settings.stop_grace_seconds);
        let task = tokio::spawn(async move {
            tokio::time::sleep(grace).await;
            let work = move |connect: &Connect| switch_off(connect, uuid, run);
            if let Err(error) = inner.host.run(Access::Write, "virDomainDestroy", work).await {
                tracing::warn!(%uuid, %error, "a guest that did not shut down could not be switched off");
            }
        });
        let mut graces = self.graces.lock().unwrap_or_else(PoisonError::into_inner);
        graces.retain(|_, (_, task)| !task.is_finished());
        // A second request to stop the same run does not give it more time.
        if graces.get(&uuid).is_some_and(|(known, _)| *known == run) {
            task.abort();
        } else if let Some((_, older)) = graces.insert(uuid, (run, task.abort_handle())) {
            older.abort();
        }
    }

    fn forget_grace(&self, uuid: Uuid) {
        if let Some((_, task)) = self.graces.lock().unwrap_or_else(PoisonError::into_inner).remove(&uuid) {
            task.abort();
        }
    }
}
