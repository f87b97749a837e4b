//! The committed documentation and JSON Schemas are the ones that follow from the keys, and the schemas say what we say.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use novacron_config::{json_schema, machine_schema, markdown};

const BEGIN: &str = "<!-- keys: generated, see crates/config/tests/documents.rs -->\n";
const END: &str = "<!-- end of keys -->\n";

fn check(file: &str, make: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let wanted = make(&committed);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert!(committed == wanted, "docs/{file} is old; run this test with UPDATE_DOCS=1");
    }
}

#[test]
fn the_documentation_lists_every_key() {
    check("configuration.md", |text| {
        let (before, rest) = text.split_once(BEGIN).expect("the page has its marker");
        let (_, after) = rest.split_once(END).expect("the page has its end marker");
        format!("{before}{BEGIN}\n{}{END}{after}", markdown(&[]))
    });
}

#[test]
fn the_schemas_follow_from_the_keys() {
    let pretty = |schema: &serde_json::Value| format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
    check("multicloud.schema.json", |_| pretty(&json_schema(&[])));
    check("virtualmachine.schema.json", |_| pretty(&machine_schema()));
}

/// A Python that can validate, if there is one.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("NOVACRON_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let mut probe = Command::new(&python);
    probe.args(["-c", "import jsonschema, yaml"]).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success()).then_some(python)
}

#[test]
fn an_independent_validator_agrees() {
    let Some(python) = python() else {
        println!("skipped: jsonschema and yaml cannot be imported; set NOVACRON_PYTHON to a Python that has them");
        return;
    };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let output = Command::new(python).arg(tests.join("validate.py")).arg(tests.join("../../../docs")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_block_takes_the_keys_of_its_kind_and_those_of_hosts_where_it_is_one() {
    use novacron_config::KindInfo;
    use novacron_provider::KeyInfo;
    use novacron_types::ProviderKind;

    const AWS: KindInfo =
        KindInfo { kind: ProviderKind::Aws, keys: &[KeyInfo { name: "region", secret: false, doc: "" }] };
    const LIBVIRT: KindInfo =
        KindInfo { kind: ProviderKind::Libvirt, keys: &[KeyInfo { name: "location", secret: true, doc: "its own" }] };
    let schema = json_schema(&[AWS, LIBVIRT]);
    let keys = |block: &str| schema["$defs"]["multicloud"]["properties"][block]["properties"].as_object().unwrap();
    assert!(keys("aws").contains_key("region") && !keys("aws").contains_key("capacity"));
    assert!(keys("libvirt").contains_key("capacity") && keys("libvirt")["location"]["description"] == "its own");
}
