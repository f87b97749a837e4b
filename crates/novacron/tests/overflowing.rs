//! A server that watches its host: what is promised of it passes the threshold, a machine leaves for the cloud by a real
//! migration, and comes home when there is room. Between a real folder of disks and an emulation of AWS as another process.
//!
//! The folder runs nothing, so no load is measured of it: the use that counts is what its machines are promised of the
//! configured capacity. The server looks once a minute, and use must be beyond a line for a minute: this takes minutes.

#![cfg(all(feature = "aws", feature = "sandbox"))]
// A test that can not set its stage has failed.
#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, time::Duration};

use common::{Cloud, Serve, Site, image, root, until};
use serde_json::Value;

/// Two looks, a minute between them, and the move; and as much again, since this may run beside much else.
const PATIENCE: Duration = Duration::from_secs(300);

struct Stage {
    dir: tempfile::TempDir,
    root: String,
    cloud: Cloud,
    site: Site,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = image(dir.path(), 8);
        let (root, cloud) = (root(&path), Cloud::start(&path));
        Self { dir, root, cloud, site: Site { dir: tempfile::tempdir().unwrap() } }
    }

    fn configure(&self, vcpus: u64, more: &str) {
        let Cloud { endpoint, access, secret, .. } = &self.cloud;
        self.site.write_config(&format!(
            "  capacity: {{vcpus: {vcpus}, memory: 64Gi, disk: 1Ti}}\n\
             aws:\n  region: us-east-1\n  endpoint: {endpoint}\n  access_key_id: {access}\n  secret_access_key: {secret}\n\
             migration_options: {{grace_period_seconds: 0}}\n{more}"
        ));
    }

    /// A machine on the local host, whose disk is the image's; and its vCPUs.
    fn local(&self, serve: &Serve, name: &str) -> (String, u64) {
        let args = ["migrate", "import", "aws", &self.cloud.instance, "--name", name, "-y", "-o", "json"];
        let vm = serve.run(&args).expect(0).json()["vm_id"].as_str().unwrap().to_owned();
        let vcpus = shown(serve, &vm)["instance"]["spec"]["vcpus"].as_u64().unwrap();
        (vm, vcpus)
    }

    fn check_at_aws(&self, serve: &Serve, vm: &str) {
        let shown = shown(serve, vm);
        assert_eq!(shown["instance"]["state"], "running", "{shown:#}");
        let volume = shown["instance"]["disks"][0]["disk_id"].as_str().unwrap();
        let copy = self.dir.path().join("copy.raw");
        fs::write(&copy, self.cloud.get(&format!("/_sandbox/volumes/{volume}/data"))).unwrap();
        assert_eq!(root(&copy), self.root, "{vm} has other bytes");
    }
}

fn shown(serve: &Serve, vm: &str) -> Value {
    serve.run(&["vm", "show", vm, "-o", "json"]).expect(0).json()
}

/// Waits until the VM is at a provider, and all moves have ended.
fn arrives(serve: &Serve, vm: &str, at: &str, moves: usize) {
    until(&format!("{vm} at {at}"), PATIENCE, || {
        let migrations = serve.run(&["migration", "list", "-o", "json"]).expect(0).json();
        let exports: Vec<&Value> =
            migrations.as_array().unwrap().iter().filter(|migration| migration["kind"] == "export").collect();
        let ended = exports.iter().all(|migration| migration["status"] == "completed");
        (shown(serve, vm)["provider"] == at && exports.len() == moves && ended).then_some(())
    });
}

#[test]
fn a_busy_host_sends_a_machine_away_and_takes_it_back() {
    let stage = Stage::new();
    stage.configure(64, "");
    let mut serve = stage.site.serve();
    let ((old, first), (new, second)) = (stage.local(&serve, "old"), stage.local(&serve, "new"));
    serve.process.terminate();
    let before = stage.cloud.state()["instances"].as_u64().unwrap();

    // All of the host is promised. One machine is as much as is left below both lines.
    let promised = first + second;
    stage.configure(
        promised,
        "bursting: {enabled: true, threshold_percent: 80, return_percent: 60, window_minutes: 1, targets: [aws]}\n",
    );
    let serve = stage.site.serve();
    arrives(&serve, &new, "aws", 1);
    stage.check_at_aws(&serve, &new);
    assert_eq!(shown(&serve, &old)["provider"], "local", "the older one went too");
    assert_eq!(stage.cloud.state()["instances"].as_u64().unwrap(), before + 1);

    // Somebody takes the other away, and there is room.
    let export = ["migrate", "export", &old, "aws", "--instance-type", "t3a.micro", "--delete-source", "-y"];
    serve.run(&export).expect(0);
    arrives(&serve, &new, "local", 3);
    let machines = stage.site.machines();
    assert_eq!(machines.len(), 1);
    // The cloud takes its time to end a machine that was deleted.
    let ended = || (stage.cloud.state()["instances"].as_u64() == Some(before + 1)).then_some(());
    until("the end of the machine at the cloud", Duration::from_secs(60), ended);
    assert_eq!(root(&machines[0].join("disk-0.raw")), stage.root);
    assert_eq!((stage.cloud.leftovers(), stage.site.staged()), ((0, 0, 0), 0));
    // What was moved by somebody stays where they took it.
    assert_eq!(shown(&serve, &old)["provider"], "aws");
}
