//! Operations: events, leases, keys and requests.

use super::*;

pub(super) async fn keeps_operations_and_their_events(store: &Store, place: &Place) {
    let operations = store.operations();
    let Created { operation, existing } = operations.create(new("a"), at(0)).await.unwrap();
    assert!(!existing);
    assert_eq!(operations.get(&id("a")).await.unwrap().as_ref(), Some(&operation));
    assert_eq!(operations.get(&id("b")).await.unwrap(), None);
    let taken = operations.create(new("a"), at(0)).await.unwrap_err();
    assert_eq!(taken, StoreError::IdTaken(id("a")));

    let first = claimed(store, "x", at(1)).await.unwrap();
    assert_eq!((first.lease.owner.as_deref(), first.lease.generation), (Some("x"), 1));
    assert_eq!(first.lease.until, Some(at(31)));
    let changes = vec![started(), Change::Saved { state: json!([1]) }, Change::Log { message: "hi".to_owned() }];
    let applied = operations.apply(&id("a"), 1, changes, at(2)).await.unwrap();
    assert_eq!(applied.record.status, Status::Preparing);
    assert_eq!(applied.run.deadline, Some(at(2) + Duration::from_millis(1500)));
    let finished =
        Change::StepFinished { index: 0, state: json!([2]), progress: 12.5, summary: Some(json!({ "n": 1 })) };
    let applied = operations.apply(&id("a"), 1, vec![finished], at(3)).await.unwrap();
    // What was written is what another process reads.
    let again = open(&place.url).await;
    assert_eq!(again.operations().get(&id("a")).await.unwrap(), Some(applied));
    let ended = Change::Ended { status: Status::Completed, fault: None, summary: None };
    let ended = operations.apply(&id("a"), 1, vec![ended], at(4)).await.unwrap();
    assert_eq!((ended.lease.owner, ended.record.progress), (None, 100.0));
    assert!(claimed(store, "x", at(1000)).await.is_none());

    let events = operations.events(&id("a"), 0, 100).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["created", "step_started", "log", "step_finished", "completed"]);
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(operations.events(&id("a"), 1, 2).await.unwrap(), events[1..3]);
    store.ping().await.unwrap();
}

pub(super) async fn lists_by_page_and_filter(store: &Store, _place: &Place) {
    let operations = store.operations();
    for i in 0..7 {
        let mut operation = new(&format!("op-{i}"));
        operation.kind = if i % 2 == 0 { "import" } else { "export" }.to_owned();
        operations.create(operation, at(i)).await.unwrap();
    }
    operations.request(&id("op-4"), Request::Cancel { by: "me".to_owned() }, at(9)).await.unwrap();
    let ids = async |query: &ListQuery| {
        let page = operations.list(query).await.unwrap();
        (page.items.iter().map(|record| record.id.to_string()).collect::<Vec<_>>(), page.next)
    };
    let mut query = ListQuery { limit: 3, ..ListQuery::default() };
    let (first, next) = ids(&query).await;
    assert_eq!(first, ["op-6", "op-5", "op-4"]);
    query.cursor = Some(next.unwrap().to_string().parse().unwrap());
    let (second, next) = ids(&query).await;
    assert_eq!(second, ["op-3", "op-2", "op-1"]);
    query.cursor = next;
    assert_eq!(ids(&query).await, (vec!["op-0".to_owned()], None));
    let query = ListQuery { kinds: vec!["export".to_owned()], ..ListQuery::default() };
    assert_eq!(ids(&query).await.0, ["op-5", "op-3", "op-1"]);
    let statuses = vec![Status::Cancelled, Status::Completed];
    assert_eq!(ids(&ListQuery { statuses, ..ListQuery::default() }).await.0, ["op-4"]);
    for (text, count) in [("sUbject-op-2", 1), ("%", 0), ("_", 0), ("'; DROP TABLE operations; --", 0), ("op-", 7)] {
        let query = ListQuery { text: Some(text.to_owned()), ..ListQuery::default() };
        assert_eq!(ids(&query).await.0.len(), count, "{text}");
    }
}

