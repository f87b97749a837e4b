//! One connection: many requests under way, answers in any order.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use novacron_provider::{Buf, ErrorKind, ProviderError, Result};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpStream, UnixStream},
    sync::oneshot,
    task::AbortHandle,
};

use super::{
    address::NbdAddress,
    covered::Covered,
    handshake::{Agreed, lost, nonsense, shake_hands},
    wire::{self, ChunkKind, Command, Reply, StatusRun, WireError},
};

const CONNECT: Duration = Duration::from_secs(10);
/// A server that is silent for so long is given up.
const PATIENCE: Duration = Duration::from_secs(60);

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

pub(super) struct Connection {
    pub agreed: Agreed,
    writer: tokio::sync::Mutex<Writer>,
    shared: Arc<Shared>,
    next_cookie: AtomicU64,
    listener: AbortHandle,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<HashMap<u64, Pending>>,
    dead: AtomicBool,
}

/// A request under way.
struct Pending {
    answer: oneshot::Sender<Result<Answer>>,
    offset: u64,
    len: u64,
    reads: bool,
    got: Answer,
    filled: Covered,
    error: Option<ProviderError>,
}

/// What came back.
#[derive(Default)]
pub(super) struct Answer {
    pub buf: Option<Buf>,
    pub status: Vec<(u32, Vec<StatusRun>)>,
}

/// A request to be sent.
pub(super) struct Request<'a> {
    pub command: Command,
    pub flags: u16,
    pub offset: u64,
    pub len: u32,
    /// What a write sends.
    pub payload: &'a [u8],
    /// What a read fills.
    pub buf: Option<Buf>,
}

impl Connection {
    pub async fn open(address: &NbdAddress, contexts: &[String]) -> Result<Self> {
        let work = async {
            match address {
                NbdAddress::Unix { socket, export } => {
                    let stream = UnixStream::connect(socket).await.map_err(|error| unreachable(address, &error))?;
                    let (reader, writer, agreed) = begin(stream, export, contexts).await?;
                    Ok((reader, writer, agreed))
                }
                NbdAddress::Tcp { host, export } => {
                    let stream = TcpStream::connect(host).await.map_err(|error| unreachable(address, &error))?;
                    let _ = stream.set_nodelay(true);
                    begin(stream, export, contexts).await
                }
            }
        };
        let (reader, writer, agreed) = match tokio::time::timeout(CONNECT, work).await {
            Ok(done) => done?,
            Err(_) => return Err(silent("connect", CONNECT)),
        };
        let shared = Arc::<Shared>::default();
        let listener = tokio::spawn(listen(reader, shared.clone(), agreed.structured)).abort_handle();
        Ok(Self { agreed, writer: tokio::sync::Mutex::new(writer), shared, next_cookie: AtomicU64::new(1), listener })
    }

    pub fn is_dead(&self) -> bool {
        self.shared.dead.load(Relaxed)
    }

    pub async fn ask(&self, request: Request<'_>) -> Result<Answer> {
        let cookie = self.next_cookie.fetch_add(1, Relaxed);
        let (answer, answered) = oneshot::channel();
        let pending = Pending {
            answer,
            offset: request.offset,
            len: request.len.into(),
            reads: request.command == Command::Read,
            got: Answer { buf: request.buf, ..Answer::default() },
            filled: Covered::default(),
            error: None,
        };
        self.shared.pending().insert(cookie, pending);
        if self.is_dead() {
            self.shared.pending().remove(&cookie);
            return Err(gone());
        }
        let work = async {
            let head = wire::request(request.flags, request.command, cookie, request.offset, request.len);
            let mut writer = self.writer.lock().await;
            if self.is_dead() {
                return Err(gone());
            }
            let mut sending = Sending { shared: &self.shared, whole: false };
            let sent = async {
                writer.write_all(&head).await?;
                writer.write_all(request.payload).await?;
                writer.flush().await
            };
            sent.await.map_err(lost)?;
            sending.whole = true;
            drop(writer);
            answered.await.unwrap_or_else(|_| Err(gone()))
        };
        match tokio::time::timeout(PATIENCE, work).await {
            Ok(result) => result,
            Err(_) => {
                self.shared.end("it was silent for too long");
                Err(silent("nbd", PATIENCE))
            }
        }
    }
}

