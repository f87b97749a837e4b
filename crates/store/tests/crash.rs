//! Processes that work on one store are killed at random; what they leave behind must be as if they had not been.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail by panicking")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    hash::{BuildHasher as _, Hasher as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use common::filing::{FilingWorkflow, check_file, filing};
use novacron_operations::{
    Backoff, Engine, EngineConfig, ListQuery, NewOperation, OperationId, Options, RetryPolicy, Status,
};
use novacron_store::{Kept, PlacementQuery, Store};
use novacron_types::placement::PlacementRecord;
use tokio::process::{Child, Command};

const OPERATIONS: usize = 6;
const LINES: u32 = 40;
const LEASE: Duration = Duration::from_millis(600);
const PATIENCE: Duration = Duration::from_secs(120);

/// As long as the process that started this one says.
fn lease() -> Duration {
    env::var("CRASH_LEASE_MS").map_or(LEASE, |millis| Duration::from_millis(millis.parse().unwrap()))
}

fn config(owner: &str, sole_owner: bool) -> EngineConfig {
    EngineConfig {
        owner: owner.to_owned(),
        sole_owner,
        concurrency: 3,
        lease: lease(),
        poll: Duration::from_millis(20),
        persist: Duration::from_millis(20),
        retry: RetryPolicy {
            deaths: 1000,
            backoff: Backoff { first: Duration::from_millis(5), longest: Duration::from_millis(50) },
            ..RetryPolicy::default()
        },
        ..EngineConfig::default()
    }
}

fn engine(store: &Store, folder: &Path, config: EngineConfig) -> Engine {
    Engine::builder(store.operations()).config(config).register(FilingWorkflow(folder.to_owned())).build()
}

/// Not a test of its own: this is the process that the others start, and kill.
#[tokio::test(flavor = "multi_thread")]
async fn worker() {
    let (Ok(url), Ok(folder)) = (env::var("CRASH_STORE"), env::var("CRASH_FOLDER")) else {
        eprintln!("skipped: the other tests of this file start it");
        return;
    };
    let store = Store::open(&url).await.unwrap();
    let owner = if store.is_sole_process() { "host".to_owned() } else { format!("p{}", std::process::id()) };
    let engine = engine(&store, Path::new(&folder), config(&owner, store.is_sole_process()));
    engine.start();
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && !all_ended(&store).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    engine.shutdown(Duration::from_secs(5)).await;
    store.close().await;
}

/// As [`worker`]: takes on work with its placements, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn taker() {
    let (Ok(url), Ok(_)) = (env::var("CRASH_STORE"), env::var("CRASH_FOLDER")) else {
        eprintln!("skipped: another test of this file starts it");
        return;
    };
    let store = Store::open(&url).await.unwrap();
    let begun = Instant::now();
    for i in 0.. {
        if begun.elapsed() > PATIENCE {
            return;
        }
        let id = format!("taken-{}-{i}", std::process::id());
        let now = jiff::Timestamp::now();
        let new = NewOperation {
            id: OperationId::new(id.as_str()).unwrap(),
            kind: "create".to_owned(),
            subject: id.clone(),
            state: serde_json::json!({}),
            steps: Vec::new(),
            summary: None,
            controls: serde_json::json!({}),
            exclusive: vec![id.clone()],
            idempotency: None,
            options: Options::default(),
        };
        store.placements().take_on(new, Kept { placements: &[creating(&id)], ..Kept::default() }, now).await.unwrap();
    }
}

fn creating(id: &str) -> PlacementRecord {
    let at = jiff::Timestamp::UNIX_EPOCH;
    serde_json::from_value(serde_json::json!({
        "placement_id": format!("placement-{id}"), "vm_id": id, "status": "creating", "operation_id": id,
        "created_at": at, "updated_at": at, "primary_placement": null, "alternative_placements": [],
        "strategy": "balanced", "weights": {}, "considered": [], "rejections": [], "relaxations": [], "policies": [],
        "notes": [], "sources": [], "request": { "required_cpu": 1 },
    }))
    .unwrap()
}

/// No record says that a machine is being made while nobody makes it, and no work is without its record.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_taking_work_on() {
    let place = common::sqlite();
    let mut dice = Dice::new();
    for _ in 0..20 {
        let mut child = start_as("taker", &place.url, place.folder.path(), LEASE);
        tokio::time::sleep(Duration::from_millis(60 + dice.below(60))).await;
        child.kill().await.unwrap();
    }
    let store = Store::open(&place.url).await.unwrap();
    let (mut at_work, mut recorded) = (BTreeSet::new(), BTreeSet::new());
    let mut query = ListQuery { limit: 500, ..ListQuery::default() };
    loop {
        let page = store.operations().list(&query).await.unwrap();
        at_work.extend(page.items.into_iter().map(|operation| operation.id));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    let mut query = PlacementQuery { limit: 500, ..PlacementQuery::default() };
    loop {
        let page = store.placements().placements(&query).await.unwrap();
        recorded.extend(page.items.into_iter().map(|record| record.operation_id.unwrap()));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    eprintln!("{} taken on", at_work.len());
    assert!(at_work.len() > 20, "the processes took on {}", at_work.len());
    assert_eq!(at_work, recorded);
    store.close().await;
}

fn start(url: &str, folder: &Path) -> Child {
    start_as("worker", url, folder, LEASE)
}

fn start_as(test: &str, url: &str, folder: &Path, lease: Duration) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("CRASH_STORE", url)
        .env("CRASH_FOLDER", folder)
        .env("CRASH_LEASE_MS", lease.as_millis().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

async fn all_ended(store: &Store) -> bool {
    let page = store.operations().list(&ListQuery::default()).await.unwrap();
    page.items.iter().all(|record| record.status.is_terminal())
}

async fn submit(url: &str, folder: &Path) {
    let store = Store::open(url).await.unwrap();
    let engine = engine(&store, folder, config("submitter", false));
    for i in 0..OPERATIONS {
        let operation = filing(&format!("n{i}"), LINES, i % 3 == 2);
        engine.submit::<FilingWorkflow>(operation).await.unwrap();
    }
    store.close().await;
}

/// The end state must be the same as if nothing had been killed.
async fn check(url: &str, folder: &Path) {
    let store = Store::open(url).await.unwrap();
    let page = store.operations().list(&ListQuery::default()).await.unwrap();
    assert_eq!(page.items.len(), OPERATIONS);
    let mut files: BTreeMap<String, PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .collect();
    for record in page.items {
        let fails = ["n2", "n5"].contains(&record.subject.as_str());
        let expected = if fails { Status::RolledBack } else { Status::Completed };
        assert_eq!(record.status, expected, "{record:?}");
        let own = format!("{}-", record.id);
        let found: Vec<String> = files.keys().filter(|name| name.starts_with(&own)).cloned().collect();
        assert_eq!(found.len(), usize::from(!fails), "{found:?}");
        for name in found {
            assert!(name.ends_with(".txt"), "{name}");
            assert_eq!(check_file(&files[&name], LINES), None);
            files.remove(&name);
        }
        let events = store.operations().events(&record.id, 0, 10_000).await.unwrap();
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq), "an event is missing");
    }
    assert!(files.is_empty(), "left behind: {files:?}");
    store.close().await;
}

