//! The talk before the first request.

use std::io;

use novacron_provider::{ErrorKind, ProviderError, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::wire::{self, Export, OptionReply, OptionReplyKind, WireError};

pub(super) const ALLOCATION: &str = "base:allocation";
/// Answers to one option; an honest server sends a handful.
const MOST_ANSWERS: usize = 64;

/// What was agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreed {
    pub export: Export,
    pub structured: bool,
    /// The contexts of block status that the server has, of those that were asked for.
    pub contexts: Vec<(u32, String)>,
}

/// Agrees on an export and on the contexts of block status.
pub(super) async fn shake_hands<S>(stream: &mut S, export_name: &str, contexts: &[String]) -> Result<Agreed>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut hello = [0; 18];
    stream.read_exact(&mut hello).await.map_err(lost)?;
    let flags = wire::parse_hello(&hello).map_err(nonsense)?;
    let ours = u32::from((wire::FIXED_NEWSTYLE | wire::NO_ZEROES) & flags);
    stream.write_all(&ours.to_be_bytes()).await.map_err(lost)?;

    send(stream, wire::OPT_STRUCTURED_REPLY, &[]).await?;
    let (head, _) = answer(stream, wire::OPT_STRUCTURED_REPLY).await?;
    let structured = head.kind == OptionReplyKind::Ack;
    let contexts = if structured && !contexts.is_empty() {
        meta_contexts(stream, export_name, contexts).await?
    } else {
        Vec::new()
    };
    let export = go(stream, export_name).await?;
    Ok(Agreed { export, structured, contexts })
}

async fn meta_contexts<S>(stream: &mut S, export_name: &str, wanted: &[String]) -> Result<Vec<(u32, String)>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut data = wire::text(export_name);
    data.extend((wanted.len() as u32).to_be_bytes());
    wanted.iter().for_each(|name| data.extend(wire::text(name)));
    send(stream, wire::OPT_SET_META_CONTEXT, &data).await?;
    let mut found = Vec::new();
    for _ in 0..MOST_ANSWERS {
        let (head, body) = answer(stream, wire::OPT_SET_META_CONTEXT).await?;
        match head.kind {
            OptionReplyKind::MetaContext => {
                let (id, name) = wire::parse_meta_context(&body).map_err(nonsense)?;
                if wanted.iter().any(|wanted| wanted == name) {
                    found.push((id, name.to_owned()));
                }
            }
            OptionReplyKind::Ack => return Ok(found),
            // It has none; that is no reason to do without the export.
            OptionReplyKind::Error(_) => return Ok(Vec::new()),
            _ => {}
        }
    }
    Err(nonsense(WireError::Protocol("it does not come to an end about its contexts")))
}

async fn go<S>(stream: &mut S, export_name: &str) -> Result<Export>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut data = wire::text(export_name);
    data.extend(1u16.to_be_bytes());
    data.extend(wire::INFO_BLOCK_SIZE.to_be_bytes());
    send(stream, wire::OPT_GO, &data).await?;
    let (mut export, mut sized) = (Export::default(), false);
    for _ in 0..MOST_ANSWERS {
        let (head, body) = answer(stream, wire::OPT_GO).await?;
        match head.kind {
            OptionReplyKind::Info => sized |= wire::parse_info(&body, &mut export).map_err(nonsense)?,
            OptionReplyKind::Ack if sized => return Ok(export),
            OptionReplyKind::Ack => {
                return Err(nonsense(WireError::Protocol("it does not say how large the export is")));
            }
            OptionReplyKind::Error(number) => return Err(refused(number, export_name, &body)),
            _ => {}
        }
    }
    Err(nonsense(WireError::Protocol("it does not come to an end about the export")))
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, option: u32, data: &[u8]) -> Result<()> {
    stream.write_all(&wire::option(option, data)).await.map_err(lost)
}

async fn answer<S: AsyncRead + Unpin>(stream: &mut S, option: u32) -> Result<(OptionReply, Vec<u8>)> {
    let mut head = [0; 20];
    stream.read_exact(&mut head).await.map_err(lost)?;
    let head = wire::parse_option_reply(&head).map_err(nonsense)?;
    if head.option != option {
        return Err(nonsense(WireError::Protocol("it answers what was not asked")));
    }
    let mut body = vec![0; head.len as usize];
    stream.read_exact(&mut body).await.map_err(lost)?;
    Ok((head, body))
}

fn refused(number: u32, export: &str, body: &[u8]) -> ProviderError {
    let said: String = String::from_utf8_lossy(body).chars().filter(|c| !c.is_control()).take(200).collect();
    let (kind, why) = match number {
        2 => (ErrorKind::Unauthorised, "the server's policy forbids it".to_owned()),
        5 => (ErrorKind::Invalid, "the server wants TLS, which is not supported".to_owned()),
        6 => (ErrorKind::NotFound, format!("the server has no export {export:?}")),
        7 => (ErrorKind::Unavailable, "the server is shutting down".to_owned()),
        _ => (ErrorKind::Invalid, format!("the server refused with error {number}")),
    };
    let message = if said.is_empty() { why } else { format!("{why}: {said}") };
    ProviderError::new(kind, "connect", message)
}

pub(super) fn lost(error: io::Error) -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, "nbd", format!("the connection was lost: {error}"))
}

pub(super) fn nonsense(error: WireError) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, "nbd", error.to_string())
}
