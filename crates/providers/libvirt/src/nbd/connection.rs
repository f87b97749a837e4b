//! One connection: agreed on once, then many requests at a time, answered in any order.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use novacron_provider::{Buf, ErrorKind, ProviderError, Result};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpStream, UnixStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::wire::{self, Abilities, Broken, Choice, Command, Info, Reply};
use crate::{fault::unavailable, xml::Server};

/// A server that has not answered a request for so long is given up.
const REQUEST_LIMIT: Duration = Duration::from_secs(120);
/// Requests that wait to be sent. The engine bounds how many bytes are in flight.
const QUEUE: usize = 64;
/// What the protocol guarantees without being asked.
const DEFAULT_MAXIMUM: u32 = 32 << 20;

type Input = Box<dyn AsyncRead + Send + Unpin>;
type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// What was agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Export {
    pub size: u64,
    pub abilities: Abilities,
    pub minimum: u32,
    pub maximum: u32,
    /// The id of the context that was asked for.
    pub context: Option<u32>,
}

pub struct Connection {
    pub export: Export,
    requests: mpsc::Sender<Outgoing>,
    shared: Arc<Shared>,
    cookie: AtomicU64,
    receiver: JoinHandle<()>,
}

/// A request, and the buffer that goes with a write and comes back.
struct Outgoing {
    header: [u8; 28],
    payload: Option<(Buf, oneshot::Sender<Buf>)>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    requests: HashMap<u64, Pending>,
    /// Why the connection can't be used any more.
    dead: Option<String>,
}

struct Pending {
    answer: oneshot::Sender<Result<Answer>>,
    kind: Expected,
    /// The error of an earlier chunk of the same answer.
    error: Option<ProviderError>,
}

enum Expected {
    Data { buf: Buf, offset: u64, filled: u64 },
    Status { context: u32, runs: Vec<(u64, u32)> },
    Nothing,
}

enum Answer {
    Data(Buf),
    Status(Vec<(u64, u32)>),
    Nothing,
}

impl Connection {
    /// Connects, and agrees on the export and, if one is wanted, a metadata context.
    pub async fn open(server: &Server, export: &str, context: Option<&str>) -> Result<Self> {
        let (mut input, mut output) = connect(server).await?;
        let export = agree(&mut input, &mut output, export, context).await?;
        let shared = Arc::new(Shared::default());
        let (requests, queue) = mpsc::channel(QUEUE);
        tokio::spawn(send(output, queue, shared.clone()));
        let receiver = tokio::spawn(receive(input, shared.clone()));
        Ok(Self { export, requests, shared, cookie: AtomicU64::new(1), receiver })
    }

    pub fn is_dead(&self) -> bool {
        self.shared.lock().dead.is_some()
    }

    pub async fn read(&self, offset: u64, buf: Buf) -> Result<Buf> {
        let len = length(buf.len() as u64)?;
        let kind = Expected::Data { buf, offset, filled: 0 };
        match self.ask(Command::Read, offset, len, kind, None).await? {
            (Answer::Data(buf), _) => Ok(buf),
            _ => Err(broken(Broken("it answered a read without data"))),
        }
    }

    pub async fn write(&self, offset: u64, buf: Buf) -> Result<Buf> {
        let len = length(buf.len() as u64)?;
        let (_, buf) = self.ask(Command::Write, offset, len, Expected::Nothing, Some(buf)).await?;
        buf.ok_or_else(|| unavailable("NBD", "the connection was lost while it was written to"))
    }

    pub async fn zero(&self, offset: u64, len: u64) -> Result<()> {
        self.ask(Command::WriteZeroes, offset, length(len)?, Expected::Nothing, None).await.map(drop)
    }

    pub async fn flush(&self) -> Result<()> {
        self.ask(Command::Flush, 0, 0, Expected::Nothing, None).await.map(drop)
    }

    /// Runs of the context that was agreed on, from `offset` on. At least one; the last may end beyond.
    pub async fn status(&self, offset: u64, len: u64) -> Result<Vec<(u64, u32)>> {
        let context = self.export.context.ok_or_else(|| broken(Broken("no context was agreed on")))?;
        let kind = Expected::Status { context, runs: Vec::new() };
        match self.ask(Command::BlockStatus, offset, length(len)?, kind, None).await? {
            (Answer::Status(runs), _) if !runs.is_empty() => Ok(runs),
            _ => Err(broken(Broken("it told no status"))),
        }
    }

