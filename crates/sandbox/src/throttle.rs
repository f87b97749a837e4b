//! Token buckets, one for each region and family of actions.

use std::collections::HashMap;

use crate::clock::Millis;
use crate::config::{Rate, Throttle};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    Ec2Read,
    Ec2Write,
    EbsList,
    EbsRead,
    EbsWrite,
    Other,
}

impl Family {
    pub fn of(service: &str, action: &str) -> Self {
        match service {
            "ec2" if action.starts_with("Describe") || action.starts_with("Get") => Self::Ec2Read,
            "ec2" => Self::Ec2Write,
            "ebs" if action.starts_with("List") => Self::EbsList,
            "ebs" if action.starts_with("Get") => Self::EbsRead,
            "ebs" => Self::EbsWrite,
            _ => Self::Other,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Buckets {
    limits: Throttle,
    levels: HashMap<(String, Family), (f64, Millis)>,
}

impl Buckets {
    pub fn new(limits: Throttle) -> Self {
        Self { limits, levels: HashMap::new() }
    }

    pub fn set(&mut self, limits: Throttle) {
        *self = Self::new(limits);
    }

    /// Takes one token; false if there is none.
    pub fn take(&mut self, region: &str, family: Family, now: Millis) -> bool {
        let Some(Rate { per_second, burst }) = self.limit(family) else { return true };
        let level = self.levels.entry((region.to_owned(), family)).or_insert((burst, now));
        let passed = (now - level.1).max(0) as f64 / 1000.0;
        *level = ((level.0 + passed * per_second).min(burst), now);
        if level.0 < 1.0 {
            return false;
        }
        level.0 -= 1.0;
        true
    }

    fn limit(&self, family: Family) -> Option<Rate> {
        match family {
            Family::Ec2Read => self.limits.ec2_read,
            Family::Ec2Write => self.limits.ec2_write,
            Family::EbsList => self.limits.ebs_list,
            Family::EbsRead => self.limits.ebs_read,
            Family::EbsWrite => self.limits.ebs_write,
            Family::Other => self.limits.other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills_for_each_region() {
        let limit = Some(Rate { per_second: 10.0, burst: 2.0 });
        let mut b = Buckets::new(Throttle { ec2_read: limit, ..Throttle::default() });
        let family = Family::of("ec2", "DescribeInstances");
        assert!(b.take("a", family, 0) && b.take("a", family, 0));
        assert!(!b.take("a", family, 0));
        assert!(b.take("b", family, 0));
        assert!(!b.take("a", family, 99));
        assert!(b.take("a", family, 200));
        assert!(b.take("a", Family::Ec2Write, 0));
    }
}
