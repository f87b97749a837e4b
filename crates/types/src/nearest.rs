//! Help with words that are not known.

/// The known word that `word` was probably meant to be, if one is near enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A longer one is near to nothing, and would take its time.
    let word: String = word.chars().take(64).collect();
    known
        .into_iter()
        .map(|near| (strsim::damerau_levenshtein(&word, near), near))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, near)| *distance <= 1 + near.len() / 4)
        .map(|(_, near)| near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["aws", "azure", "terminate_source", "timeout"];
        for (word, meant) in [
            ("asw", Some("aws")),
            ("tiemout", Some("timeout")),
            ("terminate_sorce", Some("terminate_source")),
            ("nothing-like-it", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(1_000_000), known), None);
        assert_eq!(nearest("x", []), None);
    }
}
