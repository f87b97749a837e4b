//! Frames between the control plane and a mover: what is understood means the same when it is said again, and no
//! error repeats what a frame holds, for it may be a secret.
#![no_main]

use libfuzzer_sys::fuzz_target;
use novacron_transfer::mover::{FromMover, ToMover, decode_frame};
use serde_json::Value;

const SECRET: &str = "hunter2hunter2";

fuzz_target!(|data: &[u8]| {
    match decode_frame::<ToMover>(data) {
        Ok(frame) => {
            let said = serde_json::to_value(&frame).expect("it was read from JSON");
            let again: ToMover = decode_frame(said.to_string().as_bytes()).expect("it was understood before");
            assert_eq!(serde_json::to_value(&again).expect("JSON"), said);
            hides_settings(&frame, said);
        }
        Err(error) => assert!(!error.to_string().contains(SECRET)),
    }
    if let Ok(frame) = decode_frame::<FromMover>(data) {
        let said = serde_json::to_value(&frame).expect("it was read from JSON");
        let again: FromMover = decode_frame(said.to_string().as_bytes()).expect("it was understood before");
        assert_eq!(serde_json::to_value(&again).expect("JSON"), said);
        if let FromMover::Failed(fault) = frame {
            let _ = (fault.to_string(), fault.retry_after(), fault.is_transient());
        }
    }
});

/// Printed for a log, a frame shows nothing of a provider's settings.
fn hides_settings(frame: &ToMover, mut said: Value) {
    for side in ["source", "target"] {
        for definition in [format!("/{side}/definition/settings"), "/definition/settings".to_owned()] {
            if let Some(settings) = said.pointer_mut(&definition) {
                *settings = Value::Null;
            }
        }
    }
    if !said.to_string().contains(SECRET) {
        assert!(!format!("{frame:?}").contains(SECRET));
    }
}
