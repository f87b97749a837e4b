//! Where a text stands in a file of manifests: for errors of those who do not see the file.

use crate::{
    error::Place,
    node::{Node, Raw, read_all},
};

/// The keys whose value is this text, with where the value stands. Nothing where the file can't be read.
pub fn find_text(text: &str, wanted: &str) -> Vec<(String, Place)> {
    let mut found = Vec::new();
    for tree in read_all(text, "").unwrap_or_default() {
        look(&tree, "", wanted, &mut found);
    }
    found
}

fn look(node: &Node, path: &str, wanted: &str, found: &mut Vec<(String, Place)>) {
    match &node.value {
        Raw::Text(text) if text.source.is_none() && text.text.trim() == wanted => {
            found.push((path.to_owned(), node.place));
        }
        Raw::List(list) => {
            list.iter().enumerate().for_each(|(index, node)| look(node, &format!("{path}[{index}]"), wanted, found));
        }
        Raw::Map(map) => {
            for (name, node) in map {
                let path = if path.is_empty() { name.name.clone() } else { format!("{path}.{}", name.name) };
                look(node, &path, wanted, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::find_text;

    #[test]
    fn a_text_is_found_in_every_document() {
        let text = "a: {b: [x, us-eats]}\n---\nc: us-eats\nd: 5\n";
        let found: Vec<String> =
            find_text(text, "us-eats").iter().map(|(path, at)| format!("{}:{} {path}", at.line, at.column)).collect();
        assert_eq!(found, ["1:12 a.b[1]", "3:4 c"]);
        assert!(find_text("a: [", "x").is_empty());
    }
}
