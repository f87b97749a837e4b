//! From the command to the machine: bursts, plans and machines made from nothing, with real moves between a real folder of
//! disks and an emulation of AWS as another process. What a disk holds is proven by its content root.

#![cfg(all(feature = "aws", feature = "sandbox"))]
// A test that can not set its stage has failed.
#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, path::PathBuf, time::Duration};

use common::{Cloud, Process, Serve, Site, image, root, run_within, until};
use serde_json::{Value, json};

/// The emulation's blank image for x86_64 in us-east-1.
const BLANK: &str = "ami-056d28c887bb7fe0f";

/// A cloud, and a local host with room for few.
struct Stage {
    dir: tempfile::TempDir,
    root: String,
    cloud: Cloud,
    site: Site,
}

impl Stage {
    fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = image(dir.path(), 8);
        let root = root(&path);
        let cloud = Cloud::start(&path);
        let site = Site { dir: tempfile::tempdir().unwrap() };
        site.write_config(&format!(
            "  capacity: {{vcpus: 4, memory: 16Gi, disk: 1Ti}}\n\
             aws:\n  region: us-east-1\n  endpoint: {}\n  access_key_id: {}\n  secret_access_key: {}\n\
             migration_options: {{grace_period_seconds: 0}}\n{more}",
            cloud.endpoint, cloud.access, cloud.secret
        ));
        Self { dir, root, cloud, site }
    }

    /// A machine on the local host, whose disk is the image's.
    fn local(&self, serve: &Serve, name: &str) -> String {
        let args = ["migrate", "import", "aws", &self.cloud.instance, "--name", name, "-y", "-o", "json"];
        let imported = serve.run(&args).expect(0).json();
        assert_eq!(imported["target_checksum"], self.root.as_str(), "{imported:#}");
        imported["vm_id"].as_str().unwrap().to_owned()
    }

    /// The VM runs at AWS, and its disk is the image to the last byte.
    fn check_at_aws(&self, serve: &Serve, vm: &str) -> Value {
        let shown = serve.run(&["vm", "show", vm, "-o", "json"]).expect(0).json();
        assert_eq!((&shown["provider"], &shown["instance"]["state"]), (&json!("aws"), &json!("running")), "{shown:#}");
        let volume = shown["instance"]["disks"][0]["disk_id"].as_str().unwrap();
        let copy = self.dir.path().join("copy.raw");
        fs::write(&copy, self.cloud.get(&format!("/_sandbox/volumes/{volume}/data"))).unwrap();
        assert_eq!(root(&copy), self.root, "{vm} has other bytes");
        shown
    }

    fn instances(&self) -> u64 {
        self.cloud.state()["instances"].as_u64().unwrap()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Nothing of an operation is left, at either side.
    fn check_clean(&self) {
        assert_eq!((self.cloud.leftovers(), self.site.staged()), ((0, 0, 0), 0));
    }
}

#[test]
fn a_burst_moves_what_runs_here_and_proves_its_bytes() {
    let stage = Stage::new("");
    let serve = stage.site.serve();
    let (one, two) = (stage.local(&serve, "one"), stage.local(&serve, "two"));
    let before = stage.instances();
    // One that fits nowhere takes the others with it, and nothing has begun.
    let huge = stage.file("huge.yaml", "{vm_id: huge, required_cpu: 90000}");
    let huge = huge.to_str().unwrap();
    let refused = serve.run(&["burst", &one, "-f", huge, "--mode", "all-or-nothing", "-y"]);
    refused.expect(8).says("no machine found a place");
    assert_eq!((stage.site.machines().len(), stage.instances()), (2, before));
    assert_eq!(serve.run(&["migration", "list", "-o", "json"]).expect(0).json().as_array().unwrap().len(), 2);

    // With best effort the others go, and what is left out is said.
    let ran = serve.run(&["burst", &one, "-f", huge, "--mode", "best-effort", "-y"]).expect(0).says("completed");
    assert!(ran.stdout.contains("LEFT OUT") && ran.stdout.contains("huge"), "{ran:#?}");
    stage.check_at_aws(&serve, &one);
    assert_eq!((stage.site.machines().len(), stage.instances()), (1, before + 1));

    let ran = serve.run(&["burst", &two, "--mode", "all-or-nothing", "-y", "-o", "json"]).expect(0);
    let answer = ran.json();
    assert!(answer["plan"]["notes"].to_string().contains("is moved home again"), "{answer:#}");
    let shown = stage.check_at_aws(&serve, &two);
    let (made, decided) =
        (&shown["instance"]["spec"]["instance_type"], &answer["placed"][0]["placement"]["instance_type"]);
    assert_eq!(made, decided, "{shown:#}");
    assert_eq!(stage.site.machines().len(), 0, "what has moved is still here");
    stage.check_clean();
    // What is at a cloud already does not burst.
    serve.run(&["burst", &two, "-y"]).expect(4).says("not on a host of one's own").says("novacron plan");
}