    async fn ask(
        &self,
        command: Command,
        offset: u64,
        len: u32,
        kind: Expected,
        payload: Option<Buf>,
    ) -> Result<(Answer, Option<Buf>)> {
        let cookie = self.cookie.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.shared.lock().add(cookie, Pending { answer, kind, error: None })?;
        let (payload, returned) = match payload {
            Some(buf) => {
                let (back, returned) = oneshot::channel();
                (Some((buf, back)), Some(returned))
            }
            None => (None, None),
        };
        let header = wire::request(command, cookie, offset, len);
        let exchange = async {
            let lost = || self.shared.lost();
            self.requests.send(Outgoing { header, payload }).await.map_err(|_| lost())?;
            let answer = answered.await.map_err(|_| lost())??;
            let buf = match returned {
                Some(returned) => returned.await.ok(),
                None => None,
            };
            Ok((answer, buf))
        };
        match tokio::time::timeout(REQUEST_LIMIT, exchange).await {
            Ok(result) => result,
            Err(_) => {
                let why = format!("the NBD server gave no answer in {} s", REQUEST_LIMIT.as_secs());
                self.shared.end(&why);
                self.receiver.abort();
                Err(unavailable("NBD", why))
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The sender ends with its queue, and says goodbye; the server then closes, but is not waited for.
        self.receiver.abort();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails all that wait, and all that will ask.
    fn end(&self, why: &str) {
        let mut waiting = self.lock();
        waiting.dead.get_or_insert_with(|| why.to_owned());
        waiting.requests.clear();
    }

    fn lost(&self) -> ProviderError {
        let why = self.lock().dead.clone();
        unavailable("NBD", why.unwrap_or_else(|| "the connection was lost".to_owned()))
    }
}

impl Waiting {
    fn add(&mut self, cookie: u64, pending: Pending) -> Result<()> {
        if let Some(why) = &self.dead {
            return Err(unavailable("NBD", why.clone()));
        }
        self.requests.insert(cookie, pending);
        Ok(())
    }
}

async fn connect(server: &Server) -> Result<(Input, Output)> {
    let fail = |what: String, error: std::io::Error| {
        let fault = ProviderError::from_io("NBD", what, &error);
        // A server that is not there yet, or any more, may be there later.
        let kind = if fault.kind == ErrorKind::Unauthorised { fault.kind } else { ErrorKind::Unavailable };
        ProviderError { kind, ..fault }
    };
    match server {
        Server::Unix { path } => {
            let stream = UnixStream::connect(path).await.map_err(|error| {
                let fault = fail(path.clone(), error);
                match fault.kind {
                    ErrorKind::Unauthorised => fault.advice(
                        "Run the mover as root, or as a user in the group that QEMU runs as (Debian and Ubuntu: kvm).",
                    ),
                    _ => fault,
                }
            })?;
            let (input, output) = stream.into_split();
            Ok((Box::new(BufReader::with_capacity(64 << 10, input)), Box::new(output)))
        }
        Server::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port))
                .await
                .map_err(|error| fail(format!("{host}:{port}"), error))?;
            // Requests are small, and each is waited for.
            stream.set_nodelay(true).map_err(|error| fail(format!("{host}:{port}"), error))?;
            let (input, output) = stream.into_split();
            Ok((Box::new(BufReader::with_capacity(64 << 10, input)), Box::new(output)))
        }
    }
}

