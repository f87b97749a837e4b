//! CloudWatch, over Smithy's RPC v2 CBOR (what the vendor's current SDKs speak) and over awsJson.
//!
//! It tells the metrics that somebody put, and no others.

mod metrics;
mod wire;

use std::io::Read;

use http::request::Parts;

pub(crate) use metrics::Metrics;
use metrics::{Datum, Series};
use wire::Wire;

use crate::core::Core;
use crate::error::{ApiError, ApiResult};
use crate::model::Region;
use crate::reply::{Protocol, Reply};
use crate::server::ApiRequest;

const MAX_BODY: u64 = 8 * 1024 * 1024;

pub(crate) fn action_of(parts: &Parts) -> Option<String> {
    let target = parts.headers.get("x-amz-target").and_then(|v| v.to_str().ok());
    if let Some(action) = target.and_then(|t| t.strip_prefix("GraniteServiceVersion20100801.")) {
        return Some(action.to_owned());
    }
    let rest = parts.uri.path().strip_prefix("/service/GraniteServiceVersion20100801/operation/");
    rest.map(str::to_owned)
}

pub(crate) fn handle(core: &Core, request: &ApiRequest) -> ApiResult<Reply> {
    let body = plain_body(request)?;
    let input = match request.protocol {
        Protocol::AwsJson => Wire::from_json(&body),
        _ => Wire::from_cbor(&body),
    };
    let input = input.map_err(|e| ApiError::bad("SerializationException", e))?;
    let output = core.with_region(&request.region, |region, now| match request.action.as_str() {
        "PutMetricData" => put_metric_data(region, &input, now),
        "GetMetricStatistics" => get_metric_statistics(region, &input),
        "GetMetricData" => get_metric_data(region, &input),
        "ListMetrics" => list_metrics(region, &input),
        other => Err(ApiError::new("UnknownOperationException", 404, format!("Unknown operation {other}"))),
    })?;
    Ok(encode(request.protocol, 200, &output))
}

fn encode(protocol: Protocol, status: u16, value: &Wire) -> Reply {
    match protocol {
        Protocol::AwsJson => Reply::new(status, "application/x-amz-json-1.0", value.to_json().to_string()),
        _ => Reply::new(status, "application/cbor", value.to_cbor()).with("smithy-protocol", "rpc-v2-cbor"),
    }
}

pub(crate) fn error(protocol: Protocol, e: &ApiError) -> Reply {
    let body = Wire::map([
        ("__type", Wire::text(format!("com.amazonaws.cloudwatch#{}", shape(&e.code)))),
        ("message", Wire::text(&e.message)),
    ]);
    let fault = if e.status < 500 { "Sender" } else { "Receiver" };
    encode(protocol, e.status, &body).with("x-amzn-query-error", format!("{};{fault}", e.code))
}

/// The name of an error's shape, where it is not its code.
fn shape(code: &str) -> &str {
    match code {
        "InvalidParameterValue" => "InvalidParameterValueException",
        "InvalidParameterCombination" => "InvalidParameterCombinationException",
        "MissingParameter" => "MissingRequiredParameterException",
        "InvalidNextToken" => "InvalidNextToken",
        "LimitExceeded" => "LimitExceededFault",
        "InternalError" => "InternalServiceFault",
        other => other,
    }
}

/// The body without the compression that SDKs apply to large PutMetricData requests.
fn plain_body(request: &ApiRequest) -> ApiResult<Vec<u8>> {
    let encoding = request.parts.headers.get("content-encoding").and_then(|v| v.to_str().ok());
    match encoding {
        Some("gzip") => {
            let mut plain = Vec::new();
            let unzip = flate2::read::GzDecoder::new(&request.body[..]).take(MAX_BODY).read_to_end(&mut plain);
            unzip.map_err(|e| ApiError::bad("SerializationException", format!("not gzip: {e}")))?;
            Ok(plain)
        }
        _ => Ok(request.body.to_vec()),
    }
}

