//! The API as a client sees it, over the real control plane.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use common::{
    Shape,
    http::{app, ask, get, post, send},
    world,
};
use novacron_api::{ApiConfig, BASE, Token};
use novacron_provider::Provider;
use novacron_types::{InstanceState, Role};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

async fn ended(app: &Router, id: &str) -> Value {
    for _ in 0..400 {
        let migration = get(app, &format!("migrations/{id}")).await.json();
        if !migration["end_time"].is_null() {
            return migration;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("{id} did not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_imported_and_exported_as_the_guide_says() {
    let world = world(1, 100).await;
    let app = app(&world, &ApiConfig::default());
    let options = json!({"terminate_source": false, "network_mode": "vpc", "compression_level": 6});
    let body = json!({"instance_id": world.instances[0], "options": options});

    let plan = post(&app, "providers/cloud/import?dry_run=true", body.clone()).await;
    assert_eq!(plan.status, StatusCode::OK, "{}", plan.text);
    assert_eq!(plan.json()["destination"], "local");
    assert!(plan.text.contains("Nothing is compressed"), "{}", plan.text);

    let accepted = post(&app, "providers/cloud/import", body).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
    let accepted_body = accepted.json();
    let mut fields: Vec<&String> = accepted_body.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["migration_id", "progress", "start_time", "status"]);
    let id = accepted_body["migration_id"].as_str().unwrap();
    assert_eq!(accepted.headers[header::LOCATION], format!("{BASE}/migrations/{id}"));

    let migration = ended(&app, id).await;
    assert_eq!(migration["status"], "completed", "{migration}");
    assert_eq!(migration["source_checksum"], migration["target_checksum"]);
    assert!(!migration["checkpoints"].as_array().unwrap().is_empty());

    let vm = get(&app, "vms").await.json()["vms"][0].clone();
    let vm_id = vm["vm_id"].as_str().unwrap();
    assert_eq!(get(&app, &format!("vms/{vm_id}")).await.json()["provider"], "local");
    let back = post(&app, "providers/cloud/export", json!({"vm_id": vm_id, "options": {"start": false}})).await;
    assert_eq!(back.status, StatusCode::ACCEPTED, "{}", back.text);
    let back = ended(&app, back.json()["migration_id"].as_str().unwrap()).await;
    assert_eq!(back["status"], "completed", "{back}");

    let list = get(&app, "migrations?status=completed&kind=import").await.json();
    assert_eq!(list["migrations"].as_array().unwrap().len(), 1);
    let first = get(&app, "migrations?limit=1").await.json();
    let next = first["next_cursor"].as_str().unwrap();
    let second = get(&app, &format!("migrations?limit=1&cursor={next}")).await.json();
    assert_ne!(first["migrations"][0]["migration_id"], second["migrations"][0]["migration_id"]);
    assert!(second["next_cursor"].is_null());

    let events = get(&app, &format!("migrations/{id}/events")).await;
    assert_eq!(events.headers[header::CONTENT_TYPE], "text/event-stream");
    for kind in ["event: status", "event: checkpoint", "event: progress", "Nothing is compressed"] {
        assert!(events.text.contains(kind), "{}", events.text);
    }
    let last: u64 =
        events.text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().parse().unwrap();
    let again = |seen: u64| ask(Method::GET, &format!("migrations/{id}/events")).header("last-event-id", seen);
    let rest = send(&app, again(last - 1).body(Body::empty()).unwrap()).await;
    assert_eq!(rest.text.matches("\nid: ").count() + usize::from(rest.text.starts_with("id: ")), 1, "{}", rest.text);
    let none = send(&app, again(last).body(Body::empty()).unwrap()).await;
    assert_eq!(none.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_makes_one_migration_and_cancel_undoes_it() {
    let world = world(1, 0).await;
    let app = app(&world, &ApiConfig::default());
    let body = json!({"instance_id": world.instances[0]});
    let with_key = |key: &str, body: &Value| {
        ask(Method::POST, "providers/cloud/import")
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Body::from(body.to_string()))
            .unwrap()
    };
    for key in ["", "two words", "tab\tbed", &"x".repeat(256)] {
        let refused = send(&app, with_key(key, &body)).await;
        assert_eq!((refused.status.as_u16(), refused.code().as_str()), (400, "invalid_idempotency_key"), "{key:?}");
    }
    let keyed = |body: &Value| with_key("once", body);
    let first = send(&app, keyed(&body)).await.json()["migration_id"].clone();
    assert_eq!(send(&app, keyed(&body)).await.json()["migration_id"], first);
    let other = send(&app, keyed(&json!({"instance_id": world.instances[0], "name": "x"}))).await;
    assert_eq!((other.status, other.code().as_str()), (StatusCode::CONFLICT, "idempotency_key_reused"));
    let twice = post(&app, "providers/cloud/import", body).await;
    assert_eq!((twice.status, twice.code().as_str()), (StatusCode::CONFLICT, "already_at_work"));

    let id = first.as_str().unwrap();
    let limit = ask(Method::PATCH, &format!("migrations/{id}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from("{\"bandwidth_limit\": \"5MB\"}"))
        .unwrap();
    assert_eq!(send(&app, limit).await.status, StatusCode::OK);
    assert_eq!(post(&app, &format!("migrations/{id}/continue"), json!({})).await.code(), "not_held");

    // As the guide has it: without a body and without a content type.
    let cancel = send(&app, ask(Method::POST, &format!("migrations/{id}/cancel")).body(Body::empty()).unwrap()).await;
    assert_eq!(cancel.status, StatusCode::ACCEPTED, "{}", cancel.text);
    assert_eq!(ended(&app, id).await["status"], "cancelled");
    assert_eq!(world.local.counts().instances, 0);
    let audit = get(&app, "audit").await.json();
    let entries: Vec<_> =
        audit["entries"].as_array().unwrap().iter().map(|e| (e["actor"].as_str(), e["action"].as_str())).collect();
    assert!(entries.contains(&(Some("local"), Some("cancel"))) && entries.contains(&(Some("local"), Some("import"))));
    assert_eq!(post(&app, &format!("migrations/{id}/cancel"), json!({})).await.code(), "already_ended");
}

/// Two names of one place are no way around that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_moved_once_at_a_time_by_whatever_name_of_its_provider() {
    let world = Shape { again: Some("again"), ..Shape::default() }.world(2).await;
    let app = app(&world, &ApiConfig::default());
    let import = async |provider: &str, instance: usize| {
        post(&app, &format!("providers/{provider}/import"), json!({"instance_id": world.instances[instance]})).await
    };
    assert_eq!(import("cloud", 0).await.status, StatusCode::ACCEPTED);
    let second = import("again", 0).await;
    assert_eq!((second.status, second.code().as_str()), (StatusCode::CONFLICT, "already_at_work"), "{}", second.text);
    let migrate = json!({"source": "again", "destination": "local", "instance_id": world.instances[0]});
    assert_eq!(post(&app, "migrations", migrate).await.code(), "already_at_work");
    assert_eq!(import("again", 1).await.status, StatusCode::ACCEPTED, "another machine of the same place");
}

#[tokio::test]
async fn the_audit_log_has_what_was_refused_and_why() {
    let world = world(1, 0).await;
    let app = app(&world, &ApiConfig::default());
    let instance = &world.instances[0];
    for (path, body, code) in [
        ("providers/nowhere/import", json!({"instance_id": instance}), "unknown_provider"),
        ("providers/cloud/import", json!({"instance_id": instance, "options": {"tiemout": 1}}), "unknown_option"),
        ("providers/cloud/export", json!({"vm_id": "none"}), "unknown_vm"),
        ("migrations", json!({"source": "cloud", "destination": "cloud", "instance_id": instance}), "same_provider"),
        ("migrations/none/cancel", json!({}), "no_such_migration"),
    ] {
        assert_eq!(post(&app, path, body).await.code(), code, "{path}");
        let last = get(&app, "audit?limit=1").await.json()["entries"][0].clone();
        assert_eq!((last["outcome"].as_str(), last["actor"].as_str()), (Some(code), Some("local")), "{path} {last}");
    }
    let long = format!("providers/{}/import", "x".repeat(2000));
    assert_eq!(post(&app, &long, json!({"instance_id": instance})).await.code(), "unknown_provider");
    let last = get(&app, "audit?limit=1").await.json()["entries"][0].clone();
    assert_eq!(last["target"].as_str().unwrap().len(), 255);

    // A plan changes nothing, and neither does a repeated request.
    let count = async || get(&app, "audit?limit=500").await.json()["entries"].as_array().unwrap().len();
    let before = count().await;
    post(&app, "providers/cloud/import?dry_run=true", json!({"instance_id": instance})).await;
    assert_eq!(count().await, before);
    let keyed = || {
        let request = ask(Method::POST, "providers/cloud/import").header(header::CONTENT_TYPE, "application/json");
        request.header("idempotency-key", "k").body(Body::from(json!({"instance_id": instance}).to_string())).unwrap()
    };
    for _ in 0..2 {
        assert_eq!(send(&app, keyed()).await.status, StatusCode::ACCEPTED);
        assert_eq!(count().await, before + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_is_said_to_be_when_the_audit_log_is_broken() {
    let world = world(1, 0).await;
    let app = app(&world, &ApiConfig::default());
    world.execute("DROP TABLE audit_log").await;
    let accepted = post(&app, "providers/cloud/import", json!({"instance_id": world.instances[0]})).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{}", accepted.text);
    let id = accepted.json()["migration_id"].as_str().unwrap().to_owned();
    let cancelled = post(&app, &format!("migrations/{id}/cancel"), json!({})).await;
    assert_eq!(cancelled.status, StatusCode::ACCEPTED, "{}", cancelled.text);
    let refused = post(&app, "providers/nowhere/import", json!({"instance_id": "i"})).await;
    assert_eq!(refused.code(), "unknown_provider");
}

/// What is only read still works.
#[tokio::test]
async fn a_store_that_takes_no_writes_is_said_to() {
    let world = world(0, 0).await;
    let app = app(&world, &ApiConfig::default());
    world.execute("DROP TABLE declared").await;
    let health = get(&app, "health").await;
    assert_eq!(health.status, StatusCode::OK, "{}", health.text);
    let health = health.json();
    assert_eq!((&health["status"], &health["store"]), (&json!("degraded"), &json!(true)), "{health}");
    let reasons = health["reasons"].as_array().unwrap();
    assert!(reasons.len() == 1 && reasons[0].as_str().unwrap().contains("takes no writes"), "{health}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_long_ago_is_forgotten() {
    let world = world(1, 100).await;
    let app = app(&world, &ApiConfig::default());
    let accepted = post(&app, "providers/cloud/import", json!({"instance_id": world.instances[0]})).await.json();
    ended(&app, accepted["migration_id"].as_str().unwrap()).await;
    let left = async || {
        let count = |answer: Value, list: &str| answer[list].as_array().unwrap().len();
        let migrations = count(get(&app, "migrations").await.json(), "migrations");
        (migrations, count(get(&app, "audit").await.json(), "entries"))
    };
    let second = Duration::from_secs(1);
    tokio::time::sleep(2 * second).await;

    // Each sweeps when it starts, and then hourly.
    let hour = world.another(3600 * second).await;
    tokio::time::sleep(second / 2).await;
    assert_eq!(left().await, (1, 1));
    let moment = world.another(second).await;
    let gone = async {
        while left().await != (0, 0) {
            tokio::time::sleep(second / 40).await;
        }
    };
    tokio::time::timeout(10 * second, gone).await.unwrap();
    let metrics = get(&app, "/metrics").await.text;
    assert!(metrics.contains("status=\"completed\"} 1\n"), "it was counted: {metrics}");
    for control in [hour, moment] {
        control.shutdown(5 * second).await;
    }
}

/// However many others have that name in theirs.
#[tokio::test]
async fn a_machine_is_found_by_its_whole_name() {
    let world = world(0, 0).await;
    let app = app(&world, &ApiConfig::default());
    let vm = |number: u32, name: &str| -> novacron_types::VmRecord {
        let now = jiff::Timestamp::now();
        serde_json::from_value(json!({
            "vm_id": format!("vm-{number}"), "name": name, "provider": "local",
            "instance": {
                "instance_id": format!("i-{number}"), "name": name, "state": "stopped", "region": null, "zone": null,
                "spec": novacron_types::VmSpec::default(), "disks": [], "interfaces": [], "image": null,
                "launched_at": null,
            },
            "placed_by": null, "created_at": now, "updated_at": now,
        }))
        .unwrap()
    };
    let vms = world.store.vms();
    for number in 0..501 {
        vms.put_vm(&vm(number, &format!("web-{number}"))).await.unwrap();
    }
    vms.put_vm(&vm(600, "web")).await.unwrap();
    assert_eq!(get(&app, "vms/web").await.json()["vm_id"], "vm-600");
    assert_eq!(get(&app, "vms/WEB").await.code(), "unknown_vm");
    vms.put_vm(&vm(601, "web")).await.unwrap();
    assert_eq!(get(&app, "vms/web").await.code(), "ambiguous_name");
    assert_eq!(get(&app, "vms/vm-601").await.json()["name"], "web");
}

/// However much a move has changed by then: its source is gone, its record is elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_gets_its_first_answer_when_the_move_is_over() {
    let world = world(2, 100).await;
    let app = app(&world, &ApiConfig::default());
    let keyed = async |path: &str, key: &str, body: &Value| {
        let request = ask(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        send(&app, request.header("idempotency-key", key).body(Body::from(body.to_string())).unwrap()).await
    };
    let again_and_again = async |path: &str, body: Value| {
        let first = keyed(path, path, &body).await;
        assert_eq!(first.status, StatusCode::ACCEPTED, "{path} {}", first.text);
        let id = first.json()["migration_id"].as_str().unwrap().to_owned();
        let migration = ended(&app, &id).await;
        assert_eq!(migration["status"], "completed", "{migration:#}");
        let unkeyed = post(&app, path, body.clone()).await;
        assert!(unkeyed.status.is_client_error(), "a new request is refused: {}", unkeyed.text);
        let second = keyed(path, path, &body).await;
        assert_eq!(second.status, StatusCode::ACCEPTED, "{path} {}", second.text);
        for field in ["migration_id", "start_time"] {
            assert_eq!(first.json()[field], second.json()[field]);
        }
        assert_eq!(first.headers[header::LOCATION], second.headers[header::LOCATION]);
        let plan = keyed(&format!("{path}?dry_run=true"), path, &body).await;
        assert!(plan.status.is_client_error(), "a plan is made anew: {}", plan.text);
    };

    let import = json!({"instance_id": world.instances[0], "options": {"terminate_source": true}});
    again_and_again("providers/cloud/import", import).await;
    let vms = get(&app, "vms").await.json();
    let export = json!({"vm_id": vms["vms"][0]["vm_id"], "options": {"delete_source": true}});
    again_and_again("providers/cloud/export", export).await;
    let migrate = json!({
        "source": "cloud", "destination": "local", "instance_id": world.instances[1], "options": {"delete_source": true},
    });
    again_and_again("migrations", migrate).await;
    assert_eq!(get(&app, "migrations").await.json()["migrations"].as_array().unwrap().len(), 3);
}

/// What could not be made could not be looked for to be undone either.
#[tokio::test]
async fn a_target_that_refuses_its_credentials_takes_nothing_on() {
    let world = Shape { refused: true, ..Shape::default() }.world(1).await;
    let app = app(&world, &ApiConfig::default());
    for path in ["providers/cloud/import", "providers/cloud/import?dry_run=true"] {
        let answer = post(&app, path, json!({"instance_id": world.instances[0]})).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{}", answer.text);
        assert_eq!(answer.json()["code"], "unauthorised");
    }
    assert!(get(&app, "migrations").await.json()["migrations"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_plan_of_a_cold_move_stops_what_just_starts() {
    let world = Shape { settle_after: 3, ..Shape::default() }.world(1).await;
    let app = app(&world, &ApiConfig::default());
    let instance = &world.instances[0];
    world.cloud.stop(instance).await.unwrap();
    while world.cloud.get(instance).await.unwrap().state != InstanceState::Stopped {}
    world.cloud.start(instance).await.unwrap();
    let body = json!({"instance_id": instance, "options": {"migration_type": "cold"}});
    let plan = post(&app, "providers/cloud/import?dry_run=true", body).await.json();
    assert_eq!((&plan["instance"]["state"], &plan["stops_source"]), (&json!("pending"), &json!(true)), "{plan:#}");
}

#[tokio::test]
async fn a_discovery_pages_without_loss() {
    let world = world(10, 0).await;
    let app = app(&world, &ApiConfig::default());
    for limit in ["", "limit=1&", "limit=3&", "limit=4&", "limit=1000&"] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = get(&app, &format!("providers/cloud/discover?{limit}{cursor}")).await.json();
            seen.extend(page["instances"].as_array().unwrap().iter().map(|i| i["instance_id"].to_string()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("cursor={next}"),
                None => break,
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 10, "{limit}");
    }
    assert_eq!(get(&app, "providers/cloud/discover?filter.nonsense=1").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(get(&app, "providers/cloud/discover?cursor=abc").await.code(), "bad_cursor");
    assert_eq!(get(&app, "health").await.json()["status"], "healthy");
    assert_eq!(get(&app, "providers").await.json()["providers"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let world = world(1, 0).await;
    let app = app(&world, &ApiConfig::default());
    let instance = world.instances[0].to_string();
    for (path, body, status, code) in [
        ("providers/nowhere/import", json!({"instance_id": "i"}), 404, "unknown_provider"),
        ("providers/cloud/import", json!({"instance_id": "i-none"}), 404, "not_found"),
        ("providers/cloud/import", json!({"instance": "i"}), 422, "invalid_body"),
        ("providers/cloud/import", json!({"instance_id": instance, "options": {"tiemout": 1}}), 422, "unknown_option"),
        (
            "providers/cloud/import",
            json!({"instance_id": instance, "options": {"timeout": "x"}}),
            422,
            "invalid_option",
        ),
        ("providers/cloud/import?dry=1", json!({"instance_id": "i"}), 400, "unknown_parameter"),
        ("providers/cloud/import", json!({"instance_id": "i", "name": "x".repeat(70_000)}), 413, "body_too_large"),
        ("migrations/none/cancel", json!({}), 404, "no_such_migration"),
    ] {
        let answer = post(&app, path, body).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{path} {}", answer.text);
    }
    for (path, status, code) in [
        ("/nothing", 404, "route_not_found"),
        ("nothing", 404, "route_not_found"),
        ("migrations/none", 404, "no_such_migration"),
        ("migrations?limit=0", 400, "invalid_parameter"),
        ("migrations?status=odd", 400, "invalid_parameter"),
        ("vms/none", 404, "unknown_vm"),
        ("migrations/%FF", 400, "bad_request"),
    ] {
        let answer = get(&app, path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{path}");
    }
    let wrong = send(&app, ask(Method::DELETE, "providers").body(Body::empty()).unwrap()).await;
    assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (405, "method_not_allowed"));
    assert!(wrong.headers.contains_key(header::ALLOW));
    let form = ask(Method::POST, "providers/cloud/import").header(header::CONTENT_TYPE, "text/plain");
    assert_eq!(send(&app, form.body(Body::from("{}")).unwrap()).await.code(), "unsupported_media_type");
    let broken = ask(Method::POST, "providers/cloud/import").header(header::CONTENT_TYPE, "application/json");
    assert_eq!(send(&app, broken.body(Body::from("{")).unwrap()).await.code(), "invalid_json");

    let foreign = Request::builder().uri(format!("{BASE}/providers")).header(header::HOST, "evil.example");
    assert_eq!(send(&app, foreign.body(Body::empty()).unwrap()).await.code(), "host_not_allowed");
    let page = ask(Method::POST, "migrations/x/cancel").header(header::ORIGIN, "https://evil.example");
    assert_eq!(send(&app, page.body(Body::empty()).unwrap()).await.code(), "cross_site");
}

#[tokio::test]
async fn roles_are_kept_apart() {
    let world = world(0, 0).await;
    let token = |name: &str, role| Token { name: name.into(), role, sha256: Sha256::digest(name).into() };
    let tokens = vec![
        token("viewer-token", Role::Viewer),
        token("operator-token", Role::Operator),
        token("admin-token", Role::Admin),
    ];
    let app = app(&world, &ApiConfig { tokens, ..ApiConfig::default() });
    let with = |method, path: &str, token: &str| {
        ask(method, path).header(header::AUTHORIZATION, format!("Bearer {token}")).body(Body::empty()).unwrap()
    };
    let nobody = get(&app, "providers").await;
    assert_eq!((nobody.status.as_u16(), nobody.code().as_str()), (401, "missing_token"));
    assert!(nobody.headers.contains_key(header::WWW_AUTHENTICATE));
    let wrong = send(&app, with(Method::GET, "providers", "guess")).await;
    assert_eq!(wrong.code(), "wrong_token");
    assert!(!wrong.text.contains("guess"));
    assert_eq!(send(&app, with(Method::GET, "providers", "viewer-token")).await.status, StatusCode::OK);
    assert_eq!(send(&app, with(Method::GET, "whoami", "viewer-token")).await.json()["actor"], "viewer-token");
    let cancel = |token: &str| with(Method::POST, "migrations/x/cancel", token);
    assert_eq!(send(&app, cancel("viewer-token")).await.code(), "forbidden");
    assert_eq!(send(&app, cancel("operator-token")).await.code(), "no_such_migration");
    assert_eq!(send(&app, with(Method::GET, "audit", "operator-token")).await.code(), "forbidden");
    assert_eq!(send(&app, with(Method::GET, "audit", "admin-token")).await.status, StatusCode::OK);
    let profile = |token: &str| with(Method::GET, "/debug/pprof/profile?seconds=1", token);
    assert_eq!(send(&app, profile("operator-token")).await.code(), "forbidden");
    for open in ["/healthz", "/api/docs", "/api/v1/openapi.json"] {
        assert_eq!(get(&app, open).await.status, StatusCode::OK, "{open}");
    }
    assert_eq!(get(&app, "/metrics").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(get(&app, "/debug/pprof/profile").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn metrics_come_in_both_formats() {
    let world = world(1, 0).await;
    let app = app(&world, &ApiConfig::default());
    get(&app, "health").await;
    get(&app, "health").await;
    let text = get(&app, "/metrics").await;
    let calls = "novacron_federation_network_latency_ms_count{source=\"local\",destination=\"cloud\"} 1\n";
    assert!(text.text.contains(calls), "an answer that was kept is no call: {}", text.text);
    assert_eq!(text.headers[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.text.contains("# TYPE novacron_http_requests_total counter"), "{}", text.text);
    assert!(text.text.contains("novacron_federation_network_latency_ms"));
    assert!(!text.text.contains("# EOF"));
    let open = ask(Method::GET, "/metrics").header(header::ACCEPT, "application/openmetrics-text;version=1.0.0");
    assert!(send(&app, open.body(Body::empty()).unwrap()).await.text.ends_with("# EOF\n"));
}