async fn agree(input: &mut Input, output: &mut Output, name: &str, context: Option<&str>) -> Result<Export> {
    let mut greeting = [0; 18];
    input.read_exact(&mut greeting).await.map_err(lost)?;
    let flags = wire::greeting(&greeting).map_err(broken)?;
    if flags & wire::FIXED == 0 {
        return Err(broken(Broken("it is too old")));
    }
    let ours = u32::from(flags & (wire::FIXED | wire::NO_ZEROES));
    output.write_all(&ours.to_be_bytes()).await.map_err(lost)?;

    let mut found = None;
    if let Some(context) = context {
        option(input, output, Choice::StructuredReply, &[], |_, _| Ok(())).await?;
        let data = wire::set_meta_context(name, context);
        option(input, output, Choice::SetMetaContext, &data, |kind, data| {
            if kind == 4 {
                found = Some(wire::meta_context(data)?);
            }
            Ok(())
        })
        .await?;
        if found.is_none() {
            let message = format!("the NBD server has no context {context:?} for {name:?}");
            return Err(ProviderError::new(ErrorKind::Conflict, "NBD", message));
        }
    }
    let mut export = None;
    let mut sizes = (1, DEFAULT_MAXIMUM);
    option(input, output, Choice::Go, &wire::go(name), |kind, data| {
        if kind == 3 {
            match wire::info(data)? {
                Info::Export { size, abilities } => export = Some((size, abilities)),
                Info::BlockSize { minimum, maximum } => sizes = (minimum, maximum.min(DEFAULT_MAXIMUM)),
                Info::Other => {}
            }
        }
        Ok(())
    })
    .await?;
    let (size, abilities) = export.ok_or_else(|| broken(Broken("it does not tell the export's size")))?;
    if size > i64::MAX as u64 {
        return Err(broken(Broken("the export's size makes no sense")));
    }
    Ok(Export { size, abilities, minimum: sizes.0, maximum: sizes.1, context: found })
}

/// Sends an option and reads the answers to it, up to the one that ends them.
async fn option(
    input: &mut Input,
    output: &mut Output,
    choice: Choice,
    data: &[u8],
    mut each: impl FnMut(u32, &[u8]) -> Result<(), Broken>,
) -> Result<()> {
    const ACK: u32 = 1;
    const ERROR: u32 = 1 << 31;
    const UNKNOWN: u32 = ERROR | 6;
    output.write_all(&wire::option(choice, data)).await.map_err(lost)?;
    // No server has more to say than this.
    for _ in 0..64 {
        let mut head = [0; 20];
        input.read_exact(&mut head).await.map_err(lost)?;
        let (kind, len) = wire::option_reply(choice, &head).map_err(broken)?;
        let mut data = vec![0; len as usize];
        input.read_exact(&mut data).await.map_err(lost)?;
        match kind {
            ACK => return Ok(()),
            kind if kind & ERROR != 0 => {
                let words = String::from_utf8_lossy(&data);
                let kind = if kind == UNKNOWN { ErrorKind::NotFound } else { ErrorKind::Invalid };
                return Err(ProviderError::new(kind, "NBD", format!("the server refuses {choice:?}: {words}")));
            }
            kind => each(kind, &data).map_err(broken)?,
        }
    }
    Err(broken(Broken("it does not come to an end with its answers")))
}

/// Sends requests in their order until there are no more to come.
async fn send(mut output: Output, mut queue: mpsc::Receiver<Outgoing>, shared: Arc<Shared>) {
    while let Some(Outgoing { header, payload }) = queue.recv().await {
        let mut sent = output.write_all(&header).await;
        if let Some((buf, back)) = payload {
            if sent.is_ok() {
                sent = output.write_all(&buf).await;
            }
            // Nobody takes it back from a call that was given up.
            let _ = back.send(buf);
        }
        if let Err(error) = sent {
            return shared.end(&format!("the NBD connection was lost: {error}"));
        }
    }
    let goodbye = wire::request(Command::Disconnect, 0, 0, 0);
    let _ = output.write_all(&goodbye).await;
    let _ = output.shutdown().await;
}

async fn receive(mut input: Input, shared: Arc<Shared>) {
    loop {
        if let Err(error) = receive_one(&mut input, &shared).await {
            return shared.end(&error.message);
        }
    }
}

/// Reads one answer, or one chunk of one, into what waits for it.
async fn receive_one(input: &mut Input, shared: &Shared) -> Result<()> {
    let mut head = [0; 16];
    input.read_exact(&mut head).await.map_err(lost)?;
    match wire::reply(&head).map_err(broken)? {
        Reply::Simple { cookie, error } => {
            let mut pending = take(shared, cookie)?;
            if error != 0 {
                pending.error = Some(failed(error, ""));
            } else if let Expected::Data { buf, filled, .. } = &mut pending.kind {
                input.read_exact(buf).await.map_err(lost)?;
                *filled = buf.len() as u64;
            }
            finish(pending);
            Ok(())
        }
        Reply::Chunk { cookie, done, kind } => {
            let mut pending = take(shared, cookie)?;
            let len = input.read_u32().await.map_err(lost)?;
            chunk(input, &mut pending, kind, len).await?;
            if done {
                finish(pending);
            } else {
                shared.lock().requests.insert(cookie, pending);
            }
            Ok(())
        }
    }
}