fn need<'w>(input: &'w Wire, name: &str) -> ApiResult<&'w Wire> {
    input.get(name).ok_or_else(|| ApiError::bad("MissingParameter", format!("{name} is missing")))
}

fn need_text<'w>(input: &'w Wire, name: &str) -> ApiResult<&'w str> {
    let wrong = || ApiError::invalid(format!("{name} is not a text"));
    need(input, name)?.as_text().filter(|t| !t.is_empty()).ok_or_else(wrong)
}

fn need_millis(input: &Wire, name: &str) -> ApiResult<i64> {
    let wrong = || ApiError::invalid(format!("{name} is not a time"));
    need(input, name)?.as_number().map(|s| (s * 1000.0) as i64).ok_or_else(wrong)
}

fn dimensions(input: &Wire) -> ApiResult<Vec<(String, String)>> {
    let mut found = Vec::new();
    for d in input.items("Dimensions") {
        found.push((need_text(d, "Name")?.to_owned(), need_text(d, "Value")?.to_owned()));
    }
    found.sort();
    Ok(found)
}

fn series(input: &Wire) -> ApiResult<Series> {
    Ok(Series {
        namespace: need_text(input, "Namespace")?.to_owned(),
        name: need_text(input, "MetricName")?.to_owned(),
        dimensions: dimensions(input)?,
    })
}

fn put_metric_data(region: &mut Region, input: &Wire, now: i64) -> ApiResult<Wire> {
    let namespace = need_text(input, "Namespace")?;
    if namespace.starts_with("AWS/") && !namespace.starts_with("AWS/EC2") && !namespace.starts_with("AWS/EBS") {
        return Err(ApiError::invalid("The sandbox takes AWS/EC2 and AWS/EBS of the vendor's own namespaces"));
    }
    let mut data = Vec::new();
    for d in input.items("MetricData") {
        let series = Series {
            namespace: namespace.to_owned(),
            name: need_text(d, "MetricName")?.to_owned(),
            dimensions: dimensions(d)?,
        };
        let at = if d.get("Timestamp").is_some() { need_millis(d, "Timestamp")? } else { now };
        let unit = d.get("Unit").and_then(Wire::as_text).unwrap_or("None").to_owned();
        for (value, count) in values(d)? {
            data.push((series.clone(), at, Datum { unit: unit.clone(), ..Datum::of(value, count) }));
        }
        if let Some(s) = d.get("StatisticValues") {
            let number = |name: &str| {
                need(s, name)?.as_number().ok_or_else(|| ApiError::invalid(format!("{name} is not a number")))
            };
            let (count, sum) = (number("SampleCount")?, number("Sum")?);
            let (min, max) = (number("Minimum")?, number("Maximum")?);
            data.push((series, at, Datum { count, sum, min, max, unit }));
        }
    }
    if data.is_empty() {
        return Err(ApiError::bad("MissingParameter", "MetricData holds no value"));
    }
    region.metrics.put(data)?;
    Ok(Wire::map([]))
}

/// `Value`, or `Values` with their `Counts`.
fn values(d: &Wire) -> ApiResult<Vec<(f64, f64)>> {
    let counts: Vec<f64> = d.items("Counts").iter().filter_map(Wire::as_number).collect();
    let many: Vec<f64> = d.items("Values").iter().filter_map(Wire::as_number).collect();
    if !counts.is_empty() && counts.len() != many.len() {
        return Err(ApiError::invalid("Values and Counts differ in length"));
    }
    let single = d.get("Value").and_then(Wire::as_number).map(|v| (v, 1.0));
    let counts = counts.into_iter().chain(std::iter::repeat(1.0));
    let all: Vec<(f64, f64)> = single.into_iter().chain(many.into_iter().zip(counts)).collect();
    if all.iter().any(|(v, c)| !v.is_finite() || !c.is_finite() || *c < 0.0) {
        return Err(ApiError::invalid("Values are to be finite numbers, and counts not negative"));
    }
    Ok(all)
}

