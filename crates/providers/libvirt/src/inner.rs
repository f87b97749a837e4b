//! What the parts of a provider share.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU8},
    time::{Duration, Instant},
};

use novacron_provider::{OperationTag, Result};
use novacron_types::InstanceId;
use tokio::task::AbortHandle;
use uuid::Uuid;
use virt::{connect::Connect, domain::Domain, error::ErrorNumber};
use virt_sys as sys;

use crate::{
    capacity::CpuTimes,
    fault::{fault, not_found},
    host::Host,
    settings::Settings,
    xml::{DomainXml, LEDGER_KEY, LEDGER_URI, Ledger},
};

/// Work on one domain's snapshots goes one after the other; domains rarely share a lock.
const TURNS: usize = 16;

/// What is known of the host's KVM, once a machine has been started with it.
pub const KVM_WORKS: u8 = 1;
pub const KVM_FAILS: u8 = 2;

pub struct Inner {
    pub settings: Settings,
    pub host: Host,
    turns: [Mutex<()>; TURNS],
    pub kvm: AtomicU8,
    /// Guests that were asked to shut down and will be switched off, with the number of the run that this is for.
    pub graces: Mutex<HashMap<Uuid, (u32, AbortHandle)>>,
    /// The last reading, from which the host's load is measured.
    pub cpu_times: Mutex<Option<CpuTimes>>,
}

impl Inner {
    pub fn new(settings: Settings) -> Self {
        let host = Host::new(&settings.uri);
        Self {
            settings,
            host,
            turns: Default::default(),
            kvm: AtomicU8::new(0),
            graces: Mutex::default(),
            cpu_times: Mutex::default(),
        }
    }

    /// Held while a domain's snapshots are changed.
    pub fn turn(&self, domain: Uuid) -> MutexGuard<'_, ()> {
        let index = usize::from(domain.as_bytes()[15]) % TURNS;
        self.turns[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub fn uuid_of(id: &InstanceId) -> Result<Uuid> {
    Uuid::try_parse(id.as_str())
        .map_err(|_| not_found("virDomainLookupByUUID", format!("no machine has the id {id}: it is not a UUID")))
}

/// The domain if it exists.
pub fn find(connect: &Connect, uuid: Uuid) -> Result<Option<Domain>> {
    match Domain::lookup_by_uuid_string(connect, &uuid.to_string()) {
        Ok(domain) => Ok(Some(domain)),
        Err(error) if error.code() == ErrorNumber::NoDomain => Ok(None),
        Err(error) => Err(fault("virDomainLookupByUUID")(error)),
    }
}

pub fn lookup(connect: &Connect, uuid: Uuid) -> Result<Domain> {
    find(connect, uuid)?.ok_or_else(|| not_found("virDomainLookupByUUID", format!("no machine has the id {uuid}")))
}

pub fn describe(domain: &Domain) -> Result<DomainXml> {
    domain.get_xml_desc(0).map_err(fault("virDomainGetXMLDesc"))?.parse()
}

pub fn is_active(domain: &Domain) -> Result<bool> {
    domain.is_active().map_err(fault("virDomainIsActive"))
}

/// Where we keep word of a domain's snapshots: in what runs, and in what will run the next time.
pub fn write_ledger(domain: &Domain, ledger: &Ledger) -> Result<()> {
    let mut flags = 0;
    if is_active(domain)? {
        flags |= sys::VIR_DOMAIN_AFFECT_LIVE;
    }
    if domain.is_persistent().map_err(fault("virDomainIsPersistent"))? {
        flags |= sys::VIR_DOMAIN_AFFECT_CONFIG;
    }
    let xml = ledger.to_xml();
    let kind = sys::VIR_DOMAIN_METADATA_ELEMENT as i32;
    match domain.set_metadata(kind, xml.as_deref(), Some(LEDGER_KEY), Some(LEDGER_URI), flags) {
        Ok(_) => Ok(()),
        Err(error) if xml.is_none() && error.code() == ErrorNumber::NoDomainMetadata => Ok(()),
        Err(error) => Err(fault("virDomainSetMetadata")(error)),
    }
}

/// Whether `tag` made this domain.
pub fn made_by(xml: &DomainXml, tag: &OperationTag) -> bool {
    xml.made_by_us.as_ref().is_some_and(|vm| vm.operation == tag.as_str())
}

/// Asks until it is so, or the limit has passed. It runs on threads for blocking work only.
pub fn wait_until(limit: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<bool> {
    let end = Instant::now() + limit;
    loop {
        if done()? {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        #[expect(clippy::disallowed_methods, reason = "no runtime thread is blocked")]
        std::thread::sleep(Duration::from_millis(50));
    }
}
