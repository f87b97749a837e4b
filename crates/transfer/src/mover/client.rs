//! The control plane's side.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    net::{UnixStream, unix::OwnedWriteHalf},
    sync::{mpsc, oneshot, watch},
};

use super::{
    FromMover, JobFault, JobReport, JobSpec, SILENCE, ToMover,
    frame::{self, FrameError},
};
use crate::engine::Progress;

#[derive(Debug, thiserror::Error)]
pub enum MoverError {
    #[error("can't reach the mover at {}: {source}", path.display())]
    Unreachable { path: PathBuf, source: std::io::Error },
    /// The job is not finished; starting it again goes on from the ledger.
    #[error("the connection to the mover was lost: {0}")]
    Lost(String),
    #[error("{0}")]
    Job(JobFault),
}

impl MoverError {
    /// Whether asking again may help with nobody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost(_) => true,
            Self::Job(fault) => fault.is_transient(),
        }
    }
}

/// Talks to the mover that listens on a socket. It holds no connection; each request makes its own.
#[derive(Debug, Clone)]
pub struct MoverClient {
    path: PathBuf,
    silence: Duration,
    /// Counts how often the mover has come up, where somebody starts it again.
    lives: Option<watch::Receiver<u64>>,
}

/// A mover that died comes back within this, or keeps dying.
const COMES_BACK: Duration = Duration::from_secs(15);

impl MoverClient {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), silence: SILENCE, lives: None }
    }

    /// Takes a mover that says nothing for so long, instead of [`SILENCE`], for one that hangs.
    #[must_use]
    pub fn silence(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// The count is raised each time that the mover, having been started again, answers.
    pub(super) fn restarted_by(self, lives: watch::Receiver<u64>) -> Self {
        Self { lives: Some(lives), ..self }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The mover's version, if it answers.
    pub async fn ping(&self) -> Result<String, MoverError> {
        match self.ask(ToMover::Ping).await? {
            FromMover::Pong { version } => Ok(version),
            other => Err(unexpected(&other)),
        }
    }

    /// Removes a ledger that will not be needed again. Where the mover has died and is started again, it waits for that.
    pub async fn forget(&self, ledger_key: &str) -> Result<(), MoverError> {
        let mut lives = self.lives.clone();
        lives.iter_mut().for_each(watch::Receiver::mark_unchanged);
        let first = self.forget_now(ledger_key).await;
        let gone = matches!(first, Err(MoverError::Unreachable { .. } | MoverError::Lost(_)));
        let Some(mut lives) = lives.filter(|_| gone) else { return first };
        match tokio::time::timeout(COMES_BACK, lives.changed()).await {
            Ok(Ok(())) => self.forget_now(ledger_key).await,
            _ => first,
        }
    }

    async fn forget_now(&self, ledger_key: &str) -> Result<(), MoverError> {
        match self.ask(ToMover::Forget { ledger_key: ledger_key.into() }).await? {
            FromMover::Forgotten => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Starts a job. Dropping the handle stops it; what it moved stays in its ledger.
    pub async fn start(&self, job: JobSpec) -> Result<JobHandle, MoverError> {
        let mut stream = self.connect().await?;
        self.heard(frame::write(&mut stream, &ToMover::Start(Box::new(job)))).await?;
        let (progress_sender, progress) = watch::channel(Progress::default());
        let (commands, command_queue) = mpsc::channel(16);
        let (done_sender, done) = oneshot::channel();
        let client = self.clone();
        tokio::spawn(async move {
            let result = client.follow(stream, command_queue, &progress_sender).await;
            let _ = done_sender.send(result);
        });
        Ok(JobHandle { progress, commands, done })
    }

    async fn ask(&self, question: ToMover) -> Result<FromMover, MoverError> {
        let mut stream = self.connect().await?;
        self.heard(frame::write(&mut stream, &question)).await?;
        loop {
            match self.heard(frame::read(&mut stream)).await? {
                Some(FromMover::Progress(_)) => {}
                Some(FromMover::Failed(fault)) => return Err(MoverError::Job(fault)),
                Some(answer) => return Ok(answer),
                None => return Err(MoverError::Lost("it was closed without an answer".into())),
            }
        }
    }

    async fn connect(&self) -> Result<UnixStream, MoverError> {
        UnixStream::connect(&self.path)
            .await
            .map_err(|source| MoverError::Unreachable { path: self.path.clone(), source })
    }

    /// Passes commands on and progress back until the job ends, or nobody holds the job any more.
    async fn follow(
        self,
        stream: UnixStream,
        mut commands: mpsc::Receiver<ToMover>,
        progress: &watch::Sender<Progress>,
    ) -> Result<JobReport, MoverError> {
        let (mut from, mut to) = stream.into_split();
        let read = async {
            loop {
                match self.heard(frame::read(&mut from)).await? {
                    Some(FromMover::Progress(now)) => {
                        progress.send_replace(now);
                    }
                    Some(FromMover::Done(report)) => return Ok(*report),
                    Some(FromMover::Failed(fault)) => return Err(MoverError::Job(fault)),
                    Some(other) => return Err(unexpected(&other)),
                    None => return Err(MoverError::Lost("it was closed before the job's end".into())),
                }
            }
        };
        tokio::select! {
            result = read => result,
            result = pass_on(&mut commands, &mut to) => Err(result),
        }
    }

    /// Waits for the mover, no longer than it may be silent.
    ///
    /// In parts, so that a process which was itself stopped for a while does not take that for the mover's silence.
    async fn heard<T>(&self, work: impl Future<Output = Result<T, FrameError>>) -> Result<T, MoverError> {
        const PARTS: u32 = 10;
        tokio::pin!(work);
        for _ in 0..PARTS {
            if let Ok(result) = tokio::time::timeout(self.silence / PARTS, &mut work).await {
                return result.map_err(lost);
            }
        }
        Err(MoverError::Lost(format!("the mover has been silent for {} s", self.silence.as_secs_f64())))
    }
}

/// A job that runs in a mover.
#[derive(Debug)]
pub struct JobHandle {
    progress: watch::Receiver<Progress>,
    commands: mpsc::Sender<ToMover>,
    done: oneshot::Receiver<Result<JobReport, MoverError>>,
}

impl JobHandle {
    /// The newest progress, and each next one.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Steers the job from somewhere else while [`done`](Self::done) is awaited.
    pub fn controls(&self) -> mpsc::Sender<ToMover> {
        self.commands.clone()
    }

    /// Waits for the job's end. Dropping the future before that stops the job.
    pub async fn done(self) -> Result<JobReport, MoverError> {
        // Held until the end: the job stops when nobody is left who could steer it.
        let _commands = self.commands;
        self.done.await.unwrap_or_else(|_| Err(MoverError::Lost("the task that followed it ended".into())))
    }
}

async fn pass_on(commands: &mut mpsc::Receiver<ToMover>, to: &mut OwnedWriteHalf) -> MoverError {
    while let Some(command) = commands.recv().await {
        if let Err(error) = frame::write(to, &command).await {
            return lost(error);
        }
    }
    MoverError::Lost("nobody waits for the job any more".into())
}

fn lost(error: FrameError) -> MoverError {
    MoverError::Lost(error.to_string())
}

fn unexpected(answer: &FromMover) -> MoverError {
    let name = match answer {
        FromMover::Progress(_) => "progress",
        FromMover::Done(_) => "done",
        FromMover::Failed(_) => "failed",
        FromMover::Forgotten => "forgotten",
        FromMover::Pong { .. } => "pong",
    };
    MoverError::Lost(format!("an answer `{name}` that was not asked for"))
}
