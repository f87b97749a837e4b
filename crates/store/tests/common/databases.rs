//! The databases to test on. Tests of other crates take this file, too.
#![allow(dead_code)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A store's address, and what is stopped and removed at the end.
pub struct Place {
    pub url: String,
    // Stopped before its folder goes: without it, it would not be found.
    server: Option<Server>,
    pub folder: TempDir,
}

pub fn sqlite() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/data/placements.db", folder.path().display());
    Place { url, folder, server: None }
}

/// `None`, with the reason printed, where PostgreSQL is not installed.
pub fn postgres() -> Option<Place> {
    postgres_with(|_| "")
}

/// One that is changed before it starts: what gets its data's folder answers with further options.
pub fn postgres_with(prepare: impl FnOnce(&Path) -> &'static str) -> Option<Place> {
    let Some(bin) = binaries() else {
        eprintln!("skipped: no PostgreSQL under /usr/lib/postgresql; install the package postgresql");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&bin, folder.path(), prepare);
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port);
    Some(Place { url, folder, server: Some(server) })
}

fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin")).collect();
    versions.retain(|bin| bin.join("initdb").exists());
    versions.sort();
    versions.pop()
}

impl Place {
    /// The server dies as if the power went, and comes back after a while.
    pub fn crash_server(&self, away: std::time::Duration) {
        let server = self.server.as_ref().unwrap();
        let pg_ctl = |arguments: &[&str]| {
            let mut command = unprivileged(&server.bin, "pg_ctl");
            command.arg("-D").arg(&server.data).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
            assert!(command.stdin(Stdio::null()).status().unwrap().success(), "{command:?}");
        };
        pg_ctl(&["-m", "immediate", "-w", "-t", "30", "stop"]);
        #[allow(clippy::disallowed_methods, reason = "a blocking helper, off the runtime's threads")]
        std::thread::sleep(away);
        let log = server.data.join("log").display().to_string();
        pg_ctl(&["-o", &server.options, "-w", "-t", "60", "-l", &log, "start"]);
    }
}

struct Server {
    options: String,
    bin: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Server {
    /// `prepare` changes the new server's data and says with which options it starts.
    fn start(bin: &Path, folder: &Path, prepare: impl FnOnce(&Path) -> &'static str) -> Self {
        let data = folder.join("postgres");
        fs::create_dir(&data).unwrap();
        if is_root() {
            // PostgreSQL refuses to run as root.
            run(Command::new("chown").arg("nobody:nogroup").arg(&data));
            run(Command::new("chmod").arg("0711").arg(folder));
        }
        let initdb = ["-U", "postgres", "-A", "trust", "--no-sync", "-D"];
        run(unprivileged(bin, "initdb").args(initdb).arg(&data));
        let more = prepare(&data);
        // Another process may take the port in between: then another one is tried.
        for _ in 0..5 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let options = format!("-p {port} -h 127.0.0.1 -k {} -c fsync=off{more}", data.display());
            let mut start = unprivileged(bin, "pg_ctl");
            start
                .arg("-D")
                .arg(&data)
                .args(["-o", &options, "-w", "-t", "60", "-l"])
                .arg(data.join("log"))
                .arg("start");
            if start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success() {
                return Self { options, bin: bin.to_owned(), data, port };
            }
        }
        panic!("PostgreSQL did not start: {}", fs::read_to_string(data.join("log")).unwrap_or_default());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = unprivileged(&self.bin, "pg_ctl");
        stop.arg("-D").arg(&self.data).args(["-m", "immediate", "-w", "-t", "30", "stop"]);
        let _ = stop.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn unprivileged(bin: &Path, program: &str) -> Command {
    let program = bin.join(program);
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program).current_dir("/");
    command
}

pub fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
