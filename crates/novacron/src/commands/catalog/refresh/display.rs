//! What is said of a refresh while it runs, and at its end.

use novacron_catalog::refresh::SourceResult;
use novacron_types::ProviderKind;
use serde::Serialize;

use crate::{
    exit::Result,
    output::{Column, ListPrinter, Output, Row, human},
};

/// Says at once what became of a source: people get a line each, and the table when all is done; a program gets its row.
pub(super) struct Display<'a> {
    output: &'a Output,
    printer: ListPrinter<SourceRow>,
    rows: Vec<SourceRow>,
}

impl<'a> Display<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        Self { output, printer: output.list(), rows: Vec::new() }
    }

    pub(super) fn one(&mut self, result: &SourceResult) -> Result<()> {
        match &result.outcome {
            Ok(report) => self.output.note(report),
            Err(error) => self.output.note(format_args!("{}: its prices are those of before: {error}", result.kind)),
        }
        let row = SourceRow::new(result);
        if self.output.for_people() {
            self.rows.push(row);
            return Ok(());
        }
        self.printer.page(&[row])
    }

    /// `order` is that of the table, by name.
    pub(super) fn end(mut self, order: &[&str]) -> Result<()> {
        self.rows.sort_by_key(|row| order.iter().position(|name| *name == row.source));
        if !self.rows.is_empty() {
            self.printer.page(&self.rows)?;
        }
        self.printer.end()
    }
}

/// What became of one source.
#[derive(Debug, Serialize)]
struct SourceRow {
    source: &'static str,
    kind: ProviderKind,
    /// `refreshed`, or `kept`: the prices of before.
    outcome: &'static str,
    changed: usize,
    confirmed: usize,
    added: usize,
    removed: usize,
    kept: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl SourceRow {
    fn new(result: &SourceResult) -> Self {
        let row = |outcome| Self {
            source: result.source,
            kind: result.kind,
            outcome,
            changed: 0,
            confirmed: 0,
            added: 0,
            removed: 0,
            kept: 0,
            error: None,
        };
        match &result.outcome {
            Ok(report) => Self {
                changed: report.changed,
                confirmed: report.confirmed,
                added: report.added,
                removed: report.removed,
                kept: report.kept,
                ..row("refreshed")
            },
            Err(error) => Self { error: Some(error.to_string()), ..row("kept") },
        }
    }
}

impl Row for SourceRow {
    fn columns() -> &'static [Column] {
        const COLUMNS: &[Column] = &[
            Column::new("SOURCE"),
            Column::new("CLOUD"),
            Column::new("PRICES"),
            Column::new("CHANGED"),
            Column::new("CONFIRMED"),
            Column::new("NEW"),
            Column::new("GONE"),
            Column::new("KEPT"),
            Column::new("WHY"),
        ];
        COLUMNS
    }
    fn cells(&self) -> Vec<String> {
        let count = |n: usize| human::thousands(n as u128);
        vec![
            self.source.to_owned(),
            self.kind.to_string(),
            self.outcome.to_owned(),
            count(self.changed),
            count(self.confirmed),
            count(self.added),
            count(self.removed),
            count(self.kept),
            self.error.clone().unwrap_or_default(),
        ]
    }
}
