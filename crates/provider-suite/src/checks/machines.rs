//! Machines: health, lists, one of them, making, starting, stopping and deleting.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt;
use novacron_provider::{ErrorKind, ListFilter, ProviderExt};
use novacron_types::InstanceState;

use super::{Group, check};
use crate::{Trouble, context::Context, ensure};

type Result = std::result::Result<(), Trouble>;

pub const CHECKS: Group = || {
    vec![
        check!(health_answers),
        check!(a_realm_is_that_of_the_machines),
        check!(a_list_has_every_machine_once),
        check!(an_unknown_filter_is_invalid),
        check!(a_machine_is_described),
        check!(what_is_not_there_is_not_found),
        check!(deleting_is_repeatable),
        check!(start_and_stop_are_repeatable),
        check!(making_is_repeatable),
        check!(a_machine_can_be_made_stopped),
    ]
};

async fn health_answers(context: &Context<'_>) -> Result {
    let health = context.provider.health().await?;
    ensure!(!health.detail.is_empty(), "it says nothing about what was asked");
    Ok(())
}

async fn a_realm_is_that_of_the_machines(context: &Context<'_>) -> Result {
    let realm = context.provider.realm().await?;
    let later = context.provider.realm().await?;
    ensure!(realm == later, "it was `{realm}` and is `{later}`");
    let Some(again) = context.harness.again().await else {
        return context.skip("there is no second provider of the same machines");
    };
    ensure!(again.identity().name != context.provider.identity().name, "the second provider has the same name");
    let other = again.realm().await?;
    ensure!(realm == other, "the same machines are in `{realm}` and in `{other}`");
    Ok(())
}

async fn a_list_has_every_machine_once(context: &Context<'_>) -> Result {
    let mut seeds = BTreeSet::new();
    for name in ["one", "two", "three"] {
        seeds.insert(context.seed(name, &[&[]]).await?);
    }
    let filter = ListFilter::default();
    let found: Vec<_> = context.provider.list(&filter).map_ok(|machine| machine.instance_id).try_collect().await?;
    let unique: BTreeSet<_> = found.iter().cloned().collect();
    ensure!(unique.len() == found.len(), "the list has machines twice: {found:?}");
    ensure!(seeds.is_subset(&unique), "the list {found:?} lacks some of {seeds:?}");
    if let Some(gone) = seeds.first() {
        context.provider.delete(gone).await?;
        let left: Vec<_> = context
            .provider
            .list(&filter)
            .try_filter(|machine| std::future::ready(machine.instance_id == *gone))
            .try_collect()
            .await?;
        ensure!(left.is_empty(), "a deleted machine is still listed: {left:?}");
    }
    Ok(())
}

async fn an_unknown_filter_is_invalid(context: &Context<'_>) -> Result {
    let filter = ListFilter { filters: BTreeMap::from([("no-such-filter".to_owned(), vec!["x".to_owned()])]) };
    match context.provider.list_page(&filter, None).await {
        Err(error) if error.kind == ErrorKind::Invalid => {
            let text = format!("{error} {}", error.advice.as_deref().unwrap_or_default());
            ensure!(text.contains("no-such-filter"), "the error does not name the filter: {text}");
            ensure!(error.advice.is_some(), "the error does not say which filters there are: {text}");
            Ok(())
        }
        other => Err(Trouble(format!("it answered {other:?}"))),
    }
}

async fn a_machine_is_described(context: &Context<'_>) -> Result {
    let id = context.seed("described", &[&[1; 4096], &[2; 4096]]).await?;
    let machine = context.provider.get(&id).await?;
    ensure!(machine.instance_id == id, "asked for {id}, it answered {}", machine.instance_id);
    ensure!(machine.name.as_deref() == Some("described"), "the name is {:?}", machine.name);
    ensure!(machine.disks.len() == 2, "it has two disks, not {:?}", machine.disks);
    ensure!(machine.disks[0].boot && !machine.disks[1].boot, "the boot disk comes first: {:?}", machine.disks);
    ensure!(machine.disks.iter().all(|disk| disk.size_bytes.is_some()), "sizes are missing: {:?}", machine.disks);
    Ok(())
}

async fn what_is_not_there_is_not_found(context: &Context<'_>) -> Result {
    let (id, _) = context.harness.absent();
    let provider = &context.provider;
    let answers = [
        ("get", provider.get(&id).await.map(drop)),
        ("start", provider.start(&id).await),
        ("stop", provider.stop(&id).await),
    ];
    for (name, answer) in answers {
        ensure!(matches!(&answer, Err(error) if error.is_not_found()), "{name} answered {answer:?}");
    }
    Ok(())
}

async fn deleting_is_repeatable(context: &Context<'_>) -> Result {
    let (absent, _) = context.harness.absent();
    context.provider.delete(&absent).await?;
    let id = context.seed("short-lived", &[&[]]).await?;
    context.provider.delete(&id).await?;
    context.provider.delete(&id).await?;
    Ok(())
}

async fn start_and_stop_are_repeatable(context: &Context<'_>) -> Result {
    if !context.provider.identity().runs_guests {
        return context.skip("the provider runs no guests");
    }
    let id = context.seed("switched", &[&[]]).await?;
    context.provider.start(&id).await?;
    context.provider.stop(&id).await?;
    context.settle(&id, InstanceState::Stopped).await?;
    context.provider.stop(&id).await?;
    context.provider.start(&id).await?;
    context.settle(&id, InstanceState::Running).await?;
    context.provider.start(&id).await?;
    Ok(())
}

async fn making_is_repeatable(context: &Context<'_>) -> Result {
    let Some(image) = context.harness.image() else { return context.skip("there is no image to make machines from") };
    let tag = context.tag()?;
    let mut request = context.machine_of(&tag, image, true);
    request.spec.labels.insert("Team".to_owned(), "suite".to_owned());
    let first = context.provider.create(&request).await?;
    let second = context.provider.create(&request).await?;
    ensure!(first.instance_id == second.instance_id, "one tag made {} and {}", first.instance_id, second.instance_id);
    let machine = context.settle(&first.instance_id, InstanceState::Running).await?;
    ensure!(machine.name.as_deref() == Some("suite"), "the name is {:?}", machine.name);
    ensure!(machine.spec.labels.get("Team").is_some_and(|team| team == "suite"), "labels: {:?}", machine.spec.labels);
    let other = context.machine_of(&context.tag()?, context.harness.image().unwrap_or_default(), true);
    let other = context.provider.create(&other).await?;
    ensure!(other.instance_id != first.instance_id, "two tags made one machine");
    Ok(())
}

async fn a_machine_can_be_made_stopped(context: &Context<'_>) -> Result {
    let Some(image) = context.harness.image() else { return context.skip("there is no image to make machines from") };
    let request = context.machine_of(&context.tag()?, image, false);
    let machine = context.provider.create(&request).await?;
    context.settle(&machine.instance_id, InstanceState::Stopped).await?;
    Ok(())
}
