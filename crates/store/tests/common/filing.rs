//! A workflow whose world is a folder, so that it outlives the processes that work in it.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use novacron_operations::{Outcome, Status, Step, StepContext, StepError, Submission, Workflow};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Filing {
    pub lines: u32,
    /// The last step fails, for good.
    pub fails: bool,
    pub token: Option<String>,
    pub written: u32,
}

pub struct FilingWorkflow(pub PathBuf);

impl Workflow for FilingWorkflow {
    type State = Filing;
    const KIND: &'static str = "filing";

    fn steps(&self, _params: &Filing) -> Vec<Box<dyn Step<Filing>>> {
        let names = ["token", "create", "write", "publish"];
        names.map(|name| Box::new(Action { name, folder: self.0.clone() }) as Box<dyn Step<_>>).into()
    }
}

pub fn filing(subject: &str, lines: u32, fails: bool) -> Submission<Filing> {
    let mut submission = Submission::new(subject, Filing { lines, fails, token: None, written: 0 });
    submission.exclusive = vec![format!("subject/{subject}")];
    submission
}

/// What is wrong with a file that should be whole.
pub fn check_file(path: &Path, lines: u32) -> Option<String> {
    let expected: String = (0..lines).map(|line| format!("{line}\n")).collect();
    match fs::read_to_string(path) {
        Ok(text) if text == expected => None,
        Ok(text) => Some(format!("{} has {} bytes, not {}", path.display(), text.len(), expected.len())),
        Err(error) => Some(format!("{}: {error}", path.display())),
    }
}

struct Action {
    name: &'static str,
    folder: PathBuf,
}

#[async_trait]
impl Step<Filing> for Action {
    fn name(&self) -> &'static str {
        self.name
    }
    fn status(&self) -> Status {
        if self.name == "publish" { Status::Finalizing } else { Status::Transferring }
    }

    async fn run(&self, cx: &StepContext, state: &mut Filing) -> Result<Outcome, StepError> {
        if self.name == "token" {
            // Another one each time that it runs: what was made under a lost one would be left over.
            state.token = Some(format!("{}-{}", cx.operation_id(), cx.generation()));
            return Ok(Outcome::Done);
        }
        let draft = self.path(state, "draft");
        match self.name {
            "create" => {
                fs::OpenOptions::new().append(true).create(true).open(&draft).map_err(failed)?;
            }
            "write" => {
                while state.written < state.lines {
                    self.line(&draft, state.written).map_err(failed)?;
                    state.written += 1;
                    cx.progress(f64::from(state.written) / f64::from(state.lines));
                    cx.save(state).await?;
                }
            }
            _ if state.fails => return Err(StepError::permanent("refused", "it was to fail")),
            _ => {
                let path = self.path(state, "txt");
                if !path.exists() {
                    fs::rename(&draft, path).map_err(failed)?;
                }
            }
        }
        Ok(Outcome::Done)
    }

    async fn undo(&self, _cx: &StepContext, state: &mut Filing) -> Result<(), StepError> {
        if state.token.is_some() && self.name == "create" {
            for ending in ["draft", "txt"] {
                match fs::remove_file(self.path(state, ending)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Action {
    fn path(&self, state: &Filing, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", state.token.as_deref().unwrap_or("none")))
    }

    /// Writes one line where it belongs, whether or not it was written before. A killed process loses nothing that it
    /// wrote, so nothing is forced to the disk.
    fn line(&self, draft: &Path, number: u32) -> io::Result<()> {
        let text = fs::read_to_string(draft)?;
        let whole: usize = text.split_inclusive('\n').take(number as usize).map(str::len).sum();
        let mut file = fs::OpenOptions::new().write(true).open(draft)?;
        file.set_len(whole as u64)?;
        io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
        file.write_all(format!("{number}\n").as_bytes())
    }
}

fn failed(error: io::Error) -> StepError {
    StepError::transient("io", error.to_string())
}
