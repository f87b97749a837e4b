//! Plain values that were checked.

use serde_json::{Value, json};

use crate::node::{Node, Raw};

/// A value, and what may be shown of it.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub value: Value,
    pub shown: Value,
}

impl Checked {
    pub(crate) fn plain(value: Value) -> Self {
        Self { shown: value.clone(), value }
    }
}

/// A value without a form of its own, as it stands.
pub(crate) fn plain(node: &Node) -> Value {
    match &node.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => json!(value),
        Raw::Int(number) => match (i64::try_from(*number), u64::try_from(*number)) {
            (Ok(number), _) => json!(number),
            (_, Ok(number)) => json!(number),
            _ => json!(number.to_string()),
        },
        Raw::Float(number) => json!(number),
        Raw::Text(text) => json!(text.text),
        Raw::List(list) => Value::Array(list.iter().map(plain).collect()),
        Raw::Map(map) => Value::Object(map.iter().map(|(name, node)| (name.name.clone(), plain(node))).collect()),
    }
}

/// Takes out what lists hold in the place of what is wrong.
pub(crate) fn without_holes(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.retain(|item| !item.is_null());
            list.iter_mut().for_each(without_holes);
        }
        Value::Object(map) => map.values_mut().for_each(without_holes),
        _ => {}
    }
}
