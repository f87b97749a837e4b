//! A network that goes silent between a store and its database: nothing is refused, nothing is closed, nothing comes.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use jiff::Timestamp;
use novacron_operations::{ListQuery, OperationId};
use novacron_store::{OpenOptions, StoreError};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Passes bytes on, until it is cut: what was connected before is silent for ever, what comes later passes.
struct Network {
    port: u16,
    cuts: Arc<AtomicU64>,
}

impl Network {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (ours, cuts) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU64::new(0)));
        let seen = cuts.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let (near, far) = (near.into_split(), far.into_split());
                tokio::spawn(pass(near.0, far.1, seen.clone()));
                tokio::spawn(pass(far.0, near.1, seen.clone()));
            }
        });
        Self { port: ours, cuts }
    }

    fn cut(&self) {
        self.cuts.fetch_add(1, Ordering::SeqCst);
    }
}

async fn pass(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf, cuts: Arc<AtomicU64>) {
    let born = cuts.load(Ordering::SeqCst);
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        // The bytes are lost, and both ends are left waiting.
        if cuts.load(Ordering::SeqCst) == born && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_in_time_and_the_store_is_back_when_the_network_is() {
    let Some(place) = common::postgres() else { return };
    let port = place.url.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).unwrap().parse().unwrap();
    let network = Network::before(port).await;
    let url = place.url.replace(&format!(":{port}/"), &format!(":{}/", network.port));
    let patience = Duration::from_secs(2);
    let store = OpenOptions { patience, ..OpenOptions::default() }.open(&url).await.unwrap();
    let id = OperationId::new("import-1").unwrap();
    // Connections lie ready, some in use and some not.
    let all = (0..8).map(|_| async { store.operations().list(&ListQuery::default()).await.unwrap() });
    join_all(all).await;

    network.cut();
    let begun = Instant::now();
    let calls = (0..8).map(|_| async {
        let operations = store.operations();
        let (read, write) =
            tokio::join!(operations.get(&id), operations.renew(&id, 1, Duration::from_secs(1), Timestamp::UNIX_EPOCH));
        // One that found no silent connection has made a new one, which passes.
        assert!(matches!(read, Ok(None) | Err(StoreError::Unavailable(_))), "{read:?}");
        assert!(matches!(write, Err(StoreError::StaleOwner | StoreError::Unavailable(_))), "{write:?}");
        u32::from(read.is_err()) + u32::from(matches!(write, Err(StoreError::Unavailable(_))))
    });
    let silent: u32 = join_all(calls).await.into_iter().sum();
    assert!(silent > 0, "the network was not cut");
    assert!(begun.elapsed() < patience * 6, "{:?}", begun.elapsed());

    // What is silent is thrown away, and all connections can be had again.
    let back = async {
        loop {
            let all = (0..8).map(|_| async { store.operations().get(&id).await.is_ok() });
            if join_all(all).await.into_iter().all(|answered| answered) {
                return;
            }
        }
    };
    tokio::time::timeout(patience * 20, back).await.expect("it does not come back");
    store.close().await;
}
