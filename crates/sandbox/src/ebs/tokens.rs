//! Block and page tokens: they say what they are for, until when, and that this sandbox made them.

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::clock::Millis;

#[derive(Debug)]
pub(crate) struct Tokens {
    key: hmac::Key,
    ttl: Millis,
}

const PAGE_TTL: Millis = 60 * 60 * 1000;
const MAC: usize = 24;

impl Tokens {
    pub fn new(ttl: Duration) -> Self {
        let secret: [u8; 32] = rand::random();
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX / 4);
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &secret), ttl }
    }

    pub fn expiry(&self, now: Millis) -> Millis {
        now.saturating_add(self.ttl)
    }

    /// A token for one block of one snapshot.
    pub fn block(&self, snapshot: &str, index: u32, expires: Millis) -> String {
        self.seal("block", snapshot, index, expires)
    }

    pub fn check_block(&self, token: &str, snapshot: &str, index: u32, now: Millis) -> bool {
        self.open("block", snapshot, token, now) == Some(index)
    }

    /// A token for the page that begins with block `next` of the listing that `what` names.
    pub fn page(&self, what: &str, next: u32, now: Millis) -> String {
        self.seal("page", what, next, now + PAGE_TTL)
    }

    pub fn open_page(&self, token: &str, what: &str, now: Millis) -> Option<u32> {
        self.open("page", what, token, now)
    }

    fn seal(&self, kind: &str, what: &str, n: u32, expires: Millis) -> String {
        let mut bytes = Vec::with_capacity(12 + MAC);
        bytes.extend_from_slice(&expires.to_be_bytes());
        bytes.extend_from_slice(&n.to_be_bytes());
        bytes.extend_from_slice(&self.mac(kind, what, &bytes)[..MAC]);
        BASE64_STANDARD.encode(bytes)
    }

    fn open(&self, kind: &str, what: &str, token: &str, now: Millis) -> Option<u32> {
        let bytes = BASE64_STANDARD.decode(token).ok()?;
        let (head, mac) = bytes.split_at_checked(12)?;
        let expected = self.mac(kind, what, head);
        aws_lc_rs::constant_time::verify_slices_are_equal(mac, &expected[..MAC]).ok()?;
        let expires = Millis::from_be_bytes(head[..8].try_into().ok()?);
        let n = u32::from_be_bytes(head[8..].try_into().ok()?);
        (now < expires).then_some(n)
    }

    fn mac(&self, kind: &str, what: &str, head: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [kind.as_bytes(), b"/", what.as_bytes(), b"/", head] {
            context.update(part);
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_what_it_was_made_for_and_for_its_time() {
        let t = Tokens::new(Duration::from_secs(1));
        let token = t.block("snap-1", 7, t.expiry(1_000));
        assert!(token.len() <= 256);
        assert!(t.check_block(&token, "snap-1", 7, 1_999));
        assert!(!t.check_block(&token, "snap-1", 7, 2_000));
        assert!(!t.check_block(&token, "snap-1", 8, 1_500));
        assert!(!t.check_block(&token, "snap-2", 7, 1_500));
        assert!(!Tokens::new(Duration::from_secs(1)).check_block(&token, "snap-1", 7, 1_500));
        assert_eq!(t.open_page(&token, "snap-1", 1_500), None);
        assert_eq!(t.open_page(&t.page("a/b", 9, 0), "a/b", 5), Some(9));
        for bad in ["", "AAAA", "not base64!"] {
            assert!(!t.check_block(bad, "snap-1", 7, 0));
        }
    }
}
