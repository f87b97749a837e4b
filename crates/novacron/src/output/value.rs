//! Data for programs: JSON, YAML and CSV.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::{Column, plain};

pub fn json(out: &mut impl Write, value: &Value) -> io::Result<()> {
    writeln!(out, "{}", escaped(&serde_json::to_string_pretty(value)?))
}

/// The same JSON without characters that a terminal would obey: those that JSON lets stand in a text (DEL and U+0080 to U+009F).
fn escaped(json: &str) -> std::borrow::Cow<'_, str> {
    let obeyed = |c: char| c.is_control() && c != '\n';
    if !json.contains(obeyed) {
        return json.into();
    }
    let written = |c: char| if obeyed(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    json.chars().map(written).collect()
}

/// Some elements of an array that [`super::ListPrinter::end`] closes.
pub fn json_elements<T: Serialize>(out: &mut impl Write, items: &[T], mut first: bool) -> io::Result<()> {
    for item in items {
        let text = serde_json::to_string_pretty(item)?;
        let open = if std::mem::take(&mut first) { "[\n  " } else { ",\n  " };
        write!(out, "{open}{}", escaped(&text).replace('\n', "\n  "))?;
    }
    Ok(())
}

pub fn yaml(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
    writeln!(out, "{}", text.trim_end())
}

/// Some elements of a sequence.
pub fn yaml_elements<T: Serialize>(out: &mut impl Write, items: &[T]) -> io::Result<()> {
    if items.is_empty() { Ok(()) } else { yaml(out, &items) }
}

pub fn csv_rows(
    out: &mut impl Write,
    header: Option<&[Column]>,
    rows: impl Iterator<Item = Vec<String>>,
) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    if let Some(columns) = header {
        let titles = columns.iter().map(|column| column.title.to_lowercase().replace(' ', "_"));
        writer.write_record(titles).map_err(io_error)?;
    }
    for row in rows {
        writer.write_record(row.iter().map(|cell| plain(cell))).map_err(io_error)?;
    }
    writer.flush()
}

/// One thing as two columns: its leaves by their paths.
pub fn csv_pairs(out: &mut impl Write, value: &Value) -> io::Result<()> {
    let mut leaves = Vec::new();
    collect("", value, &mut leaves);
    csv_rows(out, Some(&[Column::new("key"), Column::new("value")]), leaves.into_iter())
}

fn collect(path: &str, value: &Value, leaves: &mut Vec<Vec<String>>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| collect(&join(key), value, leaves)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| collect(&join(&i.to_string()), value, leaves));
        }
        Value::Null => leaves.push(vec![path.to_owned(), String::new()]),
        Value::String(text) => leaves.push(vec![path.to_owned(), text.clone()]),
        other => leaves.push(vec![path.to_owned(), other.to_string()]),
    }
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn pages_of_json_join_to_one_array() {
        let out = text(|out| {
            json_elements(out, &[json!({"a": 1}), json!(2)], true)?;
            json_elements(out, &[json!("three\nlines")], false)?;
            writeln!(out, "\n]")
        });
        assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), json!([{"a": 1}, 2, "three\nlines"]));
    }

    #[test]
    fn no_format_drives_the_terminal() {
        let driving: String = (0..=0x9f).filter_map(char::from_u32).filter(|c| c.is_control()).collect();
        let value = json!({ (driving.clone()): [format!("é{driving}日")] });
        let out = text(|out| json(out, &value)) + &text(|out| json_elements(out, &[&value], true)) + "]";
        assert!(!out.contains(|c: char| c.is_control() && c != '\n'), "{out:?}");
        let mut back = serde_json::Deserializer::from_str(&out).into_iter::<Value>();
        assert_eq!(back.next().unwrap().unwrap(), value);
        assert_eq!(back.next().unwrap().unwrap(), json!([value]));
        let out = text(|out| yaml(out, &value));
        assert!(!out.contains(|c: char| c.is_control() && c != '\n'), "{out:?}");
        assert_eq!(serde_saphyr::from_str::<Value>(&out).unwrap(), value);
    }

    #[test]
    fn pages_of_yaml_join_to_one_sequence() {
        let out = text(|out| {
            yaml_elements(out, &[json!({"a": "yes", "b": [1, {"c": null}]})])?;
            yaml_elements(out, &[json!({"a": "2: x"})])
        });
        let back: Value = serde_saphyr::from_str(&out).unwrap();
        assert_eq!(back, json!([{"a": "yes", "b": [1, {"c": null}]}, {"a": "2: x"}]), "{out}");
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let columns = [Column::new("ID"), Column::new("PRIVATE IP")];
        let rows = vec![vec!["a,b".to_owned(), "say \"x\"".to_owned()]];
        assert_eq!(
            text(|out| csv_rows(out, Some(&columns), rows.into_iter())),
            "id,private_ip\n\"a,b\",\"say \"\"x\"\"\"\n"
        );
        let rows = vec![vec!["\u{1b}[2Jx\u{9b}1m".to_owned(), "two\nlines".to_owned()]];
        assert_eq!(text(|out| csv_rows(out, None, rows.into_iter())), " [2Jx 1m,two lines\n");
        assert_eq!(text(|out| csv_pairs(out, &json!({"\u{7}": "\u{8}"}))), "key,value\n , \n");
        assert_eq!(text(|out| csv_pairs(out, &json!({"a": {"b": [1, "x"]}}))), "key,value\na.b.0,1\na.b.1,x\n");
    }
}
