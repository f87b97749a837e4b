//! SHA-256, as AWS wants checksums, and names made from it.

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

pub fn sha256_base64(bytes: &[u8]) -> String {
    STANDARD.encode(sha256(bytes))
}

/// A name that is the same for the same parts, short enough for client tokens (64 characters) and image names.
pub fn stable_name(parts: &[&str]) -> String {
    let mut text = Vec::new();
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    let hex: String = sha256(&text)[..20].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("novacron-{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_sha256_that_everybody_knows() {
        assert_eq!(sha256_base64(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn names_are_short_stable_and_unambiguous() {
        let name = stable_name(&["run", &"x".repeat(255)]);
        assert!(name.len() <= 64 && name == stable_name(&["run", &"x".repeat(255)]));
        assert_ne!(stable_name(&["ab", "c"]), stable_name(&["a", "bc"]));
    }
}
