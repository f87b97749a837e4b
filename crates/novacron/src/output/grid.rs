//! Small tables inside a longer text: figures to the right, words to the left.

use unicode_width::UnicodeWidthStr;

/// Columns whose titles begin with `>` stand to the right; what is empty shows as `-`.
pub struct Grid {
    titles: Vec<String>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub fn new(titles: &[&str]) -> Self {
        Self {
            titles: titles.iter().map(|title| title.trim_start_matches('>').to_owned()).collect(),
            right: titles.iter().map(|title| title.starts_with('>')).collect(),
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: Vec<String>) -> &mut Self {
        let clean = |cell: String| -> String {
            if cell.is_empty() {
                "-".to_owned()
            } else {
                cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
            }
        };
        self.rows.push(cells.into_iter().map(clean).collect());
        self
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Every line with two blanks before it.
    pub fn text(&self) -> String {
        let width = |i: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(i)).chain(self.titles.get(i));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.titles.len()).map(width).collect();
        let line = |cells: &[String]| {
            let mut line = String::from("  ");
            for ((cell, width), right) in cells.iter().zip(&widths).zip(&self.right) {
                let pad = " ".repeat(width.saturating_sub(cell.width()));
                if *right {
                    line.extend([pad.as_str(), cell])
                } else {
                    line.extend([cell, pad.as_str()])
                }
                line.push_str("   ");
            }
            format!("{}\n", line.trim_end())
        };
        let titled = self.titles.iter().any(|title| !title.is_empty());
        let head = if titled { line(&self.titles) } else { String::new() };
        head + &self.rows.iter().map(|row| line(row)).collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_to_the_right() {
        let mut grid = Grid::new(&["PLACE", ">USD", "WHY"]);
        grid.row(vec!["aws".into(), "10.5".into(), "a\nb".into()]).row(vec!["日本".into(), "1".into(), String::new()]);
        assert_eq!(grid.text(), "  PLACE    USD   WHY\n  aws     10.5   a b\n  日本       1   -\n");
        assert!(Grid::new(&["A"]).is_empty());
    }
}
