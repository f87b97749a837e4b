//! Writing XML the way the Query protocols answer. Only what the answers need: elements and text.

use std::fmt::{Display, Write};

/// An XML document under construction.
#[derive(Debug, Default)]
pub(crate) struct Xml {
    buf: String,
}

impl Xml {
    pub fn document() -> Self {
        Self { buf: String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n") }
    }

    /// A piece to be put into a document with [`Xml::raw`].
    pub fn fragment() -> Self {
        Self::default()
    }

    pub fn into_string(self) -> String {
        self.buf
    }

    pub fn raw(&mut self, xml: &str) {
        self.buf.push_str(xml);
    }

    /// `<tag>value</tag>`.
    pub fn el(&mut self, tag: &str, value: impl Display) {
        self.open(tag);
        // Writing to a String cannot fail.
        let _ = write!(Escaping(&mut self.buf), "{value}");
        self.close(tag);
    }

    /// `<tag>value</tag>`, or nothing.
    pub fn opt(&mut self, tag: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.el(tag, value);
        }
    }

    pub fn wrap(&mut self, tag: &str, inside: impl FnOnce(&mut Self)) {
        self.open(tag);
        inside(self);
        self.close(tag);
    }

    /// `<tag><item>…</item><item>…</item></tag>`, the list of the EC2 protocol; empty lists are written too.
    pub fn list<T>(&mut self, tag: &str, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.open(tag);
        for item in items {
            self.open("item");
            each(self, item);
            self.close("item");
        }
        self.close(tag);
    }

    fn open(&mut self, tag: &str) {
        self.buf.push('<');
        self.buf.push_str(tag);
        self.buf.push('>');
    }

    fn close(&mut self, tag: &str) {
        self.buf.push_str("</");
        self.buf.push_str(tag);
        self.buf.push('>');
    }
}

struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                // An XML 1.0 parser turns a bare carriage return into a newline.
                '\r' => self.0.push_str("&#13;"),
                '\t' | '\n' => self.0.push(c),
                // XML 1.0 has no way to write these at all.
                c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_lists_nest() {
        let mut x = Xml::fragment();
        x.list("tagSet", [("a<b", "x&\"y\"\r\u{1}")], |x, (k, v)| {
            x.el("key", k);
            x.el("value", v);
        });
        assert_eq!(
            x.into_string(),
            "<tagSet><item><key>a&lt;b</key><value>x&amp;&quot;y&quot;&#13;\u{fffd}</value></item></tagSet>"
        );
    }
}
