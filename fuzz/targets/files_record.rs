//! `vm.json` of a machine in a folder: what is let through names only disks beside it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use novacron_provider_files::disks_in_record;
use novacron_types::InstanceId;

fuzz_target!(|data: &[u8]| {
    let id = InstanceId::new("vm-1").expect("an id");
    let Ok(files) = disks_in_record(&id, data) else { return };
    assert!(!files.is_empty());
    for file in files {
        assert!(file.starts_with("disk-") && !file.contains(['/', '\0']) && !file.contains(".."), "{file:?}");
    }
});
