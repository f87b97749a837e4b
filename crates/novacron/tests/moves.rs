//! The main job from the outside: the real server with its mover, the sandbox as another process, the real client.

#![cfg(all(feature = "aws", feature = "sandbox"))]
// A test that can not set its stage has failed.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../../store/tests/common/databases.rs"]
mod databases;

use common::{Cloud, Serve, Site, image, novacron, root, run};
use serde_json::Value;

struct Stage {
    image: tempfile::TempDir,
    root: String,
    cloud: Cloud,
    site: Site,
}

impl Stage {
    fn new(data_mib: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = image(dir.path(), data_mib);
        let root = root(&path);
        let cloud = Cloud::start(&path);
        let site = Site::new(&cloud);
        std::fs::remove_file(path).unwrap();
        Self { image: dir, root, cloud, site }
    }

    /// Begins an import that takes some seconds, and waits until it moves bytes.
    fn slow_import(&self, server: &Serve) -> String {
        let args = ["migrate", "import", "aws", &self.cloud.instance, "-y", "--no-watch", "-o", "json"];
        let slow = ["--bandwidth-limit", "16MiB"];
        let accepted = server.run(&[args.as_slice(), slow.as_slice()].concat()).expect(0).json();
        let id = accepted["migration_id"].as_str().unwrap().to_owned();
        server.until_moving(&id);
        id
    }

    /// The import is complete, its bytes are right, and nothing is left over anywhere.
    fn check_imported(&self, migration: &Value) {
        assert_eq!(migration["status"], "completed", "{migration:#}");
        for key in ["source_checksum", "target_checksum"] {
            assert_eq!(migration[key], self.root.as_str(), "{migration:#}");
        }
        let machines = self.site.machines();
        assert_eq!(machines.len(), 1, "{machines:?}");
        assert_eq!(root(&machines[0].join("disk-0.raw")), self.root);
        assert_eq!(self.cloud.leftovers(), (0, 0, 0));
        assert_eq!(self.site.staged(), 0);
    }
}

#[test]
fn the_demo_proves_itself_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(novacron(&["demo", "--once", "--port", "0"]).env("TMPDIR", dir.path())).expect(0);
    assert!(ran.stdout.contains("All agree"), "{ran:#?}");
    assert!(ran.stdout.contains("emulat"), "{ran:#?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{ran:#?}");
}

#[test]
fn there_and_back() {
    let stage = Stage::new(32);
    let server = stage.site.serve();
    let instance = stage.cloud.instance.as_str();

    let plan = server.run(&["migrate", "import", "aws", instance, "--dry-run", "-o", "json"]).expect(0).json();
    assert_eq!(plan["destination"], "local");
    assert_eq!(plan["deletes_source"], false);
    server.run(&["migrate", "import", "aws", instance]).expect(4).says("Add -y");
    assert_eq!(server.run(&["migration", "list", "-o", "json"]).expect(0).json(), serde_json::json!([]));

    let imported = server.run(&["migrate", "import", "aws", instance, "-y", "-o", "json"]).expect(0);
    assert!(imported.stderr.contains("transferring"), "{imported:#?}");
    let imported = imported.json();
    stage.check_imported(&imported);

    let vms = server.run(&["vm", "list", "-o", "json"]).expect(0).json();
    assert_eq!(vms[0]["vm_id"], imported["vm_id"]);
    assert_eq!(vms[0]["name"], "web-1");

    let vm = imported["vm_id"].as_str().unwrap();
    let before = stage.cloud.state();
    let exported = server
        .run(&["migrate", "export", vm, "aws", "--instance-type", "m5.large", "-y", "-o", "json"])
        .expect(0)
        .json();
    assert_eq!(exported["target_checksum"], stage.root.as_str(), "{exported:#}");
    let after = stage.cloud.state();
    assert_eq!(after["instances"].as_u64().unwrap(), before["instances"].as_u64().unwrap() + 1);
    assert_eq!(stage.cloud.leftovers().2, 0, "{after:#}");

    let found = server.run(&["provider", "discover", "aws", "-f", "instance-type=m5.large", "-o", "csv"]).expect(0);
    let made = exported["target_instance_id"].as_str().unwrap();
    assert!(found.stdout.lines().count() == 2 && found.stdout.contains(made), "{found:#?}");

    // What the new machine's disk holds, by the cloud itself.
    let copy = stage.image.path().join("copy.raw");
    let volume = volume_of(&server, made);
    std::fs::write(&copy, stage.cloud.get(&format!("/_sandbox/volumes/{volume}/data"))).unwrap();
    assert_eq!(root(&copy), stage.root);

    let shown = server.run(&["migration", "list", "--status", "completed"]).expect(0);
    assert_eq!(shown.stdout.lines().count(), 3, "{shown:#?}");
}

