//! What a command prints: data on standard output in the format that was asked for, everything else on standard
//! error.

pub mod decision;
pub mod detail;
pub mod grid;
pub mod human;
pub mod plans;
pub mod rows;
mod table;
mod value;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use serde_json::Value;

pub use table::{Column, Table, plain, plain_lines};

use crate::exit::{Failure, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// More columns for people.
    Wide,
    /// What the API answered.
    Json,
    Yaml,
    /// All columns, with a header, as RFC 4180 says.
    Csv,
}

/// Where to print, and how.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub format: Format,
    pub quiet: bool,
    pub color: bool,
}

/// A thing that can be shown as a row.
pub trait Row: Serialize {
    fn columns() -> &'static [Column];
    /// One cell for each column.
    fn cells(&self) -> Vec<String>;
}

impl Output {
    pub fn new(format: Format, quiet: bool, no_color: bool) -> Self {
        let wanted = !no_color && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { format, quiet, color: wanted && !dumb && io::stdout().is_terminal() }
    }

    /// Whether the output is for people, not for a program.
    pub fn for_people(&self) -> bool {
        matches!(self.format, Format::Table | Format::Wide)
    }

    /// Says something on standard error, unless quiet.
    pub fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            let _ = writeln!(io::stderr().lock(), "{}", plain_lines(&text.to_string()));
        }
    }

    /// Prints a list page by page as it arrives: memory is bounded by a page.
    pub fn list<T: Row>(&self) -> ListPrinter<T> {
        ListPrinter::new(*self)
    }

    /// Prints a whole list.
    pub fn rows<T: Row>(&self, items: &[T]) -> Result<()> {
        let mut printer = self.list();
        printer.page(items)?;
        printer.end()
    }

    /// Prints one thing; for people, as `text` says.
    pub fn one(&self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        let stdout = &mut io::stdout().lock();
        match self.format {
            Format::Table | Format::Wide => writeln!(stdout, "{}", plain_lines(text().trim_end()))?,
            Format::Json => value::json(stdout, &to_value(value)?)?,
            Format::Yaml => value::yaml(stdout, &to_value(value)?)?,
            Format::Csv => value::csv_pairs(stdout, &to_value(value)?)?,
        }
        Ok(stdout.flush()?)
    }
}

fn to_value(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Failure::failed("cannot show the answer").why(error))
}

/// Prints a list in pages.
pub struct ListPrinter<T> {
    output: Output,
    table: Option<Table>,
    printed: u64,
    of: std::marker::PhantomData<T>,
}

impl<T: Row> ListPrinter<T> {
    fn new(output: Output) -> Self {
        Self { output, table: None, printed: 0, of: std::marker::PhantomData }
    }

    pub fn page(&mut self, items: &[T]) -> Result<()> {
        let stdout = &mut io::BufWriter::new(io::stdout().lock());
        match self.output.format {
            Format::Table | Format::Wide if !items.is_empty() => {
                let wide = self.output.format == Format::Wide;
                let table = self.table.get_or_insert_with(|| Table::new(T::columns(), wide));
                let rows: Vec<Vec<String>> = items.iter().map(Row::cells).collect();
                table.write(stdout, &rows)?;
            }
            Format::Table | Format::Wide => {}
            Format::Json => value::json_elements(stdout, items, self.printed == 0)?,
            Format::Yaml => value::yaml_elements(stdout, items)?,
            Format::Csv => {
                let header = (self.printed == 0).then(T::columns);
                value::csv_rows(stdout, header, items.iter().map(Row::cells))?;
            }
        }
        self.printed += items.len() as u64;
        Ok(stdout.flush()?)
    }

    /// Ends the list. An empty one is said to be empty on standard error.
    pub fn end(self) -> Result<()> {
        let stdout = &mut io::stdout().lock();
        match (self.output.format, self.printed) {
            (Format::Json, 0) => writeln!(stdout, "[]")?,
            (Format::Json, _) => writeln!(stdout, "\n]")?,
            (Format::Yaml, 0) => writeln!(stdout, "[]")?,
            (Format::Csv, 0) => value::csv_rows(stdout, Some(T::columns()), std::iter::empty())?,
            (Format::Table | Format::Wide, 0) => self.output.note("None."),
            _ => {}
        }
        Ok(stdout.flush()?)
    }

    pub fn printed(&self) -> u64 {
        self.printed
    }
}