/// Half a request on the wire makes everything after it nonsense.
struct Sending<'a> {
    shared: &'a Shared,
    whole: bool,
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if !self.whole {
            self.shared.end("a request was sent in part");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, HashMap<u64, Pending>> {
        self.pending.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Nothing more will come; all who wait are told.
    fn end(&self, why: &str) {
        self.dead.store(true, Relaxed);
        let pending = std::mem::take(&mut *self.pending());
        for (_, pending) in pending {
            let error = ProviderError::new(ErrorKind::Unavailable, "nbd", format!("the connection ended: {why}"));
            let _ = pending.answer.send(Err(error));
        }
    }
}

async fn begin<S>(mut stream: S, export: &str, contexts: &[String]) -> Result<(Reader, Writer, Agreed)>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let agreed = shake_hands(&mut stream, export, contexts).await?;
    let (reader, writer) = tokio::io::split(stream);
    Ok((Box::new(reader), Box::new(writer), agreed))
}

async fn listen(reader: Reader, shared: Arc<Shared>, structured: bool) {
    let mut reader = BufReader::with_capacity(16 * 1024, reader);
    let why = loop {
        if let Err(error) = one_answer(&mut reader, &shared, structured).await {
            break error.message;
        }
    };
    shared.end(&why);
}

async fn one_answer(reader: &mut BufReader<Reader>, shared: &Shared, structured: bool) -> Result<()> {
    let mut head = [0; 20];
    reader.read_exact(&mut head[..4]).await.map_err(lost)?;
    let magic = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    let len = wire::reply_len(magic).map_err(nonsense)?;
    reader.read_exact(&mut head[4..len]).await.map_err(lost)?;
    let reply = wire::parse_reply(&head[..len]).map_err(nonsense)?;
    let cookie = match reply {
        Reply::Simple { cookie, .. } | Reply::Chunk { cookie, .. } => cookie,
    };
    let Some(mut pending) = shared.pending().remove(&cookie) else {
        return Err(nonsense(WireError::Protocol("it answers a request that was not made")));
    };
    let result = match reply {
        Reply::Simple { error, .. } => simple(reader, &mut pending, error, structured).await.map(|()| true),
        Reply::Chunk { done, kind, len, .. } => chunk(reader, &mut pending, kind, len).await.map(|()| done),
    };
    match result {
        Ok(true) => pending.finish(),
        Ok(false) => {
            shared.pending().insert(cookie, pending);
        }
        Err(error) => {
            let _ = pending.answer.send(Err(error.clone()));
            return Err(error);
        }
    }
    Ok(())
}

async fn simple(reader: &mut BufReader<Reader>, pending: &mut Pending, error: u32, structured: bool) -> Result<()> {
    if error != 0 {
        pending.error = Some(failure(error, ""));
    } else if pending.reads && structured {
        return Err(nonsense(WireError::Protocol("it answers a read in the old way after it agreed on the new")));
    } else if let (true, Some(buf)) = (pending.reads, pending.got.buf.as_mut()) {
        reader.read_exact(buf).await.map_err(lost)?;
        let len = buf.len();
        pending.fill(0..len)?;
    }
    Ok(())
}

async fn chunk(reader: &mut BufReader<Reader>, pending: &mut Pending, kind: ChunkKind, len: u32) -> Result<()> {
    let most = match kind {
        ChunkKind::None => 0,
        ChunkKind::Data if pending.reads => u32::try_from(pending.len + 8).unwrap_or(u32::MAX),
        ChunkKind::Hole if pending.reads => 12,
        ChunkKind::Status => wire::MOST_STATUS,
        ChunkKind::Error | ChunkKind::Unknown { .. } => wire::MOST_MESSAGE,
        ChunkKind::Data | ChunkKind::Hole => return Err(nonsense(WireError::Protocol("it sends data for no read"))),
    };
    if len > most {
        return Err(nonsense(WireError::Protocol("a part of an answer is too long")));
    }
    if kind == ChunkKind::Data {
        let at = reader.read_u64().await.map_err(lost)?;
        let count = u64::from(len.checked_sub(8).ok_or_else(|| nonsense(WireError::Short))?);
        let range = wire::place(at, count, pending.offset, pending.len).map_err(nonsense)?;
        pending.fill(range.clone())?;
        let Some(into) = pending.got.buf.as_mut().and_then(|buf| buf.get_mut(range)) else {
            return Err(nonsense(WireError::Protocol("it sends bytes that were not asked for")));
        };
        reader.read_exact(into).await.map_err(lost)?;
        return Ok(());
    }
    let mut body = vec![0; len as usize];
    reader.read_exact(&mut body).await.map_err(lost)?;
    match kind {
        ChunkKind::Hole => {
            let (at, count) = wire::parse_hole(&body).map_err(nonsense)?;
            let range = wire::place(at, count.into(), pending.offset, pending.len).map_err(nonsense)?;
            pending.fill(range.clone())?;
            if let Some(into) = pending.got.buf.as_mut().and_then(|buf| buf.get_mut(range)) {
                into.fill(0);
            }
        }
        ChunkKind::Status => {
            if pending.got.status.len() >= 16 {
                return Err(nonsense(WireError::Protocol("a block status does not come to an end")));
            }
            pending.got.status.push(wire::parse_status(&body).map_err(nonsense)?);
        }
        ChunkKind::Error => {
            let (number, message) = wire::parse_error(&body).map_err(nonsense)?;
            pending.error = Some(failure(number, &message));
        }
        ChunkKind::Unknown { error: true } => pending.error = Some(failure(5, "of a kind that is not known")),
        ChunkKind::Unknown { error: false } => {
            return Err(nonsense(WireError::Protocol("a part of an answer is of a kind that is not known")));
        }
        ChunkKind::None | ChunkKind::Data => {}
    }
    Ok(())
}

