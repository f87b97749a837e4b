//! The OpenAPI document against the server: what it says of requests and answers holds, whatever is sent.
#![allow(clippy::unwrap_used)]

mod common;

use std::{process::Stdio, time::Duration};

use common::world;
use novacron_api::{ApiConfig, bind, serve};
use tokio::{process::Command, sync::oneshot};

/// More than it needs, and the end of a test that hangs.
const LIMIT: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_nothing() {
    let Some(program) = std::env::var_os("NOVACRON_SCHEMATHESIS").filter(|path| std::path::Path::new(path).exists())
    else {
        println!("skipped: NOVACRON_SCHEMATHESIS is not the path of schemathesis (tools/requirements.txt)");
        return;
    };
    let world = world(10, 1_000_000).await;
    let config = ApiConfig::default();
    let listener = bind("127.0.0.1:0".parse().unwrap(), &config).await.unwrap();
    let url = format!("http://{}/api/v1/openapi.json", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(listener, world.control.clone(), config, async {
        let _ = stopped.await;
    }));
    let folder = tempfile::tempdir().unwrap();
    // A URL that is too long is refused before it is a request.
    let refused = "400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 422, 428, 429, 431";
    // What a question may be depends on the catalog too, which a schema can't say: it may be refused though it fits.
    let asked = "^/api/v1/multicloud/(placements|burst|machines|optimization/plan|optimization/apply)$";
    let settings = format!(
        "[checks.negative_data_rejection]\nexpected-statuses = [{refused}]\n\n\
         [[operations]]\ninclude-path-regex = \"{asked}\"\n\
         [operations.checks.positive_data_acceptance]\nexpected-statuses = [\"2xx\", 401, 403, 404, 409, 422]\n"
    );
    std::fs::write(folder.path().join("schemathesis.toml"), settings).unwrap();
    let examples = std::env::var("NOVACRON_SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "40".to_owned());
    let run = Command::new(program)
        .current_dir(folder.path())
        // The same requests each time: with a time instead of a number it would go on with others.
        .args(["run", &url, "--max-examples", &examples, "--seed", "1", "--checks", "all", "--no-color"])
        .args(["--request-timeout", "20", "--suppress-health-check", "all"])
        // It takes as many seconds as it is asked to.
        .args(["--exclude-path", "/debug/pprof/profile"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, run).await.expect("it does not end").unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    println!("{said}");
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