/// The cloud refuses the bytes: the machine is as it was, and the command says that it did not work.
#[test]
fn a_burst_that_fails_says_so_and_leaves_the_machine() {
    let stage = Stage::new("");
    let serve = stage.site.serve();
    let vm = stage.local(&serve, "one");
    let before = stage.instances();
    let denied = r#"{"action":"PutSnapshotBlock","effect":{"error":{"code":"AccessDeniedException","status":403}}}"#;
    stage.cloud.post("/_sandbox/faults", denied);
    serve.run(&["burst", &vm, "-y"]).expect(6).says("rolled back");
    assert_eq!(root(&stage.site.machines()[0].join("disk-0.raw")), stage.root);
    assert_eq!(stage.instances(), before);
    stage.check_clean();
}

/// Moves that were taken on, by their ids and statuses.
fn exports(serve: &Serve) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = serve.run(&["migration", "list", "-o", "json"]).expect(0).json();
    let exports = all.as_array().unwrap().iter().filter(|migration| migration["kind"] == "export");
    exports.map(|migration| (text(&migration["migration_id"]), text(&migration["status"]))).collect()
}

/// Killed when one move has begun and the other has not: the next server goes on, and nobody has to ask again.
#[test]
fn a_burst_goes_on_where_a_killed_server_left_it() {
    let stage = Stage::new("");
    let mut serve = stage.site.serve();
    let (one, two) = (stage.local(&serve, "one"), stage.local(&serve, "two"));
    let before = stage.instances();
    // Before each move begins the cloud is asked whether it is well, and takes its time.
    stage.cloud.post("/_sandbox/faults", r#"{"action":"GetCallerIdentity","effect":{"delay":{"ms":2000}}}"#);
    let ask = ["burst", &one, &two, "--mode", "all-or-nothing", "-y", "--no-watch"];
    let mut asking = Process::spawn(&mut serve.command(&ask));
    until("the first move", Duration::from_secs(60), || (exports(&serve).len() == 1).then_some(()));
    serve.process.kill();
    asking.kill();

    let serve = stage.site.serve();
    let moved = until("both moves", Duration::from_secs(120), || {
        let moved = exports(&serve);
        (moved.len() == 2 && moved.iter().all(|(_, status)| status == "completed")).then_some(moved)
    });
    for vm in [&one, &two] {
        stage.check_at_aws(&serve, vm);
    }
    assert_eq!((stage.instances(), stage.site.machines().len()), (before + 2, 0), "{moved:?}");
    stage.check_clean();
}

/// The cloud has no room for one of them: both are at home at the end, whole, and the command says what came of each.
#[test]
fn all_or_nothing_leaves_all_at_home_where_one_fails() {
    let stage = Stage::new("");
    let serve = stage.site.serve();
    let (one, two) = (stage.local(&serve, "one"), stage.local(&serve, "two"));
    let before = stage.instances();
    let denied = r#"{"action":"RunInstances","nth":2,"count":9,"effect":{"error":{"code":"UnauthorizedOperation","status":403}}}"#;
    stage.cloud.post("/_sandbox/faults", denied);
    let ran = serve.run(&["burst", &one, &two, "--mode", "all-or-nothing", "-y"]).expect(6).says("all or nothing: ");
    assert!(ran.stderr.contains("  failed: "), "{ran:#?}");
    for vm in [&one, &two] {
        let shown = serve.run(&["vm", "show", vm, "-o", "json"]).expect(0).json();
        assert_eq!(shown["provider"], "local", "{shown:#}");
    }
    let machines = stage.site.machines();
    assert_eq!((stage.instances(), machines.len()), (before, 2));
    for machine in machines {
        assert_eq!(root(&machine.join("disk-0.raw")), stage.root);
    }
    stage.check_clean();
}

#[test]
fn a_burst_of_a_machine_that_there_is_not_says_so() {
    let stage = Stage::new("");
    let serve = stage.site.serve();
    stage.local(&serve, "webserver");
    let ran = serve.run(&["burst", "websrver", "-y"]).expect(4).says("there is no VM `websrver`");
    ran.says("did you mean `webserver`?").says("novacron burst -f FILE");
}

#[test]
fn a_plan_is_carried_out_once() {
    let stage = Stage::new("policies:\n- {name: off-the-rack, action: {type: migrate, providers: [aws]}}\n");
    let serve = stage.site.serve();
    let (one, two) = (stage.local(&serve, "one"), stage.local(&serve, "two"));
    let plan = serve.run(&["plan", "-o", "json"]).expect(0).says("novacron apply --plan").json();
    assert_eq!(plan["moves"].as_array().unwrap().len(), 2, "{plan:#}");
    let id = plan["plan_id"].as_str().unwrap();
    serve.run(&["apply", "--plan", id]).expect(4).says("Add -y");
    let done = serve.run(&["apply", "--plan", id, "-y", "-o", "json"]).expect(0).json();
    assert_eq!((&done["status"], &done["summary"]["done"]), (&json!("completed"), &json!(2)), "{done:#}");
    for vm in [&one, &two] {
        stage.check_at_aws(&serve, vm);
    }
    assert_eq!(stage.site.machines().len(), 0);
    stage.check_clean();
    // There is nothing left to do, and the plan that was carried out can't be again.
    serve.run(&["plan"]).expect(3);
    serve.run(&["apply", "--plan", id, "-y"]).expect(4).says("no longer where").says("Plan again");
}

#[test]
fn a_plan_of_what_has_changed_since_is_refused() {
    let stage = Stage::new("policies:\n- {name: off-the-rack, action: {type: migrate, providers: [aws]}}\n");
    let serve = stage.site.serve();
    let (one, two) = (stage.local(&serve, "one"), stage.local(&serve, "two"));
    let plan = serve.run(&["plan", "-o", "json"]).expect(0).json();
    let id = plan["plan_id"].as_str().unwrap();
    let export = ["migrate", "export", &one, "aws", "--instance-type", "t3a.micro", "--delete-source", "-y"];
    serve.run(&export).expect(0);
    let ran = serve.run(&["apply", "--plan", id, "-y"]).expect(4);
    assert!(ran.stderr.contains(&one) && ran.stderr.contains("Plan again"), "{ran:#?}");
    assert_eq!(stage.site.machines().len(), 1, "{two} was moved by a plan that was refused");
    // The new plan has only what is left.
    let plan = serve.run(&["plan", "-o", "json"]).expect(0).json();
    assert_eq!(plan["moves"][0]["vm_id"], two.as_str(), "{plan:#}");
    assert_eq!(plan["moves"].as_array().unwrap().len(), 1);
}

/// The cloud has none left of the best type: the next is taken, the failure is remembered, and nothing is left behind.
#[test]
fn a_machine_is_made_at_the_next_place_where_the_first_has_no_room() {
    let stage = Stage::new("");
    let serve = stage.site.serve();
    let none_left = r#"{"action":"RunInstances","about":"m5.large","effect":{"error":{"code":"InsufficientInstanceCapacity","status":500}}}"#;
    stage.cloud.post("/_sandbox/faults", none_left);
    let before = stage.instances();
    let ask = "{required_cpu: 2, required_memory_gb: 8, constraints: [{type: provider, operator: ==, value: aws}, \
               {type: instance-type, operator: ==, value: m5}]}";
    let file = stage.file("web.yaml", ask);
    let dry = ["-f", file.to_str().unwrap(), "--dry-run", "-o", "json"];
    let shown = serve.run(&[&["place", "web"], &dry[..]].concat()).expect(0).json();
    assert_eq!(shown["primary_placement"]["instance_type"], "m5.large", "{shown:#}");
    let make = ["place", "web", "-f", file.to_str().unwrap(), "--create", "--image", BLANK, "-y", "-o", "json"];
    let ran = serve.run(&make).expect(0);
    let vm = serve.run(&["vm", "show", "web", "-o", "json"]).expect(0).json();
    let (at, made) = (&vm["instance"]["state"], &vm["instance"]["spec"]["instance_type"]);
    assert_eq!((at, made), (&json!("running"), &json!("m5.xlarge")), "{vm:#} {ran:#?}");
    assert_eq!(stage.instances(), before + 1);
    stage.check_clean();
    let kept = serve.run(&["explain", "web", "-o", "json"]).expect(0).json();
    assert_eq!(
        (&kept["status"], &kept["primary_placement"]["instance_type"]),
        (&json!("created"), &json!("m5.xlarge"))
    );
    assert!(kept["notes"].to_string().contains("tried at aws in us-east-1"), "{:#}", kept["notes"]);
    // The next one does not knock there again, though the cloud had room by now.
    let again = serve.run(&[&["place", "other"], &dry[..]].concat()).expect(0).json();
    assert_eq!(again["primary_placement"]["instance_type"], "m5.xlarge", "{again:#}");
}

/// Where no type has room, the command says so and what was tried; nothing is left behind.
#[test]
fn a_machine_that_no_place_has_room_for_is_not_made() {
    let stage = Stage::new("");
    let serve = stage.site.serve();
    let none_left =
        r#"{"action":"RunInstances","effect":{"error":{"code":"InsufficientInstanceCapacity","status":500}}}"#;
    stage.cloud.post("/_sandbox/faults", none_left);
    let before = stage.instances();
    let make =
        ["place", "web", "--create", "--image", BLANK, "-y", "--cpu", "2", "--memory", "8Gi", "--provider", "aws"];
    serve.run(&make).expect(6).says("no place is left for web");
    serve.run(&["vm", "show", "web"]).expect(4);
    assert_eq!(serve.run(&["explain", "web", "-o", "json"]).expect(0).json()["status"], "failed");
    assert_eq!(stage.instances(), before);
    stage.check_clean();
}

/// The cloud lets nobody look: what was made, if anything, can't be undone, and waits for a person who takes it up again.
#[test]
fn work_that_could_not_be_undone_is_taken_up_again_by_its_command() {
    let stage = Stage::new("");
    let serve = stage.site.serve();
    let before = stage.instances();
    let denied = r#"{"action":"DescribeInstances","effect":{"error":{"code":"UnauthorizedOperation","status":403}}}"#;
    stage.cloud.post("/_sandbox/faults", denied);
    let make =
        ["place", "web", "--create", "--image", BLANK, "-y", "--cpu", "2", "--memory", "8Gi", "--provider", "aws"];
    let failed = run_within(&mut serve.command(&make), Duration::from_secs(120)).expect(1).says("could not be undone");
    let listed = serve.run(&["operation", "list", "--status", "failed", "-o", "json"]).expect(0).json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["kind"]), (1, &json!("create")), "{listed:#}");
    let id = listed[0]["operation_id"].as_str().unwrap();
    let failed = failed.says(&format!("`novacron operation retry {id}`"));
    serve.run(&["operation", "watch", id]).expect(1).says("could not be undone");
    serve.run(&["operation", "cancel", id]).expect(3).says("nothing to cancel");

    stage.cloud.delete("/_sandbox/faults");
    let ended = serve.run(&["operation", "retry", id, "-o", "json"]).expect(6).says("is taken up again");
    assert_eq!(ended.json()["status"], "rolled_back", "{failed:#?} {ended:#?}");
    serve.run(&["operation", "retry", id]).expect(3);
    assert_eq!(serve.run(&["operation", "show", id, "-o", "json"]).expect(0).json()["status"], "rolled_back");
    let table = serve.run(&["operation", "list", "--kind", "create"]).expect(0);
    assert!(table.stdout.contains(id) && table.stdout.contains("rolled_back"), "{table:#?}");
    assert_eq!(serve.run(&["operation", "list", "--kind", "burst", "-o", "json"]).expect(0).json(), json!([]));
    assert_eq!(stage.instances(), before);
    stage.check_clean();

    // Of a migration it says where to look.
    let vm = stage.local(&serve, "here");
    let (migrations, shown) = (serve.run(&["migration", "list", "-o", "json"]).expect(0).json(), vm);
    let migration = migrations[0]["migration_id"].as_str().unwrap();
    let refused = serve.run(&["operation", "show", migration]).expect(4).says("is a migration");
    refused.says(&format!("novacron migration show {migration}"));
    serve.run(&["operation", "show", &shown]).expect(4).says("novacron operation list");
}

