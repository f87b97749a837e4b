//! The data points that were put.

use std::collections::BTreeMap;

use crate::clock::Millis;
use crate::error::{ApiError, ApiResult};

/// What a data point belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Series {
    pub namespace: String,
    pub name: String,
    /// Sorted.
    pub dimensions: Vec<(String, String)>,
}

/// A set of values as its statistics.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Datum {
    pub count: f64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    pub unit: String,
}

impl Datum {
    pub fn of(value: f64, count: f64) -> Self {
        Self { count, sum: value * count, min: value, max: value, unit: String::new() }
    }

    pub fn statistic(&self, name: &str) -> f64 {
        match name {
            "SampleCount" => self.count,
            "Sum" => self.sum,
            "Minimum" => self.min,
            "Maximum" => self.max,
            _ if self.count == 0.0 => 0.0,
            _ => self.sum / self.count,
        }
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// Data points of a region that are kept at most.
const MOST: usize = 500_000;

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    series: BTreeMap<Series, BTreeMap<Millis, Vec<Datum>>>,
    held: usize,
}

impl Metrics {
    pub fn put(&mut self, data: Vec<(Series, Millis, Datum)>) -> ApiResult<()> {
        if self.held + data.len() > MOST {
            let text = format!("The sandbox keeps at most {MOST} data points in a region");
            return Err(ApiError::bad("LimitExceeded", text));
        }
        for (series, at, datum) in data {
            let same_time = self.series.entry(series).or_default().entry(at).or_default();
            match same_time.iter_mut().find(|d| d.unit == datum.unit) {
                Some(known) => known.join(&datum),
                None => {
                    same_time.push(datum);
                    self.held += 1;
                }
            }
        }
        Ok(())
    }

    pub fn series(&self) -> impl Iterator<Item = &Series> {
        self.series.keys()
    }

    /// What was put from `start` up to but not including `end`, in periods, the oldest first; values of
    /// different units do not mix.
    pub fn statistics(
        &self,
        series: &Series,
        start: Millis,
        end: Millis,
        period: Millis,
        unit: Option<&str>,
    ) -> Vec<(Millis, Datum)> {
        let mut periods: BTreeMap<(Millis, &str), Datum> = BTreeMap::new();
        let put = self.series.get(series).into_iter().flat_map(|points| points.range(start..end));
        for (at, data) in put {
            let begin = at.div_euclid(period) * period;
            for datum in data.iter().filter(|d| unit.is_none_or(|u| u == d.unit)) {
                let of_period = periods.entry((begin, datum.unit.as_str()));
                of_period.and_modify(|d| d.join(datum)).or_insert_with(|| datum.clone());
            }
        }
        periods.into_iter().map(|((at, _), datum)| (at, datum)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_of_what_was_put() {
        let series = Series { namespace: "AWS/EC2".into(), name: "CPUUtilization".into(), dimensions: Vec::new() };
        let datum = |v| Datum { unit: "Percent".into(), ..Datum::of(v, 1.0) };
        let mut m = Metrics::default();
        let at = [0, 59_999, 60_000, 130_000];
        m.put(at.iter().zip([10.0, 20.0, 40.0, 8.0]).map(|(t, v)| (series.clone(), *t, datum(v))).collect()).unwrap();
        let found = m.statistics(&series, 0, 130_000, 60_000, None);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0, found[0].1.statistic("Average"), found[0].1.statistic("Maximum")), (0, 15.0, 20.0));
        assert_eq!((found[1].0, found[1].1.statistic("SampleCount")), (60_000, 1.0));
        assert!(m.statistics(&series, 0, 130_000, 60_000, Some("Bytes")).is_empty());
        assert!(m.statistics(&Series { name: "Other".into(), ..series }, 0, 1, 1, None).is_empty());
    }
}
