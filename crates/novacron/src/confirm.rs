//! Plan before apply: asks a person on a terminal, and refuses elsewhere unless told `-y`.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::{
    exit::{Exit, Failure, Result},
    output::Output,
};

/// Returns if it may go on. The plan has been shown already.
pub async fn confirm(output: &Output, yes: bool, question: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::refused("nothing was done: there is no terminal to ask on")
            .hint("Add -y to go ahead, or --dry-run to only see the plan."));
    }
    let color = output.color;
    let (bold, plain) = if color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{bold}{question}{plain} Only `yes` goes on: ");
    let _ = stderr.flush();
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = tokio::select! {
        answer = answer => answer.ok().and_then(Result::ok).unwrap_or_default(),
        _ = tokio::signal::ctrl_c() => {
            return Err(Failure::new(Exit::Interrupted, "nothing was done"));
        }
    };
    match answer.trim() {
        "yes" | "y" | "Y" | "Yes" | "YES" => Ok(()),
        _ => Err(Failure::refused("nothing was done: the plan was not confirmed")),
    }
}
