//! Runs the real executable: servers, the sandbox and commands, each bounded in time and stopped by its own id.

#![allow(dead_code)]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use serde_json::Value;

pub const EXE: &str = env!("CARGO_BIN_EXE_novacron");
const PATIENCE: Duration = Duration::from_secs(60);

/// A command without this machine's settings.
pub fn novacron(args: &[&str]) -> Command {
    let mut command = Command::new(EXE);
    command.args(args).stdin(Stdio::null()).env_clear();
    for kept in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command
}

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not in {self:#?}");
        self
    }
}

pub fn run(command: &mut Command) -> Ran {
    run_within(command, PATIENCE)
}

pub fn run_within(command: &mut Command, limit: Duration) -> Ran {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (drain(child.stdout.take().unwrap()), drain(child.stderr.take().unwrap()));
    let status = wait(&mut child, limit).unwrap_or_else(|| {
        child.kill().unwrap();
        panic!("{command:?} did not end; it said {:?}", stderr.recv().unwrap_or_default())
    });
    let text = |drained: Receiver<String>| drained.recv().unwrap_or_default();
    Ran { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
}

fn drain(mut from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = from.read_to_end(&mut text);
        let _ = sender.send(String::from_utf8_lossy(&text).into_owned());
    });
    receiver
}

pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        pause();
    }
    None
}

pub fn pause() {
    pause_for(20);
}

pub fn pause_for(milliseconds: u64) {
    let (_keep, wait) = channel::<()>();
    let _ = wait.recv_timeout(Duration::from_millis(milliseconds));
}

/// Waits until `check` gives something.
#[track_caller]
pub fn until<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {limit:?}");
        pause();
    }
}

pub fn signal(pid: u32, name: &str) {
    let done = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(done.success());
}

/// A child that is killed when the test ends, however it ends.
pub struct Process {
    pub child: Child,
    lines: Receiver<String>,
    pub said: Vec<String>,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        for from in
            [Box::new(child.stdout.take().unwrap()) as Box<dyn Read + Send>, Box::new(child.stderr.take().unwrap())]
        {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(from).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Self { child, lines, said: Vec::new() }
    }

