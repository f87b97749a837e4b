//! Deciding where machines run, without a server: what a person reads, what a program reads, and how it ends.

// A test that can not set its stage has failed.
#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, path::PathBuf};

use common::{Ran, novacron, run};
use novacron_types::placement::{Decision, PlacementRequest};

fn offline(args: &[&str]) -> Ran {
    run(novacron(&["place", "--offline"]).args(args))
}

fn manifest(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/manifests").join(name)
}

#[track_caller]
fn has(ran: &Ran, texts: &[&str]) {
    for text in texts {
        assert!(ran.stdout.contains(text), "{text:?} is not in {}\n{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn a_decision_explains_itself() {
    let ran = offline(&[
        "web",
        "--cpu",
        "4",
        "--memory",
        "8Gi",
        "--disk",
        "100Gi",
        "--region",
        "us-east",
        "--strategy",
        "cost",
        "--why-not",
        "us-east-1 m5.xlarge",
    ])
    .expect(0)
    .says("Decided in this process");
    has(
        &ran,
        &[
            "web → ",
            "WHAT IT COSTS",
            "together",
            "USD/month",
            "CONSIDERED",
            "CHOSEN ✔",
            "more an hour",
            "BY CLOUD",
            "RULED OUT",
            "at least 4 vCPUs",
            "WHAT TO RELAX, for a cheaper place",
            "WHY NOT m5.xlarge in us-east-1",
            "SOURCES",
            "days",
        ],
    );
    // Data only on standard output, and no colours in a pipe.
    assert!(!ran.stdout.contains("Decided in this process") && !ran.stdout.contains('\u{1b}'), "{ran:#?}");
}

#[test]
fn programs_read_the_types_of_the_api() {
    let ran = offline(&["--cpu", "2", "--memory", "4Gi", "-n", "3", "-o", "json", "-q"]).expect(0);
    assert_eq!(ran.stderr, "");
    let decision: Decision = serde_json::from_str(&ran.stdout).unwrap();
    let placed = decision.primary_placement.unwrap();
    assert!(placed.vcpus >= 2 && placed.cost_per_hour.nanos > 0, "{placed:?}");
    assert_eq!(decision.alternative_placements.len(), 3);
    assert!(decision.alternative_placements.iter().all(|other| other.place.placement_score <= placed.placement_score));
    assert_eq!(ran.json()["status"], "decided");
    let again = offline(&["--cpu", "2", "--memory", "4Gi", "-n", "3", "-o", "json", "-q"]).expect(0);
    assert_eq!(again.stdout, ran.stdout, "the same question has the same answer");
    let yaml = offline(&["--cpu", "2", "--memory", "4Gi", "-o", "yaml", "-q"]).expect(0);
    assert!(yaml.stdout.contains("primary_placement:"), "{yaml:?}");
    let csv = offline(&["--cpu", "2", "--memory", "4Gi", "-o", "csv", "-q"]).expect(0);
    assert!(csv.stdout.lines().any(|line| line.starts_with("primary_placement.instance_type,")), "{csv:?}");
}

/// The manifest as it was asked for: nothing is so near, and so the answer is what to ask less of.
#[test]
fn the_manifest_that_was_asked_for() {
    let path = manifest("seed.yaml");
    let ran = offline(&["-f", path.to_str().unwrap(), "-o", "json", "-q"]);
    let decision: Decision = serde_json::from_str(&ran.stdout).unwrap();
    match &decision.primary_placement {
        Some(placed) => {
            assert_eq!(ran.code, 0, "{ran:?}");
            assert!(placed.cost_per_hour.nanos < 100_000_000 && placed.latency_ms.unwrap() <= 10.0, "{placed:?}");
            assert!(["aws", "azure"].contains(&placed.cloud_provider.as_str()), "{placed:?}");
        }
        None => {
            assert_eq!(ran.code, 8, "{ran:?}");
            assert!(!decision.relaxations.is_empty(), "{decision:?}");
        }
    }
    for name in ["gpu.yaml", "batch.yaml"] {
        let ran = offline(&["-f", manifest(name).to_str().unwrap()]);
        has(&ran.expect(0), &["CHOSEN ✔"]);
    }
    // Two of them are no one machine.
    offline(&["-f", manifest("web.yaml").to_str().unwrap()]).expect(2).says("describes 2 machines");
}

#[test]
fn no_place_is_told_from_failure_and_says_what_to_relax() {
    let ran = offline(&["big", "--cpu", "64", "--memory", "8Gi", "--max-cost", "0.01", "--region", "eu"])
        .expect(8)
        .says("no place will do for `big`")
        .says("Relax cost");
    has(&ran, &["NO PLACE WILL DO", "WHAT TO RELAX, for any place", "at most 0.01 USD an hour"]);
    let json = offline(&["--cpu", "64", "--max-cost", "0.01", "-o", "json"]).expect(8).json();
    assert_eq!(json["status"], "infeasible");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    for (args, says) in [
        (&["--cpu", "2", "--region", "us-esat-1"][..], "did you mean us-east-1"),
        (&["--cpu", "2", "--provider", "asw"], "did you mean aws"),
        (&["--cpu", "2", "--type", "m5.lrage"], "m5.large"),
        (&["--cpu", "2", "--compliance", "HIPPA"], "HIPAA"),
        (&["--cpu", "2", "--strategy", "cots"], "Did you mean `cost`"),
        (&["--cpu", "2", "--pricing", "spto"], "spto"),
        (&["--cpu", "0"], "cpu"),
        (&["a\u{1b}[31mb", "--cpu", "2"], "control characters"),
        (&["--cpu", "-1"], "invalid value"),
        (&["--cpu", "2.5"], "invalid value"),
        (&["--cpu", "4294967296"], "invalid value"),
        (&["--cpu", "2", "--memory", "8Gx"], "not a size"),
        (&["--cpu", "2", "--memory", "8"], "did you mean 8Gi?"),
        (&["--cpu", "2", "--memory", "0"], "less than a MiB"),
        (&["--cpu", "2", "--disk", "100"], "did you mean 100Gi?"),
        (&["--cpu", "2", "--near", "aws"], "\"aws\" is a provider"),
        (&["--cpu", "2", "--weights", "cost=1,cost=2"], "twice"),
        (&["--cpu", "2", "--max-latency", "10ms"], "--near"),
        (&["--cpu", "2", "--near", "us-east-1", "--max-latency", "soon"], "not a time"),
        (&["--cpu", "2", "--max-cost", "-1"], "--max-cost"),
        (&["--cpu", "2", "--weights", "price=1"], "--weights cost=40"),
        (&["--cpu", "2", "--weights", "cost=0"], "weight"),
        (&["--cpu", "2", "--label", "x"], "KEY=VALUE"),
        (&["--cpu", "2", "--sla", "200"], "percent"),
        (&["--cpu", "2", "--gpu", "0"], "--gpu 1"),
        (&["--cpu", "2", "--why-not", "us-esat-1"], "us-east-1"),
        (&["-f", "/no/such/file"], "cannot read /no/such/file"),
        (&["--cpu", "2", "--create"], "image"),
    ] {
        let ran = offline(args);
        assert_eq!(ran.code, 2, "{args:?} {ran:#?}");
        assert!(ran.stderr.contains(says) && ran.stdout.is_empty(), "{args:?}: {says:?} {ran:#?}");
    }
    offline(&["--cpu", "2", "--create", "--image", "x"]).expect(4).says("without a server");
}

#[test]
fn manifests_that_are_wrong_say_where() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("vm.yaml");
    let path = file.to_str().unwrap();
    let seed = fs::read_to_string(manifest("seed.yaml")).unwrap();
    for (old, new, says) in [
        ("cpu: 4", "cpu: 0", ":29:14:"),
        ("cpu: 4", "cpu: 2.5", "cpu"),
        ("memory: 8Gi", "memory: lots", "memory"),
        ("type: provider", "type: provder", "did you mean `provider`"),
        ("kind: VirtualMachine", "kind: VirtualMachin", "did you mean `VirtualMachine`"),
        ("strategy:", "stratgy:", "did you mean `strategy`"),
    ] {
        assert!(seed.contains(old), "{old}");
        fs::write(&file, seed.replace(old, new)).unwrap();
        let ran = offline(&["-f", path]);
        assert_eq!(ran.code, 2, "{new}: {ran:#?}");
        assert!(ran.stderr.contains(says) && ran.stderr.contains("vm.yaml:"), "{new}: {ran:#?}");
    }
    // Names that only the catalog knows are told with their place as well.
    for (old, new) in [("[aws, azure]", "[awz, azure]"), ("value: us-east-1", "value: us-eats-1")] {
        assert!(seed.contains(old), "{old}");
        fs::write(&file, seed.replacen(old, new, 1)).unwrap();
        let ran = offline(&["-f", path]).expect(2);
        ran.says("vm.yaml:").says("constraints[");
    }
    // A request as the API takes it.
    let request = PlacementRequest { required_cpu: Some(2), ..PlacementRequest::default() };
    fs::write(&file, serde_json::to_string(&request).unwrap()).unwrap();
    offline(&["-f", path]).expect(0);
    fs::write(&file, "{required_cpus: 2}").unwrap();
    offline(&["-f", path]).expect(2).says("required_cpu");
    // Which of the fields it is.
    fs::write(&file, "{required_cpu: 1, performance_targets: {min_cpu: x}}").unwrap();
    offline(&["-f", path]).expect(2).says("`performance_targets.min_cpu`: ");
    // Applying is the server's; what is wrong is found before it is asked, and nothing to do is no failure.
    let apply = |args: &[&str]| run(novacron(&["apply", "--server", "http://127.0.0.1:1"]).args(args));
    fs::write(&file, seed.replace("cpu: 4", "cpu: 0")).unwrap();
    apply(&["-f", path, "--dry-run"]).expect(2).says("vm.yaml:");
    fs::write(&file, "---\n").unwrap();
    apply(&["-f", path]).expect(3).says("nothing to apply");
    fs::write(&file, "apiVersion: novacron.io/v1alpha1\nkind: FederationConfig\nmetadata: {name: x}\nspec: {}\n")
        .unwrap();
    apply(&["-f", path]).expect(3).says("read by `novacron serve");
    apply(&["-f", manifest("seed.yaml").to_str().unwrap(), "--dry-run"]).expect(5);
    apply(&[]).expect(2);
    run(&mut novacron(&["burst"])).expect(2);
}

#[test]
fn a_configuration_is_decided_by() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("multicloud.yaml");
    let path = file.to_str().unwrap().to_owned();
    let data = dir.path().display();
    let base =
        format!("data_dir: {data}/data\nlocal: {{kind: files, path: {data}/disks}}\nazure: {{location: westeurope}}\n");
    let place = |more: &str, args: &[&str]| {
        fs::write(&file, format!("{base}{more}")).unwrap();
        run(novacron(&["place", "--config", &path, "--cpu", "2", "--memory", "4Gi"]).args(args))
    };
    // A provider whose kind this version can't create at counts for deciding.
    let json = place("", &["--configured", "-o", "json"]).expect(0).says("nothing can be created").json();
    assert_eq!(json["primary_placement"]["provider"], "azure");
    assert_eq!(json["primary_placement"]["region"], "westeurope");
    let zones = place("orchestrator: {compliance_zones: [us-west]}\n", &["-o", "json"]).expect(0).json();
    assert!(zones["primary_placement"]["region"].as_str().unwrap().contains("us"), "{zones}");
    place("orchestrator: {compliance_zones: [us-wets]}\n", &[]).expect(2).says("multicloud.yaml:4:").says("us-west");
    // Where the federation is, or what a machine should be near, by coordinates: Frankfurt, and Sydney.
    let near = place("orchestrator: {location: '50.11, 8.68'}\n", &["-o", "json"]).expect(0).json();
    assert_eq!(near["primary_placement"]["latency_basis"], "modelled from the distance");
    let near = place("", &["--near=-33.87,151.21", "--max-latency", "25ms", "-o", "json"]).expect(0).json();
    assert!(near["primary_placement"]["latency_ms"].as_f64().unwrap() <= 25.0, "{near}");
    place("", &["--near", "91,0"]).expect(2).says("latitude");
    // A host of one's own that is cheap wins; one that is full does not.
    let rack = |vcpus: u32| {
        format!(
            "providers: [{{name: rack, kind: openstack, capacity: {{vcpus: {vcpus}, memory: 64Gi, disk: 1Ti}}, cost: {{per_hour: 0.01}}}}]\n"
        )
    };
    let host = place(&rack(32), &["--strategy", "cost", "-o", "json"]).expect(0).json();
    assert_eq!(host["primary_placement"]["cloud_provider"], "local");
    let full = place(&rack(1), &["--strategy", "cost", "-o", "json"]).expect(0).json();
    assert_ne!(full["primary_placement"]["cloud_provider"], "local");
    let clash = "policies:\n- {name: a, priority: 1, action: {type: restrict, regions: [eu]}}\n\
                 - {name: b, priority: 1, action: {type: restrict, regions: [us]}}\n";
    place(clash, &[]).expect(2).says("`a`").says("`b`");
    // What a provider has, and where the one is that is configured, the catalog knows.
    for (a, b) in [("providers: [gcp]", "regions: [us-east-1]"), ("providers: [azure]", "regions: [us]")] {
        let clash = format!(
            "policies:\n- {{name: a, action: {{type: restrict, {a}}}}}\n- {{name: b, action: {{type: restrict, {b}}}}}\n"
        );
        place(&clash, &[]).expect(2).says("policy `b` contradicts policy `a`");
    }
    // Where a server was named and a configuration too, which of them is meant is not guessed.
    fs::write(&file, &base).unwrap();
    run(&mut novacron(&["place", "--cpu", "2", "--config", &path, "--server", "http://127.0.0.1:1"]))
        .expect(2)
        .says("--offline");
    run(&mut novacron(&["place", "--cpu", "2", "--server", "http://127.0.0.1:1"])).expect(5);
}