/// Numbers that differ from run to run; the seed is printed.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let seed = std::collections::hash_map::RandomState::new().build_hasher().finish() | 1;
        eprintln!("seed {seed}");
        Self(seed)
    }
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

async fn ends(mut child: Child) {
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("the last process hung").unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_on_sqlite() {
    let place = common::sqlite();
    let folder = place.folder.path().join("files");
    fs::create_dir(&folder).unwrap();
    submit(&place.url, &folder).await;
    let mut dice = Dice::new();
    for _ in 0..20 {
        let mut child = start(&place.url, &folder);
        tokio::time::sleep(Duration::from_millis(15 + dice.below(150))).await;
        child.kill().await.unwrap();
    }
    ends(start(&place.url, &folder)).await;
    check(&place.url, &folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_killed_in_turn_on_postgres() {
    let Some(place) = common::postgres() else { return };
    let folder = place.folder.path().join("files");
    fs::create_dir(&folder).unwrap();
    submit(&place.url, &folder).await;
    let mut dice = Dice::new();
    let mut pair = [start(&place.url, &folder), start(&place.url, &folder)];
    for _ in 0..16 {
        tokio::time::sleep(Duration::from_millis(30 + dice.below(400))).await;
        let victim = &mut pair[dice.below(2) as usize];
        victim.kill().await.unwrap();
        *victim = start(&place.url, &folder);
    }
    for child in pair {
        ends(child).await;
    }
    check(&place.url, &folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_survivor_finishes_what_a_killed_process_began() {
    let Some(place) = common::postgres() else { return };
    let folder = place.folder.path().join("files");
    fs::create_dir(&folder).unwrap();
    let store = Store::open(&place.url).await.unwrap();
    // So long that a machine that stands still for a while does not lose it: what is taken over is what was killed.
    let lease = LEASE * 10;
    let here = engine(&store, &folder, EngineConfig { lease, ..config("survivor", false) });
    let id = here.submit::<FilingWorkflow>(filing("long", 2_000, false)).await.unwrap().record.id;
    let mut other = start_as("worker", &place.url, &folder, lease);
    let begun = Instant::now();
    loop {
        let record = here.get(&id).await.unwrap().unwrap();
        if record.progress > 25.5 {
            assert_ne!(record.owner.as_deref(), Some("survivor"));
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the other process never began");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    here.start();
    other.kill().await.unwrap();
    let killed = Instant::now();
    let record = tokio::time::timeout(PATIENCE, here.wait(&id)).await.unwrap().unwrap();
    eprintln!("done {:?} after the kill", killed.elapsed());
    assert_eq!((record.status, record.generation), (Status::Completed, 2));
    let events = here.events(&id, 0, 500).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "taken_over"));
    let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(matches!(&files[..], [file] if check_file(file, 2_000).is_none()), "{files:?}");
    here.shutdown(Duration::from_secs(5)).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_database_makes_work_wait_and_undoes_nothing() {
    let Some(place) = common::postgres() else { return };
    let place = std::sync::Arc::new(place);
    let folder = place.folder.path().join("files");
    fs::create_dir(&folder).unwrap();
    let store = Store::open(&place.url).await.unwrap();
    let engine = engine(&store, &folder, EngineConfig { lease: Duration::from_secs(60), ..config("a", false) });
    engine.start();
    let id = engine.submit::<FilingWorkflow>(filing("long", 1_000, false)).await.unwrap().record.id;
    let begun = Instant::now();
    while engine.get(&id).await.unwrap().unwrap().progress < 30.0 {
        assert!(begun.elapsed() < PATIENCE, "it never began");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let server = place.clone();
    tokio::task::spawn_blocking(move || server.crash_server(Duration::from_secs(1))).await.unwrap();
    let record = tokio::time::timeout(PATIENCE, engine.wait(&id)).await.unwrap().unwrap();
    assert_eq!((record.status, record.generation), (Status::Completed, 1));
    let kinds: Vec<String> = engine.events(&id, 0, 500).await.unwrap().into_iter().map(|event| event.kind).collect();
    assert!(!kinds.iter().any(|kind| kind.starts_with("undo") || kind == "attempt_failed"), "{kinds:?}");
    engine.shutdown(Duration::from_secs(5)).await;
    store.close().await;
}
