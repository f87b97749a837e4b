//! How a command ends: its exit code, and a message that says what happened, why, and what to do.

use std::{fmt, io, process::ExitCode};

/// Exit codes, a part of the interface: `novacron help exit-codes` and `docs/cli.md` list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// It failed, or a person is needed.
    Failed = 1,
    /// The command line, the configuration or an option is wrong.
    Usage = 2,
    /// What was asked for is so already.
    NothingToDo = 3,
    /// It can't be done as things stand; nothing was changed.
    Refused = 4,
    /// No server answers.
    Unreachable = 5,
    /// The migration failed and was undone.
    RolledBack = 6,
    /// The migration was cancelled and undone.
    Cancelled = 7,
    /// No place will do for a machine.
    Infeasible = 8,
    /// Ended by ctrl-C. A migration that was watched goes on.
    Interrupted = 130,
    /// The reader of standard output went away.
    BrokenPipe = 141,
}

/// What `novacron help exit-codes` prints.
pub const EXIT_CODES: &str = "  0    done
  1    failed, or a person is needed (the message says what for)
  2    the command line, the configuration or an option is wrong; nothing was changed
  3    nothing to do: what was asked for is so already
  4    refused: it can't be done as things stand (no such thing, conflict, missing permission,
       no plan confirmed); nothing was changed
  5    no server answers at the address
  6    the migration failed and was rolled back; nothing was left behind
  7    the migration was cancelled and undone; nothing was left behind
  8    infeasible: no place will do, and the answer says which rules to relax; nothing was changed
  130  interrupted by ctrl-C; a migration that was being watched goes on
  141  the reader of standard output went away";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// What happened.
    pub what: String,
    /// Why, where it adds something.
    pub why: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), why: None, hint: None }
    }

    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what)
    }

    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub fn refused(what: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what)
    }

    /// The same, where what was given is to blame.
    #[must_use]
    pub fn into_usage(self) -> Self {
        Self { exit: Exit::Usage, ..self }
    }

    #[must_use]
    pub fn why(mut self, why: impl fmt::Display) -> Self {
        let why = why.to_string();
        self.why = (!why.is_empty() && why != self.what).then_some(why);
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Nothing is said when the reader went away, or when the message has been given already.
    pub fn is_silent(&self) -> bool {
        self.exit == Exit::BrokenPipe || self.what.is_empty()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", indented(&self.what))?;
        if let Some(why) = &self.why {
            write!(f, "\n  why: {}", indented(why))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  try: {}", indented(hint))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::BrokenPipe, "the reader of standard output went away"),
            _ => Self::failed("cannot write the output").why(error),
        }
    }
}

/// Lines after the first stand under it. Control characters, which a terminal would obey, are shown as `?`.
fn indented(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' && c != '\t' { '?' } else { c };
    text.trim_end().chars().map(clean).collect::<String>().replace('\n', "\n       ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_why_and_what_to_do() {
        let failure = Failure::refused("cannot import i-1").why("it is gone").hint("novacron provider discover aws");
        assert_eq!(failure.to_string(), "cannot import i-1\n  why: it is gone\n  try: novacron provider discover aws");
    }

    #[test]
    fn a_message_cannot_drive_the_terminal() {
        assert_eq!(Failure::failed("a\u{1b}[2Jb").to_string(), "a?[2Jb");
    }

    #[test]
    fn every_code_is_documented() {
        for exit in [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::NothingToDo,
            Exit::Refused,
            Exit::Unreachable,
            Exit::RolledBack,
            Exit::Cancelled,
            Exit::Infeasible,
            Exit::Interrupted,
            Exit::BrokenPipe,
        ] {
            let code = format!("  {:<5}", exit as u8);
            assert!(EXIT_CODES.lines().any(|line| line.starts_with(&code)), "{code}");
        }
    }
}
