//! What serde says of a value, for people.

/// Serde names what it expects as the program's own types: "expected u32".
pub fn in_words(message: &str) -> String {
    let words = |ty: &str| {
        let (low, high) = match ty {
            "u8" => (0, u128::from(u8::MAX)),
            "u16" => (0, u128::from(u16::MAX)),
            "u32" => (0, u128::from(u32::MAX)),
            "u64" | "usize" => (0, u128::from(u64::MAX)),
            "i32" => (i64::from(i32::MIN), i32::MAX as u128),
            "i64" => (i64::MIN, i64::MAX as u128),
            "f32" | "f64" => return Some("a number".to_owned()),
            _ => return None,
        };
        Some(format!("a whole number from {low} to {high}"))
    };
    let found =
        message.rsplit_once("expected ").and_then(|(before, ty)| Some(format!("{before}expected {}", words(ty)?)));
    found.unwrap_or_else(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_range() {
        let said = |message: String| in_words(&message);
        let error = serde_json::from_str::<Vec<u32>>("[-1]").unwrap_err().to_string();
        let error = error.split(" at line").next().unwrap().to_owned();
        assert_eq!(said(error), "invalid value: integer `-1`, expected a whole number from 0 to 4294967295");
        assert_eq!(said("expected f64".into()), "expected a number");
        assert_eq!(said("missing field `x`".into()), "missing field `x`");
        assert_eq!(said("expected a text".into()), "expected a text");
    }
}
