//! The conformance suite of providers, on AWS over the sandbox and over moto.

mod support;

use std::{sync::Arc, time::Duration};

use novacron_provider::{
    ErrorKind, Provider, Wrapped,
    chaos::{Chaos, Fault, Rule, When},
    retry::{Retry, RetryPolicy},
};
use novacron_provider_suite::run;
use support::{moto::MotoHarness, sandbox::SandboxHarness};

#[tokio::test(flavor = "multi_thread")]
async fn over_the_sandbox() {
    let report = run(&SandboxHarness::new().await).await;
    report.assert();
    assert!(report.passed() >= 30, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_sandbox_with_chaos_under_retry() {
    let mut harness = SandboxHarness::new().await;
    let rule = |chance, fault| Rule { operation: None, when: When::Chance(chance), fault };
    let chaos = Chaos::new(
        7,
        [
            rule(0.1, Fault::FailBefore(ErrorKind::Throttled { retry_after: None })),
            rule(0.15, Fault::FailAfter(ErrorKind::Unavailable)),
        ],
    );
    let retry = Retry::new(RetryPolicy {
        attempts: 12,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(20),
        budget: 1e6,
        ..RetryPolicy::default()
    });
    let wild: Arc<dyn Provider> = Arc::new(Wrapped::new(harness.provider.clone(), chaos));
    harness.provider = Arc::new(Wrapped::new(wild, retry));
    harness.loses_answers = true;
    run(&harness).await.assert();
}

#[tokio::test(flavor = "multi_thread")]
async fn over_moto() {
    if let Some(harness) = MotoHarness::new().await {
        run(&harness).await.assert();
    }
}
