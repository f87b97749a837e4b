//! What goes on beside a job: its client is told how it goes, and steers it.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

use super::{FromMover, HEARTBEAT, ToMover, frame};
use crate::CopyControl;

/// How long a client may take to hear how its job ended.
const LAST_WORD: Duration = Duration::from_secs(30);

/// Runs `work` to its end. It is told to stop when the client has gone, or `stop` is cancelled.
///
/// Something is said with every [`HEARTBEAT`], however the work goes. A client that does not read holds up neither the
/// work nor what it has to say itself.
pub(super) async fn converse(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    work: impl Future<Output = FromMover>,
    control: &CopyControl,
    stop: &CancellationToken,
) {
    let (ended, mut end) = oneshot::channel();
    let tell = async {
        let mut beats = tokio::time::interval(HEARTBEAT);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let answer = tokio::select! {
                biased;
                answer = &mut end => Some(answer),
                _ = beats.tick() => None,
            };
            let now = control.progress.borrow().clone();
            frame::write(&mut to, &FromMover::Progress(now)).await?;
            match answer {
                None => {}
                Some(Ok(answer)) => return frame::write(&mut to, &answer).await,
                Some(Err(_)) => return Ok(()),
            }
        }
    };
    let listen = async {
        loop {
            match frame::read::<ToMover>(&mut from).await {
                Ok(Some(ToMover::SetRate { bytes_per_second })) => control.rate.set(bytes_per_second),
                Ok(Some(_)) => tracing::warn!("a frame that makes no sense during a job was ignored"),
                Ok(None) | Err(_) => return,
            }
        }
    };
    tokio::pin!(work, tell, listen);
    let mut connected = true;
    let answer = loop {
        tokio::select! {
            answer = &mut work => break answer,
            () = &mut listen, if connected => connected = false,
            _ = &mut tell, if connected => connected = false,
            () = stop.cancelled(), if !control.cancel.is_cancelled() => control.cancel.cancel(),
        }
        if !connected {
            control.cancel.cancel();
        }
    };
    if connected && ended.send(answer).is_ok() && tokio::time::timeout(LAST_WORD, tell).await.is_err() {
        tracing::warn!("a job has ended, and its client does not listen");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::mover::JobFault;

    /// A client's side with room for so little that the first progress fills it, and its job's control.
    fn deaf() -> (DuplexStream, CopyControl, impl Future<Output = ()>, oneshot::Sender<()>) {
        let (client, mover) = tokio::io::duplex(64);
        let (from, to) = tokio::io::split(mover);
        let control = CopyControl::default();
        let (finish, finished) = oneshot::channel::<()>();
        let steered = control.clone();
        let talk = async move {
            let work = async {
                tokio::select! {
                    _ = finished => {}
                    () = steered.cancel.cancelled() => {}
                }
                FromMover::Failed(JobFault::new("cancelled", "over"))
            };
            converse(from, to, work, &steered, &CancellationToken::new()).await;
        };
        (client, control, talk, finish)
    }

    async fn set_rate(client: &mut DuplexStream) {
        let body = serde_json::to_vec(&ToMover::SetRate { bytes_per_second: Some(7) }).unwrap();
        client.write_all(&(body.len() as u32).to_be_bytes()).await.unwrap();
        client.write_all(&body).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_heard() {
        let (mut client, control, talk, _finish) = deaf();
        let talk = tokio::spawn(talk);
        tokio::time::sleep(Duration::from_secs(5)).await;
        set_rate(&mut client).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(control.rate.get(), Some(7));
        drop(client);
        tokio::time::timeout(Duration::from_secs(5), talk).await.expect("it stops when its client has gone").unwrap();
        assert!(control.cancel.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_not_waited_for_without_end() {
        let (_client, _control, talk, finish) = deaf();
        let talk = tokio::spawn(talk);
        tokio::time::sleep(Duration::from_secs(5)).await;
        finish.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(60), talk).await.expect("the mover hangs").unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_late_hears_all() {
        let (mut client, _control, talk, finish) = deaf();
        let talk = tokio::spawn(talk);
        tokio::time::sleep(Duration::from_secs(5)).await;
        finish.send(()).unwrap();
        let mut frames = Vec::new();
        while let Ok(len) = client.read_u32().await {
            let mut body = vec![0; len as usize];
            client.read_exact(&mut body).await.unwrap();
            frames.push(serde_json::from_slice::<FromMover>(&body).unwrap());
        }
        assert!(matches!(frames.first(), Some(FromMover::Progress(_))), "{frames:?}");
        assert!(matches!(frames.last(), Some(FromMover::Failed(_))), "{frames:?}");
        talk.await.unwrap();
    }
}
