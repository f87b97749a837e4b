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

/// Faults as they are found. There may be many in a file that was meant for another program, so it keeps the first.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

const MOST: usize = 20;

impl Faults {
    pub(crate) fn at(&mut self, place: Place, message: impl Into<String>) {
        self.push(Some(place), message.into());
    }

    pub(crate) fn add(&mut self, message: impl Into<String>) {
        self.push(None, message.into());
    }

    fn push(&mut self, place: Option<Place>, message: String) {
        if self.0.len() < MOST {
            self.0.push(Fault { place, message });
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_error(mut self, file: &str) -> ConfigError {
        self.0.sort_by_key(|fault| fault.place);
        ConfigError { file: file.to_owned(), faults: self.0 }
    }
}
