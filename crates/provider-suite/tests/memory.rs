//! The provider in memory, bare and inside every layer.

use std::{sync::Arc, time::Duration};

use novacron_provider::{
    ErrorKind, Provider, Wrapped,
    chaos::{Chaos, Fault, Rule, When},
    memory::{MemoryHost, MemoryOptions},
    rate_limit::RateLimit,
    retry::{Retry, RetryPolicy},
};
use novacron_provider_suite::{MemoryHarness, run};

fn patient() -> Retry {
    Retry::new(RetryPolicy {
        attempts: 12,
        first_pause: Duration::from_micros(10),
        longest_pause: Duration::from_micros(100),
        budget: 1e6,
        ..RetryPolicy::default()
    })
}

fn small_pages() -> MemoryOptions {
    let host = MemoryHost { vcpus: 8, memory_bytes: 16 << 30 };
    MemoryOptions {
        page_size: 2,
        settle_after: 2,
        capacity: Some(1 << 30),
        host: Some(host),
        ..MemoryOptions::default()
    }
}

#[tokio::test]
async fn bare() {
    let report = run(&MemoryHarness::new(MemoryOptions::default())).await;
    report.assert();
    assert!(report.passed() >= 30, "{report}");
}

#[tokio::test]
async fn slow_with_small_pages() {
    run(&MemoryHarness::new(small_pages())).await.assert();
}

#[tokio::test]
async fn coarse_without_changed_blocks_and_not_zeroed() {
    let options =
        MemoryOptions { granularity: 512 << 10, changed_blocks: false, starts_zeroed: false, ..small_pages() };
    run(&MemoryHarness::new(options)).await.assert();
}

#[tokio::test]
async fn inside_retry() {
    let harness = MemoryHarness::new(small_pages()).inside(|inner| Arc::new(Wrapped::new(inner, patient())));
    run(&harness).await.assert();
}

#[tokio::test]
async fn inside_a_rate_limit() {
    let layer = RateLimit::new(5_000.0, 10);
    let harness = MemoryHarness::new(small_pages()).inside(|inner| Arc::new(Wrapped::new(inner, layer)));
    run(&harness).await.assert();
}

/// What fails in passing, before or after it has happened, leaves the contract as it is.
#[tokio::test]
async fn inside_chaos_under_retry() {
    for seed in 0..4 {
        let rule = |chance, fault| Rule { operation: None, when: When::Chance(chance), fault };
        let chaos = Chaos::new(
            seed,
            [
                rule(0.1, Fault::FailBefore(ErrorKind::Throttled { retry_after: None })),
                rule(0.1, Fault::FailBefore(ErrorKind::Unavailable)),
                rule(0.15, Fault::FailAfter(ErrorKind::Unavailable)),
            ],
        );
        let harness = MemoryHarness::new(small_pages()).losing_answers().inside(|inner| {
            let wild: Arc<dyn Provider> = Arc::new(Wrapped::new(inner, chaos));
            Arc::new(Wrapped::new(wild, patient()))
        });
        run(&harness).await.assert();
    }
}

/// The suite sees what breaks the contract.
#[tokio::test]
async fn a_flipped_bit_is_seen() {
    let rule = Rule { operation: Some("read"), when: When::Chance(1.0), fault: Fault::FlipBit };
    let chaos = Chaos::new(1, [rule]);
    let harness = MemoryHarness::new(small_pages()).inside(|inner| Arc::new(Wrapped::new(inner, chaos)));
    assert!(run(&harness).await.has_failed());
}
