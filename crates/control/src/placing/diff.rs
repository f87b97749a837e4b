//! What a manifest changes, field by field.

use novacron_types::placement::FieldChange;
use serde_json::Value;

/// From `old` to `new`, in the order of the paths. Lists are one value each.
pub(super) fn diff(old: &Value, new: &Value) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    walk(String::new(), Some(old), Some(new), &mut changes);
    changes
}

fn walk(path: String, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<FieldChange>) {
    match (old, new) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(path, a.get(key), b.get(key), changes);
            }
        }
        (old, new) if old == new => {}
        (old, new) => changes.push(FieldChange { path, old: old.cloned(), new: new.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_changed_and_nothing_else() {
        let old = json!({ "spec": { "cpu": 2, "labels": { "a": "1" }, "list": [1, 2] }, "gone": true });
        let new = json!({ "spec": { "cpu": 4, "labels": { "a": "1", "b": "2" }, "list": [1, 2] } });
        let paths: Vec<_> = diff(&old, &new).into_iter().map(|c| (c.path, c.old, c.new)).collect();
        assert_eq!(
            paths,
            [
                ("gone".to_owned(), Some(json!(true)), None),
                ("spec.cpu".to_owned(), Some(json!(2)), Some(json!(4))),
                ("spec.labels.b".to_owned(), None, Some(json!("2"))),
            ]
        );
        assert!(diff(&new, &new).is_empty());
    }
}
