//! The schema, version by version: what is here is never changed, only added to.

/// What brings the schema from version `index` to `index + 1`.
pub(super) const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE operations (
    place        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    kind         TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    phase        TEXT    NOT NULL,
    progress     DOUBLE PRECISION  NOT NULL,
    search       TEXT    NOT NULL,
    owner        TEXT,
    generation   BIGINT  NOT NULL,
    lease_until  BIGINT ,                    -- microseconds since 1970
    runnable_at  BIGINT ,                    -- likewise; absent: ended, or waits for a person
    created_at   TEXT    NOT NULL,
    updated_at   TEXT    NOT NULL,
    record       TEXT    NOT NULL,           -- JSON: what people see
    run          TEXT    NOT NULL            -- JSON: what the engine needs
);
CREATE INDEX operations_runnable ON operations (runnable_at) WHERE runnable_at IS NOT NULL;
CREATE INDEX operations_status ON operations (status, place);
CREATE INDEX operations_kind ON operations (kind, place);

CREATE TABLE operation_events (
    operation_id TEXT    NOT NULL REFERENCES operations (id),
    seq          BIGINT  NOT NULL,
    at           TEXT    NOT NULL,
    generation   BIGINT  NOT NULL,
    kind         TEXT    NOT NULL,
    step         TEXT,
    message      TEXT    NOT NULL,
    PRIMARY KEY (operation_id, seq)
);

-- At most one operation that has not ended holds a key.
CREATE TABLE operation_keys (
    key          TEXT PRIMARY KEY,
    operation_id TEXT NOT NULL REFERENCES operations (id)
);
CREATE INDEX operation_keys_operation ON operation_keys (operation_id);

CREATE TABLE idempotency (
    key          TEXT PRIMARY KEY,
    digest       TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    created_at   TEXT NOT NULL
);

CREATE TABLE vms (
    place        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    search       TEXT NOT NULL,
    provider     TEXT NOT NULL,
    instance_id  TEXT NOT NULL,
    state        TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    deleted_at   TEXT,
    record       TEXT NOT NULL               -- JSON
);
CREATE UNIQUE INDEX vms_instance ON vms (provider, instance_id) WHERE deleted_at IS NULL;

CREATE TABLE audit_log (
    place        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           TEXT NOT NULL,
    actor        TEXT NOT NULL,
    action       TEXT NOT NULL,
    target       TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    detail       TEXT NOT NULL               -- JSON
);
CREATE INDEX audit_log_target ON audit_log (target, place);
",
    "
CREATE INDEX vms_name ON vms (name) WHERE deleted_at IS NULL;
CREATE INDEX idempotency_operation ON idempotency (operation_id);

-- Of operations that were removed for their age.
CREATE TABLE pruned_counts (
    kind         TEXT    NOT NULL,
    source       TEXT    NOT NULL,
    destination  TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    count        BIGINT  NOT NULL,
    PRIMARY KEY (kind, source, destination, status)
);
",
    "
-- Decisions about where machines run, the newest of a machine being the one that counts.
CREATE TABLE placements (
    place        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    vm_id        TEXT NOT NULL,
    status       TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    updated_at   TEXT NOT NULL,
    record       TEXT NOT NULL               -- JSON
);
CREATE INDEX placements_vm ON placements (vm_id, place);
CREATE INDEX placements_status ON placements (status, place);

-- Where a machine could not be made lately.
CREATE TABLE placement_failures (
    kind          TEXT NOT NULL,
    region        TEXT NOT NULL,
    instance_type TEXT NOT NULL,
    at            TEXT NOT NULL,
    record        TEXT NOT NULL,             -- JSON
    PRIMARY KEY (kind, region, instance_type)
);

-- Manifests as they were last applied.
CREATE TABLE declared (
    name         TEXT PRIMARY KEY,
    updated_at   TEXT NOT NULL,
    record       TEXT NOT NULL               -- JSON
);

-- Which due times of a schedule somebody has taken on.
CREATE TABLE schedule_runs (
    name         TEXT NOT NULL,
    due          TEXT NOT NULL,
    PRIMARY KEY (name, due)
);
",
    "
-- The work that a placement led to: what is still to be made is looked up by it.
ALTER TABLE placements ADD COLUMN operation_id TEXT;
UPDATE placements SET operation_id = record::json ->> 'operation_id' WHERE status = 'creating';
CREATE INDEX placements_creating ON placements (operation_id) WHERE status = 'creating';
",
];
