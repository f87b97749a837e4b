//! What a machine may be named.

/// The rule of [`is_machine_name`], behind "expected".
pub const MACHINE_NAME: &str = "at most 128 letters, digits, `-`, `_` and `.`, the first a letter or digit";

/// Whether a machine can be declared under this name. Letters are those of ASCII: names go into tags and host names. None has a
/// colon, so that names with one are the program's own.
pub fn is_machine_name(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "web-1", "9.of_us", &"x".repeat(128)] {
            assert!(is_machine_name(good), "{good}");
        }
        for bad in ["", "-a", ".a", "a b", "plan:1", "a/b", "caf\u{e9}", "a\u{1b}[2J", &"x".repeat(129)] {
            assert!(!is_machine_name(bad), "{bad:?}");
        }
    }
}
