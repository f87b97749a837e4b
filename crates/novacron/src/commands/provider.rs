//! `novacron provider …`

use super::Context;
use crate::{
    cli::ProviderCommand,
    client::{
        escape,
        types::{HealthReport, ProviderSummary},
    },
    exit::{Failure, Result},
    output::rows::NamedHealth,
};
use novacron_types::Instance;

pub async fn run(context: &Context, command: ProviderCommand) -> Result<()> {
    match command {
        ProviderCommand::List => context.list::<ProviderSummary>("/providers", Vec::new(), None).await,
        ProviderCommand::Check { provider } => check(context, provider.as_deref()).await,
        ProviderCommand::Discover { provider, filter, limit } => {
            let query = filter.iter().map(|filter| filter_query(filter)).collect::<Result<_>>()?;
            let path = format!("/providers/{}/discover", escape(&provider));
            context.list::<Instance>(&path, query, limit).await
        }
    }
}

async fn check(context: &Context, only: Option<&str>) -> Result<()> {
    let report: HealthReport = context.client.get("/health").await?;
    let kinds: Vec<ProviderSummary> = match only {
        Some(_) => context.client.page("/providers", &[]).await?.items,
        None => Vec::new(),
    };
    let wanted = |name: &str| {
        only.is_none_or(|only| only == name || kinds.iter().any(|p| p.name.as_str() == name && p.kind.as_str() == only))
    };
    let rows: Vec<NamedHealth> = report
        .providers
        .into_iter()
        .filter(|(name, _)| wanted(name.as_str()))
        .map(|(name, health)| NamedHealth { name: name.to_string(), health })
        .collect();
    if let (Some(only), true) = (only, rows.is_empty()) {
        return Err(Failure::refused(format!("no provider is named `{only}`"))
            .hint("`novacron provider list` shows the configured ones."));
    }
    context.output.rows(&rows)?;
    for reason in &report.reasons {
        context.output.note(format_args!("The server is {}: {reason}", report.status));
    }
    let bad: Vec<&str> =
        rows.iter().filter(|row| row.health.status != "connected").map(|row| row.name.as_str()).collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!("not connected: {}", bad.join(", "))).hint(
        "The column DETAIL says why; credentials and endpoints are in the provider's block of the configuration.",
    ))
}

/// `NAME=a,b` as a query's `filter.NAME=a,b`.
fn filter_query(filter: &str) -> Result<(String, String)> {
    match filter.split_once('=') {
        Some((name, values)) if !name.is_empty() && !values.is_empty() => {
            Ok((format!("filter.{name}"), values.to_owned()))
        }
        _ => Err(Failure::usage(format!("{filter:?} is not a filter"))
            .hint("Write NAME=VALUE or NAME=VALUE,VALUE, such as instance-state-name=running.")),
    }
}
