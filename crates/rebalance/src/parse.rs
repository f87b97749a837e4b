//! The challenge's text format: whole numbers with white space between them, and nothing else.
//!
//! No number is trusted as a size: a list is refused if what is left of the text can't hold it, before any room is
//! made for it. What is read holds together only after [`crate::Problem::new`].

use crate::model::{Assignment, Balance, Machine, Model, Process, Resource, Service, Weights};
use crate::problem::limits;
use thiserror::Error;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}, column {column}: {kind}; expected {expected}")]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
    pub kind: ParseErrorKind,
    /// What should stand there, by name.
    pub expected: String,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParseErrorKind {
    #[error("the text ends")]
    End,
    #[error("{0:?} is not a whole number from 0 to 4294967295")]
    NotANumber(String),
    #[error("{0} is too many")]
    TooMany(u32),
    #[error("{count} is more than the rest of the text can hold")]
    Unheld { count: u32 },
    #[error("{0} is out of range")]
    Range(u32),
    #[error("the text goes on")]
    Trailing,
}

/// Reads a model.
pub fn parse_model(text: &[u8]) -> Result<Model, ParseError> {
    let s = &mut Scanner { text, at: 0, start: 0 };
    let resources = s.list("the number of resources", limits::RESOURCES, 2, |s, _| {
        let transient = s.below(2, "0 or 1: whether the resource is transient")? == 1;
        Ok(Resource { transient, load_weight: s.number("a load weight")? })
    })?;
    let kinds = resources.len();
    let count = s.count("the number of machines", limits::MACHINES, 2 + 2 * kinds)?;
    s.holds(count.saturating_mul(count))?;
    let mut machine_move_cost = Vec::with_capacity(count * count);
    let mut machines = Vec::with_capacity(count);
    for _ in 0..count {
        machines.push(Machine {
            neighbourhood: s.number("a machine's neighbourhood")?,
            location: s.number("a machine's location")?,
            capacity: s.numbers(kinds, "a machine's capacity")?,
            safety: s.numbers(kinds, "a machine's safety capacity")?,
        });
        for _ in 0..count {
            machine_move_cost.push(s.number("a move cost from machine to machine")?);
        }
    }
    let services = s.list("the number of services", limits::SERVICES, 2, |s, count| {
        let spread = s.number("a service's least number of locations")?;
        let depends_on = s.list("the number of services it depends on", limits::SERVICES, 1, |s, _| {
            s.below(count, "a service that it depends on")
        })?;
        Ok(Service { spread, depends_on })
    })?;
    let processes = s.list("the number of processes", limits::PROCESSES, 2 + kinds, |s, _| {
        Ok(Process {
            service: s.below(services.len(), "a process's service")?,
            needs: s.numbers(kinds, "a process's need")?,
            move_cost: s.number("a process's move cost")?,
            cost_class: 0,
        })
    })?;
    let balances = s.list("the number of balances", limits::BALANCES, 4, |s, _| {
        Ok(Balance {
            first: s.below(kinds, "a balance's first resource")?,
            second: s.below(kinds, "a balance's second resource")?,
            target: s.number("a balance's target")?,
            weight: s.number("a balance's weight")?,
        })
    })?;
    let weights = Weights {
        process_move: s.number("the weight of process moves")?,
        service_move: s.number("the weight of service moves")?,
        machine_move: s.number("the weight of machine moves")?,
    };
    s.end()?;
    Ok(Model {
        resources,
        machines,
        machine_move_cost,
        services,
        processes,
        balances,
        weights,
        placement_costs: Vec::new(),
    })
}

/// Reads an assignment for `model`: one machine a process.
pub fn parse_assignment(text: &[u8], model: &Model) -> Result<Assignment, ParseError> {
    let s = &mut Scanner { text, at: 0, start: 0 };
    let assignment = (0..model.processes.len())
        .map(|_| s.below(model.machines.len(), "the machine of a process"))
        .collect::<Result<_, _>>()?;
    s.end()?;
    Ok(assignment)
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the last number began, for errors.
    start: usize,
}

impl Scanner<'_> {
    fn number(&mut self, expected: &str) -> Result<u32, ParseError> {
        self.skip();
        let digits = self.text[self.at..].iter().take_while(|b| !b.is_ascii_whitespace()).count();
        let word = &self.text[self.at..self.at + digits];
        if word.is_empty() {
            return Err(self.error(ParseErrorKind::End, expected));
        }
        let mut value = Some(0u32);
        for &b in word {
            value = value
                .filter(|_| b.is_ascii_digit())
                .and_then(|v| v.checked_mul(10))
                .and_then(|v| v.checked_add(u32::from(b.wrapping_sub(b'0'))));
        }
        let Some(value) = value else {
            let shown = String::from_utf8_lossy(&word[..digits.min(24)]).into_owned();
            return Err(self.error(ParseErrorKind::NotANumber(shown), expected));
        };
        self.at += digits;
        Ok(value)
    }

    fn below(&mut self, count: usize, expected: &str) -> Result<u32, ParseError> {
        let value = self.number(expected)?;
        if (value as usize) < count {
            return Ok(value);
        }
        let expected = format!("{expected} (there are {count}, counted from 0)");
        Err(self.error(ParseErrorKind::Range(value), &expected))
    }

    fn numbers(&mut self, count: usize, expected: &str) -> Result<Vec<u32>, ParseError> {
        (0..count).map(|_| self.number(expected)).collect()
    }

    /// A size of at most `limit` entries, each of at least `width` numbers, that the rest of the text can hold.
    fn count(&mut self, expected: &str, limit: usize, width: usize) -> Result<usize, ParseError> {
        let count = self.number(expected)?;
        if count as usize > limit {
            return Err(self.error(ParseErrorKind::TooMany(count), &format!("{expected}, at most {limit}")));
        }
        self.holds((count as usize).saturating_mul(width))
            .map_err(|_| self.error(ParseErrorKind::Unheld { count }, expected))?;
        Ok(count as usize)
    }

    /// Whether the rest of the text has room for so many numbers.
    fn holds(&self, numbers: usize) -> Result<(), ParseError> {
        // A number and what parts it from the next take two bytes at least.
        if numbers > (self.text.len() - self.at).div_ceil(2) {
            let count = u32::try_from(numbers).unwrap_or(u32::MAX);
            return Err(self.error(ParseErrorKind::Unheld { count }, "a longer text"));
        }
        Ok(())
    }

    fn list<T>(
        &mut self,
        expected: &str,
        limit: usize,
        width: usize,
        mut entry: impl FnMut(&mut Self, usize) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        let count = self.count(expected, limit, width)?;
        (0..count).map(|_| entry(self, count)).collect()
    }

    fn end(&mut self) -> Result<(), ParseError> {
        self.skip();
        if self.at == self.text.len() { Ok(()) } else { Err(self.error(ParseErrorKind::Trailing, "nothing more")) }
    }

    fn skip(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.start = self.at;
    }

    fn error(&self, kind: ParseErrorKind, expected: &str) -> ParseError {
        let before = &self.text[..self.start];
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&b| b != b'\n').count() + 1;
        ParseError { line, column, kind, expected: expected.to_owned() }
    }
}
