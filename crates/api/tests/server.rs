//! The server itself: sockets, TLS, its stop, and its profile.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::Write,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::world;
use novacron_api::{ApiConfig, BASE, ServeError, TlsFiles, bind, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};

async fn start(
    config: ApiConfig,
    machines: usize,
    permits: usize,
) -> (std::net::SocketAddr, oneshot::Sender<()>, Running) {
    let world = world(machines, permits).await;
    let listener = bind("127.0.0.1:0".parse().unwrap(), &config).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let control = world.control.clone();
    let server = tokio::spawn(serve(listener, control, config, async {
        let _ = stopped.await;
    }));
    (address, stop, Running { world, server })
}

struct Running {
    world: common::World,
    server: tokio::task::JoinHandle<Result<(), ServeError>>,
}

async fn exchange(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), path: &str) -> Vec<u8> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn a_port_in_use_is_said_to_be() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = bind(address, &ApiConfig::default()).await.unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
    let error = bind("0.0.0.0:0".parse().unwrap(), &ApiConfig::default()).await.unwrap_err();
    assert!(matches!(error, ServeError::Exposed(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_streams_at_once() {
    let (address, stop, running) = start(ApiConfig::default(), 1, 0).await;
    let body = format!("{{\"instance_id\":\"{}\"}}", running.world.instances[0]);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST {BASE}/providers/cloud/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let json: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let id = json["migration_id"].as_str().unwrap().to_owned();

    let mut events = TcpStream::connect(address).await.unwrap();
    let follow = tokio::spawn(async move { exchange(&mut events, &format!("{BASE}/migrations/{id}/events")).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!follow.is_finished());
    let asked = std::time::Instant::now();
    stop.send(()).unwrap();
    let seen = follow.await.unwrap();
    assert!(String::from_utf8_lossy(&seen).contains("event: progress"));
    running.server.await.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn connections_are_bounded() {
    let (address, stop, running) = start(ApiConfig { max_connections: 1, ..ApiConfig::default() }, 0, 0).await;
    let held = TcpStream::connect(address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut second = TcpStream::connect(address).await.unwrap();
    let mut byte = [0];
    second.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(300), second.read(&mut byte)).await;
    assert!(waiting.is_err(), "the second connection was served beside the first");
    drop(held);
    let served = tokio::time::timeout(Duration::from_secs(10), second.read(&mut byte)).await;
    assert_eq!(served.unwrap().unwrap(), 1);
    stop.send(()).unwrap();
    running.server.await.unwrap().unwrap();
}

#[tokio::test]
async fn tls_is_served() {
    use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName};
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles { cert_file: dir.path().join("c.pem"), key_file: dir.path().join("k.pem") };
    std::fs::write(&files.cert_file, made.cert.pem()).unwrap();
    std::fs::write(&files.key_file, made.signing_key.serialize_pem()).unwrap();
    let config = ApiConfig { tls: Some(files.clone()), ..ApiConfig::default() };
    let (address, stop, running) = start(config, 0, 0).await;

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let mut stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    let answer = exchange(&mut stream, "/healthz").await;
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200"));
    stop.send(()).unwrap();
    running.server.await.unwrap().unwrap();

    std::fs::write(&files.key_file, "nonsense").unwrap();
    let config = ApiConfig { tls: Some(files), ..ApiConfig::default() };
    let error = bind("127.0.0.1:0".parse().unwrap(), &config).await.unwrap_err();
    assert!(error.to_string().contains("k.pem"), "{error}");
}

#[inline(never)]
fn busy_with_something_to_see(enough: &AtomicBool) -> u64 {
    let mut sum = 0u64;
    while !enough.load(Ordering::Relaxed) {
        for n in 0..10_000u64 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(n));
        }
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_shows_what_runs() {
    let (address, stop, running) = start(ApiConfig::default(), 0, 0).await;
    let enough = Arc::new(AtomicBool::new(false));
    let seen = enough.clone();
    let busy = std::thread::spawn(move || busy_with_something_to_see(&seen));
    let ask = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        exchange(&mut stream, "/debug/pprof/profile?seconds=3").await
    };
    // Whichever comes first has it.
    let answers: [Vec<u8>; 2] = tokio::join!(ask(), ask()).into();
    enough.store(true, Ordering::Relaxed);
    busy.join().unwrap();
    let is_refused = |answer: &Vec<u8>| String::from_utf8_lossy(answer).contains("profile_running");
    let (refused, answered): (Vec<_>, Vec<_>) = answers.into_iter().partition(is_refused);
    assert_eq!((refused.len(), answered.len()), (1, 1));
    let answer = &answered[0];
    let at = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..at]));
    let mut profile = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&answer[at..]), &mut profile).unwrap();
    let text = String::from_utf8_lossy(&profile);
    assert!(text.contains("busy_with_something_to_see"), "the profile has no sample of the busy thread");

    // Where Go is there, its own reader judges the format.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cpu.prof");
    std::fs::File::create(&file).unwrap().write_all(&answer[at..]).unwrap();
    match std::process::Command::new("go").args(["tool", "pprof", "-top"]).arg(&file).stderr(Stdio::null()).output() {
        Ok(output) if output.status.success() => {
            assert!(String::from_utf8_lossy(&output.stdout).contains("busy_with_something_to_see"));
        }
        _ => eprintln!("skipped reading the profile with `go tool pprof`: it is not here"),
    }
    stop.send(()).unwrap();
    running.server.await.unwrap().unwrap();
}
