//! Columns as `kubectl` prints them: no borders, so that `awk` and `cut` work.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

/// A column of a table. A wide one is only shown with `-o wide`, and in CSV.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    pub wide: bool,
}

impl Column {
    pub const fn new(title: &'static str) -> Self {
        Self { title, wide: false }
    }
    pub const fn wide(title: &'static str) -> Self {
        Self { title, wide: true }
    }
}

const GAP: usize = 3;

/// A table that is written in pieces; the first piece sets the widths, which later ones only exceed.
pub struct Table {
    columns: &'static [Column],
    shown: Vec<usize>,
    widths: Option<Vec<usize>>,
}

impl Table {
    pub fn new(columns: &'static [Column], wide: bool) -> Self {
        let shown = (0..columns.len()).filter(|&i| wide || !columns[i].wide).collect();
        Self { columns, shown, widths: None }
    }

    pub fn write(&mut self, out: &mut impl Write, rows: &[Vec<String>]) -> io::Result<()> {
        let first = self.widths.is_none();
        let clean: Vec<Vec<String>> =
            rows.iter().map(|row| self.shown.iter().map(|&i| cell(row.get(i))).collect()).collect();
        let titles: Vec<&str> = self.shown.iter().map(|&i| self.columns[i].title).collect();
        let widths = self.widths.get_or_insert_with(|| titles.iter().map(|title| title.width()).collect());
        for row in &clean {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        if first {
            write_line(out, titles.iter().copied(), widths)?;
        }
        clean.iter().try_for_each(|row| write_line(out, row.iter().map(String::as_str), widths))
    }
}

/// One line, without control characters; what is empty shows as `-`.
fn cell(text: Option<&String>) -> String {
    match text.map(String::as_str) {
        None | Some("") => "-".to_owned(),
        Some(text) => plain(text),
    }
}

/// The text with its lines, doing nothing else to a terminal.
pub fn plain_lines(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', " ")
}

/// The text as one line that does nothing to a terminal.
pub fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn write_line<'a>(out: &mut impl Write, cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> io::Result<()> {
    let mut line = String::new();
    for (cell, width) in cells.zip(widths) {
        line.push_str(cell);
        line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + GAP));
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[Column::new("ID"), Column::wide("ZONE"), Column::new("NAME")];

    fn shown(wide: bool, pages: &[&[[&str; 3]]]) -> String {
        let mut table = Table::new(COLUMNS, wide);
        let mut out = Vec::new();
        for page in pages {
            let rows: Vec<Vec<String>> = page.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
            table.write(&mut out, &rows).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_up_and_hides_wide_columns() {
        assert_eq!(shown(false, &[&[["i-1", "z", "web"], ["i-22", "z", ""]]]), "ID     NAME\ni-1    web\ni-22   -\n");
        assert_eq!(shown(true, &[&[["i-1", "z", "web"]]]), "ID    ZONE   NAME\ni-1   z      web\n");
    }

    #[test]
    fn the_header_comes_once_and_wide_letters_count_double() {
        assert_eq!(shown(false, &[&[["日本", "", "a"]], &[["b", "", "c\nd"]]]), "ID     NAME\n日本   a\nb      c d\n");
    }
}
