//! VMs: the record as JSON, beside columns to look it up by.

use async_trait::async_trait;
use jiff::Timestamp;
use novacron_operations::{ListQuery, Page, StoreError};
use novacron_types::{InstanceId, ProviderName, VmId, VmRecord};
use sqlx::{QueryBuilder, Row as _};

use super::{Backend, Db, POSITION};
use crate::{VmQuery, VmStore, error::store_error};

#[async_trait]
impl VmStore for Backend {
    async fn put_vm(&self, vm: &VmRecord) -> Result<(), StoreError> {
        let record = serde_json::to_string(vm).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let put = sqlx::query(
            "INSERT INTO vms (id, name, search, provider, instance_id, state, created_at, updated_at, record)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, search = excluded.search,
                 provider = excluded.provider, instance_id = excluded.instance_id, state = excluded.state,
                 updated_at = excluded.updated_at, record = excluded.record, deleted_at = NULL",
        )
        .bind(vm.vm_id.as_str())
        .bind(&vm.name)
        .bind(vm.name.to_lowercase())
        .bind(vm.provider.as_str())
        .bind(vm.instance.instance_id.as_str())
        .bind(vm.instance.state.to_string())
        .bind(vm.created_at.to_string())
        .bind(vm.updated_at.to_string())
        .bind(record)
        .execute(self.writer())
        .await;
        match put {
            Ok(_) => Ok(()),
            Err(error) if error.as_database_error().is_some_and(|error| error.is_unique_violation()) => {
                let holder = self.vm_by_instance(&vm.provider, &vm.instance.instance_id).await?;
                let what = format!("instance {} of {}", vm.instance.instance_id, vm.provider);
                let other = holder.map_or_else(|| "another VM".to_owned(), |holder| format!("VM {}", holder.vm_id));
                Err(StoreError::Duplicate { what, other })
            }
            Err(error) => Err(store_error(error)),
        }
    }

    async fn vm(&self, id: &VmId) -> Result<Option<VmRecord>, StoreError> {
        let row = sqlx::query("SELECT record FROM vms WHERE id = $1 AND deleted_at IS NULL")
            .bind(id.as_str())
            .fetch_optional(self.reader())
            .await
            .map_err(store_error)?;
        row.as_ref().map(record).transpose()
    }

    async fn vm_by_instance(
        &self,
        provider: &ProviderName,
        instance: &InstanceId,
    ) -> Result<Option<VmRecord>, StoreError> {
        let row = sqlx::query("SELECT record FROM vms WHERE provider = $1 AND instance_id = $2 AND deleted_at IS NULL")
            .bind(provider.as_str())
            .bind(instance.as_str())
            .fetch_optional(self.reader())
            .await
            .map_err(store_error)?;
        row.as_ref().map(record).transpose()
    }

    async fn vms(&self, query: &VmQuery) -> Result<Page<VmRecord>, StoreError> {
        let mut sql = QueryBuilder::<Db>::new("SELECT place, record FROM vms WHERE deleted_at IS NULL");
        if let Some(provider) = &query.provider {
            sql.push(" AND provider = ").push_bind(provider.to_string());
        }
        if let Some(state) = query.state {
            sql.push(" AND state = ").push_bind(state.to_string());
        }
        if let Some(name) = &query.name {
            sql.push(format_args!(" AND {POSITION}(search, ")).push_bind(name.to_lowercase()).push(") > 0");
        }
        if let Some(named) = &query.named {
            sql.push(" AND name = ").push_bind(named.clone());
        }
        if let Some(cursor) = query.cursor {
            sql.push(" AND place > ").push_bind(i64::try_from(cursor.0).unwrap_or(i64::MAX));
        }
        let limit = query.limit.clamp(1, ListQuery::MAX_LIMIT);
        sql.push(" ORDER BY place LIMIT ").push_bind(i64::from(limit) + 1);
        let rows = sql.build().fetch_all(self.reader()).await.map_err(store_error)?;
        let rows = rows.iter().map(|row| {
            let place: i64 = row.try_get("place").map_err(store_error)?;
            Ok((place.unsigned_abs(), record(row)?))
        });
        Ok(Page::from_rows(rows.collect::<Result<_, StoreError>>()?, limit))
    }

    async fn delete_vm(&self, id: &VmId, at: Timestamp) -> Result<bool, StoreError> {
        let deleted = sqlx::query("UPDATE vms SET deleted_at = $1 WHERE id = $2 AND deleted_at IS NULL")
            .bind(at.to_string())
            .bind(id.as_str())
            .execute(self.writer())
            .await
            .map_err(store_error)?;
        Ok(deleted.rows_affected() == 1)
    }
}

fn record(row: &<Db as sqlx::Database>::Row) -> Result<VmRecord, StoreError> {
    let json: &str = row.try_get("record").map_err(store_error)?;
    serde_json::from_str(json).map_err(|error| StoreError::Corrupt(format!("a VM's record: {error}")))
}
