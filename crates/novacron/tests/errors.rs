//! Bad input and bad luck: one clear message that says what to do, and the right exit code.

// A test that can not set its stage has failed.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "../../store/tests/common/databases.rs"]
mod databases;

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use common::{Process, Site, novacron, run};

#[test]
fn the_command_line_explains_itself() {
    let help = run(&mut novacron(&["help", "exit-codes"])).expect(0);
    assert!(help.stdout.contains("rolled back"), "{help:#?}");
    for args in
        [&["--help"][..], &["help", "migrate", "import"], &["version"], &["completions", "bash"], &["exit-codes"]]
    {
        assert!(!run(&mut novacron(args)).expect(0).stdout.is_empty());
    }
    assert!(!run(&mut novacron(&["--help"])).stdout.contains("\n  mover"), "the mover is hidden");
    run(&mut novacron(&["fly"])).expect(2);
    run(&mut novacron(&["migration", "limit", "x", "-5"])).expect(2).says("is not a size");
    run(&mut novacron(&["migraton", "list"])).expect(2).says("'migration'");
    run(&mut novacron(&["migration", "list", "--status", "fine", "--server", "http://127.0.0.1:1"])).expect(2);
    let output = run(&mut novacron(&["version", "-o", "json"])).expect(0).json();
    assert_eq!(output["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn no_server() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    run(&mut novacron(&["vm", "list", "--server", &url])).expect(5).says("novacron serve").says(&url);
    run(&mut novacron(&["vm", "list", "--server", "ftp://x"])).expect(2).says("http://");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let script = format!("{} completions bash | head -c 1; echo ${{PIPESTATUS[0]}}", common::EXE);
    let mut shell = std::process::Command::new("bash");
    let ran = run(shell.args(["-c", &script]));
    assert!(ran.stderr.is_empty(), "{ran:#?}");
    assert!(ran.stdout.ends_with("141\n") || ran.stdout.ends_with("0\n"), "{ran:#?}");
}

#[test]
fn output_that_does_not_get_out_is_an_error() {
    if !std::path::Path::new("/dev/full").exists() {
        eprintln!("skipped: there is no /dev/full here");
        return;
    }
    for args in ["help", "--help", "help migrate", "--version", "version", "exit-codes", "completions bash"] {
        let mut shell = std::process::Command::new("sh");
        let ran = run(shell.args(["-c", &format!("exec {} {args} >/dev/full", common::EXE)]));
        assert_eq!(ran.code, 1, "{args}: {ran:#?}");
        assert!(ran.stderr.contains("cannot write the output"), "{args}: {ran:#?}");
    }
}

/// What one of the two refuses the other refuses too, in the same words and with the same exit code; and neither has made
/// anything by then.
#[test]
fn config_check_refuses_what_serve_refuses() {
    let site = Site::bare();
    let dir = site.dir.path().display().to_string();
    for (name, text) in [("a-file", "x"), ("empty", ""), ("blank", " \n"), ("note.pem", "no certificate\n")] {
        std::fs::write(site.dir.path().join(name), text).unwrap();
    }
    std::fs::write(site.dir.path().join("notes.db"), "no database ".repeat(100)).unwrap();
    std::os::unix::fs::symlink(site.dir.path().join("none/x"), site.dir.path().join("a-link")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(site.dir.path().join("a-pipe")).status().unwrap();
    assert!(pipe.success());
    let mode = || std::fs::metadata(site.dir.path().join("notes.db")).unwrap().permissions();
    let mode_before = mode();
    let data = format!("data_dir: {dir}/data\n");
    let listen = "server: {listen: '127.0.0.1:0'}\n";
    let local = format!("local: {{kind: files, path: {dir}/disks}}\n");
    let good = format!("{data}{listen}{local}");
    let server = |more: &str| format!("{data}{local}server: {{listen: '127.0.0.1:0', {more}}}\n");
    let store = |url: &str| format!("{good}store: {{url: '{url}'}}\n");
    let token = |more: &str| server(&format!("tokens: [{{name: a, role: viewer, {more}}}]"));
    let tls = |cert: &str, key: &str| server(&format!("tls: {{cert_file: {dir}/{cert}, key_file: {dir}/{key}}}"));
    let cases = [
        (format!("{data}{listen}local: {{kind: files, path: [x]}}\n"), "local"),
        (format!("{data}{listen}local: {{kind: files, path: {dir}/disks, format: vmdk}}\n"), "vmdk"),
        (format!("{data}{listen}local: {{kind: files, path: {dir}/a-file}}\n"), "a-file"),
        (format!("{data}{listen}local: {{kind: files, path: {dir}/a-file/disks}}\n"), "a-file"),
        (format!("{data}{listen}local: {{enabled: false}}\n"), "local"),
        (format!("{data}{local}server: {{listen: '0.0.0.0:0'}}\n"), "TLS and a token"),
        (tls("none.pem", "none.key"), "none.pem"),
        (tls("note.pem", "note.pem"), "BEGIN CERTIFICATE"),
        (token("token: x"), "token"),
        (token(&format!("token_file: {dir}/none")), "none"),
        (token(&format!("token_file: {dir}/empty")), "is empty"),
        (token(&format!("token_file: {dir}/blank")), "is empty"),
        (format!("{good}logging: {{output: {dir}/no/such/log}}\n"), "cannot write the log file"),
        (format!("{good}logging: {{output: {dir}}}\n"), "cannot write the log file"),
        (format!("{good}logging: {{output: {dir}/a-file/log}}\n"), "cannot write the log file"),
        (format!("{good}logging: {{output: {dir}/a-pipe}}\n"), "not a regular file"),
        (format!("{good}logging: {{output: {dir}/a-link}}\n"), "link to what is not there"),
        (format!("{good}logging: {{level: loud}}\n"), "loud"),
        (format!("{data}{listen}local: {{kind: files, path: {dir}/a-link}}\n"), "link to what is not there"),
        (format!("data_dir: {dir}/a-link\n{listen}{local}"), "link to what is not there"),
        (format!("data_dir: {dir}/a-pipe\n{listen}{local}"), "cannot use the data directory"),
        (store(&format!("sqlite://{dir}/a-pipe")), "not a regular file"),
        (store(&format!("sqlite://{dir}/a-link")), "link to what is not there"),
        (store(&format!("sqlite://{dir}/notes.db")), "not a NovaCron store"),
        (format!("data_dir: {dir}/a-file\n{listen}{local}"), "cannot use the data directory"),
        (format!("data_dir: {dir}/a-file/data\n{listen}{local}"), "cannot use the data directory"),
        (store("postgres://u@127.0.0.1:70000/db"), "invalid port"),
        (store("postgres://u@127.0.0.1/db?sslmode=perhaps"), "perhaps"),
        (store("sqlite:"), "store"),
        (store("sqlite::memory:"), "store"),
        (store(&format!("sqlite://{dir}/x.db?mode=memory")), "store"),
        (store(&format!("sqlite://{dir}")), "store"),
        (store(&format!("sqlite://{dir}/a-file/x.db")), "a-file"),
        (store("mysql://u@127.0.0.1/db"), "postgres"),
        #[cfg(feature = "aws")]
        (format!("{good}aws: {{region: [a]}}\n"), "aws"),
        #[cfg(feature = "aws")]
        (format!("{good}aws: {{region: us-east-1, endpoint: not a url}}\n"), "aws"),
    ];
    let names = || everything(site.dir.path());
    for (text, says) in cases {
        std::fs::write(site.config(), &text).unwrap();
        let before = names();
        let [checked, served] = [&["config", "check"][..], &["serve"]].map(|command| {
            let ran = run(&mut site.command(command));
            assert_eq!(ran.code, 2, "{command:?} of {text}: {ran:#?}");
            assert!(ran.stderr.contains(says), "{command:?} of {text}: {ran:#?}");
            ran.stderr
        });
        assert_eq!(checked, served, "{text}");
        assert_eq!(names(), before, "{text}");
        assert_eq!(mode(), mode_before, "{text}");
    }
    std::fs::write(site.config(), format!("{good}logging: {{output: {dir}/log}}\n")).unwrap();
    let before = names();
    run(&mut site.command(&["config", "check"])).expect(0);
    assert_eq!(names(), before, "the check made something");
    assert_eq!(site.serve().process.terminate().code(), Some(0));
}

/// The paths of all that is in a directory.
fn everything(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

#[test]
fn a_database_that_is_away_is_named_at_once() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let site = Site::bare();
    site.write_config(&format!("store:\n  url: postgres://u:s3cret@{closed}/db\n"));
    run(&mut site.command(&["config", "check"])).expect(0);
    let began = Instant::now();
    let ran = run(&mut site.command(&["serve"])).expect(1).says("refused").says(&closed.port().to_string());
    assert!(!ran.stderr.contains("s3cret"), "{ran:#?}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn a_server_stops_soon_without_its_database() {
    let Some(place) = databases::postgres() else { return };
    let site = Site::bare();
    site.write_config(&format!("store:\n  url: {}\n", place.url));
    let mut server = site.serve();
    drop(place);
    server.run(&["vm", "list"]).expect(1);
    let began = Instant::now();
    assert_eq!(server.process.terminate().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn a_typo_in_the_configuration() {
    let site = Site::bare();
    site.write_config("logging:\n  levle: info\n");
    for command in [&["config", "check"][..], &["serve"]] {
        let ran = run(&mut site.command(command)).expect(2).says("level");
        let place = format!("{}:8:3", site.config().display());
        assert!(ran.stderr.contains(&place), "{place} is not in {ran:#?}");
    }
    site.write_config("");
    run(&mut site.command(&["config", "check"])).expect(0);
    let missing = run(&mut novacron(&["config", "check", "--config", "/no/such/file"])).expect(2);
    assert!(missing.stderr.contains("/no/such/file"));
}

/// What only the catalog can tell is refused with its place too.
#[test]
fn names_that_mean_nothing_in_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("multicloud.yaml");
    let policy = |condition: &str| {
        format!("policies: [{{name: p, condition: {condition}, action: {{type: prefer, regions: [eu]}}}}]")
    };
    for (text, place, says) in [
        (
            "local: {location: mars}".to_owned(),
            "1:19",
            "`local.location`: there is no region, zone or group of regions `mars`",
        ),
        ("local: {compliance: [GDPR, HIPPA]}".to_owned(), "1:28", "`HIPPA`; did you mean `HIPAA`?"),
        (
            policy("{type: compliance, operator: contains, value: SOX}"),
            "1:79",
            "there is no compliance programme `SOX`",
        ),
    ] {
        std::fs::write(&file, format!("{text}\ndata_dir: {}\n", dir.path().display())).unwrap();
        let ran = run(&mut novacron(&["config", "check", "--config", file.to_str().unwrap()])).expect(2);
        let place = format!("{}:{place}: ", file.display());
        assert!(ran.stderr.contains(&place) && ran.stderr.contains(says), "{text}: {ran:#?}");
    }
    let right = "local: {location: eu-west, compliance: [soc 2]}\n";
    std::fs::write(&file, format!("{right}data_dir: {}\n", dir.path().display())).unwrap();
    run(&mut novacron(&["config", "check", "--config", file.to_str().unwrap()])).expect(0);
}

#[test]
fn secrets_are_not_shown() {
    let site = Site::bare();
    let secret = "wJalrXUtnFEMIverysecret";
    let more = format!(
        "server:\n  tokens:\n    - {{name: me, role: admin, token: {secret}-token}}\nstore:\n  url: postgres://u:{secret}@127.0.0.1/db\n"
    );
    std::fs::write(site.config(), more).unwrap();
    for format in ["table", "json", "yaml", "csv"] {
        let ran = run(&mut site.command(&["config", "show", "-o", format])).expect(0);
        assert!(!ran.stdout.contains(secret) && ran.stdout.contains("***"), "{ran:#?}");
    }
}

#[test]
fn one_server_to_a_directory_and_to_a_port() {
    let site = Site::bare();
    let server = site.serve();
    let ran = run(&mut site.command(&["serve"])).expect(1).says("in use by another");
    assert!(ran.stderr.contains(&server.process.pid().to_string()), "{ran:#?}");

    let address = server.url.trim_start_matches("http://");
    let other = Site::bare();
    run(&mut other.command(&["serve", "--listen", address])).expect(1).says(address).says("--listen");
}

#[test]
fn beyond_loopback_needs_tls_and_a_token() {
    let site = Site::bare();
    run(&mut site.command(&["serve", "--listen", "0.0.0.0:0"])).expect(2).says("TLS and a token");
}

#[test]
fn a_server_of_a_newer_version_was_here() {
    let site = Site::bare();
    assert_eq!(site.serve().process.terminate().code(), Some(0));
    let database = site.dir.path().join("data/placements.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::{Connection, SqliteConnection};
        let mut connection = SqliteConnection::connect(&format!("sqlite://{}", database.display())).await.unwrap();
        let newer = "INSERT INTO schema_version (version, applied_at, program) VALUES (9000, 0, 'later')";
        sqlx::query(newer).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    run(&mut site.command(&["serve"])).expect(1).says("9000").says("newer");
}

#[test]
fn a_file_that_is_no_store() {
    let site = Site::bare();
    std::fs::create_dir(site.dir.path().join("data")).unwrap();
    std::fs::write(site.dir.path().join("data/placements.db"), "this is a letter to my aunt, and no database").unwrap();
    run(&mut site.command(&["serve"])).expect(1).says("placements.db");
}

#[test]
fn what_is_not_there() {
    let site = Site::bare();
    let server = site.serve();
    server.run(&["provider", "discover", "lokal"]).expect(4).says("local");
    server.run(&["vm", "show", "vm-404"]).expect(4).says("vm-404");
    server.run(&["migration", "show", "import-404"]).expect(4);
    server.run(&["migration", "cancel", "import-404"]).expect(4);
    server.run(&["migrate", "export", "vm-404", "local", "-y"]).expect(4);
    server.run(&["migrate", "import", "azure", "x", "-y"]).expect(4);
    server.run(&["provider", "discover", "local", "-f", "nonsense"]).expect(2);
    let none = server.run(&["vm", "list"]).expect(0);
    assert_eq!((none.stdout.as_str(), none.stderr.as_str()), ("", "None.\n"));
}

#[test]
fn images_are_held_to_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fake.qcow2");
    std::fs::write(&file, "this is no image").unwrap();
    run(&mut novacron(&["disk", "root", file.to_str().unwrap()])).expect(4).says("fake.qcow2");
    run(&mut novacron(&["disk", "root", "/no/such/disk"])).expect(4);
    run(&mut novacron(&["disk", "root", dir.path().to_str().unwrap()])).expect(4).says("directory");
}

#[test]
fn tokens_open_what_their_roles_may() {
    let site = Site::bare();
    let token = "0123456789abcdef-viewer";
    let dir = site.dir.path();
    std::fs::write(dir.join("token"), format!("{token}\n")).unwrap();
    let config = format!(
        "data_dir: {0}/data\nserver:\n  listen: 127.0.0.1:0\n  tokens:\n    - {{name: v, role: viewer, token_file: {0}/token}}\n",
        dir.display()
    );
    std::fs::write(site.config(), config).unwrap();
    let server = site.serve();
    server.run(&["vm", "list"]).expect(4).says("NOVACRON_TOKEN");
    run(server.command(&["vm", "list"]).env("NOVACRON_TOKEN", "wrong-wrong-wrong-wrong")).expect(4);
    run(server.command(&["vm", "list"]).env("NOVACRON_TOKEN", token)).expect(0);
    run(server.command(&["vm", "list", "--token-file"]).arg(dir.join("token"))).expect(0);
    run(server.command(&["migration", "cancel", "x"]).env("NOVACRON_TOKEN", token)).expect(4);
    std::fs::write(dir.join("empty"), "\n").unwrap();
    run(server.command(&["vm", "list", "--token-file"]).arg(dir.join("empty"))).expect(2).says("no token in");
}

#[test]
fn tls_is_held_to_its_authority() {
    let site = Site::bare();
    let dir = site.dir.path();
    let mut openssl = std::process::Command::new("openssl");
    openssl.current_dir(dir).args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
    openssl.args(["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=novacron"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
    match openssl.output() {
        Ok(made) if made.status.success() => {}
        other => {
            eprintln!("skipped: openssl can't make a certificate here: {other:?}");
            return;
        }
    }
    let config = format!(
        "data_dir: {0}/data\nserver:\n  listen: 127.0.0.1:0\n  tls: {{cert_file: {0}/cert.pem, key_file: {0}/key.pem}}\n",
        dir.display()
    );
    std::fs::write(site.config(), config).unwrap();
    let server = site.serve();
    assert!(server.url.starts_with("https://"));
    server.run(&["vm", "list"]).expect(5).says("--cacert");
    run(server.command(&["vm", "list", "--cacert"]).arg(dir.join("cert.pem"))).expect(0);
    run(server.command(&["vm", "list", "--cacert"]).arg(dir.join("key.pem"))).expect(2).says("certificate");
}

/// The memory that is its own, beside the pages of the executable that the system keeps for everyone.
#[test]
fn an_idle_server_is_small() {
    let site = Site::bare();
    let server = site.serve();
    let mib = |pid: u32| {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    let (serve, mover) = (mib(server.process.pid()), mib(server.mover().unwrap()));
    assert!(serve + mover <= 60, "serve {serve} MiB, mover {mover} MiB");
}

#[test]
fn it_tells_its_manager() {
    let site = Site::bare();
    let path = site.dir.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let mut process = Process::spawn(site.command(&["serve"]).env("NOTIFY_SOCKET", &path));
    process.line_with("is ready at");
    let mut told = [0; 64];
    let count = manager.recv(&mut told).unwrap();
    assert_eq!(&told[..count], b"READY=1");
    assert_eq!(process.terminate().code(), Some(0));
    let count = manager.recv(&mut told).unwrap();
    assert_eq!(&told[..count], b"STOPPING=1");
}

#[cfg(all(feature = "aws", feature = "sandbox"))]
mod cloud {
    use std::time::Duration;

    use super::common::{Cloud, Process, Site, image, novacron, until};

    #[test]
    fn wrong_credentials_and_unknown_things() {
        let dir = tempfile::tempdir().unwrap();
        let cloud = Cloud::start(&image(dir.path(), 1));
        let site = Site::new(&cloud);
        let instance = cloud.instance.as_str();

        let good = site.serve();
        let healthy = good.run(&["provider", "check"]).expect(0);
        assert_eq!(healthy.stderr, "");
        good.run(&["migrate", "import", "aws", "i-00000000000000000", "-y"]).expect(4).says("i-00000000000000000");
        good.run(&["migrate", "import", "aws", instance, "-y", "-O", "terminate_sorce=true"])
            .expect(2)
            .says("terminate_source");
        good.run(&["migrate", "import", "aws", instance, "-y", "--parallel-transfers", "99"]).expect(2);
        good.run(&["provider", "discover", "aws", "-f", "instance-stat-name=running"])
            .expect(2)
            .says("instance-state-name");
        drop(good);

        site.write_config(&format!(
            "aws:\n  region: us-east-1\n  endpoint: {}\n  access_key_id: {}\n  secret_access_key: wrong\n",
            cloud.endpoint, cloud.access
        ));
        let bad = site.serve();
        let checked = bad.run(&["provider", "check", "aws"]).expect(1).says("aws");
        assert!(checked.stdout.contains("refused"), "{checked:#?}");
        let checked = checked.says("The server is degraded: the provider aws is refused: ");
        bad.run(&["provider", "check", "-q"])
            .expect(1)
            .stderr
            .lines()
            .for_each(|line| assert!(!line.contains("degraded")));
        let ran = bad.run(&["provider", "discover", "aws"]);
        assert!(ran.code == 4 || ran.code == 1, "{ran:#?}");
        assert!(!format!("{ran:?}{checked:?}").contains(&cloud.secret));
        assert_eq!(cloud.leftovers(), (0, 0, 0));
    }

    /// What is stopped takes its scratch along, also while it is being set up.
    #[test]
    fn nothing_is_left_of_a_sandbox_or_a_demo_that_was_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let image = image(dir.path(), 64);
        let seed = format!("web={}", image.display());
        let sandbox = ["sandbox", "serve", "--listen", "127.0.0.1:0", "--instance", &seed];
        for (args, code, ready) in [
            (&sandbox[..], 0, None),
            (&sandbox, 0, Some("An emulation of AWS serves")),
            (&["demo", "--once", "--port", "0"], 130, None),
            (&["demo", "--once", "--port", "0"], 130, Some("Importing web-1")),
        ] {
            let scratch = dir.path().join("scratch");
            std::fs::create_dir(&scratch).unwrap();
            let mut process = Process::spawn(novacron(args).env("TMPDIR", &scratch));
            let left = || super::everything(&scratch);
            match ready {
                Some(ready) => drop(process.line_with(ready)),
                None => until("its directory", Duration::from_secs(30), || (!left().is_empty()).then_some(())),
            }
            assert_eq!(process.terminate().code(), Some(code), "{args:?}: {:#?}", process.said);
            assert!(left().is_empty(), "{args:?} left {:?}", left());
            std::fs::remove_dir(&scratch).unwrap();
        }
    }
}
