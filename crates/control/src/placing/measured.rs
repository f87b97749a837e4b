//! What hosts say of themselves: asked now and then, so that one that is silent keeps nobody waiting.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use novacron_provider::HostUse;
use tokio::{sync::OwnedMutexGuard, task::JoinHandle};

/// What hosts said is believed so long.
const AGE: Duration = Duration::from_secs(15);
/// So long it is good enough until they have been asked again.
const OLD: Duration = Duration::from_secs(60);

type Found = Vec<Option<HostUse>>;

#[derive(Default)]
pub(super) struct Measured {
    /// Held for moments only.
    said: Arc<Mutex<Said>>,
    /// Held by the one who asks.
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Said {
    last: Option<(Instant, Found)>,
    /// What was asked before this was counted up is not believed.
    forgotten: u64,
}

impl Measured {
    /// What `ask` answers, or has answered a little while ago.
    pub async fn get<F>(&self, ask: impl FnOnce() -> F) -> Found
    where
        F: Future<Output = Found> + Send + 'static,
    {
        if let Some(found) = self.said().younger_than(AGE) {
            return found;
        }
        let old = self.said().younger_than(OLD);
        let turn = match &old {
            None => self.asking.clone().lock_owned().await,
            Some(old) => match self.asking.clone().try_lock_owned() {
                Ok(turn) => turn,
                Err(_) => return old.clone(),
            },
        };
        // Somebody else may have asked meanwhile.
        if let Some(found) = self.said().younger_than(AGE) {
            return found;
        }
        let asked = self.ask(ask(), turn);
        match old {
            Some(old) => old,
            None => asked.await.unwrap_or_default(),
        }
    }

    /// What is answered now is believed next; others are answered by what was said before until then.
    pub async fn renew(&self, ask: impl Future<Output = Found> + Send + 'static) {
        let turn = self.asking.clone().lock_owned().await;
        // It has no answer if the program is ending.
        let _ = self.ask(ask, turn).await;
    }

    /// Goes on also where nobody waits for it.
    fn ask(&self, ask: impl Future<Output = Found> + Send + 'static, turn: OwnedMutexGuard<()>) -> JoinHandle<Found> {
        let (said, forgotten) = (self.said.clone(), self.said().forgotten);
        tokio::spawn(async move {
            let found = ask.await;
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.forgotten == forgotten {
                said.last = Some((Instant::now(), found.clone()));
            }
            drop((said, turn));
            found
        })
    }

    /// What was said so far is believed no longer.
    pub fn forget(&self) {
        let mut said = self.said();
        said.last = None;
        said.forgotten += 1;
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Said {
    fn younger_than(&self, age: Duration) -> Option<Found> {
        let (at, found) = self.last.as_ref()?;
        (at.elapsed() < age).then(|| found.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn said(vcpus: u32) -> Found {
        vec![Some(HostUse {
            vcpus,
            vcpus_used: 0,
            memory_bytes: 0,
            memory_used_bytes: 0,
            memory_free_bytes: None,
            disk_bytes: None,
            disk_free_bytes: None,
            load_permille: None,
            load_window_ms: None,
            architecture: None,
            measured_at: jiff::Timestamp::UNIX_EPOCH,
        })]
    }

    fn of(ages: &Measured, age: Duration) {
        let mut said = ages.said();
        let (at, _) = said.last.as_mut().unwrap();
        *at = at.checked_sub(age).unwrap();
    }

    #[tokio::test]
    async fn a_silent_host_keeps_nobody_waiting_who_was_answered_before() {
        let measured = Measured::default();
        assert_eq!(measured.get(|| ready(said(1))).await, said(1));
        assert_eq!(measured.get(|| ready(said(2))).await, said(1), "it is asked at each question");
        of(&measured, AGE);
        for _ in 0..2 {
            let asked = tokio::time::timeout(Duration::from_secs(10), measured.get(pending));
            assert_eq!(asked.await.expect("it waits"), said(1));
        }
    }

    #[tokio::test]
    async fn what_is_asked_meanwhile_is_believed_next_and_what_is_too_old_is_not() {
        let measured = Measured::default();
        measured.get(|| ready(said(1))).await;
        of(&measured, AGE);
        assert_eq!(measured.get(|| ready(said(2))).await, said(1));
        let asked = measured.asking.lock();
        drop(tokio::time::timeout(Duration::from_secs(10), asked).await.expect("it is still asked"));
        assert_eq!(measured.get(|| ready(said(3))).await, said(2));
        of(&measured, OLD);
        assert_eq!(measured.get(|| ready(said(4))).await, said(4));
    }

    #[tokio::test]
    async fn what_is_renewed_is_believed_and_keeps_nobody_waiting() {
        let measured = Measured::default();
        measured.get(|| ready(said(1))).await;
        measured.renew(ready(said(2))).await;
        assert_eq!(measured.get(|| ready(said(3))).await, said(2));
        of(&measured, AGE);
        let renewed = measured.renew(pending());
        let asked = measured.get(|| ready(said(4)));
        let (silent, answered) = futures::future::join(
            tokio::time::timeout(Duration::from_millis(100), renewed),
            tokio::time::timeout(Duration::from_secs(10), asked),
        )
        .await;
        assert!(silent.is_err());
        assert_eq!(answered.expect("it waits"), said(2));
    }

    #[tokio::test]
    async fn what_was_asked_before_it_was_forgotten_is_not_believed() {
        let measured = Measured::default();
        let (answer, answered) = tokio::sync::oneshot::channel();
        let asked = measured.get(|| async { answered.await.unwrap() });
        let change = async {
            measured.forget();
            answer.send(said(1)).unwrap();
        };
        assert_eq!(futures::future::join(asked, change).await.0, said(1));
        assert_eq!(measured.get(|| ready(said(2))).await, said(2));
    }
}
