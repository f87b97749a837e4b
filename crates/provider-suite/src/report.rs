//! What came of each check.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    /// Why it does not apply.
    Skipped(String),
    /// As the harness had said.
    Deviates(String),
    Failed(String),
}

/// The outcomes, in the order of the checks.
#[derive(Debug, Clone, Default)]
pub struct Report {
    outcomes: Vec<(&'static str, Outcome)>,
}

impl Report {
    pub(crate) fn add(&mut self, check: &'static str, outcome: Outcome) {
        self.outcomes.push((check, outcome));
    }

    pub fn outcomes(&self) -> &[(&'static str, Outcome)] {
        &self.outcomes
    }

    pub fn passed(&self) -> usize {
        self.outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Passed).count()
    }

    pub fn has_failed(&self) -> bool {
        self.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
    }

    /// Prints the report, and panics if a check failed: for tests.
    #[track_caller]
    pub fn assert(&self) {
        println!("{self}");
        assert!(!self.has_failed(), "the provider does not keep the contract:\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (check, outcome) in &self.outcomes {
            match outcome {
                Outcome::Passed => writeln!(f, "passed    {check}")?,
                Outcome::Skipped(why) => writeln!(f, "skipped   {check}: {why}")?,
                Outcome::Deviates(why) => writeln!(f, "deviates  {check}: {why}")?,
                Outcome::Failed(why) => writeln!(f, "FAILED    {check}: {why}")?,
            }
        }
        Ok(())
    }
}
