//! A file of manifests, with a variable that holds a secret: its documents, or a bounded list of faults with places in it. What
//! was understood means the same when it is said again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use novacron_config::{ConfigError, Context, KindInfo, Manifest, Overrides, manifests};
use novacron_provider::KeyInfo;
use novacron_types::{ProviderKind, manifest::VirtualMachine};

const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";

const KINDS: &[KindInfo] = &[
    KindInfo { kind: ProviderKind::Aws, keys: &[KeyInfo { name: "region", secret: false, doc: "" }] },
    KindInfo { kind: ProviderKind::Files, keys: novacron_provider_files::KEYS },
];

fn read(text: &str) -> Result<Vec<Manifest>, ConfigError> {
    let env = |name: &str| (name == "SECRET").then(|| SECRET.to_owned());
    manifests(text, &Context { file: "f", env: &env, kinds: KINDS, overrides: Overrides::default() })
}

fn machine(document: &Manifest) -> Option<&VirtualMachine> {
    match document {
        Manifest::VirtualMachine(document) => Some(&document.machine),
        Manifest::FederationConfig(_) => None,
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match read(text) {
        Ok(documents) => {
            for machine in documents.iter().filter_map(machine) {
                let request = machine.request();
                assert_eq!(request.vm_id.as_deref(), Some(machine.metadata.name.as_str()));
                assert!(request.required_cpu > Some(0) && request.required_memory_gb.is_some());
                assert_eq!(machine.names().count(), machine.spec.replicas as usize);
                again(machine);
            }
        }
        Err(error) => {
            assert!(!error.faults.is_empty() && error.faults.len() <= 21, "{} faults", error.faults.len());
            let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() as u64;
            for place in error.faults.iter().filter_map(|fault| fault.place) {
                assert!(place.line <= lines + 1, "{place:?} of {lines} lines");
            }
            // Names are no secrets, and are said where two are the same.
            let said = error.to_string();
            let said = said.lines().filter(|line| !line.contains("name `") && !line.contains("policy `"));
            if !text.contains(SECRET) {
                said.for_each(|line| assert!(!line.contains(SECRET), "{line}"));
            }
        }
    }
});

/// A machine that is printed reads as itself. Left out: what stands for a variable, which would be filled in again, and
/// characters that JSON may hold as they are and YAML may not.
fn again(machine: &VirtualMachine) {
    let once = printed(machine);
    if once.contains("${") || once.contains(|c: char| c.is_control() || ('\u{fdd0}'..).contains(&c)) {
        return;
    }
    let read = match read(&once) {
        Ok(documents) => documents,
        Err(error) => panic!("{error}\n{once}"),
    };
    // Amounts go through a float on their first way out, and no further.
    assert_eq!(read.first().and_then(self::machine).map(printed), Some(once));
}

fn printed(machine: &VirtualMachine) -> String {
    serde_json::to_string(machine).expect("a machine prints")
}
