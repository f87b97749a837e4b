//! The provider: its identity and its machines.

use std::sync::Arc;

use async_trait::async_trait;
use novacron_provider::{
    ChangedBlocks, CreateRequest, DiskSink, DiskSource, Health, HostCapacity, Identity, ListFilter, OperationTag, Page,
    PageToken, Provider, Realm, Result, SweepScope,
};
use novacron_types::{Instance, InstanceId, ProviderKind, ProviderName};
use virt::connect::Connect;

use crate::{
    create,
    fault::{fault, not_found},
    host::Access,
    inner::{Inner, lookup, uuid_of},
    inventory::{self, Detail},
    power,
    settings::Settings,
    sweep,
    xml::host_uuid,
};

/// One KVM host.
pub struct LibvirtProvider {
    identity: Identity,
    realm: tokio::sync::OnceCell<Realm>,
    pub(crate) inner: Arc<Inner>,
}

impl LibvirtProvider {
    /// Connects to nothing yet.
    pub fn new(name: ProviderName, settings: Settings) -> Self {
        let inner = Arc::new(Inner::new(settings));
        let this_host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
        let region = inner.host.remote_name().map_or_else(this_host, str::to_owned);
        let emulated = inner.host.is_mock();
        let identity =
            Identity { name, kind: ProviderKind::Libvirt, region: Some(region), runs_guests: !emulated, emulated };
        Self { identity, realm: tokio::sync::OnceCell::new(), inner }
    }

    fn region(&self) -> String {
        self.identity.region.clone().unwrap_or_default()
    }

    /// Runs `work` with a connection and what the provider's parts share; errors name the provider.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        access: Access,
        operation: &'static str,
        work: impl Fn(&Inner, &Connect) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let done = self.inner.host.run(access, operation, move |connect| work(&inner, connect)).await;
        done.map_err(|error| error.at(&self.identity.name))
    }
}

#[async_trait]
impl Provider for LibvirtProvider {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The host by its UUID, and which of its daemons it is. A driver without such a host is told by its own address.
    async fn realm(&self) -> Result<Realm> {
        let ask = self.run(Access::Read, "virConnectGetCapabilities", |_, connect| {
            let uri = connect.get_uri().map_err(fault("virConnectGetURI"))?;
            let xml = connect.get_capabilities().map_err(fault("virConnectGetCapabilities"))?;
            let place = match host_uuid(&xml)? {
                Some(uuid) => format!("{uuid}{}", daemon(&uri)),
                None => uri,
            };
            Ok(Realm::new(ProviderKind::Libvirt, place))
        });
        self.realm.get_or_try_init(|| ask).await.cloned()
    }

    async fn health(&self) -> Result<Health> {
        self.run(Access::Read, "virConnectGetHostname", |inner, connect| {
            let host = connect.get_hostname().map_err(fault("virConnectGetHostname"))?;
            let kind = connect.get_type().map_err(fault("virConnectGetType"))?;
            let hypervisor = connect.get_hyp_version().map_err(fault("virConnectGetVersion"))?;
            let libvirt = connect.get_lib_version().map_err(fault("virConnectGetLibVersion"))?;
            let detail = format!(
                "{}: {kind} {}, libvirt {}",
                inner.host.uri(),
                version(u64::from(hypervisor)),
                version(u64::from(libvirt))
            );
            Ok(Health { account: Some(host), detail })
        })
        .await
    }

    async fn list_page(&self, filter: &ListFilter, page: Option<&PageToken>) -> Result<Page<Instance>> {
        let (region, filter, page) = (self.region(), filter.clone(), page.cloned());
        let work = move |_: &Inner, connect: &Connect| inventory::list(connect, &region, &filter, page.as_ref());
        self.run(Access::Read, "virConnectListAllDomains", work).await
    }

    async fn get(&self, id: &InstanceId) -> Result<Instance> {
        let (region, id) = (self.region(), id.clone());
        self.run(Access::Read, "virDomainGetXMLDesc", move |_, connect| {
            inventory::instance(connect, &lookup(connect, uuid_of(&id)?)?, &region, Detail::Full)
        })
        .await
    }

    async fn create(&self, request: &CreateRequest) -> Result<Instance> {
        let (region, request) = (self.region(), request.clone());
        self.run(Access::Write, "virDomainDefineXML", move |inner, connect| {
            let domain = create::create(inner, connect, &request)?;
            let mut instance = inventory::instance(connect, &domain, &region, Detail::Listed)?;
            if request.spec.user_data.is_some() {
                let note = "not given to the guest: this provider has no way to do so";
                instance.details.insert("user_data".to_owned(), note.to_owned());
            }
            Ok(instance)
        })
        .await
    }

    async fn start(&self, id: &InstanceId) -> Result<()> {
        let id = id.clone();
        let work = move |inner: &Inner, connect: &Connect| power::start(inner, connect, uuid_of(&id)?);
        self.run(Access::Write, "virDomainCreate", work).await
    }

    /// By ACPI. A guest that has not shut down after `stop_grace_seconds` is switched off.
    async fn stop(&self, id: &InstanceId) -> Result<()> {
        let uuid = uuid_of(id).map_err(|error| error.at(&self.identity.name))?;
        let work = move |_: &Inner, connect: &Connect| power::stop(connect, uuid);
        if let Some(run) = self.run(Access::Write, "virDomainShutdown", work).await? {
            self.inner.grant_grace(uuid, run);
        }
        Ok(())
    }

    async fn delete(&self, id: &InstanceId) -> Result<()> {
        // What is no UUID never was here.
        let Ok(uuid) = uuid_of(id) else { return Ok(()) };
        let work = move |inner: &Inner, connect: &Connect| power::delete(inner, connect, uuid).map(drop);
        self.run(Access::Write, "virDomainUndefine", work).await
    }

    async fn sweep(&self, tag: &OperationTag, scope: SweepScope) -> Result<Vec<String>> {
        let tag = tag.clone();
        let work = move |inner: &Inner, connect: &Connect| sweep::sweep(inner, connect, &tag, scope);
        self.run(Access::Write, "sweep", work).await
    }

    fn disk_source(&self) -> Option<&dyn DiskSource> {
        Some(self)
    }

    fn changed_blocks(&self) -> Option<&dyn ChangedBlocks> {
        Some(self)
    }

    fn disk_sink(&self) -> Option<&dyn DiskSink> {
        Some(self)
    }

    fn host_capacity(&self) -> Option<&dyn HostCapacity> {
        Some(self)
    }
}

/// `/system`, or `/session` of a user: the path of an address.
fn daemon(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or_default()
}

/// libvirt's number of a version: a million times the major, a thousand times the minor, and the release.
fn version(number: u64) -> String {
    format!("{}.{}.{}", number / 1_000_000, number / 1000 % 1000, number % 1000)
}

/// What is on another host can be opened by a mover that runs there.
pub(crate) fn elsewhere(operation: &'static str, what: &str, host: Option<&str>) -> novacron_provider::ProviderError {
    let place = host.map_or_else(|| "on this host".to_owned(), |host| format!("on the host {host}"));
    not_found(operation, format!("{what} is not there, and it should be {place}"))
        .advice("Run the mover on the KVM host itself; for reading, `nbd_listen` lets QEMU serve over TCP instead.")
}
