//! `*` and `?`, as filters, policies and faults use them.

/// Whether `text` is like `pattern`, where `*` stands for any text, `?` for any one letter, and `\` makes the
/// next letter stand for itself. Takes at most `pattern × text` steps.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    if !pattern.contains(['*', '?', '\\']) {
        return pattern == text;
    }
    let pattern = read(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Part::Star) => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(Part::Any) => (p, t) = (p + 1, t + 1),
            Some(Part::Is(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                (p, t) = (after_star, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|part| matches!(part, Part::Star))
}

enum Part {
    Star,
    Any,
    Is(char),
}

fn read(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(c) = letters.next() {
        parts.push(match c {
            '*' => Part::Star,
            '?' => Part::Any,
            '\\' => Part::Is(letters.next().unwrap_or('\\')),
            c => Part::Is(c),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::matches;
    use proptest::prelude::*;

    #[test]
    fn stars_and_question_marks() {
        for (p, t, is) in [
            ("web", "web", true),
            ("web", "webx", false),
            ("web*", "web-1", true),
            ("*-1", "web-1", true),
            ("w?b", "web", true),
            ("w?b", "wb", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxbxxa", false),
            ("*", "", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
        ] {
            assert_eq!(matches(p, t), is, "{p} {t}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_like_itself_with_stars_around(t in "[a-c*?]{0,12}", cut in 0usize..12) {
            let cut = cut.min(t.len());
            let escaped: String = t[cut..].chars().flat_map(|c| ['\\', c]).collect();
            let pattern = format!("*{escaped}");
            prop_assert!(matches(&pattern, &t));
        }
    }
}
