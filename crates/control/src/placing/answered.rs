//! Answers to requests that a caller sent with a key, so that the same request gets the same answer.

use jiff::Timestamp;
use novacron_operations::IdempotencyKey;
use novacron_store::Declared;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Control, ControlError, ErrorClass};

/// As it is kept, beside what was asked.
#[derive(Serialize, Deserialize)]
struct Answered<T> {
    digest: String,
    answer: T,
}

/// The same for the same key, and told from that of every other.
pub(super) fn token(key: &IdempotencyKey) -> String {
    blake3::hash(key.key.as_bytes()).to_hex()[..32].to_owned()
}

impl Control {
    /// What was answered before. `name` is the key's own, and has a colon, so that no machine has it and it is forgotten when
    /// it is old. The key of another request is refused.
    pub(super) async fn answered<T: DeserializeOwned>(
        &self,
        name: &str,
        key: &IdempotencyKey,
    ) -> Result<Option<T>, ControlError> {
        let Some(kept) = self.store().placements().declared(name).await? else { return Ok(None) };
        let Ok(known) = serde_json::from_value::<Answered<T>>(kept.manifest) else { return Ok(None) };
        if known.digest != key.digest {
            let message = "the idempotency key was used before, for another request";
            return Err(ControlError::new(ErrorClass::Conflict, "idempotency_key_reused", message)
                .advice("Use a new key for a new request."));
        }
        Ok(Some(known.answer))
    }

    pub(super) async fn keep_answer(
        &self,
        name: String,
        key: IdempotencyKey,
        answer: &impl Serialize,
    ) -> Result<(), ControlError> {
        let manifest = serde_json::to_value(Answered { digest: key.digest, answer })
            .map_err(|error| ControlError::new(ErrorClass::Internal, "store", error.to_string()))?;
        let kept = Declared { name, manifest, updated_at: Timestamp::now() };
        Ok(self.store().placements().put_declared(&kept).await?)
    }
}