fn period(input: &Wire) -> ApiResult<i64> {
    let seconds = need(input, "Period")?.as_number().unwrap_or(0.0) as i64;
    if [1, 5, 10, 20, 30].contains(&seconds) || (seconds >= 60 && seconds % 60 == 0) {
        return Ok(seconds.saturating_mul(1000));
    }
    Err(ApiError::invalid("Period is to be 1, 5, 10, 20, 30 or a multiple of 60 seconds"))
}

const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];

fn get_metric_statistics(region: &mut Region, input: &Wire) -> ApiResult<Wire> {
    let series = series(input)?;
    let (start, end) = (need_millis(input, "StartTime")?, need_millis(input, "EndTime")?);
    let period = period(input)?;
    let wanted: Vec<&str> = input.items("Statistics").iter().filter_map(Wire::as_text).collect();
    if let Some(other) = wanted.iter().find(|s| !STATISTICS.contains(s)) {
        return Err(ApiError::invalid(format!("Unknown statistic '{other}'")));
    }
    if !input.items("ExtendedStatistics").is_empty() || wanted.is_empty() {
        let text = format!("Statistics are to be some of {}; the sandbox has no percentiles", STATISTICS.join(", "));
        return Err(ApiError::combination(text));
    }
    check_span(start, end)?;
    if (end - start) / period > 1440 {
        let text = "You have requested more datapoints than the limit of 1440";
        return Err(ApiError::combination(text));
    }
    let unit = input.get("Unit").and_then(Wire::as_text);
    let points = region.metrics.statistics(&series, start, end, period, unit);
    let point = |(at, d): &(i64, Datum)| {
        let mut fields = vec![("Timestamp", Wire::Time(*at as f64 / 1000.0)), ("Unit", Wire::text(&d.unit))];
        fields.extend(STATISTICS.iter().filter(|s| wanted.contains(s)).map(|s| (*s, Wire::Float(d.statistic(s)))));
        Wire::map(fields)
    };
    Ok(Wire::map([("Label", Wire::text(&series.name)), ("Datapoints", Wire::List(points.iter().map(point).collect()))]))
}

fn check_span(start: i64, end: i64) -> ApiResult<()> {
    if start >= end {
        return Err(ApiError::combination("The parameter StartTime must be less than the parameter EndTime."));
    }
    Ok(())
}

const MOST_POINTS: usize = 100_800;

