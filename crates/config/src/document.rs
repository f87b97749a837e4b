//! The documentation of the keys, from the one table.

use crate::{
    keys::{FEDERATION, HOST, HOST_KINDS, PROVIDER, TOP, VIRTUAL_MACHINE},
    names::camel,
    providers::KindInfo,
    schema::{Effect, Key, Kind},
    sense,
};

/// How the names of keys are written.
type Case = fn(&str) -> String;

/// The keys as tables in Markdown. The keys of each kind of provider are listed for the kinds that are given.
pub fn markdown(kinds: &[KindInfo]) -> String {
    let mut text = String::new();
    let snake: Case = str::to_owned;
    table(&mut text, "Top level", TOP, snake);
    sections(&mut text, "", TOP, snake);
    table(&mut text, "Every provider's block", PROVIDER, snake);
    sections(&mut text, "*provider*", PROVIDER, snake);
    table(&mut text, &format!("Hosts of one's own: providers of kind `{}`", HOST_KINDS.join("`, `")), HOST, snake);
    sections(&mut text, "*host*", HOST, snake);
    for info in kinds {
        text.push_str(&format!("### Keys of kind `{}`\n\n| key | meaning |\n|---|---|\n", info.kind));
        for key in info.keys {
            let secret = if key.secret { " Secret: shown as `***`." } else { "" };
            text.push_str(&format!("| `{}` | {}{secret} |\n", key.name, cell(key.doc)));
        }
        text.push('\n');
    }
    table(&mut text, "The form `kind: FederationConfig`", FEDERATION, camel);
    if let Some(Key { kind: Kind::Block(metadata), .. }) = FEDERATION.iter().find(|key| key.name == "metadata") {
        table(&mut text, "`metadata`", metadata, camel);
    }
    table(&mut text, "The manifest `kind: VirtualMachine`", VIRTUAL_MACHINE, camel);
    sections(&mut text, "", VIRTUAL_MACHINE, camel);
    let [constraints, conditions] = sense::tables();
    comparisons(&mut text, "What a constraint may say", &constraints);
    comparisons(&mut text, "What a policy's condition may say", &conditions);
    text
}

fn comparisons(text: &mut String, title: &str, rows: &[[String; 3]]) {
    text.push_str(&format!("### {title}\n\n| type | operators | value |\n|---|---|---|\n"));
    for [word, operators, value] in rows {
        text.push_str(&format!("| {word} | {operators} | {value} |\n"));
    }
    text.push('\n');
}

fn sections(text: &mut String, path: &str, keys: &[Key], case: Case) {
    for key in keys {
        let name = case(key.name);
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        let (path, keys) = match key.kind {
            Kind::Block(keys) => (path, keys),
            Kind::List(Kind::Block(keys)) => (format!("{path}[]"), *keys),
            _ => continue,
        };
        table(text, &format!("`{path}`"), keys, case);
        sections(text, &path, keys, case);
    }
}

fn table(text: &mut String, title: &str, keys: &[Key], case: Case) {
    text.push_str(&format!("### {title}\n\n| key | type | default | meaning |\n|---|---|---|---|\n"));
    for key in keys {
        let mut doc = cell(key.doc);
        if !key.aliases.is_empty() {
            doc.push_str(&format!(" Also written `{}`.", key.aliases.join("`, `")));
        }
        if key.secret {
            doc.push_str(" Secret: shown as `***`.");
        }
        if key.effect == Effect::None {
            doc.push_str(" *Checked, without effect in this version.*");
        }
        let default = if key.required {
            "needed".to_owned()
        } else if key.default.is_empty() {
            "–".to_owned()
        } else if key.default.contains(' ') {
            key.default.to_owned()
        } else {
            format!("`{}`", key.default)
        };
        text.push_str(&format!("| `{}` | {} | {default} | {doc} |\n", case(key.name), cell(&key.kind.describe())));
    }
    text.push('\n');
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