#[test]
fn a_manifest_makes_its_machines_once() {
    let stage = Stage::new("");
    let serve = stage.site.serve();
    let before = stage.instances();
    let text = |cpu: u32| {
        format!(
            "apiVersion: novacron.io/v1alpha1\nkind: VirtualMachine\nmetadata: {{name: web}}\nspec:\n  replicas: 2\n  \
             federation: {{placement: {{constraints: [{{type: provider, operator: ==, value: aws}}]}}}}\n  \
             template: {{spec: {{image: {BLANK}, resources: {{cpu: {cpu}, memory: 8Gi}}}}}}\n"
        )
    };
    let file = stage.file("web.yaml", &text(2));
    let file = file.to_str().unwrap();
    serve.run(&["apply", "-f", file, "-y"]).expect(0).says("completed");
    assert_eq!(stage.instances(), before + 2);
    for vm in ["web-0", "web-1"] {
        let shown = serve.run(&["vm", "show", vm, "-o", "json"]).expect(0).json();
        assert_eq!((&shown["provider"], &shown["instance"]["state"]), (&json!("aws"), &json!("running")), "{shown:#}");
    }
    serve.run(&["apply", "-f", file, "-y"]).expect(3).says("everything is as described");
    // A change decides anew, moves nothing, and says who does.
    stage.file("web.yaml", &text(4));
    serve.run(&["apply", "-f", file, "-y"]).expect(0).says("is not moved").says("novacron plan");
    assert_eq!(stage.instances(), before + 2);
    stage.check_clean();
}