    /// The next line that has `text` in it.
    #[track_caller]
    pub fn line_with(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{text:?} was not said, but {:#?}", self.said)
                }
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM and waits for the end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        signal(self.pid(), "TERM");
        let status = wait(&mut self.child, PATIENCE);
        status.unwrap_or_else(|| {
            self.kill();
            panic!("it did not stop at SIGTERM")
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Drop for Cloud {
    /// By a signal first, so that it takes its disks along.
    fn drop(&mut self) {
        let pid = self.process.pid().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = wait(&mut self.process.child, Duration::from_secs(10));
    }
}

/// `novacron sandbox serve` with one running instance.
pub struct Cloud {
    process: Process,
    pub endpoint: String,
    pub access: String,
    pub secret: String,
    pub instance: String,
}

impl Cloud {
    pub fn start(image: &Path) -> Self {
        let seed = format!("web-1={}", image.display());
        let mut process = Process::spawn(&mut novacron(&[
            "sandbox",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "-o",
            "json",
            "--instance",
            &seed,
        ]));
        process.line_with("An emulation of AWS serves");
        // Both streams end up in one list of lines, the JSON's in their order.
        until("the sandbox's JSON", PATIENCE, || {
            while let Ok(line) = process.lines.try_recv() {
                process.said.push(line);
            }
            let json: Vec<&str> =
                process.said.iter().map(String::as_str).filter(|line| !line.starts_with("An emulation")).collect();
            let value: Value = serde_json::from_str(&json.join("\n")).ok()?;
            let text = |key: &str| value[key].as_str().map(str::to_owned);
            Some((
                text("endpoint")?,
                text("access_key_id")?,
                text("secret_access_key")?,
                value["instances"][0]["instance_id"].as_str()?.to_owned(),
            ))
        })
        .into_cloud(process)
    }

    /// How much of everything there is.
    pub fn state(&self) -> Value {
        serde_json::from_slice(&self.get("/_sandbox/state")).unwrap()
    }

    /// Everything that an operation could leave behind.
    pub fn leftovers(&self) -> (u64, u64, u64) {
        let state = self.state();
        let count = |key: &str| state[key].as_u64().unwrap();
        (count("snapshots"), count("images"), count("volumes") - count("attached_volumes"))
    }

    pub fn get(&self, path: &str) -> Vec<u8> {
        self.ask(&format!("GET {path} HTTP/1.0\r\n"), "")
    }

    pub fn post(&self, path: &str, body: &str) -> Vec<u8> {
        self.ask(&format!("POST {path} HTTP/1.0\r\nContent-Type: application/json\r\n"), body)
    }

    pub fn delete(&self, path: &str) -> Vec<u8> {
        self.ask(&format!("DELETE {path} HTTP/1.0\r\n"), "")
    }

    fn ask(&self, head: &str, body: &str) -> Vec<u8> {
        ask(&self.endpoint, head, body)
    }
}

/// The body of a good answer.
pub fn ask(endpoint: &str, head: &str, body: &str) -> Vec<u8> {
    let host = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{head}Host: {host}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let status = String::from_utf8_lossy(&answer[..end]).into_owned();
    assert!(status.contains(" 20"), "{status}");
    answer.split_off(end + 4)
}

trait IntoCloud {
    fn into_cloud(self, process: Process) -> Cloud;
}

impl IntoCloud for (String, String, String, String) {
    fn into_cloud(self, process: Process) -> Cloud {
        let (endpoint, access, secret, instance) = self;
        Cloud { process, endpoint, access, secret, instance }
    }
}

/// A server's directory: configuration, data, disks.
pub struct Site {
    pub dir: tempfile::TempDir,
}

impl Site {
    pub fn new(cloud: &Cloud) -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        site.write_config(&format!(
            "aws:\n  region: us-east-1\n  endpoint: {}\n  access_key_id: {}\n  secret_access_key: {}\n",
            cloud.endpoint, cloud.access, cloud.secret
        ));
        site
    }

    /// A site without a cloud.
    pub fn bare() -> Self {
        let site = Self { dir: tempfile::tempdir().unwrap() };
        site.write_config("");
        site
    }

    pub fn write_config(&self, more: &str) {
        let dir = self.dir.path().display();
        let text = format!(
            "data_dir: {dir}/data\nserver:\n  listen: 127.0.0.1:0\nlocal:\n  kind: files\n  path: {dir}/disks\n{more}"
        );
        fs::write(self.config(), text).unwrap();
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("multicloud.yaml")
    }

    pub fn disks(&self) -> PathBuf {
        self.dir.path().join("disks")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = novacron(args);
        command.arg("--config").arg(self.config());
        command
    }

    pub fn serve(&self) -> Serve {
        self.serve_at("127.0.0.1:0")
    }

    pub fn serve_at(&self, address: &str) -> Serve {
        self.serve_by(&mut self.command(&["serve", "--listen", address]))
    }

    /// By a command that becomes `novacron serve`.
    pub fn serve_by(&self, command: &mut Command) -> Serve {
        let mut process = Process::spawn(command);
        let ready = process.line_with("is ready at");
        let word = |after: &str| ready.split(after).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        let (url, ready_ms) = (word("is ready at "), word(" after ").parse().unwrap());
        Serve { process, url, ready_ms }
    }

    /// Every disk of a finished machine.
    pub fn machines(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.disks()) else { return Vec::new() };
        let visible = |path: &PathBuf| !path.file_name().unwrap().to_string_lossy().starts_with('.');
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir() && visible(path)).collect()
    }

    /// Files of operations that are not finished.
    pub fn staged(&self) -> usize {
        staged(&self.disks())
    }
}

/// Files of operations that are not finished, in a folder of disks.
pub fn staged(disks: &Path) -> usize {
    fn files(dir: &Path) -> usize {
        let Ok(entries) = fs::read_dir(dir) else { return 0 };
        entries.map(|e| e.unwrap().path()).map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
    }
    files(&disks.join(".staging"))
}

/// `novacron serve`
pub struct Serve {
    pub process: Process,
    pub url: String,
    pub ready_ms: u64,
}

impl Serve {
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = novacron(args);
        command.env("NOVACRON_SERVER", &self.url);
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args))
    }

    pub fn migration(&self, id: &str) -> Value {
        self.run(&["migration", "show", id, "-o", "json"]).expect(0).json()
    }

    /// Waits until bytes of the migration are on the target.
    pub fn until_moving(&self, id: &str) {
        until("some bytes to be moved", PATIENCE, || {
            let moved = self.migration(id)["transfer_stats"]["bytes_transferred"].as_u64()?;
            (moved > 0).then_some(())
        });
    }

    /// The process id of its mover.
    pub fn mover(&self) -> Option<u32> {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.process.pid())).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }
}

pub const GIB: u64 = 1 << 30;

/// A sparse disk image with so many MiB of data that do not compress, here and there.
pub fn image(dir: &Path, data_mib: u64) -> PathBuf {
    use std::os::unix::fs::FileExt;
    let path = dir.join("disk.raw");
    let file = fs::File::create_new(&path).unwrap();
    file.set_len(GIB).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut piece = vec![0; 1 << 20];
    for i in 0..data_mib {
        for word in piece.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        file.write_all_at(&piece, i * (GIB / data_mib) / 4096 * 4096).unwrap();
    }
    path
}

/// The content root that the executable finds.
pub fn root(path: &Path) -> String {
    let ran = run(&mut novacron(&["disk", "root", "-o", "json", path.to_str().unwrap()])).expect(0);
    ran.json()["content_root"].as_str().unwrap().to_owned()
}
