//! Removes placements and declarations that nobody needs. What another process is at work on is left out.

use jiff::Timestamp;
use novacron_operations::StoreError;
use sqlx::QueryBuilder;

use super::{Backend, Db, SKIP_LOCKED, age::before_text};
use crate::error::store_error;

/// Those that a newer one follows, or of which there is neither a machine nor a declaration.
pub(super) async fn placements(store: &Backend, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let mut sql = QueryBuilder::<Db>::new(
        "DELETE FROM placements WHERE id IN (SELECT old.id FROM placements AS old WHERE old.updated_at < ",
    );
    sql.push_bind(before_text(before)).push(
        " AND old.status <> 'creating'
          AND (EXISTS (SELECT 1 FROM placements AS later WHERE later.vm_id = old.vm_id AND later.place > old.place)
            OR NOT EXISTS (SELECT 1 FROM vms WHERE vms.id = old.vm_id AND vms.deleted_at IS NULL)
               AND NOT EXISTS (SELECT 1 FROM declared WHERE declared.name = old.vm_id))
          ORDER BY old.place LIMIT ",
    );
    run(store, sql, limit).await
}

/// Those that work keeps for itself, but for what is noted of a machine that is away.
pub(super) async fn declared(store: &Backend, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let mut sql = QueryBuilder::<Db>::new(
        "DELETE FROM declared WHERE name IN (SELECT name FROM declared WHERE name LIKE '%:%'
             AND (name NOT LIKE 'sent:%' OR record = '{}') AND updated_at < ",
    );
    sql.push_bind(before_text(before)).push(" ORDER BY name LIMIT ");
    run(store, sql, limit).await
}

async fn run(store: &Backend, mut sql: QueryBuilder<Db>, limit: u32) -> Result<u64, StoreError> {
    sql.push_bind(i64::from(limit)).push(SKIP_LOCKED).push(")");
    sql.build().execute(store.writer()).await.map(|done| done.rows_affected()).map_err(store_error)
}