fn volume_of(server: &Serve, instance: &str) -> String {
    let filter = format!("instance-id={instance}");
    let found = server.run(&["provider", "discover", "aws", "-f", &filter, "-o", "json"]).expect(0).json();
    found[0]["disks"][0]["disk_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_killed_server_goes_on_where_it_was() {
    let stage = Stage::new(64);
    let mut server = stage.site.serve();
    let id = stage.slow_import(&server);
    server.process.kill();

    let server = stage.site.serve();
    server.run(&["migration", "limit", &id, "none"]).expect(0);
    let migration = server.run(&["migration", "watch", &id, "-o", "json"]).expect(0).json();
    stage.check_imported(&migration);
}

/// Killed at once, then while it prepares, then while it moves: whatever it was at, the next one goes on.
#[test]
fn a_server_killed_again_and_again_still_gets_there() {
    let stage = Stage::new(48);
    let mut server = stage.site.serve();
    let import = ["migrate", "import", "aws", &stage.cloud.instance, "-y", "--no-watch", "-o", "json"];
    let accepted = server.run(&[import.as_slice(), &["--bandwidth-limit", "24MiB"]].concat()).expect(0).json();
    let id = accepted["migration_id"].as_str().unwrap();
    for milliseconds in [0, 250, 600, 900] {
        server.process.kill();
        server = stage.site.serve();
        common::pause_for(milliseconds);
    }
    server.run(&["migration", "limit", id, "none"]).expect(0);
    let migration = server.run(&["migration", "watch", id, "-o", "json"]).expect(0).json();
    stage.check_imported(&migration);
}

#[test]
fn a_killed_mover_is_started_again() {
    let stage = Stage::new(64);
    let server = stage.site.serve();
    let id = stage.slow_import(&server);
    common::signal(server.mover().unwrap(), "KILL");
    server.run(&["migration", "limit", &id, "none"]).expect(0);
    let migration = server.run(&["migration", "watch", &id, "-o", "json"]).expect(0).json();
    stage.check_imported(&migration);
}

#[test]
fn a_terminated_server_stops_well_and_goes_on() {
    let stage = Stage::new(64);
    let mut server = stage.site.serve();
    let mover = server.mover().unwrap();
    let id = stage.slow_import(&server);
    assert_eq!(server.process.terminate().code(), Some(0));
    assert!(!std::path::Path::new(&format!("/proc/{mover}")).exists(), "the mover outlived its server");

    let server = stage.site.serve();
    server.run(&["migration", "limit", &id, "none"]).expect(0);
    let migration = server.run(&["migration", "watch", &id, "-o", "json"]).expect(0).json();
    stage.check_imported(&migration);
    let resumed = migration["transfer_stats"]["bytes_resumed"].as_u64().unwrap();
    assert!(resumed > 0, "{migration:#}");
}

#[test]
fn a_cancelled_import_leaves_nothing() {
    let stage = Stage::new(64);
    let server = stage.site.serve();
    let id = stage.slow_import(&server);

    let again = server.run(&["migrate", "import", "aws", &stage.cloud.instance, "-y"]).expect(4);
    assert!(again.stderr.contains(&id), "{again:#?}");

    let cancelled = server.run(&["migration", "cancel", &id, "-o", "json"]).expect(0).json();
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(stage.cloud.leftovers(), (0, 0, 0));
    assert_eq!((stage.site.machines().len(), stage.site.staged()), (0, 0));
    assert_eq!(stage.cloud.state()["instances"], 1);
    server.run(&["migration", "cancel", &id]).expect(3).says("nothing to cancel");
    server.run(&["migration", "watch", &id]).expect(7);
}

/// The cloud refuses to take blocks: the export is undone, at both sides, and says why.
#[test]
fn an_export_that_fails_is_rolled_back() {
    let stage = Stage::new(8);
    let server = stage.site.serve();
    let imported =
        server.run(&["migrate", "import", "aws", &stage.cloud.instance, "-y", "-o", "json"]).expect(0).json();
    let vm = imported["vm_id"].as_str().unwrap();
    let denied = r#"{"action":"PutSnapshotBlock","effect":{"error":{"code":"AccessDeniedException","status":403}}}"#;
    stage.cloud.post("/_sandbox/faults", denied);
    let before = stage.cloud.state();
    let ran = server.run(&["migrate", "export", vm, "aws", "-y", "-o", "json"]).expect(6).says("rolled back");
    assert_eq!(ran.json()["status"], "rolled_back");
    assert_eq!(stage.cloud.leftovers(), (0, 0, 0));
    assert_eq!(stage.cloud.state()["instances"], before["instances"]);
    assert_eq!(root(&stage.site.machines()[0].join("disk-0.raw")), stage.root, "the source is as it was");
}

/// A watcher outlives a server that dies and comes back at the same address.
#[test]
fn watching_survives_a_restart() {
    let stage = Stage::new(48);
    let mut server = stage.site.serve();
    let id = stage.slow_import(&server);
    let mut watch = common::Process::spawn(&mut server.command(&["migration", "watch", &id]));
    watch.line_with("transferring");
    server.process.kill();
    watch.line_with("is lost");
    let server = stage.site.serve_at(server.url.trim_start_matches("http://"));
    server.run(&["migration", "limit", &id, "none"]).expect(0);
    watch.line_with("completed");
    let status = common::wait(&mut watch.child, std::time::Duration::from_secs(30)).unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn ctrl_c_stops_watching_and_not_the_migration() {
    let stage = Stage::new(64);
    let server = stage.site.serve();
    let id = stage.slow_import(&server);
    let mut watch = common::Process::spawn(&mut server.command(&["migration", "watch", &id]));
    watch.line_with("transferring");
    common::signal(watch.pid(), "INT");
    let status = common::wait(&mut watch.child, std::time::Duration::from_secs(10)).unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!(server.migration(&id)["status"], "transferring");
    server.run(&["migration", "cancel", &id]).expect(0);
}

/// The store is on the disk that the move fills: it must still be able to say so, and to undo it.
#[test]
fn a_full_disk_at_the_target_is_said_and_undone() {
    let stage = Stage::new(96);
    let site = &stage.site;
    let full = site.dir.path().join("full");
    std::fs::create_dir(&full).unwrap();
    let mount = format!("mount -t tmpfs -o size=64m tmpfs '{}'", full.display());
    let alone = |script: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]);
        command
    };
    match alone(&mount).output() {
        Ok(mounted) if mounted.status.success() => {}
        other => {
            eprintln!("skipped: no file system can be mounted here (that takes root): {other:?}");
            return;
        }
    }
    let cloud = &stage.cloud;
    let config = format!(
        "data_dir: {0}/data\nserver:\n  listen: 127.0.0.1:0\nlocal:\n  kind: files\n  path: {0}/data/disks\naws:\n  \
         region: us-east-1\n  endpoint: {1}\n  access_key_id: {2}\n  secret_access_key: {3}\n",
        full.display(),
        cloud.endpoint,
        cloud.access,
        cloud.secret
    );
    std::fs::write(site.config(), config).unwrap();
    let serve = format!("{mount} && exec '{}' serve --config '{}'", common::EXE, site.config().display());
    let server = site.serve_by(&mut alone(&serve));

    for _ in 0..2 {
        let ran = server.run(&["migrate", "import", "aws", &cloud.instance, "-y", "-o", "json"]).expect(6);
        let migration = ran.json();
        assert_eq!(
            (&migration["status"], &migration["error"]["code"]),
            (&"rolled_back".into(), &"disk_full".into()),
            "{ran:#?}"
        );
        assert!(ran.stderr.contains("disk is full"), "{ran:#?}");
        let disks = format!("/proc/{}/root{}/data/disks", server.process.pid(), full.display());
        assert!(std::path::Path::new(&disks).is_dir());
        assert_eq!(common::staged(disks.as_ref()), 0);
        assert_eq!((cloud.leftovers(), cloud.state()["instances"].as_u64()), ((0, 0, 0), Some(1)));
        assert_eq!(server.migration(migration["migration_id"].as_str().unwrap())["status"], "rolled_back");
    }
    assert_eq!(server.run(&["migration", "list", "-o", "json"]).expect(0).json().as_array().unwrap().len(), 2);
}

