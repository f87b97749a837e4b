//! Fresh prices, from the vendors' price lists as the sandbox serves them to what is decided by them.

// A test that can not set its stage has failed.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "sandbox")]

mod common;

use std::{fs, path::Path, time::Duration};

use common::{Process, Site, ask, novacron, run, run_within, until};
use serde_json::Value;

/// The vendors' price lists, some of whose prices are others than the catalog's.
struct Lists {
    _process: Process,
    endpoint: String,
    key: String,
}

impl Lists {
    fn start() -> Self {
        let mut process = Process::spawn(&mut novacron(&["sandbox", "serve", "--listen", "127.0.0.1:0"]));
        let mut word = |name: &str| process.line_with(name).split_once('=').unwrap().1.to_owned();
        let endpoint = word("AWS_ENDPOINT_URL=");
        let key = format!(
            "access_key_id: {}, secret_access_key: {}",
            word("AWS_ACCESS_KEY_ID="),
            word("AWS_SECRET_ACCESS_KEY=")
        );
        Self { _process: process, endpoint, key }
    }

    /// Moves so many of a thousand prices.
    fn drift(&self, seed: u64, permille: u32) {
        let body = format!("{{\"seed\":{seed},\"permille\":{permille}}}");
        ask(&self.endpoint, "PUT /_sandbox/prices HTTP/1.0\r\n", &body);
    }

    /// What Azure's list states for an hour on demand, found page by page.
    fn azure(&self, ty: &str, region: &str) -> String {
        let filter = format!("armRegionName%20eq%20%27{region}%27%20and%20priceType%20eq%20%27Consumption%27");
        for skip in (0..20_000).step_by(1000) {
            let head = format!("GET /api/retail/prices?$filter={filter}&$skip={skip} HTTP/1.0\r\n");
            let page: Value = serde_json::from_slice(&ask(&self.endpoint, &head, "")).unwrap();
            let row = page["Items"].as_array().unwrap().iter().find(|row| {
                let has = |key: &str, word: &str| row[key].as_str().unwrap().contains(word);
                row["armSkuName"] == ty
                    && has("effectiveStartDate", "2021")
                    && !has("productName", "Windows")
                    && !has("skuName", "Spot")
                    && !has("skuName", "Low Priority")
            });
            if let Some(row) = row {
                return row["retailPrice"].to_string();
            }
            assert!(page["NextPageLink"].is_string(), "{ty} in {region} is not in the list");
        }
        panic!("the list has no end");
    }

    /// The configuration's `catalog.sources`, of these clouds.
    fn sources(&self, clouds: &[&str]) -> String {
        let one = |cloud: &str| match (cloud, clouds.contains(&cloud), &self.endpoint) {
            (_, false, _) => format!("    {cloud}: {{enabled: false}}\n"),
            ("oci", _, endpoint) => format!("    oci: {{endpoint_url: '{endpoint}/pls/apex'}}\n"),
            ("gcp", _, endpoint) => format!("    gcp: {{endpoint_url: '{endpoint}', api_key: any}}\n"),
            (cloud, _, endpoint) => format!("    {cloud}: {{endpoint_url: '{endpoint}'}}\n"),
        };
        format!("  sources:\n{}", ["aws", "azure", "gcp", "oci"].map(one).concat())
    }

    fn aws(&self) -> String {
        format!("aws: {{region: us-east-1, endpoint: '{}', {}}}\n", self.endpoint, self.key)
    }
}

fn catalog(config: &Path, args: &[&str]) -> common::Ran {
    run(novacron(&["catalog", "--config", config.to_str().unwrap()]).args(args))
}

/// Takes as long as the vendors let one ask.
fn refresh(config: &Path, args: &[&str]) -> Vec<Value> {
    let mut command = novacron(&["catalog", "--config", config.to_str().unwrap(), "refresh", "-o", "json"]);
    run_within(command.args(args), Duration::from_secs(200)).expect(0).json().as_array().unwrap().clone()
}

