//! What CloudWatch measured of a machine.

use async_trait::async_trait;
use aws_sdk_cloudwatch::{
    primitives::DateTime,
    types::{Datapoint as CloudDatapoint, Dimension, Statistic},
};
use jiff::Timestamp;
use novacron_provider::{Datapoint, MetricQuery, Metrics, Result};

use crate::{
    AwsProvider,
    error::{failed, invalid},
};

/// The most datapoints that GetMetricStatistics gives at once.
const MOST: i64 = 1440;
/// Requests to one question.
const REQUESTS: i64 = 100;

#[async_trait]
impl Metrics for AwsProvider {
    async fn datapoints(&self, query: &MetricQuery) -> Result<Vec<Datapoint>> {
        let period = i32::try_from(query.period.as_secs()).ok().filter(|period| *period > 0);
        let period = period.ok_or_else(|| invalid("GetMetricStatistics", "the period must be a second or more"))?;
        let step = i64::from(period) * MOST;
        let (mut start, end) = (query.start.as_second(), query.end.as_second());
        if end <= start || (end - start) / step >= REQUESTS {
            let message = format!("the end must be after the start, by {MOST} × {REQUESTS} periods at most");
            return Err(invalid("GetMetricStatistics", message));
        }
        let mut points = Vec::new();
        while start < end {
            let until = end.min(start + step);
            let answer = self
                .clients
                .cloudwatch
                .get_metric_statistics()
                .namespace("AWS/EC2")
                .metric_name(&query.metric)
                .dimensions(Dimension::builder().name("InstanceId").value(query.instance.as_str()).build())
                .start_time(DateTime::from_secs(start))
                .end_time(DateTime::from_secs(until))
                .period(period)
                .statistics(Statistic::Average)
                .statistics(Statistic::Minimum)
                .statistics(Statistic::Maximum)
                .send()
                .await
                .map_err(failed("cloudwatch", "GetMetricStatistics"))?;
            points.extend(answer.datapoints().iter().filter_map(point));
            start = until;
        }
        points.sort_by_key(|point| point.at);
        Ok(points)
    }
}

fn point(point: &CloudDatapoint) -> Option<Datapoint> {
    Some(Datapoint {
        at: Timestamp::from_second(point.timestamp()?.secs()).ok()?,
        average: point.average(),
        minimum: point.minimum(),
        maximum: point.maximum(),
        unit: point.unit().map(|unit| unit.as_str().to_owned()),
    })
}