impl Pending {
    /// Notes that a part of what was asked for is here.
    fn fill(&mut self, part: Range<usize>) -> Result<()> {
        let message = "it sends the same bytes twice, or an answer in too many pieces";
        self.filled.add(part).then_some(()).ok_or_else(|| nonsense(WireError::Protocol(message)))
    }

    fn finish(self) {
        let result = match self.error {
            Some(error) => Err(error),
            None if self.reads && !self.filled.is_whole(self.len) => {
                Err(nonsense(WireError::Protocol("it does not send all that was asked for")))
            }
            None => Ok(self.got),
        };
        let _ = self.answer.send(result);
    }
}

/// The protocol's numbers are those of Linux.
fn failure(number: u32, said: &str) -> ProviderError {
    let (kind, why) = match number {
        1 => (ErrorKind::Unauthorised, "not permitted"),
        12 => (ErrorKind::Unavailable, "the server is out of memory"),
        22 => (ErrorKind::Invalid, "the server calls the request invalid"),
        28 => (ErrorKind::Full, "no room left"),
        75 => (ErrorKind::Invalid, "the server calls the request too large"),
        95 => (ErrorKind::Invalid, "the server can't do that"),
        108 => (ErrorKind::Unavailable, "the server is shutting down"),
        _ => (ErrorKind::Unavailable, "an input or output error at the server"),
    };
    let message = if said.is_empty() { why.to_owned() } else { format!("{why}: {said}") };
    ProviderError::new(kind, "nbd", message)
}

fn unreachable(address: &NbdAddress, error: &std::io::Error) -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, "connect", format!("{address}: {error}"))
}

fn silent(operation: &'static str, patience: Duration) -> ProviderError {
    let message = format!("the server did not answer within {} s", patience.as_secs());
    ProviderError::new(ErrorKind::Unavailable, operation, message)
}

fn gone() -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, "nbd", "the connection has ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a read of 1,024 bytes at 4,096 comes to when the server sends these chunks: kind, offset, length.
    async fn read(chunks: &[(u16, u64, u32)]) -> Result<Answer> {
        let mut bytes = Vec::new();
        for (index, (kind, at, len)) in chunks.iter().enumerate() {
            let body = match kind {
                1 => [&at.to_be_bytes()[..], &vec![7; *len as usize]].concat(),
                _ => [&at.to_be_bytes()[..], &len.to_be_bytes()].concat(),
            };
            bytes.extend(0x668e_33efu32.to_be_bytes());
            bytes.extend(u16::from(index + 1 == chunks.len()).to_be_bytes());
            bytes.extend(kind.to_be_bytes());
            bytes.extend(1u64.to_be_bytes());
            bytes.extend((body.len() as u32).to_be_bytes());
            bytes.extend(body);
        }
        let (answer, answered) = oneshot::channel();
        let got = Answer { buf: Some(Buf::zeroed(1024)), ..Answer::default() };
        let filled = Covered::default();
        let pending = Pending { answer, offset: 4096, len: 1024, reads: true, got, filled, error: None };
        let shared = Arc::<Shared>::default();
        shared.pending().insert(1, pending);
        listen(Box::new(std::io::Cursor::new(bytes)), shared, true).await;
        answered.await.unwrap()
    }

    #[tokio::test]
    async fn a_read_is_done_when_each_byte_has_come_once() {
        let whole = read(&[(1, 4608, 512), (2, 4096, 512)]).await.unwrap();
        assert_eq!(whole.buf.unwrap()[..], [[0; 512], [7; 512]].concat()[..]);
        for lie in [
            &[(1, 4096, 512), (1, 4096, 512)][..],
            &[(1, 4096, 512), (2, 4352, 512)],
            &[(1, 4096, 512)],
            &[(1, 4096, 1024), (1, 5120, 0)],
            &[(1, 4096, 1025)],
        ] {
            assert!(read(lie).await.is_err(), "{lie:?}");
        }
    }
}