/// The plan that is shown is of machines that are made, and they are.
#[test]
fn a_burst_of_a_manifest_with_an_image_makes_its_machines() {
    let stage = Stage::new("");
    let serve = stage.site.serve();
    let before = stage.instances();
    let manifest = format!(
        "apiVersion: novacron.io/v1alpha1\nkind: VirtualMachine\nmetadata: {{name: w}}\nspec:\n  replicas: 2\n  \
         template: {{spec: {{image: {BLANK}, resources: {{cpu: 2, memory: 8Gi}}}}}}\n"
    );
    let file = stage.file("w.yaml", &manifest);
    let ask = |how: &'static [&str]| [&["burst", "-f", file.to_str().unwrap()], how].concat();
    let shown = serve.run(&ask(&["--dry-run", "-o", "json"])).expect(0).json();
    let places = |answer: &Value| -> Vec<Value> {
        answer["placed"].as_array().unwrap().iter().map(|placed| placed["placement"]["provider"].clone()).collect()
    };
    assert_eq!(places(&shown), [json!("aws"), json!("aws")], "{shown:#}");
    assert_eq!(stage.instances(), before);
    let done = serve.run(&ask(&["-y", "-o", "json"])).expect(0).says("w-1  made").json();
    assert_eq!(places(&done), places(&shown), "{done:#}");
    assert_eq!(stage.instances(), before + 2);
    for vm in ["w-0", "w-1"] {
        let vm = serve.run(&["vm", "show", vm, "-o", "json"]).expect(0).json();
        assert_eq!((&vm["provider"], &vm["instance"]["state"]), (&json!("aws"), &json!("running")), "{vm:#}");
    }
    // Once they are there, it is their move that is asked for, and not another machine.
    serve.run(&ask(&["-y"])).expect(4).says("not on a host of one's own");
    assert_eq!(stage.instances(), before + 2);
    stage.check_clean();
}

