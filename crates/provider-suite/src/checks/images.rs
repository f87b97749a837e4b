//! Machine images, and metrics of machines that have none.

use std::time::Duration;

use jiff::Timestamp;
use novacron_provider::{Boot, CreateRequest, MetricQuery};
use novacron_types::InstanceState;

use super::{Group, check};
use crate::{Trouble, bytes, context::Context, ensure};

type Result = std::result::Result<(), Trouble>;

pub const CHECKS: Group = || {
    vec![
        check!(imaging_is_repeatable, Images),
        check!(a_machine_of_an_image_has_its_bytes, Images, DiskSource),
        check!(an_image_that_is_not_there_is_not_found, Images),
        check!(metrics_of_nothing_are_empty, Metrics),
    ]
};

async fn imaging_is_repeatable(context: &Context<'_>) -> Result {
    let id = context.seed("original", &[&[1; 4096]]).await?;
    let images = context.provider.images().ok_or("the images are gone")?;
    let before = context.harness.leftovers().await?;
    let tag = context.tag()?;
    let first = images.create_image(&tag, &id, true).await?;
    let again = images.create_image(&tag, &id, true).await?;
    ensure!(first == again, "one tag made {first} and {again}");
    available(context, &first).await?;
    images.delete_image(&first).await?;
    images.delete_image(&first).await?;
    context.leaves(&before).await
}

async fn a_machine_of_an_image_has_its_bytes(context: &Context<'_>) -> Result {
    let content = bytes::content(11, 2_000_000);
    let id = context.seed("original", &[&content]).await?;
    let images = context.provider.images().ok_or("the images are gone")?;
    let tag = context.tag()?;
    let image = images.create_image(&tag, &id, true).await?;
    available(context, &image).await?;
    let tag = context.tag()?;
    let boot = Boot::ImageId { image };
    let request = CreateRequest { tag: tag.clone(), name: "copy".to_owned(), spec: context.spec(), boot, start: true };
    let machine = context.provider.create(&request).await?;
    context.settle(&machine.instance_id, InstanceState::Running).await?;
    let disks = context.snapshot(&tag, &machine.instance_id, 0).await?;
    let reader = context.source()?.open_reader(&disks[0]).await?;
    bytes::expect(&*reader, &content).await
}

async fn available(context: &Context<'_>, image: &novacron_types::ImageId) -> Result {
    let images = context.provider.images().ok_or("the images are gone")?;
    let patience = context.harness.patience();
    let started = tokio::time::Instant::now();
    while !images.image_status(image).await?.readiness.ready {
        ensure!(started.elapsed() < patience.limit, "image {image} does not become ready");
        tokio::time::sleep(patience.first.max(Duration::from_millis(20))).await;
    }
    Ok(())
}

async fn an_image_that_is_not_there_is_not_found(context: &Context<'_>) -> Result {
    let (_, absent) = context.harness.absent();
    let images = context.provider.images().ok_or("the images are gone")?;
    let answer = images.image_status(&absent).await;
    ensure!(matches!(&answer, Err(error) if error.is_not_found()), "it answered {answer:?}");
    images.delete_image(&absent).await?;
    Ok(())
}

async fn metrics_of_nothing_are_empty(context: &Context<'_>) -> Result {
    let metrics = context.provider.metrics().ok_or("the metrics are gone")?;
    let (instance, _) = context.harness.absent();
    let end = Timestamp::now();
    let start = end - jiff::SignedDuration::from_hours(1);
    let query =
        MetricQuery { instance, metric: "CPUUtilization".to_owned(), period: Duration::from_secs(300), start, end };
    let points = metrics.datapoints(&query).await?;
    ensure!(points.is_empty(), "a machine that is not there has {points:?}");
    Ok(())
}
