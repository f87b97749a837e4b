//! The provider itself.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use novacron_provider::{
    Boot, CreateRequest, DiskSink, DiskSource, ErrorKind, Health, HostCapacity, Identity, ListFilter, OperationTag,
    Page, PageToken, Provider, ProviderError, Realm, Result, SweepScope,
};
use novacron_transfer::format::{self, ImageFormat};
use novacron_types::{ByteSize, Instance, InstanceId, ProviderKind, ProviderName};

use crate::{
    folder::{Folder, STAGING},
    machine::{DiskRecord, Machine, RECORD, Record, is_disk_name, is_plain, machine_id, staging},
    source,
};

const PAGE: usize = 100;
const FILTERS: [&str; 3] = ["instance-id", "name", "state"];

/// A folder of disk images. Clones are the same folder.
#[derive(Debug, Clone)]
pub struct Files {
    pub(crate) identity: Identity,
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub folder: Folder,
    pub format: ImageFormat,
}

impl Files {
    /// Opens the folder, and makes it if it is not there.
    pub fn open(name: ProviderName, path: &Path, format: ImageFormat) -> Result<Self> {
        let host = rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
        let identity = Identity { name, kind: ProviderKind::Files, region: host, runs_guests: false, emulated: false };
        Ok(Self { identity, inner: Arc::new(Inner { folder: Folder::open(path)?, format }) })
    }

    /// Runs file work on a thread of its own.
    pub(crate) async fn off_thread<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let joined = tokio::task::spawn_blocking(move || work(&inner)).await;
        let result = joined.unwrap_or_else(|error| {
            let message = format!("a worker thread ended before its work: {error}");
            Err(ProviderError::new(ErrorKind::Unavailable, operation, message))
        });
        result.map_err(|error| error.at(&self.identity.name))
    }

    fn region(&self) -> Option<String> {
        self.identity.region.clone()
    }
}

#[async_trait]
impl Provider for Files {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The folder by its canonical path, through whatever links it was named.
    async fn realm(&self) -> Result<Realm> {
        Ok(Realm::new(ProviderKind::Files, self.inner.folder.root().display()))
    }

    async fn health(&self) -> Result<Health> {
        let account = self.region();
        self.off_thread("health", move |inner| inner.health(account)).await
    }

    async fn list_page(&self, filter: &ListFilter, page: Option<&PageToken>) -> Result<Page<Instance>> {
        let (filter, after, region) = (filter.clone(), page.map(|page| page.0.clone()), self.region());
        self.off_thread("list", move |inner| inner.list(&filter, after, region)).await
    }

    async fn get(&self, id: &InstanceId) -> Result<Instance> {
        let (id, region) = (id.clone(), self.region());
        self.off_thread("get", move |inner| Ok(inner.whole_machine("get", &id)?.instance(region))).await
    }

    async fn create(&self, request: &CreateRequest) -> Result<Instance> {
        let (request, region) = (request.clone(), self.region());
        self.off_thread("create", move |inner| Ok(inner.create(request)?.instance(region))).await
    }

    async fn start(&self, id: &InstanceId) -> Result<()> {
        self.get(id).await?;
        let message = format!("{id} can't be started: this provider keeps disks in a folder and runs no guests");
        Err(ProviderError::new(ErrorKind::Conflict, "start", message)
            .advice("Move it to a provider that runs guests.")
            .at(&self.identity.name))
    }

    /// Nothing runs here, so that it is always stopped.
    async fn stop(&self, id: &InstanceId) -> Result<()> {
        self.get(id).await.map(drop)
    }

    async fn delete(&self, id: &InstanceId) -> Result<()> {
        let id = id.clone();
        self.off_thread("delete", move |inner| inner.delete("delete", &id, true).map(drop)).await
    }

    async fn sweep(&self, tag: &OperationTag, scope: SweepScope) -> Result<Vec<String>> {
        let tag = tag.clone();
        self.off_thread("sweep", move |inner| inner.sweep(&tag, scope)).await
    }

    fn disk_source(&self) -> Option<&dyn DiskSource> {
        Some(self)
    }

    fn disk_sink(&self) -> Option<&dyn DiskSink> {
        Some(self)
    }

    fn host_capacity(&self) -> Option<&dyn HostCapacity> {
        Some(self)
    }
}

