//! Machines, the audit log, counts, and what is forgotten of them and of operations.

use super::*;

fn vm(name: &str, provider: &str, instance: &str, state: &str) -> VmRecord {
    let record = json!({
        "vm_id": format!("vm-{name}"), "name": name, "provider": provider,
        "instance": {
            "instance_id": instance, "name": name, "state": state, "region": null, "zone": null,
            "spec": novacron_types::VmSpec::default(), "disks": [], "interfaces": [], "image": null, "launched_at": null,
        },
        "placed_by": null, "created_at": at(0), "updated_at": at(0),
    });
    serde_json::from_value(record).unwrap()
}

pub(super) async fn keeps_vms(store: &Store, _place: &Place) {
    let vms = store.vms();
    let (aws, local) = (ProviderName::new("aws").unwrap(), ProviderName::new("local").unwrap());
    let mut web = vm("Web-1", "aws", "i-1", "running");
    vms.put_vm(&web).await.unwrap();
    vms.put_vm(&vm("db_1", "aws", "i-2", "stopped")).await.unwrap();
    vms.put_vm(&vm("web-2", "local", "i-1", "running")).await.unwrap();
    assert_eq!(vms.vm(&web.vm_id).await.unwrap().as_ref(), Some(&web));
    let instance = InstanceId::new("i-1").unwrap();
    assert_eq!(vms.vm_by_instance(&aws, &instance).await.unwrap().as_ref(), Some(&web));
    let taken = vms.put_vm(&vm("thief", "aws", "i-1", "running")).await.unwrap_err();
    assert_eq!(taken.to_string(), "instance i-1 of aws already belongs to VM vm-Web-1");

    let named = |name: &str| VmQuery { named: Some(name.to_owned()), ..VmQuery::default() };
    assert_eq!(vms.vms(&named("web-2")).await.unwrap().items.len(), 1);
    assert_eq!(
        vms.vms(&named("Web-2")).await.unwrap().items.len() + vms.vms(&named("web")).await.unwrap().items.len(),
        0
    );

    let names = async |query: VmQuery| {
        let page = vms.vms(&query).await.unwrap();
        (page.items.into_iter().map(|vm| vm.name).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(names(VmQuery::default()).await.0, ["Web-1", "db_1", "web-2"]);
    assert_eq!(names(VmQuery { name: Some("WEB".to_owned()), ..VmQuery::default() }).await.0, ["Web-1", "web-2"]);
    assert_eq!(names(VmQuery { provider: Some(aws.clone()), ..VmQuery::default() }).await.0, ["Web-1", "db_1"]);
    assert_eq!(names(VmQuery { state: Some(InstanceState::Stopped), ..VmQuery::default() }).await.0, ["db_1"]);
    let (page, next) = names(VmQuery { limit: 2, ..VmQuery::default() }).await;
    assert_eq!(page, ["Web-1", "db_1"]);
    assert_eq!(names(VmQuery { limit: 2, cursor: next, ..VmQuery::default() }).await, (vec!["web-2".to_owned()], None));

    // It moves, keeps its id and its place in the list, and its old instance is free.
    web.provider = local;
    web.instance.instance_id = InstanceId::new("i-9").unwrap();
    vms.put_vm(&web).await.unwrap();
    assert_eq!(names(VmQuery::default()).await.0, ["Web-1", "db_1", "web-2"]);
    vms.put_vm(&vm("thief", "aws", "i-1", "running")).await.unwrap();
    assert!(vms.delete_vm(&web.vm_id, at(9)).await.unwrap());
    assert!(!vms.delete_vm(&web.vm_id, at(9)).await.unwrap());
    assert_eq!(vms.vm(&web.vm_id).await.unwrap(), None);
    assert_eq!(names(VmQuery::default()).await.0, ["db_1", "web-2", "thief"]);
    vms.put_vm(&web).await.unwrap();
    assert_eq!(vms.vm(&VmId::new("vm-Web-1").unwrap()).await.unwrap(), Some(web));
}

pub(super) async fn keeps_an_audit_log(store: &Store, _place: &Place) {
    let audit = store.audit();
    for i in 0..5 {
        let entry = AuditEntry {
            at: at(i),
            actor: if i == 3 { "eve" } else { "ann" }.to_owned(),
            action: "migration.cancel".to_owned(),
            target: format!("op-{i}"),
            outcome: "accepted".to_owned(),
            detail: json!({ "i": i, "text": "ö\u{1F600}" }),
        };
        audit.append(&entry).await.unwrap();
    }
    let page = audit.entries(&AuditQuery { limit: 4, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(page.items.iter().map(|entry| entry.at).collect::<Vec<_>>(), [at(4), at(3), at(2), at(1)]);
    assert_eq!(page.items[0].detail["text"], "ö\u{1F600}");
    let rest = audit.entries(&AuditQuery { cursor: page.next, ..AuditQuery::default() }).await.unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let eve = audit.entries(&AuditQuery { actor: Some("eve".to_owned()), ..AuditQuery::default() }).await.unwrap();
    assert_eq!(eve.items.len(), 1);
}

pub(super) async fn leaves_out_what_another_forgets(store: &Store, place: &Place) {
    use sqlx::Connection as _;
    let placements = store.placements();
    for name in ["a", "b"] {
        placements.put_placement(&placement(name, "decided")).await.unwrap();
        let declared = Declared { name: format!("plan:{name}"), manifest: json!({}), updated_at: at(0) };
        placements.put_declared(&declared).await.unwrap();
    }
    let forgets = || tokio::time::timeout(Duration::from_secs(2), placements.prune(at(9), 10));
    if place.url.starts_with("postgres") {
        let mut other = sqlx::PgConnection::connect(&place.url).await.unwrap();
        let at_work = "SET search_path TO placements; BEGIN;
             SELECT id FROM placements WHERE id = 'a' FOR UPDATE; SELECT name FROM declared WHERE name = 'plan:a' FOR UPDATE";
        sqlx::raw_sql(at_work).execute(&mut other).await.unwrap();
        assert_eq!(forgets().await.expect("it waits").unwrap(), 2);
        other.close().await.unwrap();
    } else {
        assert_eq!(placements.prune(at(9), 1).await.unwrap(), 2);
    }
    assert_eq!(forgets().await.expect("it waits").unwrap(), 2);
}

pub(super) async fn forgets_what_ended_long_ago(store: &Store, _place: &Place) {
    let (operations, audit, counts) = (store.operations(), store.audit(), store.counts());
    let summary = json!({ "source": "aws", "destination": "local" });
    let key = |name: &str| IdempotencyKey { key: format!("key-{name}"), digest: "d".to_owned() };
    let fresh = |name: &str| NewOperation {
        summary: Some(summary.clone()),
        idempotency: Some(key(name)),
        exclusive: vec![format!("of {name}")],
        ..new(name)
    };
    let ends = [
        ("a", Status::Completed, 10),
        ("failed", Status::Failed, 10),
        ("b", Status::Cancelled, 11),
        ("c", Status::RolledBack, 12),
        ("late", Status::Completed, 50),
    ];
    for (name, status, second) in ends {
        operations.create(fresh(name), at(0)).await.unwrap();
        let generation = claimed(store, "x", at(1)).await.unwrap().lease.generation;
        let ended = Change::Ended { status, fault: None, summary: None };
        // Half a second more: times are not stored with equally many digits.
        let when = at(second) + Duration::from_millis(500);
        operations.apply(&id(name), generation, vec![ended], when).await.unwrap();
    }
    operations.create(fresh("waits"), at(0)).await.unwrap();
    operations.create(fresh("runs"), at(0)).await.unwrap();
    claimed(store, "x", at(1)).await.unwrap();
    let total =
        async || -> u64 { counts.ended_counts(&["import"]).await.unwrap().iter().map(|ended| ended.count).sum() };
    assert_eq!(total().await, 5);

    assert_eq!(operations.prune(at(10), 100).await.unwrap(), 0);
    assert_eq!(operations.prune(at(40), 2).await.unwrap(), 2, "no more at once than was asked for");
    assert_eq!(operations.get(&id("a")).await.unwrap(), None);
    assert!(operations.get(&id("c")).await.unwrap().is_some(), "the oldest go first");
    assert_eq!(operations.prune(at(40), 2).await.unwrap(), 1);
    assert_eq!(operations.prune(at(40), 2).await.unwrap(), 0);
    let left: Vec<String> =
        operations.list(&ListQuery::default()).await.unwrap().items.iter().map(|one| one.id.to_string()).collect();
    assert_eq!(left, ["runs", "waits", "late", "failed"]);
    assert_eq!(operations.events(&id("a"), 0, 100).await.unwrap(), []);
    assert!(!operations.events(&id("late"), 0, 100).await.unwrap().is_empty());
    assert_eq!(total().await, 5, "a counter does not go back");
    assert_eq!(operations.prune(at(1000), 100).await.unwrap(), 1);
    assert_eq!(total().await, 5);

    // Its key lives as long as the operation does, and its name is free again.
    assert_eq!(operations.requested(&key("a")).await.unwrap(), None);
    assert!(operations.requested(&key("failed")).await.unwrap().is_some());
    assert!(!operations.create(fresh("a"), at(60)).await.unwrap().existing);

    for second in 0..5 {
        let entry = AuditEntry {
            at: at(second),
            actor: "ann".to_owned(),
            action: "cancel".to_owned(),
            target: format!("t-{second}"),
            outcome: "accepted".to_owned(),
            detail: json!({}),
        };
        audit.append(&entry).await.unwrap();
    }
    assert_eq!(audit.prune(at(4), 3).await.unwrap(), 3);
    assert_eq!(audit.prune(at(4), 3).await.unwrap(), 1);
    assert_eq!(audit.prune(at(4), 3).await.unwrap(), 0);
    let left = audit.entries(&AuditQuery::default()).await.unwrap().items;
    assert_eq!(left.iter().map(|entry| entry.target.as_str()).collect::<Vec<_>>(), ["t-4"]);
}

pub(super) async fn counts_what_is_stored(store: &Store, _place: &Place) {
    let (operations, vms, counts) = (store.operations(), store.vms(), store.counts());
    let mut east = vm("a", "aws", "i-1", "running");
    east.instance.region = Some("us-east-1".to_owned());
    for vm in [east, vm("b", "aws", "i-2", "running"), vm("c", "aws", "i-3", "stopped")] {
        vms.put_vm(&vm).await.unwrap();
    }
    vms.delete_vm(&VmId::new("vm-c").unwrap(), at(1)).await.unwrap();
    let mut found = counts.vm_counts().await.unwrap();
    found.sort_by(|a, b| a.region.cmp(&b.region));
    let expected = |region: &str| VmCount { provider: "aws".to_owned(), region: region.to_owned(), count: 1 };
    assert_eq!(found, [expected(""), expected("us-east-1")]);

    let summary = json!({ "source": "aws", "destination": "local" });
    for name in ["a", "b", "c"] {
        operations.create(NewOperation { summary: Some(summary.clone()), ..new(name) }, at(0)).await.unwrap();
    }
    assert_eq!(counts.ended_counts(&["import"]).await.unwrap(), []);
    for name in ["a", "b"] {
        operations.request(&id(name), Request::Cancel { by: "me".to_owned() }, at(1)).await.unwrap();
    }
    while let Some(operation) = claimed(store, "x", at(2)).await {
        let ended = Change::Ended { status: Status::Cancelled, fault: None, summary: None };
        operations.apply(operation.id(), operation.lease.generation, vec![ended], at(2)).await.unwrap();
    }
    let ended = counts.ended_counts(&["import", "export"]).await.unwrap();
    let of = |status| ended.iter().filter(|count| count.status == status).map(|count| count.count).sum::<u64>();
    assert_eq!(of(Status::Cancelled), 3);
    assert!(ended.iter().all(|count| (count.source.as_str(), count.destination.as_str()) == ("aws", "local")));
    assert_eq!(counts.ended_counts(&["export"]).await.unwrap(), []);
}
