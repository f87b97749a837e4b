//! Reads the `options` of a request: every key known, every value of its type and within its range.

use novacron_types::{TransferOptions, nearest};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::ControlError;

const TRANSFER: [&str; 6] = [
    "compression_enabled",
    "compression_level",
    "chunk_size_mb",
    "parallel_transfers",
    "bandwidth_limit",
    "verify_integrity",
];
const COMMON: [&str; 6] = ["migration_type", "network_mode", "ebs_optimized", "start", "timeout", "retry_on_failure"];
pub(crate) const IMPORT: [&str; 1] = ["terminate_source"];
pub(crate) const EXPORT: [&str; 4] = ["instance_type", "delete_source", "ebs_volume_type", "ebs_iops"];

/// Reads options of which `own` are the names beside those that every migration takes.
pub(crate) fn read<T: DeserializeOwned>(options: &Map<String, Value>, own: &[&'static str]) -> Result<T, ControlError> {
    let known: Vec<&'static str> = own.iter().copied().chain(COMMON).chain(TRANSFER).collect();
    for key in options.keys() {
        if !known.contains(&key.as_str()) {
            let advice = match nearest(key, known.iter().copied()) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("There are: {}.", known.join(", ")),
            };
            return Err(ControlError::invalid("unknown_option", format!("there is no option `{key}`")).advice(advice));
        }
    }
    // One at a time, so that the message names the option.
    for (key, value) in options {
        let single = Map::from_iter([(key.clone(), value.clone())]);
        if let Err(error) = T::deserialize_value(Value::Object(single)) {
            return Err(ControlError::invalid("invalid_option", format!("option `{key}`: {error}")));
        }
    }
    T::deserialize_value(Value::Object(options.clone()))
        .map_err(|error| ControlError::invalid("invalid_option", error.to_string()))
}

trait FromValue: Sized {
    fn deserialize_value(value: Value) -> Result<Self, serde_json::Error>;
}

impl<T: DeserializeOwned> FromValue for T {
    fn deserialize_value(value: Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(value)
    }
}

/// The request's options over the configuration's, within their ranges.
pub(crate) fn transfer(options: &TransferOptions, defaults: &TransferOptions) -> Result<TransferOptions, ControlError> {
    let options = options.or(defaults);
    options.check().map_err(|message| ControlError::invalid("invalid_option", message))?;
    Ok(options)
}

pub(crate) fn check_timeout(timeout: Option<u64>) -> Result<(), ControlError> {
    const YEAR: u64 = 366 * 24 * 3600;
    match timeout {
        Some(0) => {
            Err(ControlError::invalid("invalid_option", "option `timeout`: 0 seconds leave no time for anything")
                .advice("Leave it out for no limit."))
        }
        Some(seconds) if seconds > YEAR => Err(ControlError::invalid(
            "invalid_option",
            format!("option `timeout`: {seconds} seconds are more than a year"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use novacron_types::{ExportOptions, ImportOptions, MigrationType};
    use serde_json::json;

    use super::*;

    fn import(options: Value) -> Result<ImportOptions, ControlError> {
        read(options.as_object().unwrap(), &IMPORT)
    }

    #[test]
    fn reads_the_documented_ones() {
        let options = import(json!({
            "terminate_source": false, "network_mode": "vpc", "ebs_optimized": true, "migration_type": "cold",
            "verify_integrity": true, "timeout": 3600, "retry_on_failure": true, "chunk_size_mb": 100,
        }))
        .unwrap();
        assert_eq!(options.migration_type, Some(MigrationType::Cold));
        assert_eq!(options.transfer.chunk_size_mb, Some(100));
        let options =
            json!({"instance_type": "t3.medium", "delete_source": false, "ebs_volume_type": "gp3", "ebs_iops": 3000});
        let options: ExportOptions = read(options.as_object().unwrap(), &EXPORT).unwrap();
        assert_eq!(options.ebs_iops, Some(3000));
    }

    #[test]
    fn names_what_is_wrong() {
        let error = import(json!({"terminate_sorce": true})).unwrap_err();
        assert_eq!(error.code, "unknown_option");
        assert_eq!(error.advice.as_deref(), Some("Did you mean `terminate_source`?"));
        assert!(import(json!({"timeout": "soon"})).unwrap_err().message.contains("`timeout`"));
        assert!(import(json!({"migration_type": "magic"})).unwrap_err().message.contains("`migration_type`"));
        assert!(
            transfer(&TransferOptions { parallel_transfers: Some(0), ..Default::default() }, &Default::default())
                .is_err()
        );
        assert!(check_timeout(Some(0)).is_err());
    }
}
