//! Metrics as text: OpenMetrics as it is written, or the older format that every tool reads.

use std::collections::BTreeSet;

pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
pub const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One exposition out of several.
pub fn join(parts: &[String]) -> String {
    let mut text = String::new();
    for part in parts {
        text.push_str(part.trim_end().trim_end_matches("# EOF").trim_end());
        text.push('\n');
    }
    text.push_str("# EOF\n");
    text
}

/// OpenMetrics names a counter without the `_total` of its samples; the older format names it with it.
pub fn to_prometheus(openmetrics: &str) -> String {
    let counters: BTreeSet<&str> =
        openmetrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(openmetrics.len());
    for line in openmetrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("EOF" | "UNIT"), ..) => continue,
            (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(name), rest) => {
                let suffix = if counters.contains(name) { "_total" } else { "" };
                text.push_str(&format!("# {what} {name}{suffix} {}\n", rest.unwrap_or_default()));
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_their_samples() {
        let part = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"1\"} 2\n# EOF\n".to_owned();
        let gauge = "# HELP g G.\n# TYPE g gauge\n# UNIT g seconds\ng 1\n# EOF\n".to_owned();
        let joined = join(&[part, gauge]);
        assert_eq!(joined.matches("# EOF").count(), 1);
        assert_eq!(
            to_prometheus(&joined),
            "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{x=\"1\"} 2\n# HELP g G.\n# TYPE g gauge\ng 1\n"
        );
    }
}
