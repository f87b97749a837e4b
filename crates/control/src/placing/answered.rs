//! Answers to requests that a caller sent with a key, so that the same request gets the same answer.

use jiff::Timestamp;
use novacron_operations::{IdempotencyKey, StoreError};
use novacron_store::Declared;
use novacron_types::placement::PlacementRecord;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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

    /// Keeps placements and the answer that tells of them, all or none, and answers as others will read it: somebody else's
    /// answer to the same request may have been first.
    pub(super) async fn answer<T: Serialize + DeserializeOwned>(
        &self,
        placements: &[PlacementRecord],
        answer: T,
        key: Option<&Key>,
    ) -> Result<T, ControlError> {
        let store = self.store().placements();
        let Some(key) = key else {
            for record in placements {
                store.put_placement(record).await?;
            }
            return Ok(answer);
        };
        match store.keep_once(placements, &key.declares(&answer)?).await? {
            Some(first) => key.read(first),
            None => Ok(self.answered(key).await?.unwrap_or(answer)),
        }
    }
}