fn take(shared: &Shared, cookie: u64) -> Result<Pending> {
    let pending = shared.lock().requests.remove(&cookie);
    pending.ok_or_else(|| broken(Broken("it answers a request that was not made")))
}

async fn chunk(input: &mut Input, pending: &mut Pending, kind: u16, len: u32) -> Result<()> {
    if kind == wire::CHUNK_DATA {
        let at = input.read_u64().await.map_err(lost)?;
        let len = u64::from(len).checked_sub(8).ok_or_else(|| broken(Broken("a chunk is too short")))?;
        let part = part(pending, at, len)?;
        input.read_exact(part).await.map_err(lost)?;
        return Ok(());
    }
    if len > wire::CHUNK_LIMIT {
        return Err(broken(Broken("a chunk is too long")));
    }
    let mut data = vec![0; len as usize];
    input.read_exact(&mut data).await.map_err(lost)?;
    match kind {
        wire::CHUNK_NONE => {}
        wire::CHUNK_HOLE => {
            let (at, len) = wire::hole(&data).map_err(broken)?;
            part(pending, at, len)?.fill(0);
        }
        wire::CHUNK_STATUS => match &mut pending.kind {
            Expected::Status { context, runs } => runs.extend(wire::status(&data, *context).map_err(broken)?),
            _ => return Err(broken(Broken("it tells a status that was not asked for"))),
        },
        kind if wire::is_error(kind) => {
            let (number, words) = wire::error(&data).map_err(broken)?;
            pending.error.get_or_insert_with(|| failed(number, &words));
        }
        _ => return Err(broken(Broken("it sends a chunk of an unknown kind"))),
    }
    Ok(())
}

/// The part of a read's buffer that a chunk fills. Parts do not overlap, so that their sum tells when all is there.
fn part(pending: &mut Pending, at: u64, len: u64) -> Result<&mut [u8]> {
    let out = || broken(Broken("it sends data that was not asked for"));
    let Expected::Data { buf, offset, filled } = &mut pending.kind else {
        return Err(out());
    };
    let start = at.checked_sub(*offset).ok_or_else(out)?;
    let end = start.checked_add(len).filter(|end| *end <= buf.len() as u64).ok_or_else(out)?;
    *filled += len;
    Ok(&mut buf[start as usize..end as usize])
}

fn finish(pending: Pending) {
    let answer = match (pending.error, pending.kind) {
        (Some(error), _) => Err(error),
        (None, Expected::Data { buf, filled, .. }) if filled == buf.len() as u64 => Ok(Answer::Data(buf)),
        (None, Expected::Data { .. }) => Err(broken(Broken("it sent less, or more, than was asked for"))),
        (None, Expected::Status { runs, .. }) => Ok(Answer::Status(runs)),
        (None, Expected::Nothing) => Ok(Answer::Nothing),
    };
    // Nobody waits for a call that was given up.
    let _ = pending.answer.send(answer);
}

fn length(len: u64) -> Result<u32> {
    u32::try_from(len).map_err(|_| ProviderError::new(ErrorKind::Invalid, "NBD", "the request is too long"))
}

fn lost(error: std::io::Error) -> ProviderError {
    unavailable("NBD", format!("the connection was lost: {error}"))
}

fn broken(broken: Broken) -> ProviderError {
    unavailable("NBD", broken.to_string())
}

/// The protocol's error numbers are those of Linux.
fn failed(number: u32, words: &str) -> ProviderError {
    let (kind, name) = match number {
        1 => (ErrorKind::Unauthorised, "not permitted"),
        12 => (ErrorKind::Unavailable, "the server is out of memory"),
        22 | 75 | 95 => (ErrorKind::Invalid, "not a valid request"),
        28 => (ErrorKind::Full, "no space left"),
        108 => (ErrorKind::Unavailable, "the server is ending"),
        _ => (ErrorKind::Unavailable, "I/O error"),
    };
    let words = if words.is_empty() { name } else { words };
    ProviderError::new(kind, "NBD", format!("{words} (error {number})"))
}
