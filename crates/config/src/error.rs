//! What is wrong with a configuration, and where.

use std::fmt;

/// A place in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub line: u64,
    pub column: u64,
}

/// One thing that is wrong. The message never repeats a value that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Absent where it is about something that is not there, or about the file as a whole.
    pub place: Option<Place>,
    pub message: String,
}

/// A configuration that can't be used. It prints one line a fault: `file:line:column: what and what to do`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, or a word for where the text came from.
    pub file: String,
    pub faults: Vec<Fault>,
}

impl ConfigError {
    pub(crate) fn whole(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self { file: file.into(), faults: vec![Fault { place: None, message: message.into() }] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match fault.place {
                Some(place) => {
                    write!(f, "{}:{}:{}: {}", self.file, place.line, place.column, fault.message)?;
                }
                None => write!(f, "{}: {}", self.file, fault.message)?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Faults as they are found. There may be many in a file that was meant for another program, so it keeps the first, and
/// counts the others.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    kept: Vec<Fault>,
    more: usize,
}

const MOST: usize = 20;

impl Faults {
    pub(crate) fn at(&mut self, place: Place, message: impl Into<String>) {
        self.push(Fault { place: Some(place), message: message.into() });
    }

    pub(crate) fn add(&mut self, message: impl Into<String>) {
        self.push(Fault { place: None, message: message.into() });
    }

    pub(crate) fn push(&mut self, fault: Fault) {
        if self.kept.len() < MOST {
            self.kept.push(fault);
        } else {
            self.more += 1;
        }
    }

    pub(crate) fn append(&mut self, others: Self) {
        others.kept.into_iter().for_each(|fault| self.push(fault));
        self.more += others.more;
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len() + self.more
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(crate) fn into_error(mut self, file: &str) -> ConfigError {
        self.kept.sort_by_key(|fault| fault.place);
        if self.more > 0 {
            let message = format!("and {} more faults", self.more);
            self.kept.push(Fault { place: None, message });
        }
        ConfigError { file: file.to_owned(), faults: self.kept }
    }
}
