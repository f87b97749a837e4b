//! A mover as a child process: started, started again when it dies, and gone when its parent is.

use std::{io::Read, path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    process::{Child, ChildStdin, Command},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{MoverClient, SILENCE};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A mover that lived for so long is started again without a longer pause.
const STEADY: Duration = Duration::from_secs(30);
/// How often one that has just been started is asked whether it is there.
const STARTING: Duration = Duration::from_millis(10);
const STARTUP: Duration = Duration::from_secs(10);
/// How long it may take to make safe what it moved, once its lifeline is cut.
const FAREWELL: Duration = Duration::from_secs(35);

/// What to start.
#[derive(Debug, Clone)]
pub struct ChildConfig {
    pub program: PathBuf,
    /// Everything that the program needs to become a mover that listens on `socket` and keeps a [`lifeline`].
    pub arguments: Vec<std::ffi::OsString>,
    pub socket: PathBuf,
    /// One that says nothing for so long hangs, and is killed.
    pub silence: Duration,
}

impl ChildConfig {
    pub fn new(program: impl Into<PathBuf>, arguments: Vec<std::ffi::OsString>, socket: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments, socket: socket.into(), silence: SILENCE }
    }
}

/// A mover process that is kept alive. Dropping it cuts the child's lifeline, upon which it stops by itself.
#[derive(Debug)]
pub struct MoverChild {
    client: MoverClient,
    stop: CancellationToken,
    tasks: TaskTracker,
    pid: watch::Receiver<Option<u32>>,
}

impl MoverChild {
    /// Starts it and waits until it answers.
    pub async fn start(config: ChildConfig) -> std::io::Result<Self> {
        let (lives, mut came_up) = watch::channel(0);
        let client = MoverClient::new(&config.socket).silence(config.silence);
        let first = spawn(&config)?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (pid_sender, pid) = watch::channel(first.child.id());
        tasks.spawn(keep_alive(config, client.clone(), first, stop.clone(), pid_sender, lives));
        tasks.close();
        let child = Self { client: client.restarted_by(came_up.clone()), stop, tasks, pid };
        let answered = tokio::time::timeout(STARTUP, came_up.wait_for(|lives| *lives > 0));
        match answered.await {
            Ok(Ok(_)) => Ok(child),
            _ => Err(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("the mover did not answer within {} s of its start", STARTUP.as_secs()),
            )),
        }
    }

    pub fn client(&self) -> MoverClient {
        self.client.clone()
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        *self.pid.borrow()
    }

    /// Stops it, and waits until it has made safe what it moved.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for MoverChild {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// For the child: returns when its parent has closed the other end of standard input, or has died.
///
/// A thread of its own waits for that, so that a mover which ends for another reason is not held up by it.
pub async fn lifeline() {
    let (cut, is_cut) = tokio::sync::oneshot::channel::<()>();
    let waiter = std::thread::Builder::new().name("lifeline".into()).spawn(move || {
        let mut input = std::io::stdin().lock();
        let mut buf = [0; 64];
        loop {
            match input.read(&mut buf) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        drop(cut);
    });
    if let Err(error) = waiter {
        tracing::error!(%error, "can't watch the lifeline, and so don't outlive the parent");
    }
    let _ = is_cut.await;
}

/// A child and the end of its lifeline, which is kept apart because to wait for a child closes its standard input.
struct Alive {
    child: Child,
    lifeline: Option<ChildStdin>,
}

fn spawn(config: &ChildConfig) -> std::io::Result<Alive> {
    let mut command = Command::new(&config.program);
    let mut child = command.args(&config.arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    Ok(Alive { lifeline: child.stdin.take(), child })
}

async fn keep_alive(
    config: ChildConfig,
    client: MoverClient,
    mut alive: Alive,
    stop: CancellationToken,
    pid: watch::Sender<Option<u32>>,
    lives: watch::Sender<u64>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let started = tokio::time::Instant::now();
        tokio::select! {
            status = alive.child.wait() => match status {
                Ok(status) => tracing::warn!(%status, "the mover ended; it is started again"),
                Err(error) => tracing::warn!(%error, "the mover can't be waited for; it is started again"),
            },
            () = hangs(&client, config.silence, &lives) => {
                tracing::error!("the mover hangs; it is killed and started again");
                if !matches!(tokio::time::timeout(FAREWELL, alive.child.kill()).await, Ok(Ok(()))) {
                    tracing::error!("the mover can't be killed");
                }
            }
            () = stop.cancelled() => return farewell(alive).await,
        }
        pid.send_replace(None);
        pause = if started.elapsed() > STEADY { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            match spawn(&config) {
                Ok(next) => {
                    pid.send_replace(next.child.id());
                    alive = next;
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, "the mover can't be started");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

/// Notes when the mover first answers. Returns once it has left several questions in a row unanswered, over as long as
/// it may be silent.
async fn hangs(client: &MoverClient, silence: Duration, lives: &watch::Sender<u64>) {
    const QUESTIONS: u32 = 6;
    let mut answered = false;
    let mut unanswered = 0;
    while unanswered < QUESTIONS {
        let period = tokio::time::sleep(silence / QUESTIONS);
        tokio::pin!(period);
        let answers = async {
            while client.ping().await.is_err() {
                tokio::time::sleep(STARTING).await;
            }
        };
        let answers = tokio::select! {
            () = answers => true,
            () = &mut period => false,
        };
        unanswered = if answers { 0 } else { unanswered + 1 };
        if answers && !answered {
            answered = true;
            lives.send_modify(|lives| *lives += 1);
        }
        if answers {
            period.await;
        }
    }
}

async fn farewell(Alive { mut child, lifeline }: Alive) {
    drop(lifeline);
    if tokio::time::timeout(FAREWELL, child.wait()).await.is_err() {
        tracing::warn!("the mover did not stop by itself");
        let _ = child.kill().await;
    }
}