impl Inner {
    pub fn machine(&self, operation: &'static str, id: &InstanceId) -> Result<Machine> {
        Machine::find(&self.folder, operation, id)?.ok_or_else(|| {
            let message = format!("there is no machine {id} in {}", self.folder.root().display());
            ProviderError::new(ErrorKind::NotFound, operation, message)
        })
    }

    /// A machine whose disks are all there, in the sizes that its record says. What was cut is not taken for the whole.
    pub fn whole_machine(&self, operation: &'static str, id: &InstanceId) -> Result<Machine> {
        let machine = self.machine(operation, id)?;
        for disk in machine.disks.iter().filter(|_| machine.record.is_some()) {
            let file = self.folder.file(operation, &disk.inside, false)?;
            let found = format::disk_size(&file, &disk.inside, disk.format)?;
            if found != disk.size_bytes {
                let message = format!(
                    "{} is a disk of {found} bytes, and {id} was recorded with {}: it was cut, or replaced",
                    disk.inside, disk.size_bytes
                );
                return Err(ProviderError::new(ErrorKind::Conflict, operation, message).advice(
                    "Put the whole image back; if it was resized on purpose, correct `size_bytes` in vm.json.",
                ));
            }
        }
        Ok(machine)
    }

    fn health(&self, account: Option<String>) -> Result<Health> {
        let free = ByteSize(self.folder.room("health")?.free_bytes);
        let probe = format!("{STAGING}/.health");
        self.folder.put_record("health", &probe, b"")?;
        self.folder.remove("health", &probe)?;
        let path = self.folder.root().display();
        Ok(Health { account, detail: format!("{path} can be written to and has {free} free") })
    }

    /// A page is the smallest names after the last one's, so that memory is bounded by a page.
    fn list(&self, filter: &ListFilter, after: Option<String>, region: Option<String>) -> Result<Page<Instance>> {
        if let Some(unknown) = filter.filters.keys().find(|name| !FILTERS.contains(&name.as_str())) {
            let message = format!("there is no filter `{unknown}`");
            return Err(ProviderError::new(ErrorKind::Invalid, "list", message)
                .advice(format!("There are: {}.", FILTERS.join(", "))));
        }
        let mut ids = BTreeSet::new();
        for name in self.folder.names("list", "")? {
            let stem = match name.rsplit_once('.') {
                Some((stem, extension)) if ImageFormat::from_extension(extension).is_some() => stem,
                _ if self.folder.is_folder(&name) => name.as_str(),
                _ => continue,
            };
            if is_plain(stem) && after.as_deref().is_none_or(|after| stem > after) {
                ids.insert(stem.to_owned());
                if ids.len() > PAGE {
                    ids.pop_last();
                }
            }
        }
        let next = (ids.len() == PAGE).then(|| ids.last().cloned().map(PageToken)).flatten();
        let mut items = Vec::new();
        for id in ids.into_iter().filter_map(|id| InstanceId::new(id).ok()) {
            match Machine::find(&self.folder, "list", &id) {
                Ok(Some(machine)) => items.push(machine.instance(region.clone())),
                Ok(None) => {}
                Err(error) => tracing::warn!(%id, %error, "left out of the list"),
            }
        }
        items.retain(|instance| matches(filter, instance));
        Ok(Page { items, next })
    }

    fn create(&self, request: CreateRequest) -> Result<Machine> {
        let id = machine_id(&request.tag);
        if let Some(machine) = Machine::find(&self.folder, "create", &id)? {
            return Ok(machine);
        }
        let Boot::Disks { disks } = request.boot else {
            let message = "this provider has no images; it makes machines from disks that were moved to it";
            return Err(ProviderError::new(ErrorKind::Invalid, "create", message));
        };
        let mut records = Vec::new();
        for disk in &disks {
            let place = self.staged("create", disk)?;
            let file = self.folder.file("create", &place.inside(), false)?;
            file.sync_all().map_err(|error| self.folder.error("create", &place.inside(), &error))?;
            records.push(DiskRecord {
                file: place.file,
                format: place.format,
                size_bytes: disk.size_bytes,
                spec: disk.spec.clone(),
            });
        }
        if records.is_empty() {
            return Err(ProviderError::new(ErrorKind::Invalid, "create", "a machine needs a disk"));
        }
        let from = format!("{STAGING}/{}", staging(&request.tag));
        for name in self.folder.names("create", &from)?.filter(|name| !is_disk_name(name)) {
            self.folder.remove("create", &format!("{from}/{name}"))?;
        }
        let record = Record::new(id.clone(), request.name, request.tag, request.spec, records);
        let json = serde_json::to_vec_pretty(&record)
            .map_err(|error| ProviderError::new(ErrorKind::Invalid, "create", error.to_string()))?;
        self.folder.put_record("create", &format!("{from}/{RECORD}"), &json)?;
        fs::rename(self.folder.path(&from), self.folder.path(id.as_str()))
            .map_err(|error| self.folder.error("create", id.as_str(), &error))?;
        self.folder.sync_parent("create", id.as_str())?;
        self.folder.sync_parent("create", &from)?;
        self.machine("create", &id)
    }