#[test]
fn the_catalog_shows_what_it_knows() {
    let catalog = |args: &[&str]| run(novacron(&["catalog"]).args(args));
    let list = catalog(&[
        "list",
        "--embedded",
        "--kind",
        "aws",
        "--region",
        "us-east",
        "--min-cpu",
        "4",
        "-n",
        "5",
        "-o",
        "json",
    ]);
    let list = list.expect(0).json();
    let rows = list.as_array().unwrap();
    let prices: Vec<f64> =
        rows.iter().map(|row| row["hourly"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(rows.len() == 5 && prices.is_sorted() && rows.iter().all(|row| row["vcpus"].as_u64() >= Some(4)), "{list}");
    assert!(rows.iter().all(|row| row["region"].as_str().unwrap().starts_with("us-east")), "{list}");
    has(
        &catalog(&["show", "m5.large", "us-east-1"]).expect(0),
        &["2 x86_64", "8.0 GiB", "ON-DEMAND", "0.0960", "days"],
    );
    let zones = |region| catalog(&["show", "Standard_D4as_v5", region]).expect(0);
    has(&zones("northcentralus"), &["99.5 % of one machine, and there is no second zone\n"]);
    has(&zones("westeurope"), &["99.99 % of two in two zones"]);
    let hours = catalog(&["estimate", "t3.medium", "us-east-1", "--hours", "720", "-o", "json"]).expect(0).json();
    let nanos = |money: &serde_json::Value| {
        let amount: f64 = money.as_str().unwrap().split(' ').next().unwrap().parse().unwrap();
        (amount * 1e9).round() as i64
    };
    let on_demand = &hours["quotes"][0];
    assert_eq!(nanos(&on_demand["for_hours"]), nanos(&on_demand["hourly"]) * 720, "{on_demand}");
    let estimate = catalog(&["estimate", "m5.large", "us-east-1", "--disk", "100:gp3", "--traffic", "500"]).expect(0);
    has(&estimate, &["compute", "storage", "network", "together", "ON-DEMAND", "70.08"]);
    has(&catalog(&["regions", "--kind", "gcp", "eu"]).expect(0), &["europe-west1"]);
    has(&catalog(&["sources", "-o", "wide"]).expect(0), &["LICENCE", "aws-on-demand", "DERIVED BY"]);
    catalog(&["diff", "embedded", "embedded"]).expect(3).says("the same prices");
    for (args, says) in [
        (&["show", "m5.lrage"][..], "m5.large"),
        (&["show", "m5.large", "us-esat-1"], "us-east-1"),
        (&["estimate", "m5.large", "westeurope"], "aws has no region"),
        (&["estimate", "m5.large", "us-east-1", "--hours", "0"], "1..=876000"),
        (&["estimate", "m5.large", "us-east-1", "--disk", "100:gp9"], "gp"),
        (&["estimate", "m5.large", "us-east-1", "--disk", "lots"], "Write GB"),
        (&["list", "--kind", "asw"], "Did you mean `aws`"),
        (&["list", "--pricing", "spto"], "Did you mean `spot`"),
        (&["diff", "/no/such.snapshot", "embedded"], "no catalog"),
        (&["refresh", "--embedded"], "--embedded"),
    ] {
        let ran = catalog(args);
        assert!(ran.code == 2 && ran.stderr.contains(says), "{args:?} {says} {ran:#?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.snapshot");
    fs::write(&bad, "NOVACAT\0 and nonsense").unwrap();
    catalog(&["diff", bad.to_str().unwrap(), "embedded"]).expect(2).says("no catalog that can be used");
    let schema = run(&mut novacron(&["config", "schema", "--kind", "VirtualMachine"])).expect(0).json();
    assert_eq!(schema["title"], "NovaCron virtual machine");
}

/// A price API that does not answer keeps the prices of before, and one failure is not another's.
#[test]
fn a_refresh_that_fails_keeps_what_there_was() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("multicloud.yaml");
    fs::write(
        &file,
        format!(
            "data_dir: {}\ncatalog: {{sources: {{azure: {{endpoint_url: 'http://127.0.0.1:1'}}, oci: {{enabled: false}}}}}}\n",
            dir.path().display()
        ),
    )
    .unwrap();
    let config = file.to_str().unwrap();
    let refresh = |args: &[&str]| run(novacron(&["catalog", "refresh", "--config", config]).args(args));
    let ran = refresh(&["--source", "azure"]).expect(1).says("their prices are those of before");
    has(&ran, &["azure", "kept"]);
    refresh(&["--source", "gcp"]).expect(4).says("api_key");
    refresh(&["--source", "oci"]).expect(4).says("enabled");
    refresh(&["--source", "ibm"]).expect(2);
    assert!(!dir.path().join("catalog").exists(), "nothing was kept");
}

/// A server decides with the same words, keeps it, and says what manifests change; applied twice, nothing is left to do.
#[test]
fn a_server_decides_and_keeps_it() {
    let site = common::Site::bare();
    let serve = site.serve();
    let ask = ["place", "web", "--cpu", "2", "--memory", "4Gi", "--region", "eu", "--why-not", "us-east-1", "m5.large"];
    let ran = serve.run(&ask).expect(0);
    has(&ran, &["web → ", "CHOSEN ✔", "placement-", "WHY NOT m5.large in us-east-1", "it breaks region"]);
    let kept = serve.run(&["explain", "web", "-o", "json"]).expect(0).json();
    let here = offline(&["web", "--cpu", "2", "--memory", "4Gi", "--region", "eu", "-o", "json"]).expect(0).json();
    assert_eq!(kept["primary_placement"], here["primary_placement"], "the server decides as this process does");
    has(&serve.run(&["explain"]).expect(0), &["web", "decided"]);
    serve.run(&["explain", "--status", "fine"]).expect(2).says("infeasible");
    serve.run(&["explain", "nobody"]).expect(4).says("novacron explain");
    serve.run(&["place", "--cpu", "2", "--memory", "4Gi", "--region", "us-esat-1"]).expect(2).says("did you mean");
    serve.run(&["place", "big", "--cpu", "64", "--max-cost", "0.01", "--memory", "1Gi"]).expect(8).says("Relax ");

    let path = manifest("web.yaml");
    let file = path.to_str().unwrap();
    let shown = serve.run(&["apply", "-f", file, "--dry-run"]).expect(0);
    has(&shown, &["+ web-0  create → ", "+ spec.template.spec.resources.memory: 4.0 GiB", "2 to create"]);
    serve.run(&["apply", "-f", file]).expect(4).says("Add -y");
    has(&serve.run(&["apply", "-f", file, "-y"]).expect(0).says("No machine web-1 is made"), &["+ web-1  create"]);
    serve.run(&["apply", "-f", file, "-y"]).expect(3).says("everything is as described");
    let changed = site.dir.path().join("web.yaml");
    fs::write(&changed, fs::read_to_string(&path).unwrap().replace("cpu: 2", "cpu: 4")).unwrap();
    has(&serve.run(&["apply", "-f", changed.to_str().unwrap(), "--dry-run"]).expect(0), &["~ web-0  update", "2 → 4"]);
    serve
        .run(&["apply", "-f", manifest("seed.yaml").to_str().unwrap(), "--dry-run"])
        .expect(8)
        .says("no place will do");

    has(
        &serve.run(&["burst", "-f", manifest("batch.yaml").to_str().unwrap(), "--dry-run"]).expect(0),
        &["✔", "batch", "together"],
    );
    // Success is what was done. What is not made is said beforehand, too: this manifest has no image.
    let ran = serve.run(&["burst", "-f", file, "-y"]).expect(3).says("nothing was made and nothing moved");
    has(&ran, &["Of 2 new machines only the places are decided, and nothing is made"]);
    let plan = serve.run(&["plan", "-o", "json"]).expect(3).json();
    assert_eq!(plan["moves"], serde_json::json!([]));
    serve.run(&["plan", "--strategy", "cots"]).expect(2).says("Did you mean `cost`");
    serve.run(&["apply", "--plan", "none", "-y"]).expect(4).says("novacron plan");
    assert_eq!(serve.run(&["statistics", "-o", "json"]).expect(0).json()["total_vms"], 0);
}

/// One after another, each at its best place, they would need more than there is; together they don't.
#[test]
fn machines_that_fit_together_are_applied_together() {
    let site = common::Site::bare();
    let place = |strategy: &str| {
        let ask = ["--cpu", "2", "--memory", "4Gi", "--strategy", strategy, "-o", "json"];
        let hourly = offline(&ask).expect(0).json()["primary_placement"]["cost_per_hour"].as_f64().unwrap();
        hourly * 730.0
    };
    let (best, cheapest) = (place("balanced"), place("cost"));
    assert!(best * 5.0 > cheapest * 5.0 + 1.0, "the example shows nothing any more: {best} {cheapest}");
    let budget = (best + cheapest) / 2.0 * 5.0;
    site.write_config(&format!("orchestrator:\n  quotas: [{{monthly_budget: {budget:.2}}}]\n"));
    let file = site.dir.path().join("five.yaml");
    let manifest = "apiVersion: novacron.io/v1alpha1\nkind: VirtualMachine\nmetadata: {name: w}\n\
                    spec:\n  replicas: 5\n  template: {spec: {resources: {cpu: 2, memory: 4Gi}}}\n";
    fs::write(&file, manifest).unwrap();
    let serve = site.serve();
    let ran = serve.run(&["apply", "-f", file.to_str().unwrap(), "--dry-run", "-o", "json"]).expect(0).json();
    let placed: Vec<f64> = ran["machines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|machine| machine["placement"]["primary_placement"]["cost_per_hour"].as_f64().unwrap() * 730.0)
        .collect();
    assert!(placed.len() == 5 && placed.iter().sum::<f64>() <= budget, "{placed:?} {budget}");
    // Where they do not fit together either, it is said.
    fs::write(&file, manifest.replace("replicas: 5", "replicas: 50")).unwrap();
    serve.run(&["apply", "-f", file.to_str().unwrap(), "--dry-run"]).expect(8).says("no place will do");
}

/// Prices from the vendors' own APIs, here an emulation of them: taken, kept, shown as new, and used from then on.
#[cfg(feature = "sandbox")]
#[test]
fn a_refresh_takes_todays_prices_and_keeps_them() {
    let mut sandbox = common::Process::spawn(&mut novacron(&["sandbox", "serve", "--listen", "127.0.0.1:0"]));
    let line = sandbox.line_with("AWS_ENDPOINT_URL=");
    let endpoint = line.split('=').nth(1).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("multicloud.yaml");
    fs::write(
        &file,
        format!(
            "data_dir: {}\ncatalog: {{sources: {{aws: {{enabled: false}}, azure: {{enabled: false}}, oci: {{endpoint_url: '{endpoint}/pls/apex'}}, gcp: {{endpoint_url: 'http://127.0.0.1:1', api_key: sandbox}}}}}}\n",
            dir.path().display()
        ),
    )
    .unwrap();
    let config = file.to_str().unwrap();
    let catalog = |args: &[&str]| run(novacron(&["catalog", "--config", config]).args(args));
    let dry = catalog(&["refresh", "--source", "oci", "--dry-run"]).expect(0).says("Nothing is kept");
    has(&dry, &["oci", "refreshed"]);
    assert!(!dir.path().join("catalog").exists());
    // One that fails is not the other's failure: what came is kept.
    let ran = catalog(&["refresh"]).expect(1).says("1 of 2 sources failed: gcp").says("Kept in");
    has(&ran, &["refreshed", "kept"]);
    let sources = catalog(&["sources", "-o", "json"]).expect(0).json();
    let fresh = |row: &serde_json::Value| row["age_days"].as_i64().is_some_and(|days| days <= 1);
    let oci = sources.as_array().unwrap().iter().filter(|row| row["group"].as_str().unwrap().starts_with("oci"));
    assert!(oci.clone().any(fresh), "{sources}");
    // The emulation sells at the prices that the executable has: all are confirmed, and none is another.
    catalog(&["diff", "embedded", "current"]).expect(3).says("the same prices");
    // Deciding goes by them.
    let placed = run(&mut novacron(&[
        "place",
        "--config",
        config,
        "--cpu",
        "2",
        "--memory",
        "4Gi",
        "--provider",
        "oci",
        "-o",
        "json",
    ]));
    let placed = placed.expect(0).json();
    assert!(placed["sources"].as_array().unwrap().iter().any(fresh), "{placed}");
}
