//! Placements as a client sees them, over the real control plane and the catalog that ships.
#![allow(clippy::unwrap_used)]

mod common;

use axum::{
    Router,
    body::Body,
    http::{Method, StatusCode, header},
};
use common::{
    http::{app, ask, get, post, send},
    world,
};
use novacron_api::ApiConfig;
use serde_json::{Value, json};

/// The operation, once it has ended.
async fn ended(app: &Router, id: &str) -> Value {
    for _ in 0..400 {
        let work = get(app, &format!("operations/{id}")).await.json();
        if !work["end_time"].is_null() {
            return work;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("{id} did not end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_placement_is_decided_as_the_guide_says_and_kept() {
    let world = world(0, 0).await;
    let app = app(&world, &ApiConfig::default());
    let body = json!({
        "vm_id": "vm-web-001", "required_cpu": 2, "required_memory_gb": 4, "required_disk_gb": 50, "max_cost_per_hour": 0.5
    });
    let answer = post(&app, "placements", body.clone()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let record = answer.json();
    let placed = &record["primary_placement"];
    assert_eq!((&placed["vm_id"], &record["status"]), (&json!("vm-web-001"), &json!("decided")));
    for field in ["cloud_provider", "region", "placement_score", "cost_per_hour", "placement_reason"] {
        assert!(!placed[field].is_null(), "{field}: {placed}");
    }
    assert!(placed["cost_per_hour"].as_f64().unwrap() <= 0.5);
    let other = &record["alternative_placements"][0];
    assert!(!other["cloud_provider"].is_null() && !other["lost_by"].is_null(), "{other}");

    assert_eq!(get(&app, "placements/vm-web-001").await.json(), record);
    let id = record["placement_id"].as_str().unwrap();
    assert_eq!(get(&app, &format!("placements/{id}")).await.json(), record);
    assert_eq!(get(&app, "placements?status=decided").await.json()["placements"][0], record);
    let why = get(&app, "placements/vm-web-001/why-not?place=aws&place=us-east-1&place=m5.large").await.json();
    assert_eq!(why["place"]["instance_type"], "m5.large");
    assert!(why["breaks"].as_array().unwrap().is_empty() && why["points_less"].as_f64().unwrap() > 0.0, "{why}");

    // A dry run keeps nothing.
    let dry = post(&app, "placements?dry_run=true", json!({ "vm_id": "dry", "required_cpu": 1 })).await;
    assert_eq!(dry.status, StatusCode::OK);
    assert_eq!(get(&app, "placements/dry").await.code(), "unknown_placement");
    let statistics = get(&app, "statistics").await.json();
    assert_eq!((&statistics["total_vms"], &statistics["placements"]["decided"]), (&json!(0), &json!(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_place_is_an_answer_and_nonsense_is_not() {
    let world = world(0, 0).await;
    let app = app(&world, &ApiConfig::default());
    let body = json!({ "required_cpu": 64, "required_memory_gb": 256, "max_cost_per_hour": 0.01 });
    let record = post(&app, "placements", body).await.json();
    assert_eq!((&record["status"], &record["primary_placement"]), (&json!("infeasible"), &Value::Null));
    assert_eq!(record["relaxations"][0]["constraints"], json!(["cost"]));
    for (body, status, code) in [
        (json!({}), 422, "invalid_placement"),
        (json!({ "required_cpu": 1, "near": "us-esat-1" }), 404, "unknown_place"),
        (json!({ "required_cpu": 1, "create": true }), 422, "no_image"),
        (json!({ "required_cpu": 1, "user_data": "#cloud-config" }), 422, "user_data_not_kept"),
        (json!({ "required_cpu": 1, "vm_id": "a b" }), 422, "invalid_vm_id"),
        (json!({ "required_cpu": 1.5 }), 422, "invalid_body"),
        (json!({ "requried_cpu": 1 }), 422, "invalid_body"),
    ] {
        let answer = post(&app, "placements", body.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{body}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_is_made_where_it_was_placed() {
    let world = world(0, 0).await;
    let image = world.local.seed_image("debian", b"an image");
    let app = app(&world, &ApiConfig::default());
    let body = json!({
        "vm_id": "web", "required_cpu": 2, "required_memory_gb": 4, "create": true, "image": image, "tags": { "app": "web" },
    });
    let answer = post(&app, "placements", body.clone()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let record = answer.json();
    assert_eq!(record["status"], "creating");
    let work = ended(&app, record["operation_id"].as_str().unwrap()).await;
    assert_eq!((&work["kind"], &work["status"]), (&json!("create"), &json!("completed")), "{work}");
    let id = work["operation_id"].as_str().unwrap();
    let events = get(&app, &format!("operations/{id}/events")).await;
    assert_eq!(events.status, StatusCode::OK);
    for text in ["event: progress", "event: checkpoint", "event: log", "web is i-", "\"status\":\"completed\""] {
        assert!(events.text.contains(text), "{text}: {}", events.text);
    }
    assert_eq!(get(&app, "operations/nothing/events").await.status, StatusCode::NOT_FOUND);
    let vm = get(&app, "vms/web").await.json();
    assert_eq!((&vm["provider"], &vm["instance"]["state"]), (&json!("local"), &json!("running")));
    assert_eq!(get(&app, "placements/web").await.json()["status"], "created");
    assert_eq!(get(&app, "statistics").await.json()["by_provider"], json!({ "local": 1 }));
    assert_eq!(post(&app, "placements", body).await.code(), "vm_exists");
    assert_eq!(world.local.counts().instances, 1);
}

fn manifest(cpu: u32, replicas: u32) -> Value {
    json!({
        "apiVersion": "novacron.io/v1alpha1", "kind": "VirtualMachine", "metadata": { "name": "app" },
        "spec": { "replicas": replicas, "template": { "spec": { "resources": { "cpu": cpu, "memory": "8Gi" } } } },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applying_the_same_again_changes_nothing() {
    let world = world(0, 0).await;
    let app = app(&world, &ApiConfig::default());
    let apply = async |path: &str, cpu, replicas| {
        let answer = post(&app, path, json!({ "machines": [manifest(cpu, replicas)] })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["machines"].clone()
    };
    assert_eq!(apply("machines?dry_run=true", 4, 2).await[0]["action"], "create");
    let first = apply("machines", 4, 2).await;
    assert_eq!((&first[0]["name"], &first[1]["name"]), (&json!("app-0"), &json!("app-1")));
    assert_eq!(first[0]["action"], "create", "the dry run kept nothing");
    let again = apply("machines", 4, 2).await;
    assert_eq!((&again[0]["action"], &again[1]["action"]), (&json!("unchanged"), &json!("unchanged")));
    assert_eq!(again[0]["placement"], first[0]["placement"]);
    let changed = apply("machines", 8, 2).await;
    assert_eq!(changed[0]["action"], "update");
    assert_eq!(changed[0]["changes"][0]["path"], "spec.template.spec.resources.cpu");
    assert_eq!(changed[0]["changes"][0]["new"], 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_places_machines_together_at_clouds() {
    let world = world(0, 0).await;
    let app = app(&world, &ApiConfig::default());
    let requests: Vec<Value> = (1..4)
        .map(|i| json!({ "vm_id": format!("burst-vm-{i}"), "required_cpu": 2 * i, "required_memory_gb": 4 }))
        .collect();
    let answer = post(&app, "burst", json!({ "requests": requests })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let burst = answer.json();
    let placed = burst["placed"].as_array().unwrap();
    assert_eq!(placed.len(), 3, "{burst}");
    assert!(placed.iter().all(|placed| placed["placement"]["cloud_provider"] != "local"));
    assert!(burst["plan"]["gap"].as_f64().unwrap() <= 0.001, "{burst}");

    // One that fits nowhere takes the others with it, or is left out, as asked.
    let mut requests = requests;
    requests.push(json!({ "vm_id": "huge", "required_cpu": 90000 }));
    let none = post(&app, "burst?dry_run=true", json!({ "requests": requests, "mode": "all-or-nothing" })).await.json();
    assert_eq!(none["placed"], json!([]));
    let some = post(&app, "burst?dry_run=true", json!({ "requests": requests, "mode": "best-effort" })).await.json();
    assert_eq!(some["placed"].as_array().unwrap().len(), 3);
    assert_eq!(some["plan"]["left_out"][0]["vm_id"], "huge", "{some}");
    assert_eq!(post(&app, "burst", json!({ "requests": [] })).await.code(), "invalid_burst");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_without_machines_has_nothing_to_do() {
    let world = world(0, 0).await;
    let app = app(&world, &ApiConfig::default());
    let plan = post(&app, "optimization/plan", json!({})).await;
    assert_eq!(plan.status, StatusCode::OK, "{}", plan.text);
    let plan = plan.json();
    assert_eq!(plan["moves"], json!([]));
    assert_eq!(post(&app, "optimization/apply", json!({ "plan_id": plan["plan_id"] })).await.code(), "nothing_to_do");
    assert_eq!(post(&app, "optimization/apply", json!({ "plan_id": "plan-none" })).await.code(), "unknown_plan");
}

/// A request that is sent again with its key is the same request, whether or not it makes a machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_question_gets_its_first_answer() {
    let world = world(1, 0).await;
    let app = app(&world, &ApiConfig::default());
    let keyed = async |key: &str, body: &Value| {
        let request = ask(Method::POST, "placements").header(header::CONTENT_TYPE, "application/json");
        send(&app, request.header("idempotency-key", key).body(Body::from(body.to_string())).unwrap()).await
    };
    let fits = json!({"required_cpu": 2, "required_memory_gb": 4});
    let named = json!({"vm_id": "named", "required_cpu": 2, "required_memory_gb": 4});
    let infeasible =
        json!({"required_cpu": 64, "required_memory_gb": 4, "max_cost_per_hour": 0.01, "create": true, "image": "i"});
    for (key, body) in [("fits", &fits), ("named", &named), ("infeasible", &infeasible)] {
        let first = keyed(key, body).await;
        assert_eq!(first.status, StatusCode::OK, "{key}: {}", first.text);
        let again = keyed(key, body).await;
        assert_eq!(again.status, StatusCode::OK, "{key}: {}", again.text);
        let (first, again) = (first.json(), again.json());
        for field in ["placement_id", "vm_id", "created_at", "status", "request"] {
            assert_eq!(again[field], first[field], "{key}: {field}");
        }
        let mut other = body.clone();
        other["required_cpu"] = json!(1);
        let refused = keyed(key, &other).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::CONFLICT, "idempotency_key_reused"),
            "{key}"
        );
    }
    assert_eq!(get(&app, "placements").await.json()["placements"].as_array().unwrap().len(), 3);

    let mut making = fits.clone();
    making["create"] = json!(true);
    making["image"] = json!("image-of-ours");
    let refused = keyed("fits", &making).await;
    assert_eq!(refused.code(), "idempotency_key_reused", "a decision's key makes no machine: {}", refused.text);
}

/// A key stands for one request to apply, whether or not that makes or changes anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applying_again_with_a_key_is_answered_as_before_and_refused_of_others() {
    let world = world(0, 0).await;
    let image = world.local.seed_image("debian", b"an image");
    let app = app(&world, &ApiConfig::default());
    let keyed = async |key: &str, machine: &Value| {
        let body = json!({ "machines": [machine] }).to_string();
        let request = ask(Method::POST, "machines").header(header::CONTENT_TYPE, "application/json");
        send(&app, request.header("idempotency-key", key).body(Body::from(body)).unwrap()).await
    };
    let mut making = manifest(1, 2);
    making["metadata"]["name"] = json!("made");
    making["spec"]["template"]["spec"]["image"] = json!(image);
    for (key, machine) in [("decides", manifest(2, 2)), ("makes", making)] {
        let first = keyed(key, &machine).await;
        assert_eq!(first.status, StatusCode::OK, "{key}: {}", first.text);
        let first = first.json()["machines"].clone();
        if let Some(id) = first[0]["placement"]["operation_id"].as_str() {
            ended(&app, id).await;
        }
        let again = keyed(key, &machine).await;
        assert_eq!(again.status, StatusCode::OK, "{key}: {}", again.text);
        let again = again.json()["machines"].clone();
        for index in 0..2 {
            let (first, again) = (&first[index], &again[index]);
            assert_eq!((&first["action"], &again["action"]), (&json!("create"), &json!("create")), "{key}");
            assert_eq!(again["placement"]["placement_id"], first["placement"]["placement_id"], "{key}");
        }
        // Of the same names.
        let mut other = machine.clone();
        other["spec"]["template"]["spec"]["resources"]["cpu"] = json!(4);
        let refused = keyed(key, &other).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::CONFLICT, "idempotency_key_reused"),
            "{key}"
        );
        // Nothing to do is an answer too.
        let unchanged = keyed(&format!("{key}-again"), &machine).await.json()["machines"].clone();
        assert_eq!(unchanged[0]["action"], "unchanged", "{key}");
        assert_eq!(keyed(&format!("{key}-again"), &other).await.code(), "idempotency_key_reused", "{key}");
    }
    assert_eq!(world.local.counts().instances, 2);
    assert_eq!(get(&app, "placements").await.json()["placements"].as_array().unwrap().len(), 4);
}

/// What is listed is work that is no migration, by kind and status, page by page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_is_listed_without_the_migrations() {
    let world = world(1, 8).await;
    let image = world.local.seed_image("debian", b"an image");
    let app = app(&world, &ApiConfig::default());
    let import = json!({ "instance_id": world.instances[0], "name": "moved" });
    assert_eq!(post(&app, "providers/cloud/import", import).await.status, StatusCode::ACCEPTED);
    let mut made = Vec::new();
    for name in ["one", "two"] {
        let body = json!({ "vm_id": name, "required_cpu": 1, "required_memory_gb": 1, "create": true, "image": image });
        let id = post(&app, "placements", body).await.json()["operation_id"].as_str().unwrap().to_owned();
        made.push(ended(&app, &id).await);
    }
    made.reverse();
    assert_eq!(get(&app, "operations").await.json()["operations"], json!(made));
    let first = get(&app, "operations?kind=create&status=completed&limit=1").await.json();
    assert_eq!(first["operations"], json!([made[0]]));
    let next = first["next_cursor"].as_str().unwrap();
    let second = get(&app, &format!("operations?kind=create&limit=1&cursor={next}")).await.json();
    assert_eq!((&second["operations"], &second["next_cursor"]), (&json!([made[1]]), &Value::Null));
    for query in ["kind=burst", "status=failed"] {
        assert_eq!(get(&app, &format!("operations?{query}")).await.json()["operations"], json!([]), "{query}");
    }
    let refused = get(&app, "operations?kind=import").await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::BAD_REQUEST, "invalid_parameter"));
}

#[tokio::test]
async fn work_that_is_not_there_has_a_code_of_its_own() {
    let world = world(1, 0).await;
    let app = app(&world, &ApiConfig::default());
    let answers = [
        get(&app, "operations/none").await,
        get(&app, "operations/none/events").await,
        post(&app, "operations/none/cancel", json!({})).await,
    ];
    for answer in answers {
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::NOT_FOUND, "no_such_operation"),
            "{}",
            answer.text
        );
    }
}