    /// Whether there was something to delete. A pin stops a person, not an operation that undoes what it made; being
    /// read stops both.
    fn delete(&self, operation: &'static str, id: &InstanceId, heed_pins: bool) -> Result<bool> {
        let found = match Machine::find(&self.folder, operation, id) {
            Ok(Some(machine)) => machine,
            Ok(None) => return Ok(false),
            Err(error) => return Err(error),
        };
        if let Some(snapshot) = source::pinned(&self.folder, operation, id)?.filter(|_| heed_pins) {
            return Err(in_use(operation, &format!("{id} is pinned by the snapshot {snapshot}")));
        }
        let mut locks = Vec::new();
        for disk in &found.disks {
            match self.folder.file(operation, &disk.inside, false) {
                Ok(file) => locks.push(self.lock(operation, file, &disk.inside, true)?),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        if found.record.is_none() {
            for disk in &found.disks {
                self.folder.remove(operation, &disk.inside)?;
            }
            return Ok(true);
        }
        let grave = format!("{STAGING}/deleted-{id}");
        self.remove_folder(operation, &grave)?;
        fs::rename(self.folder.path(id.as_str()), self.folder.path(&grave))
            .map_err(|error| self.folder.error(operation, id.as_str(), &error))?;
        self.folder.sync_parent(operation, id.as_str())?;
        self.remove_folder(operation, &grave)
    }

    fn sweep(&self, tag: &OperationTag, scope: SweepScope) -> Result<Vec<String>> {
        let mut removed = source::unpin_all(&self.folder, tag)?;
        self.folder.remove_old_drafts("sweep")?;
        let id = machine_id(tag);
        let grave = format!("{STAGING}/deleted-{id}");
        self.remove_folder("sweep", &grave)?;
        let staged = format!("{STAGING}/{}", staging(tag));
        for name in self.folder.names("sweep", &staged)?.filter(|name| is_disk_name(name)) {
            removed.push(format!("{}/{name}", staging(tag)));
        }
        self.remove_folder("sweep", &staged)?;
        if scope == SweepScope::Everything && self.delete("sweep", &id, false)? {
            removed.push(id.to_string());
        }
        Ok(removed)
    }

    fn remove_folder(&self, operation: &'static str, inside: &str) -> Result<bool> {
        match fs::remove_dir_all(self.folder.path(inside)) {
            Ok(()) => self.folder.sync_parent(operation, inside).map(|()| true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.folder.error(operation, inside, &error)),
        }
    }

    /// Locks a disk against those who would write or delete it, or against everybody.
    pub fn lock(&self, operation: &'static str, file: File, inside: &str, alone: bool) -> Result<File> {
        let locked = if alone { file.try_lock() } else { file.try_lock_shared() };
        match locked {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(in_use(operation, &format!("{inside} is being read or written"))),
            Err(TryLockError::Error(error)) => Err(self.folder.error(operation, inside, &error)),
        }
    }
}

fn in_use(operation: &'static str, what: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, operation, what).advice("Wait until the transfer that uses it has ended.")
}

fn matches(filter: &ListFilter, instance: &Instance) -> bool {
    filter.filters.iter().all(|(name, values)| {
        let value = match name.as_str() {
            "instance-id" => instance.instance_id.to_string(),
            "name" => instance.display_name().to_owned(),
            _ => instance.state.to_string(),
        };
        values.contains(&value)
    })
}
