//! Faults on order: a plan of what shall go wrong, when, and how often.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::pattern;
use crate::prices::PriceFault;

/// One thing that goes wrong. Its JSON form is what `POST /_sandbox/faults` takes:
/// `{"action":"GetSnapshotBlock","nth":3,"effect":{"error":{"code":"InternalServerException","status":500}}}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The action's name; `*` and `?` match any text and any letter.
    pub action: String,
    /// Only requests in whose path or parameters this text occurs, such as a resource's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Begin with the nth matching request, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Happen at most this often. With `nth` and without `count`: once. With neither: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Happen with this probability, drawn from a generator that starts from `seed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    #[serde(default)]
    pub seed: u64,
    pub effect: Effect,
}

impl Fault {
    /// `effect` at every request of `action`.
    pub fn always(action: impl Into<String>, effect: Effect) -> Self {
        Self { action: action.into(), about: None, nth: None, count: None, probability: None, seed: 0, effect }
    }

    /// `effect` at the nth request of `action`, once.
    pub fn nth(action: impl Into<String>, nth: u64, effect: Effect) -> Self {
        Self { nth: Some(nth), ..Self::always(action, effect) }
    }

    /// `effect` at the first `count` requests of `action`.
    pub fn times(action: impl Into<String>, count: u64, effect: Effect) -> Self {
        Self { count: Some(count), ..Self::always(action, effect) }
    }

    /// `effect` with a probability, the same series of draws for the same seed.
    pub fn sometimes(action: impl Into<String>, probability: f64, seed: u64, effect: Effect) -> Self {
        Self { probability: Some(probability), seed, ..Self::always(action, effect) }
    }
}

/// What happens.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// This error is answered; with `applied` the request has been carried out nevertheless.
    Error {
        code: String,
        status: u16,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default)]
        applied: bool,
    },
    /// The answer comes later.
    Delay { ms: u64 },
    /// The connection breaks without an answer; with `applied` the request has been carried out.
    Drop {
        #[serde(default)]
        applied: bool,
    },
    /// The answer's body breaks off after so many bytes.
    Truncate { after: usize },
    /// GetSnapshotBlock: one byte differs from what the checksum says.
    CorruptByte,
    /// GetSnapshotBlock: data and checksum agree with each other, but not with the snapshot.
    CorruptBlock,
    /// GetSnapshotBlock and PutSnapshotBlock: the checksum in the answer is wrong.
    WrongChecksum,
    /// The resources that the request names are gone before it is carried out.
    Vanish,
    /// ListChangedBlocks: every nth entry is left out.
    OmitBlocks { every: u32 },
    /// The price lists: something is wrong with what they say.
    Prices(PriceFault),
}

/// What the plan says about one request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub effects: Vec<Effect>,
}

/// The faults in force.
#[derive(Debug, Default)]
pub(crate) struct FaultPlan {
    next_id: u64,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    id: u64,
    fault: Fault,
    seen: u64,
    happened: u64,
    rng: StdRng,
}

/// A fault in force and what has become of it.
#[derive(Debug, Serialize)]
pub struct FaultStatus {
    pub id: u64,
    #[serde(flatten)]
    pub fault: Fault,
    /// How many requests matched.
    pub seen: u64,
    /// How often the effect happened.
    pub happened: u64,
}

impl FaultPlan {
    pub fn add(&mut self, fault: Fault) -> u64 {
        self.next_id += 1;
        let rng = StdRng::seed_from_u64(fault.seed);
        self.rules.push(Rule { id: self.next_id, fault, seen: 0, happened: 0, rng });
        self.next_id
    }

    pub fn clear(&mut self) {
        self.rules.clear();
    }

    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|r| r.id != id);
        self.rules.len() < before
    }

    pub fn status(&self) -> Vec<FaultStatus> {
        let each = |r: &Rule| FaultStatus { id: r.id, fault: r.fault.clone(), seen: r.seen, happened: r.happened };
        self.rules.iter().map(each).collect()
    }

    /// Judges one request. `names` tells whether a text occurs in its path or parameters.
    pub fn judge(&mut self, action: &str, names: impl Fn(&str) -> bool) -> Verdict {
        let mut verdict = Verdict::default();
        for rule in &mut self.rules {
            let fault = &rule.fault;
            if !pattern::matches(&fault.action, action) || !fault.about.as_deref().is_none_or(&names) {
                continue;
            }
            rule.seen += 1;
            let limit = fault.count.or(fault.nth.map(|_| 1)).unwrap_or(u64::MAX);
            if rule.seen < fault.nth.unwrap_or(1) || rule.happened >= limit {
                continue;
            }
            if fault.probability.is_some_and(|p| rule.rng.random::<f64>() >= p) {
                continue;
            }
            rule.happened += 1;
            verdict.effects.push(fault.effect.clone());
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(fault: Fault, requests: usize) -> Vec<usize> {
        let mut plan = FaultPlan::default();
        plan.add(fault);
        (1..=requests).filter(|_| !plan.judge("GetSnapshotBlock", |_| true).effects.is_empty()).collect()
    }

    #[test]
    fn faults_happen_when_they_are_due() {
        assert_eq!(hits(Fault::nth("Get*", 3, Effect::Vanish), 6), [3]);
        assert_eq!(hits(Fault::times("GetSnapshotBlock", 2, Effect::Vanish), 6), [1, 2]);
        assert_eq!(hits(Fault::always("Put*", Effect::Vanish), 6), [0; 0]);
        let nth_twice = Fault { count: Some(2), ..Fault::nth("*", 2, Effect::Vanish) };
        assert_eq!(hits(nth_twice, 6), [2, 3]);
        let some = hits(Fault::sometimes("*", 0.5, 42, Effect::Vanish), 100);
        assert_eq!(some, hits(Fault::sometimes("*", 0.5, 42, Effect::Vanish), 100));
        assert!((20..80).contains(&some.len()));
    }

    #[test]
    fn faults_are_about_what_they_say() {
        let mut plan = FaultPlan::default();
        plan.add(Fault { about: Some("snap-1".into()), ..Fault::always("*", Effect::Drop { applied: false }) });
        assert!(plan.judge("X", |t| t == "snap-2").effects.is_empty());
        assert_eq!(plan.judge("X", |t| t == "snap-1").effects.len(), 1);
        assert_eq!((plan.status()[0].seen, plan.status()[0].happened), (1, 1));
    }

    #[test]
    fn the_json_form_is_strict() {
        let good = r#"{"action":"*","effect":{"error":{"code":"Boom","status":500}}}"#;
        assert!(serde_json::from_str::<Fault>(good).is_ok());
        assert!(serde_json::from_str::<Fault>(r#"{"action":"*","effect":"vanish"}"#).is_ok());
        assert!(serde_json::from_str::<Fault>(r#"{"action":"*","effct":"vanish"}"#).is_err());
    }
}
