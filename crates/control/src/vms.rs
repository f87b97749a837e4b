//! The federation's records of machines.

use novacron_provider::ErrorKind;
use novacron_store::VmQuery as StoreQuery;
use novacron_types::{InstanceId, InstanceState, ProviderName, VmId, VmRecord};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Control, ControlError, directory::Entry};

/// Which records to list. What is absent means any.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VmQuery {
    pub provider: Option<String>,
    pub state: Option<InstanceState>,
    /// In the name, whatever the case.
    pub text: Option<String>,
    pub cursor: Option<String>,
    /// Absent: 50; at most 500.
    pub limit: Option<u32>,
}

/// A page of the federation's records of machines.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Vms)]
pub struct VmPage {
    pub vms: Vec<VmRecord>,
    /// Give it as `cursor` for the next page. Absent on the last.
    pub next_cursor: Option<String>,
}

impl Control {
    pub async fn vms(&self, query: VmQuery) -> Result<VmPage, ControlError> {
        let provider =
            query.provider.map(|provider| Ok::<_, ControlError>(self.find(&provider)?.definition.name.clone()));
        let query = StoreQuery {
            provider: provider.transpose()?,
            state: query.state,
            name: query.text,
            named: None,
            cursor: query.cursor.map(|cursor| cursor.parse()).transpose()?,
            limit: query.limit.unwrap_or(50),
        };
        let page = self.store().vms().vms(&query).await?;
        Ok(VmPage { vms: page.items, next_cursor: page.next.map(|cursor| cursor.to_string()) })
    }

    /// By id, else by name where one VM has it.
    pub async fn vm(&self, reference: &str) -> Result<VmRecord, ControlError> {
        self.find_vm(reference).await?.ok_or_else(|| {
            ControlError::not_found("unknown_vm", format!("there is no VM `{reference}`"))
                .advice("`novacron vm list` shows the VMs that the federation has a record of.")
        })
    }

    pub(crate) async fn find_vm(&self, reference: &str) -> Result<Option<VmRecord>, ControlError> {
        let vms = self.store().vms();
        if let Ok(id) = VmId::new(reference)
            && let Some(record) = vms.vm(&id).await?
        {
            return Ok(Some(record));
        }
        let query = StoreQuery { named: Some(reference.to_owned()), limit: 2, ..StoreQuery::default() };
        let mut named = vms.vms(&query).await?.items;
        match named.len() {
            0 | 1 => Ok(named.pop()),
            _ => Err(ControlError::invalid("ambiguous_name", format!("several VMs are named `{reference}`"))
                .advice("Use the VM's id; `novacron vm list` shows it.")),
        }
    }

    pub(crate) async fn record_of(
        &self,
        provider: &ProviderName,
        instance: &InstanceId,
    ) -> Result<Option<VmRecord>, ControlError> {
        Ok(self.store().vms().vm_by_instance(provider, instance).await?)
    }

    /// Where a VM is: by its record, else as a machine of the local host that has none.
    pub(crate) async fn locate(&self, vm: &VmId) -> Result<(&Entry, InstanceId, Option<VmId>), ControlError> {
        if let Some(record) = self.find_vm(vm.as_str()).await? {
            let entry = self.find(record.provider.as_str())?;
            return Ok((entry, record.instance.instance_id, Some(record.vm_id)));
        }
        let local = self.find("local")?;
        let id = InstanceId::new(vm.as_str()).map_err(|error| ControlError::invalid("invalid", error.to_string()))?;
        match local.provider.get(&id).await {
            Ok(instance) => {
                let record = self.record_of(&local.definition.name, &instance.instance_id).await?;
                Ok((local, instance.instance_id, record.map(|record| record.vm_id)))
            }
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Invalid) => {
                let message = format!("there is no VM `{vm}`, and no machine of that id at {}", local.definition.name);
                Err(ControlError::not_found("unknown_vm", message)
                    .advice("`novacron vm list` shows the VMs, `novacron provider discover local` the local machines."))
            }
            Err(error) => Err(error.into()),
        }
    }
}
