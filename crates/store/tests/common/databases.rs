//! The databases to test on.
#![allow(dead_code)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
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
    let Some(bin) = binaries() else {
        eprintln!("skipped: no PostgreSQL under /usr/lib/postgresql; install the package postgresql");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&bin, folder.path(), None);
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port);
    Some(Place { url, folder, server: Some(server) })
}

/// One that takes nothing but TLS. The authority that its certificate stands on is `ca.pem` in the place's folder.
pub fn postgres_with_tls() -> Option<Place> {
    let bin = binaries().or_else(|| {
        eprintln!("skipped: no PostgreSQL under /usr/lib/postgresql; install the package postgresql");
        None
    })?;
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::new();
    fs::write(folder.path().join("ca.pem"), &identity.authority).unwrap();
    let server = Server::start(&bin, folder.path(), Some(&identity));
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port);
    Some(Place { url, folder, server: Some(server) })
}

/// A server's certificate for 127.0.0.1 and its key, and the authority behind it, in PEM.
struct Identity {
    authority: String,
    certificate: String,
    key: String,
}

impl Identity {
    fn new() -> Self {
        let mut of_authority = rcgen::CertificateParams::default();
        of_authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let authority = of_authority.self_signed(&authority_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(of_authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let of_server = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = of_server.signed_by(&key, &issuer).unwrap().pem();
        Self { authority, certificate, key: key.serialize_pem() }
    }

    /// Gives it to the server that keeps its data there; the options that make the server use it.
    fn install(&self, data: &Path) -> &'static str {
        for (name, content) in [
            ("server.crt", self.certificate.as_str()),
            ("server.key", &self.key),
            ("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n"),
        ] {
            let path = data.join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                run(Command::new("chown").arg("nobody:nogroup").arg(&path));
            }
        }
        " -c ssl=on"
    }
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
    fn start(bin: &Path, folder: &Path, tls: Option<&Identity>) -> Self {
        let data = folder.join("postgres");
        fs::create_dir(&data).unwrap();
        if is_root() {
            // PostgreSQL refuses to run as root.
            run(Command::new("chown").arg("nobody:nogroup").arg(&data));
            run(Command::new("chmod").arg("0711").arg(folder));
        }
        let initdb = ["-U", "postgres", "-A", "trust", "--no-sync", "-D"];
        run(unprivileged(bin, "initdb").args(initdb).arg(&data));
        let tls = tls.map_or("", |identity| identity.install(&data));
        // Another process may take the port in between: then another one is tried.
        for _ in 0..5 {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let options = format!("-p {port} -h 127.0.0.1 -k {} -c fsync=off{tls}", data.display());
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

fn is_root() -> bool {
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

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
