//! A CSV file with a header, held whole, and exact numbers out of it.

use std::{collections::HashMap, fs, path::Path};

pub struct Table {
    columns: HashMap<String, usize>,
    rows: Vec<Vec<String>>,
    name: String,
}

#[derive(Clone, Copy)]
pub struct Row<'a>(&'a Table, &'a [String]);

impl Table {
    pub fn open(folder: &Path, name: &str) -> Result<Self, String> {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut lines = text.lines();
        let header = split(lines.next().unwrap_or_default());
        let rows: Vec<_> = lines.filter(|line| !line.is_empty()).map(split).collect();
        if let Some(row) = rows.iter().position(|row| row.len() != header.len()) {
            return Err(format!("{name}: row {} has not as many fields as the header", row + 2));
        }
        let columns = header.into_iter().enumerate().map(|(i, column)| (column, i)).collect();
        Ok(Self { columns, rows, name: name.to_owned() })
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|row| Row(self, row))
    }
}

impl<'a> Row<'a> {
    pub fn text(self, column: &str) -> Result<&'a str, String> {
        let index = self.0.columns.get(column).ok_or_else(|| format!("{} has no column {column}", self.0.name))?;
        Ok(self.1[*index].as_str())
    }

    /// Empty is none.
    pub fn nanos(self, column: &str) -> Result<Option<u64>, String> {
        let text = self.text(column)?;
        if text.is_empty() { Ok(None) } else { scaled(text, 9).map(Some).map_err(|why| self.wrong(column, &why)) }
    }

    /// A decimal as an integer of 10^-`places`; empty is none.
    pub fn scaled(self, column: &str, places: usize) -> Result<Option<u64>, String> {
        let text = self.text(column)?;
        if text.is_empty() { Ok(None) } else { scaled(text, places).map(Some).map_err(|why| self.wrong(column, &why)) }
    }

    pub fn signed_micro(self, column: &str) -> Result<Option<i32>, String> {
        let text = self.text(column)?;
        if text.is_empty() {
            return Ok(None);
        }
        let size = scaled(text.trim_start_matches('-'), 6).map_err(|why| self.wrong(column, &why))?;
        let size = i32::try_from(size).map_err(|_| self.wrong(column, "too large"))?;
        Ok(Some(if text.starts_with('-') { -size } else { size }))
    }

    fn wrong(self, column: &str, why: &str) -> String {
        format!("{}: {column} is {:?}: {why}", self.0.name, self.text(column).unwrap_or_default())
    }
}

/// A plain decimal times ten to the `places`, without a float in between; digits beyond are rounded half to even.
pub fn scaled(text: &str, places: usize) -> Result<u64, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(format!("{text:?} is not a plain decimal"));
    }
    let kept = &fraction[..fraction.len().min(places)];
    let rest = fraction[kept.len()..].trim_end_matches('0');
    let value: u64 = format!("{whole}{kept:0<places$}").parse().map_err(|_| format!("{text:?} is too large"))?;
    let up = match rest.as_bytes() {
        [] | [b'0'..=b'4', ..] => false,
        [b'5'] => value % 2 == 1,
        _ => true,
    };
    Ok(value + u64::from(up))
}

fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                push(&mut fields, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => push(&mut fields, c),
        }
    }
    fields
}

fn push(fields: &mut [String], c: char) {
    if let Some(field) = fields.last_mut() {
        field.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact() {
        assert_eq!(scaled("0.0416", 9), Ok(41_600_000));
        assert_eq!(scaled("0.0083764275", 9), Ok(8_376_428)); // half to even
        assert_eq!(scaled("0.0083764265", 9), Ok(8_376_426));
        assert_eq!(scaled("0.00000000051", 9), Ok(1));
        assert_eq!(scaled("20", 9), Ok(20_000_000_000));
        for bad in ["", ".", "1e3", "-1", "NaN", "1,0", "99999999999999"] {
            assert!(scaled(bad, 9).is_err(), "{bad}");
        }
    }

    #[test]
    fn quotes() {
        assert_eq!(split(r#"a,"{""l4"": 1}","x, y","#), ["a", r#"{"l4": 1}"#, "x, y", ""]);
    }
}