pub(super) async fn hands_out_work_once(store: &Store, place: &Place) {
    for i in 0..20 {
        store.operations().create(new(&format!("op-{i}")), at(i)).await.unwrap();
    }
    assert!(claimed(store, "x", at(-1)).await.is_none(), "it is not due yet");
    let other = open(&place.url).await;
    let mut tasks = Vec::new();
    for worker in 0..8 {
        let store = if worker % 2 == 0 { store.clone() } else { other.clone() };
        tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            while let Some(operation) = claimed(&store, &format!("w{worker}"), at(100)).await {
                mine.push(operation.record.id.to_string());
            }
            mine
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    let given = all.len();
    all.sort();
    all.dedup();
    assert_eq!((given, all.len()), (20, 20));
    let none = Claim { kinds: Vec::new(), ..claim("x") };
    assert_eq!(store.operations().claim(&none, at(900)).await.unwrap(), Claimed::Nothing { next_due: None });
}

pub(super) async fn fences_stale_owners(store: &Store, _place: &Place) {
    let operations = store.operations();
    operations.create(new("a"), at(0)).await.unwrap();
    claimed(store, "x", at(0)).await.unwrap();
    operations.apply(&id("a"), 1, vec![started()], at(1)).await.unwrap();
    let second = claimed(store, "y", at(31)).await.unwrap();
    assert_eq!((second.lease.generation, second.run.deaths), (2, 1));
    let before = operations.get(&id("a")).await.unwrap();
    for change in [started(), Change::Saved { state: json!(0) }, Change::Released] {
        assert_eq!(operations.apply(&id("a"), 1, vec![change], at(32)).await, Err(StoreError::StaleOwner));
    }
    let ttl = Duration::from_secs(30);
    assert_eq!(operations.renew(&id("a"), 1, ttl, at(32)).await, Err(StoreError::StaleOwner));
    assert_eq!(operations.get(&id("a")).await.unwrap(), before);
    // Half of a batch is not written either.
    let batch = vec![
        Change::Saved { state: json!("half") },
        Change::StepStarted { index: 0, phase: "one".to_owned(), status: Status::Preparing, commits: true },
        Change::Unwinding { cause: novacron_operations::UnwindCause::Failed, fault: None, state: None },
    ];
    let refused = operations.apply(&id("a"), 2, batch, at(33)).await.unwrap_err();
    assert!(matches!(refused, StoreError::PastPointOfNoReturn { .. }), "{refused}");
    assert_eq!(operations.get(&id("a")).await.unwrap(), before);
    let missing = operations.apply(&id("zzz"), 1, vec![started()], at(1)).await.unwrap_err();
    assert_eq!(missing, StoreError::NotFound(id("zzz")));
}

pub(super) async fn leases_end_and_are_released(store: &Store, _place: &Place) {
    let operations = store.operations();
    operations.create(new("a"), at(0)).await.unwrap();
    claimed(store, "x", at(0)).await.unwrap();
    assert!(claimed(store, "y", at(29)).await.is_none());
    operations.renew(&id("a"), 1, Duration::from_secs(30), at(20)).await.unwrap();
    assert!(claimed(store, "y", at(49)).await.is_none());
    match operations.claim(&claim("y"), at(49)).await.unwrap() {
        Claimed::Nothing { next_due } => assert_eq!(next_due, Some(at(50))),
        Claimed::Operation(_) => panic!("it is leased"),
    }
    operations.apply(&id("a"), 1, vec![Change::Released], at(49)).await.unwrap();
    assert_eq!(claimed(store, "y", at(49)).await.unwrap().lease.generation, 2);
    assert_eq!(operations.release_owner("x", at(50)).await.unwrap(), 0);
    assert_eq!(operations.release_owner("y", at(50)).await.unwrap(), 1);
    let third = claimed(store, "z", at(50)).await.unwrap();
    assert_eq!((third.lease.generation, third.run.deaths), (3, 1));

    let wait = Change::Held { state: json!({}), reason: "a nod".to_owned(), resume_at: None };
    operations.apply(&id("a"), 3, vec![wait], at(51)).await.unwrap();
    assert!(claimed(store, "x", at(10_000)).await.is_none());
    operations.request(&id("a"), Request::Continue { by: "me".to_owned() }, at(60)).await.unwrap();
    assert!(claimed(store, "x", at(60)).await.unwrap().run.continued);
}

pub(super) async fn keeps_exclusive_keys(store: &Store, _place: &Place) {
    let operations = store.operations();
    let with = |name: &str, keys: &[&str]| NewOperation {
        exclusive: keys.iter().map(|key| (*key).to_owned()).collect(),
        ..new(name)
    };
    operations.create(with("a", &["k1", "k2"]), at(0)).await.unwrap();
    let refused = operations.create(with("b", &["k3", "k2"]), at(0)).await.unwrap_err();
    assert_eq!(refused, StoreError::Conflict { key: "k2".to_owned(), other: id("a") });
    assert_eq!(operations.get(&id("b")).await.unwrap(), None);
    // Nothing of the refused one is left, not even the key that was free.
    operations.create(with("c", &["k3"]), at(0)).await.unwrap();

    claimed(store, "x", at(0)).await.unwrap();
    let failed = Change::Ended { status: Status::Failed, fault: None, summary: None };
    operations.apply(&id("a"), 1, vec![failed], at(1)).await.unwrap();
    operations.create(with("b", &["k2"]), at(2)).await.unwrap();
    let refused = operations.request(&id("a"), Request::Retry { by: "me".to_owned() }, at(3)).await.unwrap_err();
    assert_eq!(refused, StoreError::Conflict { key: "k2".to_owned(), other: id("b") });
    assert_eq!(operations.get(&id("a")).await.unwrap().unwrap().record.status, Status::Failed);
    operations.request(&id("b"), Request::Cancel { by: "me".to_owned() }, at(4)).await.unwrap();
    operations.request(&id("a"), Request::Retry { by: "me".to_owned() }, at(5)).await.unwrap();
    assert!(operations.create(with("d", &["k1"]), at(6)).await.is_err());
}

/// Who is at work takes one more key, until the end; who is not takes none.
pub(super) async fn takes_a_key_in_mid_work(store: &Store, _place: &Place) {
    let operations = store.operations();
    let with = |name: &str, key: &str| NewOperation { exclusive: vec![key.to_owned()], ..new(name) };
    operations.create(with("a", "k1"), at(0)).await.unwrap();
    assert_eq!(operations.hold(&id("a"), 0, "k2").await, Err(StoreError::StaleOwner));
    claimed(store, "x", at(0)).await.unwrap();
    operations.create(with("b", "k3"), at(1)).await.unwrap();
    for (key, other) in [("k2", None), ("k2", None), ("k1", None), ("k3", Some(id("b")))] {
        assert_eq!(operations.hold(&id("a"), 1, key).await, Ok(other), "{key}");
    }
    assert!(matches!(operations.create(with("c", "k2"), at(2)).await, Err(StoreError::Conflict { .. })));
    operations.request(&id("b"), Request::Cancel { by: "me".to_owned() }, at(3)).await.unwrap();
    assert_eq!(operations.hold(&id("a"), 1, "k3").await, Ok(None));
    let failed = Change::Ended { status: Status::Failed, fault: None, summary: None };
    operations.apply(&id("a"), 1, vec![failed], at(4)).await.unwrap();
    operations.create(with("c", "k2"), at(5)).await.unwrap();
    assert_eq!(operations.hold(&id("a"), 1, "k4").await, Err(StoreError::StaleOwner));
}

pub(super) async fn remembers_requests(store: &Store, _place: &Place) {
    let operations = store.operations();
    let with = |name: &str, digest: &str| NewOperation {
        idempotency: Some(IdempotencyKey { key: "key".to_owned(), digest: digest.to_owned() }),
        exclusive: vec!["k".to_owned()],
        ..new(name)
    };
    operations.create(with("a", "1"), at(0)).await.unwrap();
    let again = operations.create(with("b", "1"), at(5)).await.unwrap();
    assert!(again.existing);
    assert_eq!(again.operation.record.id, id("a"));
    let other = operations.create(with("c", "2"), at(5)).await.unwrap_err();
    assert_eq!(other, StoreError::IdempotencyMismatch { key: "key".to_owned(), other: id("a") });
    // A request that was refused may be made again under its key.
    let mut refused = with("d", "3");
    refused.idempotency = Some(IdempotencyKey { key: "second".to_owned(), digest: "3".to_owned() });
    assert!(operations.create(refused.clone(), at(6)).await.is_err());
    refused.exclusive.clear();
    assert!(!operations.create(refused, at(7)).await.unwrap().existing);

    let key = |key: &str, digest: &str| IdempotencyKey { key: key.to_owned(), digest: digest.to_owned() };
    assert_eq!(operations.requested(&key("unknown", "one")).await.unwrap(), None);
    let known = operations.list(&ListQuery::default()).await.unwrap().items.pop().unwrap();
    let refused = operations.requested(&key("key", "another digest")).await.unwrap_err();
    assert!(matches!(refused, StoreError::IdempotencyMismatch { .. }), "{refused}");
    let StoreError::IdempotencyMismatch { other, .. } = refused else { return };
    assert_eq!(operations.get(&other).await.unwrap().unwrap().record.id, known.id);
}

pub(super) async fn creates_only_one_of_many_at_once(store: &Store, place: &Place) {
    let other = open(&place.url).await;
    let mut tasks = Vec::new();
    for i in 0..16 {
        let operations = if i % 2 == 0 { store.operations() } else { other.operations() };
        let mut wanted = new(&format!("op-{i}"));
        wanted.exclusive = vec!["one".to_owned()];
        wanted.idempotency = Some(IdempotencyKey { key: "same".to_owned(), digest: "d".to_owned() });
        tasks.push(tokio::spawn(async move { operations.create(wanted, at(i)).await }));
    }
    let mut made = Vec::new();
    for task in tasks {
        made.push(task.await.unwrap().unwrap());
    }
    assert_eq!(made.iter().filter(|created| !created.existing).count(), 1);
    assert!(made.iter().all(|created| created.operation.record.id == made[0].operation.record.id));
}