fn get_metric_data(region: &mut Region, input: &Wire) -> ApiResult<Wire> {
    let (start, end) = (need_millis(input, "StartTime")?, need_millis(input, "EndTime")?);
    check_span(start, end)?;
    let ascending = input.get("ScanBy").and_then(Wire::as_text) == Some("TimestampAscending");
    let asked = input.get("MaxDatapoints").and_then(Wire::as_number).map_or(MOST_POINTS, |n| n as usize);
    let mut room = asked.clamp(1, MOST_POINTS);
    let begin = open_token("GetMetricData", input)
        .ok_or_else(|| ApiError::bad("InvalidNextToken", "The NextToken is not one that GetMetricData gave"))?;
    let (mut skip, mut told) = (begin, 0);
    let (mut results, mut more) = (Vec::new(), false);
    let queries = input.items("MetricDataQueries");
    if queries.is_empty() || queries.len() > 500 {
        return Err(ApiError::invalid("MetricDataQueries are to be 1 to 500"));
    }
    for query in queries {
        let id = need_text(query, "Id")?;
        if query.get("Expression").is_some() {
            let text = format!("The query '{id}' is an expression, which the sandbox does not evaluate");
            return Err(ApiError::bad("ValidationError", text));
        }
        let stat = need(query, "MetricStat")?;
        let series = series(need(stat, "Metric")?)?;
        let statistic = need_text(stat, "Stat")?;
        if !STATISTICS.contains(&statistic) {
            let text = format!("'{statistic}' is not one of {}", STATISTICS.join(", "));
            return Err(ApiError::bad("ValidationError", text));
        }
        if query.get("ReturnData").is_some_and(|r| *r == Wire::Bool(false)) {
            continue;
        }
        let unit = stat.get("Unit").and_then(Wire::as_text);
        let mut points = region.metrics.statistics(&series, start, end, period(stat)?, unit);
        if !ascending {
            points.reverse();
        }
        let skipped = skip.min(points.len());
        skip -= skipped;
        let rest = &points[skipped..];
        let (page, partial) = (&rest[..rest.len().min(room)], rest.len() > room);
        room -= page.len();
        told += page.len();
        more |= partial;
        let label = query.get("Label").and_then(Wire::as_text).unwrap_or(&series.name);
        results.push(Wire::map([
            ("Id", Wire::text(id)),
            ("Label", Wire::text(label)),
            ("Timestamps", Wire::List(page.iter().map(|(at, _)| Wire::Time(*at as f64 / 1000.0)).collect())),
            ("Values", Wire::List(page.iter().map(|(_, d)| Wire::Float(d.statistic(statistic))).collect())),
            ("StatusCode", Wire::text(if partial { "PartialData" } else { "Complete" })),
        ]));
    }
    let mut fields = vec![("MetricDataResults", Wire::List(results)), ("Messages", Wire::List(Vec::new()))];
    if more {
        fields.push(("NextToken", Wire::text(token("GetMetricData", begin + told))));
    }
    Ok(Wire::map(fields))
}

/// A token for the next page; one action's is none of the other's.
fn token(action: &str, begin: usize) -> String {
    format!("{action}-{begin}")
}

/// Where the page begins that is asked for; `None` if the token is not the action's.
fn open_token(action: &str, input: &Wire) -> Option<usize> {
    match input.get("NextToken").and_then(Wire::as_text) {
        None => Some(0),
        Some(token) => token.strip_prefix(action)?.strip_prefix('-')?.parse().ok(),
    }
}

const METRICS_PAGE: usize = 500;

fn list_metrics(region: &mut Region, input: &Wire) -> ApiResult<Wire> {
    let namespace = input.get("Namespace").and_then(Wire::as_text);
    let name = input.get("MetricName").and_then(Wire::as_text);
    let mut wanted = Vec::new();
    for d in input.items("Dimensions") {
        wanted.push((need_text(d, "Name")?, d.get("Value").and_then(Wire::as_text)));
    }
    let begin = open_token("ListMetrics", input)
        .ok_or_else(|| ApiError::bad("InvalidParameterValue", "The NextToken is not one that ListMetrics gave"))?;
    let has = |s: &Series, (key, value): &(&str, Option<&str>)| {
        s.dimensions.iter().any(|(k, v)| k == key && value.is_none_or(|w| w == v))
    };
    let accepted = region.metrics.series().filter(|s| {
        namespace.is_none_or(|n| n == s.namespace)
            && name.is_none_or(|n| n == s.name)
            && wanted.iter().all(|w| has(s, w))
    });
    let page: Vec<&Series> = accepted.skip(begin).take(METRICS_PAGE + 1).collect();
    let metric = |s: &&Series| {
        let dimension = |(k, v): &(String, String)| Wire::map([("Name", Wire::text(k)), ("Value", Wire::text(v))]);
        Wire::map([
            ("Namespace", Wire::text(&s.namespace)),
            ("MetricName", Wire::text(&s.name)),
            ("Dimensions", Wire::List(s.dimensions.iter().map(dimension).collect())),
        ])
    };
    let mut fields = vec![("Metrics", Wire::List(page.iter().take(METRICS_PAGE).map(metric).collect()))];
    if page.len() > METRICS_PAGE {
        fields.push(("NextToken", Wire::text(token("ListMetrics", begin + METRICS_PAGE))));
    }
    Ok(Wire::map(fields))
}
