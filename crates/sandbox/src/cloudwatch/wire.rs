//! A value as it travels, in CBOR or in JSON.

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

/// How deep values may nest.
const DEPTH: usize = 32;

/// Elements of one list or map that room is reserved for before they are seen.
const TRUSTED: u64 = 1024;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Wire {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Seconds since the Unix epoch.
    Time(f64),
    List(Vec<Wire>),
    Map(Vec<(String, Wire)>),
}

impl Wire {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn map<'k>(fields: impl IntoIterator<Item = (&'k str, Self)>) -> Self {
        Self::Map(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
    }

    /// A field that is there and not null.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(fields) = self else { return None };
        fields.iter().find(|(k, _)| k == name).map(|(_, v)| v).filter(|v| **v != Self::Null)
    }

    /// The elements of a field that is a list; none if there is no such field.
    pub fn items(&self, name: &str) -> &[Self] {
        match self.get(name) {
            Some(Self::List(items)) => items,
            _ => &[],
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(n) => Some(*n as f64),
            Self::Float(n) | Self::Time(n) => Some(*n),
            _ => None,
        }
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map(from_value).map_err(|e| e.to_string())
    }

    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Bool(b) => (*b).into(),
            Self::Int(n) => (*n).into(),
            Self::Float(n) | Self::Time(n) => (*n).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(fields) => Value::Object(fields.iter().map(|(k, v)| (k.clone(), v.to_json())).collect()),
        }
    }

    pub fn from_cbor(bytes: &[u8]) -> Result<Self, String> {
        let mut decoder = Decoder::new(bytes);
        decode(&mut decoder, DEPTH).map_err(|e| e.to_string())
    }

    pub fn to_cbor(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(Vec::new());
        // Writing to a Vec cannot fail.
        let _ = encode(self, &mut encoder);
        encoder.into_writer()
    }
}

fn from_value(value: serde_json::Value) -> Wire {
    use serde_json::Value;
    match value {
        Value::Null => Wire::Null,
        Value::Bool(b) => Wire::Bool(b),
        Value::Number(n) => n.as_i64().map_or_else(|| Wire::Float(n.as_f64().unwrap_or(0.0)), Wire::Int),
        Value::String(text) => Wire::Text(text),
        Value::Array(items) => Wire::List(items.into_iter().map(from_value).collect()),
        Value::Object(fields) => Wire::Map(fields.into_iter().map(|(k, v)| (k, from_value(v))).collect()),
    }
}

type Failed = minicbor::decode::Error;

fn decode(d: &mut Decoder<'_>, depth: usize) -> Result<Wire, Failed> {
    let deeper = depth.checked_sub(1).ok_or_else(|| Failed::message("nested too deeply"))?;
    Ok(match d.datatype()? {
        Type::Null | Type::Undefined => {
            d.skip()?;
            Wire::Null
        }
        Type::Bool => Wire::Bool(d.bool()?),
        Type::F16 | Type::F32 | Type::F64 => Wire::Float(float(d)?),
        Type::String | Type::StringIndef => {
            let mut text = String::new();
            for piece in d.str_iter()? {
                text.push_str(piece?);
            }
            Wire::Text(text)
        }
        Type::Tag => {
            let tag = d.tag()?;
            match (tag == Tag::new(1), decode(d, deeper)?) {
                (true, time) => Wire::Time(time.as_number().ok_or_else(|| Failed::message("not a time"))?),
                (false, value) => value,
            }
        }
        Type::Array | Type::ArrayIndef => {
            let declared = d.array()?;
            let mut items = Vec::with_capacity(declared.unwrap_or(0).min(TRUSTED) as usize);
            while more(d, declared, items.len())? {
                items.push(decode(d, deeper)?);
            }
            Wire::List(items)
        }
        Type::Map | Type::MapIndef => {
            let declared = d.map()?;
            let mut fields = Vec::with_capacity(declared.unwrap_or(0).min(TRUSTED) as usize);
            while more(d, declared, fields.len())? {
                let Wire::Text(key) = decode(d, deeper)? else { return Err(Failed::message("a key is not text")) };
                fields.push((key, decode(d, deeper)?));
            }
            Wire::Map(fields)
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
            let n = i128::from(d.int()?);
            i64::try_from(n).map_or(Wire::Float(n as f64), Wire::Int)
        }
        other => return Err(Failed::message(format!("unexpected {other}"))),
    })
}

fn float(d: &mut Decoder<'_>) -> Result<f64, Failed> {
    match d.datatype()? {
        Type::F16 => d.f16().map(f64::from),
        Type::F32 => d.f32().map(f64::from),
        _ => d.f64(),
    }
}

/// Whether a list or map that was begun has another element; takes the end mark if it has none.
fn more(d: &mut Decoder<'_>, declared: Option<u64>, seen: usize) -> Result<bool, Failed> {
    match declared {
        Some(n) => Ok((seen as u64) < n),
        None if d.datatype()? == Type::Break => {
            d.skip()?;
            Ok(false)
        }
        None => Ok(true),
    }
}

fn encode(value: &Wire, e: &mut Encoder<Vec<u8>>) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
    match value {
        Wire::Null => e.null()?,
        Wire::Bool(b) => e.bool(*b)?,
        Wire::Int(n) => e.i64(*n)?,
        Wire::Float(n) => e.f64(*n)?,
        Wire::Text(text) => e.str(text)?,
        Wire::Time(seconds) => e.tag(Tag::new(1))?.f64(*seconds)?,
        Wire::List(items) => {
            e.array(items.len() as u64)?;
            for item in items {
                encode(item, e)?;
            }
            e
        }
        Wire::Map(fields) => {
            e.map(fields.len() as u64)?;
            for (key, value) in fields {
                e.str(key)?;
                encode(value, e)?;
            }
            e
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_wire() -> impl Strategy<Value = Wire> {
        let leaf = prop_oneof![
            Just(Wire::Null),
            any::<bool>().prop_map(Wire::Bool),
            any::<i64>().prop_map(Wire::Int),
            (-1e9..1e9).prop_map(Wire::Float),
            (0.0..2e9).prop_map(Wire::Time),
            ".{0,8}".prop_map(Wire::Text),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Wire::List),
                prop::collection::vec((".{0,4}", inner), 0..4).prop_map(Wire::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn cbor_brings_back_what_went_in(w in any_wire()) {
            prop_assert_eq!(Wire::from_cbor(&w.to_cbor()).unwrap(), w);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Wire::from_cbor(&bytes);
        }
    }

    #[test]
    fn indefinite_maps_and_small_floats_are_read() {
        // {_ "a": 1.0 (half), "b": [_ 1, 2]}
        let bytes = [0xbf, 0x61, b'a', 0xf9, 0x3c, 0x00, 0x61, b'b', 0x9f, 1, 2, 0xff, 0xff];
        let w = Wire::from_cbor(&bytes).unwrap();
        assert_eq!(w.get("a"), Some(&Wire::Float(1.0)));
        assert_eq!(w.items("b"), [Wire::Int(1), Wire::Int(2)]);
        assert!(Wire::from_cbor(&[0x81; 100]).is_err());
    }
}