/// Killed just after it took the work on: no record waits in vain, and nothing is made twice.
#[test]
fn a_killed_server_makes_what_it_had_taken_on() {
    let stage = Stage::new("");
    let mut serve = stage.site.serve();
    let before = stage.instances();
    let manifest = format!(
        "apiVersion: novacron.io/v1alpha1\nkind: VirtualMachine\nmetadata: {{name: web}}\nspec:\n  replicas: 3\n  \
         federation: {{placement: {{constraints: [{{type: provider, operator: ==, value: aws}}]}}}}\n  \
         template: {{spec: {{image: {BLANK}, resources: {{cpu: 2, memory: 8Gi}}}}}}\n"
    );
    let file = stage.file("web.yaml", &manifest);
    let applied =
        serve.run(&["apply", "-f", file.to_str().unwrap(), "-y", "--no-watch", "-o", "json"]).expect(0).json();
    serve.process.kill();
    let serve = stage.site.serve();
    for machine in applied["machines"].as_array().unwrap() {
        let name = machine["name"].as_str().unwrap();
        let kept = common::until(name, Duration::from_secs(60), || {
            let kept = serve.run(&["explain", name, "-o", "json"]).expect(0).json();
            (kept["status"] != "creating").then_some(kept)
        });
        assert_eq!(kept["status"], "created", "{kept:#}");
        assert_eq!(kept["operation_id"], machine["placement"]["operation_id"]);
    }
    assert_eq!(stage.instances(), before + 3);
    stage.check_clean();
}
