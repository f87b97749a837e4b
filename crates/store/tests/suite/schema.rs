//! Opening: many at once, an older schema, a newer one.

use super::*;

pub(super) async fn opens_many_times_at_once(store: &Store, place: &Place) {
    store.close().await;
    let sqlite = place.url.starts_with("sqlite");
    let url = Arc::new(place.url.clone());
    // Which of them gets in another's way is left to chance.
    for _ in 0..if sqlite { 40 } else { 3 } {
        if sqlite {
            std::fs::remove_dir_all(place.folder.path().join("data")).unwrap();
        } else {
            clear(&place.url).await;
        }
        let open = |url: Arc<String>| tokio::spawn(async move { open(&url).await });
        let tasks: Vec<_> = (0..6).map(|_| open(url.clone())).collect();
        for task in tasks {
            let store = task.await.unwrap();
            store.ping().await.unwrap();
            store.close().await;
        }
    }
}

pub(super) async fn brings_an_older_schema_up_to_date(store: &Store, place: &Place) {
    store.operations().create(new("a"), at(0)).await.unwrap();
    // Before its first step: it ends at once.
    store.operations().request(&id("a"), Request::Cancel { by: "me".to_owned() }, at(1)).await.unwrap();
    store.close().await;
    // As the first version left it.
    execute(
        &place.url,
        "DROP TABLE pruned_counts; DROP INDEX vms_name; DROP INDEX idempotency_operation;
         DROP TABLE placements; DROP TABLE placement_failures; DROP TABLE declared; DROP TABLE schedule_runs;
         DELETE FROM schema_version WHERE version > 1",
    )
    .await;
    let store = open(&place.url).await;
    assert_eq!(store.operations().prune(at(9), 10).await.unwrap(), 1);
    assert_eq!(store.counts().ended_counts(&["import"]).await.unwrap()[0].count, 1);
    store.close().await;
}

pub(super) async fn gives_up_what_an_older_schema_has_and_what_it_can_read(store: &Store, place: &Place) {
    let both = ["unreadable", "web"].map(|name| placement(name, "creating"));
    let kept = Kept { placements: &both, declared: &[], once: None };
    store.placements().take_on(new("a"), kept, at(0)).await.unwrap();
    store.close().await;
    // As the third version left it.
    execute(
        &place.url,
        "DROP INDEX placements_creating; ALTER TABLE placements DROP COLUMN operation_id;
         DELETE FROM schema_version WHERE version > 3",
    )
    .await;
    let store = open(&place.url).await;
    execute(&place.url, "UPDATE placements SET record = 'nonsense' WHERE id = 'unreadable'").await;
    store.operations().request(&id("a"), Request::Cancel { by: "me".to_owned() }, at(1)).await.unwrap();
    assert_eq!(store.placements().placement("web").await.unwrap().unwrap().status, PlacementStatus::Failed);
    store.close().await;
}

pub(super) async fn refuses_a_newer_schema(store: &Store, place: &Place) {
    store.close().await;
    execute(&place.url, "INSERT INTO schema_version (version, applied_at, program) VALUES (999, 'x', '9.9')").await;
    let refused = Store::open(&place.url).await.err().unwrap();
    assert!(matches!(refused, OpenError::NewerSchema { found: 999, known: SCHEMA_VERSION, .. }));
    let message = refused.to_string();
    assert!(message.contains("999") && message.contains("install that newer version"), "{message}");
}
