//! `multicloud.yaml`, in both forms: a text gives a configuration or a bounded list of faults with places in it, and
//! neither shows what a secret's variable holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use novacron_config::{Context, KindInfo, Overrides, parse};
use novacron_provider::KeyInfo;
use novacron_types::ProviderKind;

const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2";

const fn key(name: &'static str, secret: bool) -> KeyInfo {
    KeyInfo { name, secret, doc: "" }
}

const KINDS: &[KindInfo] = &[
    KindInfo {
        kind: ProviderKind::Aws,
        keys: &[key("region", false), key("secret_access_key", true), key("tags", false), key("defaults", false)],
    },
    KindInfo { kind: ProviderKind::Files, keys: novacron_provider_files::KEYS },
];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let env = |name: &str| (name == "SECRET").then(|| SECRET.to_owned());
    let context = Context { file: "f", env: &env, kinds: KINDS, overrides: Overrides::default() };
    match parse(text, &context) {
        Ok(config) => {
            let shown = config.redacted_yaml();
            assert!(!shown.is_empty());
            assert!(config.providers.len() <= text.len() + 1);
            assert!(config.mover.memory_limit.0 >= 16 << 20);
        }
        Err(error) => {
            assert!(!error.faults.is_empty() && error.faults.len() <= 21, "{} faults", error.faults.len());
            let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() as u64;
            for place in error.faults.iter().filter_map(|fault| fault.place) {
                assert!(place.line <= lines + 1, "{place:?} of {lines} lines");
            }
            // Names are no secrets, and are said where two are the same.
            let said = error.to_string();
            let said = said.lines().filter(|line| !line.contains("name `") && !line.contains("provider `"));
            if !text.contains(SECRET) {
                said.for_each(|line| assert!(!line.contains(SECRET), "{line}"));
            }
        }
    }
});
