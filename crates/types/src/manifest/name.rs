//! What a machine may be named.

/// The rule of [`is_machine_name`], behind "expected".
pub const MACHINE_NAME: &str = "at most 128 letters, digits, `-`, `_` and `.`, the first a letter or digit";

/// The most that a name may have.
pub const MOST_CHARACTERS: usize = 128;

/// What one of several machines is named that are declared under one name.
pub fn replica_name(name: &str, index: impl std::fmt::Display) -> String {
    format!("{name}-{index}")
}

/// Whether a machine can be declared under this name. Letters are those of ASCII: names go into tags and host names. None has a
/// colon, so that names with one are the program's own.
pub fn is_machine_name(name: &str) -> bool {
    name.len() <= MOST_CHARACTERS
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
