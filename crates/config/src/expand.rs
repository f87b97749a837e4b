//! `${VAR}` and `${VAR:-default}` in texts that were already parsed, so that no value can change the document.

use crate::{
    error::Faults,
    node::{Node, Raw, Text, clip},
};

/// Reads an environment variable, or whatever stands for one.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

const MAX_EXPANDED: usize = 256 * 1024;

/// Fills in every text of the tree. Keys are left as they are.
pub(crate) fn expand(node: &mut Node, env: Env<'_>, faults: &mut Faults) {
    let mut budget = 4 * MAX_EXPANDED;
    walk(node, env, &mut budget, faults);
}

fn walk(node: &mut Node, env: Env<'_>, budget: &mut usize, faults: &mut Faults) {
    match &mut node.value {
        Raw::Text(text) => match fill(&text.text, env) {
            Ok(None) => {}
            Ok(Some(filled)) if filled.len() > (*budget).min(MAX_EXPANDED) => {
                faults.at(node.place, format!("`{}` gives more text than is allowed", clip(&text.text)));
            }
            Ok(Some(filled)) => {
                *budget -= filled.len();
                let source = std::mem::replace(&mut text.text, filled);
                *text = Text { text: std::mem::take(&mut text.text), source: Some(source) };
            }
            Err(message) => faults.at(node.place, message),
        },
        Raw::List(list) => list.iter_mut().for_each(|item| walk(item, env, budget, faults)),
        Raw::Map(map) => map.iter_mut().for_each(|(_, value)| walk(value, env, budget, faults)),
        Raw::Null | Raw::Bool(_) | Raw::Int(_) | Raw::Float(_) => {}
    }
}

/// `None`: there is nothing to fill in. `$${` stands for `${`; a `$` before anything else is itself.
fn fill(text: &str, env: Env<'_>) -> Result<Option<String>, String> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut filled = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            filled.push_str(&rest[..at]);
            filled.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        filled.push_str(&rest[..at]);
        let body = &rest[at + 2..];
        let end = body.find('}').ok_or_else(|| {
            format!("`{}` has a `${{` without its `}}`; write `$${{` for the characters themselves", clip(text))
        })?;
        filled.push_str(&variable(&body[..end], env)?);
        rest = &body[end + 1..];
    }
    filled.push_str(rest);
    Ok(Some(filled))
}

fn variable(body: &str, env: Env<'_>) -> Result<String, String> {
    let (name, default) = match body.split_once('-') {
        Some((name, default)) => (name, Some(default)),
        None => (body, None),
    };
    let (name, empty_is_unset) = match name.strip_suffix(':') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        || (empty_is_unset && default.is_none())
    {
        return Err(format!(
            "`${{{}}}` is not a variable; write `${{NAME}}` or `${{NAME:-default}}`, or `$${{` for the characters themselves",
            clip(body)
        ));
    }
    match (env(name), default) {
        (Some(value), Some(default)) if empty_is_unset && value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => {
            Err(format!("the environment variable `{name}` is not set; set it, or give a default: `${{{name}:-…}}`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "A" => Some("a: b\n- c ${B}".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn fills_in_once_and_only_what_it_should() {
        for (text, filled) in [
            ("${A}", "a: b\n- c ${B}"),
            ("x${EMPTY}y", "xy"),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY-d}", ""),
            ("${UNSET:-a-b:c}", "a-b:c"),
            ("${UNSET:-}", ""),
            ("$${A}", "${A}"),
            ("pa$$word ${EMPTY}", "pa$$word "),
        ] {
            assert_eq!(fill(text, &env).unwrap().as_deref(), Some(filled), "{text}");
        }
        assert_eq!(fill("a $b $", &env).unwrap(), None);
    }

    #[test]
    fn says_what_is_missing() {
        assert!(fill("${UNSET}", &env).unwrap_err().contains("`UNSET`"));
        for bad in ["${", "${A", "${}", "${1}", "${A:}", "${A B}", "${A:?x}"] {
            assert!(fill(bad, &env).is_err(), "{bad}");
        }
    }
}