/// Two servers share the work by one database; one dies in mid-move, and the other ends what it had begun.
#[test]
fn the_survivor_of_two_servers_ends_the_move() {
    let Some(database) = databases::postgres() else { return };
    let stage = Stage::new(64);
    let (cloud, disks) = (&stage.cloud, stage.site.disks());
    let other = Site { dir: tempfile::tempdir().unwrap() };
    for site in [&stage.site, &other] {
        let config = format!(
            "data_dir: {0}/data\nserver:\n  listen: 127.0.0.1:0\nstore:\n  url: {1}\nlocal:\n  kind: files\n  path: {2}\n\
             aws:\n  region: us-east-1\n  endpoint: {3}\n  access_key_id: {4}\n  secret_access_key: {5}\n",
            site.dir.path().display(),
            database.url,
            disks.display(),
            cloud.endpoint,
            cloud.access,
            cloud.secret
        );
        std::fs::write(site.config(), config).unwrap();
    }
    let mut first = stage.site.serve();
    let id = stage.slow_import(&first);
    let second = other.serve();
    assert_eq!(second.migration(&id)["status"], "transferring");
    first.process.kill();

    second.run(&["migration", "limit", &id, "none"]).expect(0);
    let migration = second.run(&["migration", "watch", &id, "-o", "json"]).expect(0).json();
    stage.check_imported(&migration);
    assert_eq!(second.run(&["vm", "list", "-o", "json"]).expect(0).json().as_array().unwrap().len(), 1);
    assert_eq!(cloud.state()["instances"], 1);
}