/// All clouds that this build can ask, at once.
#[test]
fn a_refresh_takes_what_each_cloud_states() {
    let lists = Lists::start();
    lists.drift(4, 100);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("multicloud.yaml");
    let clouds: &[&str] =
        if cfg!(feature = "aws") { &["aws", "azure", "gcp", "oci"] } else { &["azure", "gcp", "oci"] };
    let text = format!(
        "data_dir: {0}/data\nlocal: {{kind: files, path: {0}/disks}}\n{1}catalog:\n{2}",
        dir.path().display(),
        if cfg!(feature = "aws") { lists.aws() } else { String::new() },
        lists.sources(clouds)
    );
    fs::write(&config, text).unwrap();

    let rows = refresh(&config, &[]);
    assert_eq!(rows.len(), clouds.len(), "{rows:?}");
    let diff = catalog(&config, &["diff", "-n", "0", "-o", "json"]).expect(0).json();
    let diff = diff.as_array().unwrap();
    for row in &rows {
        assert_eq!(row["outcome"], "refreshed", "{row}");
        let count = |what: &str| row[what].as_u64().unwrap() as usize;
        let differ = |what: &str| diff.iter().filter(|d| d["kind"] == row["kind"] && d["change"] == what).count();
        assert_eq!([differ("price"), differ("added"), differ("removed")], ["changed", "added", "removed"].map(count));
        // A tenth of the prices was moved; Google's are sums of parts that were.
        assert!(count("changed") > 1000 && count("changed") < count("confirmed"), "{row}");
    }
    for row in diff.iter().filter(|row| row["change"] == "price") {
        let percent = row["percent"].as_f64().unwrap().abs();
        assert!((0.0..=10.5).contains(&percent), "{row}");
    }

    // A price that moved is, to the last digit, what the vendor's list says.
    let on_demand = |row: &&Value| row["kind"] == "azure" && row["pricing"] == "on-demand";
    let moved: Vec<&Value> = diff.iter().filter(on_demand).step_by(997).take(5).collect();
    assert_eq!(moved.len(), 5);
    for row in moved {
        let stated = lists.azure(row["instance_type"].as_str().unwrap(), row["region"].as_str().unwrap());
        assert_eq!(row["new"].as_str().unwrap(), format!("{stated} USD"), "{row}");
    }

    // Asked again, all is confirmed.
    let again = refresh(&config, &["--source", "gcp,oci"]);
    assert!(again.iter().all(|row| row["changed"] == 0 && row["confirmed"].as_u64() > Some(1000)), "{again:?}");
    catalog(&config, &["diff"]).expect(3).says("the same prices");
}

/// What the others state is kept and said while one is still waited for, which is given up when its time is over.
#[test]
fn a_cloud_that_hangs_delays_no_other() {
    let lists = Lists::start();
    lists.drift(3, 1000);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("multicloud.yaml");
    let sources = lists.sources(&["oci"]).replace(
        "azure: {enabled: false}",
        &format!("azure: {{endpoint_url: 'http://{}'}}", silent.local_addr().unwrap()),
    );
    let write = |limit: &str| {
        fs::write(&config, format!("data_dir: {}/data\ncatalog:\n{limit}{sources}", dir.path().display())).unwrap();
    };
    write("");
    let mut hangs = Process::spawn(&mut novacron(&["catalog", "--config", config.to_str().unwrap(), "refresh"]));
    hangs.line_with("oci: ");
    let diff = catalog(&config, &["diff", "-n", "0", "-o", "json"]).expect(0).json();
    assert!(diff.as_array().unwrap().iter().any(|row| row["kind"] == "oci"), "{diff}");
    common::signal(hangs.pid(), "INT");
    hangs.line_with("what was kept until then stays");

    write("  refresh_limit_seconds: 3\n");
    let ran = catalog(&config, &["refresh"]).expect(1).says("within 3 s").says("1 of 2 sources failed: azure");
    assert!(ran.stdout.contains("oci-list"), "{ran:#?}");
}

/// A server that is asked again and again has the prices that its schedule brought, and those that somebody else did.
#[test]
fn a_server_follows_its_schedule() {
    let lists = Lists::start();
    lists.drift(1, 1000);
    let site = Site::bare();
    // One cloud whose prices come, and one that does not answer.
    let sources =
        lists.sources(&["oci"]).replace("azure: {enabled: false}", "azure: {endpoint_url: 'http://127.0.0.1:1'}");
    site.write_config(&format!("catalog:\n  refresh_schedule: '* * * * *'\n{sources}"));
    let mut serve = site.serve();
    let price = |serve: &common::Serve| {
        let ask = ["place", "--cpu", "2", "--memory", "4Gi", "--provider", "oci", "--strategy", "cost", "-o", "json"];
        let placed = serve.run(&ask).expect(0).json();
        placed["primary_placement"]["cost_per_hour"].to_string()
    };
    let shipped = price(&serve);
    // It is due within a minute, and the cloud that does not answer is asked some times.
    let metrics = || String::from_utf8(ask(&serve.url, "GET /metrics HTTP/1.0\r\n", "")).unwrap();
    until("the schedule", Duration::from_secs(120), || metrics().contains("outcome=\"kept\"").then_some(()));
    serve.process.line_with("those of before are kept");
    serve.process.line_with("prices were refreshed");
    let scheduled = until("the prices of the schedule", Duration::from_secs(30), || {
        Some(price(&serve)).filter(|price| *price != shipped)
    });
    serve.process.line_with("they are decided by from now on");
    let metrics = String::from_utf8(ask(&serve.url, "GET /metrics HTTP/1.0\r\n", "")).unwrap();
    for line in ["{cloud=\"oci\",outcome=\"refreshed\"} ", "{cloud=\"azure\",outcome=\"kept\"} "] {
        assert!(metrics.contains(&format!("novacron_catalog_refreshes_total{line}")), "{metrics}");
    }

    // Somebody else's refresh, beside it.
    lists.drift(2, 1000);
    catalog(&site.config(), &["refresh", "--source", "oci"]).expect(0);
    until("the prices of the command", Duration::from_secs(30), || {
        Some(price(&serve)).filter(|price| *price != scheduled && *price != shipped)
    });
}
