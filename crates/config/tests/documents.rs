//! The committed documentation and JSON Schema are the ones that follow from the keys.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use novacron_config::{json_schema, markdown};

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
fn the_schema_follows_from_the_keys() {
    check("multicloud.schema.json", |_| format!("{}\n", serde_json::to_string_pretty(&json_schema(&[])).unwrap()));
}
