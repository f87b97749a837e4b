//! Answers to requests that a caller sent with a key, so that the same request gets the same answer.

use jiff::Timestamp;
use novacron_operations::{IdempotencyKey, StoreError};
use novacron_store::Declared;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::records::Keep;
use crate::{Control, ControlError, ErrorClass};

/// A caller's key.
pub(super) struct Key {
    pub idempotency: IdempotencyKey,
    /// The same for the same key, and told from that of every other.
    pub token: String,
    /// What the answer is kept as. It has a colon, so that no machine has this name and it is forgotten when it is old.
    kept_as: String,
}

/// As it is kept, beside what was asked.
#[derive(Serialize, Deserialize)]
struct Answered<T> {
    digest: String,
    answer: T,
}

impl Key {
    /// `kind`: of requests that are told apart.
    pub fn new(kind: &str, idempotency: IdempotencyKey) -> Self {
        let token = blake3::hash(idempotency.key.as_bytes()).to_hex()[..32].to_owned();
        Self { kept_as: format!("{kind}:{token}"), token, idempotency }
    }

    /// To be stored with what the answer tells of.
    pub fn declares(&self, answer: &impl Serialize) -> Result<Declared, StoreError> {
        let answered = Answered { digest: self.idempotency.digest.clone(), answer };
        let manifest = serde_json::to_value(answered).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(Declared { name: self.kept_as.clone(), manifest, updated_at: Timestamp::now() })
    }

    /// What was answered; refused if that was to another request.
    pub fn read<T: DeserializeOwned>(&self, kept: Declared) -> Result<T, ControlError> {
        let known: Answered<T> = serde_json::from_value(kept.manifest)
            .map_err(|error| ControlError::new(ErrorClass::Internal, "store", error.to_string()))?;
        if known.digest != self.idempotency.digest {
            let message = "the idempotency key was used before, for another request";
            return Err(ControlError::new(ErrorClass::Conflict, "idempotency_key_reused", message)
                .advice("Use a new key for a new request."));
        }
        Ok(known.answer)
    }
}

impl Control {
    /// What was answered before.
    pub(super) async fn answered<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, ControlError> {
        let kept = self.store().placements().declared(&key.kept_as).await?;
        kept.map(|kept| key.read(kept)).transpose()
    }

    /// Keeps what no work follows from and the answer that tells of it, all or none, and answers as others will read it:
    /// somebody else's answer to the same request may have been first.
    pub(super) async fn answer<T: Serialize + DeserializeOwned>(
        &self,
        keep: &Keep,
        answer: T,
        key: Option<&Key>,
    ) -> Result<T, ControlError> {
        let store = self.store().placements();
        let Some(key) = key else {
            for record in &keep.placements {
                store.put_placement(record).await?;
            }
            // Last: what was not stored whole is applied again.
            for declared in &keep.declared {
                store.put_declared(declared).await?;
            }
            return Ok(answer);
        };
        match store.keep_once(&keep.placements, &keep.declared, &key.declares(&answer)?).await? {
            Some(first) => key.read(first),
            None => Ok(self.answered(key).await?.unwrap_or(answer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use novacron_types::{
        VmId,
        placement::{PlacementRequest, PlacementStatus},
    };
    use serde_json::json;

    use super::*;
    use crate::placing::{decide, tests::Stage};

    fn key(name: &str) -> Option<Key> {
        let idempotency = IdempotencyKey { key: name.to_owned(), digest: "the same".to_owned() };
        Some(Key::new("placed", idempotency))
    }

    /// Two ask the same with one key; between their questions the market changes, so that only one of them finds a place.
    #[tokio::test(flavor = "multi_thread")]
    async fn one_key_has_one_answer_though_the_market_changes() {
        let stage = Stage::new(64).await;
        let image = stage.far.seed_image("debian", b"an image").to_string();
        let control = &stage.control;
        let mut made = 0;
        for round in 0..12 {
            let name = format!("vm-{round}");
            let request: PlacementRequest = serde_json::from_value(json!({
                "vm_id": name, "required_cpu": 1, "required_memory_gb": 1, "create": true, "image": image,
                "constraints": [{ "type": "provider", "operator": "==", "value": "far" }],
            }))
            .unwrap();
            let (vm_id, now) = (VmId::new(&name).unwrap(), Timestamp::now());
            let decision = control.decide(&request, now).await.unwrap();
            let none = novacron_types::placement::Decision { primary_placement: None, ..decision.clone() };
            let of = |decision| decide::record(vm_id.clone(), request.clone(), decision, now);
            let keep = |decision| control.keep_placed(of(decision), vm_id.clone(), key(&name));
            // At once, and well after one another in both orders.
            let (one, other) = match round % 3 {
                0 => tokio::join!(keep(decision), keep(none)),
                1 => (keep(decision).await, keep(none).await),
                _ => (keep(none).await, keep(decision).await),
            };
            let (one, other) = (one.unwrap(), other.unwrap());
            assert_eq!(one.placement_id, other.placement_id, "{round}");
            let feasible = one.decision.primary_placement.is_some();
            assert_eq!(feasible, other.decision.primary_placement.is_some(), "{round}");
            assert_eq!(one.operation_id, other.operation_id, "{round}");
            made += usize::from(feasible);
            assert_eq!(stage.ended("create").await.len(), made, "{round}");
            let kept = control.placement(&name).await.unwrap();
            let status = if feasible { PlacementStatus::Created } else { PlacementStatus::Infeasible };
            assert_eq!((kept.placement_id, kept.status), (one.placement_id, status), "{round}");
        }
        stage.control.shutdown(Duration::from_secs(5)).await;
    }
}
