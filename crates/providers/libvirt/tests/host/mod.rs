//! A KVM host of our own: libvirtd in its own mount and network namespaces, with folders of its own, real QEMU below
//! it. It needs root, and says what is missing where it can't be had.
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use novacron_provider::{OperationTag, Provider, ProviderDefinition, ProviderFactory as _};
use novacron_provider_libvirt::LibvirtFactory;
use novacron_types::{OperationId, ProviderKind, ProviderName};
use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAMS: [&str; 8] =
    ["libvirtd", "virtlogd", "virsh", "qemu-system-x86_64", "qemu-img", "qemu-nbd", "unshare", "ip"];

/// Bind mounts, so that libvirtd's fixed folders are ours; QEMU's user, without which libvirtd does not start.
const SCRIPT: &str = r#"
set -e
mount --make-rprivate /
for pair in run:/run/libvirt lib:/var/lib/libvirt etc:/etc/libvirt log:/var/log/libvirt cache:/var/cache/libvirt; do
  mkdir -p "${pair#*:}"
  mount --bind "$1/${pair%%:*}" "${pair#*:}"
done
for file in passwd group; do
  cp "/etc/$file" "$1/$file"
  mount --bind "$1/$file" "/etc/$file"
done
grep -q ^libvirt-qemu: /etc/passwd || echo libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin >> /etc/passwd
grep -q ^libvirt-qemu: /etc/group || echo libvirt-qemu:x:64055: >> /etc/group
ip link set lo up
virtlogd -d -p "$1/virtlogd.pid"
exec libvirtd -p "$1/libvirtd.pid"
"#;

pub struct Host {
    daemon: Child,
    pub folder: TempDir,
}

impl Host {
    /// Absent, with the reason printed, where the tests can't have one.
    pub async fn start() -> Option<Self> {
        if let Some(reason) = unfit() {
            println!("SKIPPED: {reason}");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("nc-kvm-").tempdir().unwrap();
        let root = folder.path();
        for name in ["run", "lib", "etc", "log", "cache", "images", "sockets"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        fs::write(root.join("etc/libvirtd.conf"), "auth_unix_rw = \"none\"\nauth_unix_ro = \"none\"\n").unwrap();
        let qemu = "user = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\nnamespaces = []\n";
        fs::write(root.join("etc/qemu.conf"), qemu).unwrap();
        let log = fs::File::create(root.join("libvirtd.log")).unwrap();
        let daemon = Command::new("unshare")
            .args(["-m", "-n", "sh", "-c", SCRIPT, "sh"])
            .arg(root)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let host = Self { daemon, folder };
        host.answers().await;
        Some(host)
    }

    /// Ends libvirtd as a crash would, and starts it again where its log daemon and its guests still are.
    pub async fn restart(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
        let log_daemon = fs::read_to_string(self.path("virtlogd.pid")).unwrap();
        self.daemon = Command::new("nsenter")
            .args(["-t", log_daemon.trim(), "-m", "-n", "libvirtd", "-p"])
            .arg(self.path("libvirtd.pid"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.answers().await;
    }

    async fn answers(&self) {
        // It asks every QEMU on the machine what it can do before it answers.
        let deadline = Instant::now() + Duration::from_secs(90);
        while !self.virsh(&["version"]).status.success() {
            assert!(Instant::now() < deadline, "libvirtd did not come up: {}", self.log());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("libvirtd.log")).unwrap_or_default()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn uri(&self) -> String {
        format!("qemu+unix:///system?socket={}", self.path("run/libvirt-sock").display())
    }

    pub fn virsh(&self, arguments: &[&str]) -> Output {
        Command::new("virsh").args(["-q", "-c", &self.uri()]).args(arguments).output().unwrap()
    }

    /// Its output, of a call that has to succeed.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.virsh(arguments);
        assert!(output.status.success(), "virsh {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub async fn provider(&self, more: Value) -> Arc<dyn Provider> {
        self.named("kvm", more).await
    }

    pub async fn named(&self, name: &str, more: Value) -> Arc<dyn Provider> {
        let mut settings = json!({
            "uri": self.uri(),
            "path": self.path("images"),
            "socket_dir": self.path("sockets"),
            "network": "none",
            "stop_grace_seconds": 2,
        });
        let map = settings.as_object_mut().unwrap();
        map.extend(more.as_object().unwrap().clone());
        let name = ProviderName::new(name).unwrap();
        LibvirtFactory.build(ProviderDefinition { name, kind: ProviderKind::Libvirt, settings }).await.unwrap()
    }

    /// Writes to a disk as the guest would: through its device, in its QEMU.
    pub fn guest_writes(&self, domain: &str, disk: u32, pattern: u8, offset: u64, len: u64) {
        let command = format!(
            "qemu-io -d /machine/peripheral/virtio-disk{disk}/virtio-backend \"write -P {pattern} {offset} {len}\""
        );
        let answer = self.ask(&["qemu-monitor-command", domain, "--hmp", &command]);
        assert!(!answer.to_lowercase().contains("error") && !answer.contains("failed"), "{answer}");
    }

    /// The process of a running domain.
    pub fn qemu(&self, domain: &str) -> Option<u32> {
        fs::read_to_string(self.path(&format!("run/qemu/{domain}.pid"))).ok()?.trim().parse().ok()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let running = String::from_utf8_lossy(&self.virsh(&["list", "--name"]).stdout).into_owned();
        for domain in running.lines().filter(|line| !line.is_empty()) {
            self.virsh(&["destroy", domain]);
        }
        kill("-TERM", self.daemon.id());
        let deadline = Instant::now() + Duration::from_secs(20);
        while matches!(self.daemon.try_wait(), Ok(None)) && Instant::now() < deadline {
            pause();
        }
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        for pid in pids(self.folder.path()) {
            kill("-KILL", pid);
        }
    }
}

/// Of the processes that libvirtd left: the log daemon, and guests that were not stopped.
fn pids(root: &Path) -> Vec<u32> {
    let guests = fs::read_dir(root.join("run/qemu")).into_iter().flatten().flatten().map(|entry| entry.path());
    guests
        .filter(|path| path.extension().is_some_and(|extension| extension == "pid"))
        .chain([root.join("virtlogd.pid")])
        .filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok())
        .collect()
}

pub fn kill(signal: &str, pid: u32) {
    let _ = Command::new("kill").args([signal, &pid.to_string()]).stderr(Stdio::null()).status();
}

#[expect(clippy::disallowed_methods, reason = "called where nothing can be awaited")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

fn unfit() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("a libvirtd of our own needs root".to_owned());
    }
    let paths: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain([PathBuf::from("/usr/sbin")])
        .collect();
    let missing: Vec<&str> =
        PROGRAMS.into_iter().filter(|program| !paths.iter().any(|path| path.join(program).exists())).collect();
    if !missing.is_empty() {
        return Some(format!("not installed: {}", missing.join(", ")));
    }
    let namespaces = Command::new("unshare").args(["-m", "-n", "true"]).output();
    match namespaces {
        Ok(output) if output.status.success() => None,
        _ => Some("namespaces can't be made here".to_owned()),
    }
}

pub fn tag(text: &str) -> OperationTag {
    OperationTag(OperationId::new(text).unwrap())
}
