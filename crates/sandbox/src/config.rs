//! What a sandbox is started with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rand::Rng;

/// Settings of a [`crate::Sandbox`]. `SandboxConfig::default()` listens on a free port of 127.0.0.1, keeps its
/// disks in a temporary directory, throttles nothing and makes a new key.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where to listen. Only loopback addresses are accepted.
    pub listen: SocketAddr,
    /// Where the blocks of disks are kept: in a directory of its own below this one, or below the system's
    /// temporary directory. It goes with the sandbox.
    pub data_dir: Option<PathBuf>,
    /// The twelve digits of the account that owns everything.
    pub account: String,
    /// The key that may do everything. `None` makes one.
    pub credentials: Option<Credentials>,
    /// Further keys, each of which may do only what its list says.
    pub identities: Vec<Identity>,
    /// How long changes of state take.
    pub latency: Latency,
    /// How many requests are let through.
    pub throttle: Throttle,
    /// How long the block tokens of EBS direct are good for.
    pub token_ttl: Duration,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            data_dir: None,
            account: "000000000000".to_owned(),
            credentials: None,
            identities: Vec::new(),
            latency: Latency::default(),
            throttle: Throttle::default(),
            token_ttl: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key: String,
    pub secret_key: String,
}

impl Credentials {
    /// A new random key, recognisable as a sandbox's by its first letters.
    pub fn generate() -> Self {
        const KEY: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        Self { access_key: format!("AKIASANDBOX{}", random_text(KEY, 9)), secret_key: random_text(SECRET, 40) }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

pub(crate) fn random_text(alphabet: &[u8], len: usize) -> String {
    let mut rng = rand::rng();
    (0..len).map(|_| alphabet[rng.random_range(0..alphabet.len())] as char).collect()
}

/// A key with limited rights.
#[derive(Debug, Clone)]
pub struct Identity {
    pub credentials: Credentials,
    /// The user's name, as it appears in its ARN.
    pub user: String,
    /// Patterns such as `ec2:Describe*`, `ebs:*` or `*`; whatever none matches is refused.
    pub allow: Vec<String>,
}

impl Identity {
    /// Someone who may look at everything and change nothing.
    pub fn read_only(credentials: Credentials) -> Self {
        let allow = [
            "ec2:Describe*",
            "ec2:Get*",
            "ebs:List*",
            "ebs:Get*",
            "cloudwatch:Get*",
            "cloudwatch:List*",
            "sts:Get*",
            "pricing:Get*",
        ];
        Self { credentials, user: "read-only".to_owned(), allow: allow.map(str::to_owned).to_vec() }
    }
}

/// How long each change of state takes, by the clock.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    /// pending → running.
    pub start: Duration,
    /// stopping → stopped.
    pub stop: Duration,
    /// shutting-down → terminated.
    pub terminate: Duration,
    /// A snapshot: pending → completed.
    pub snapshot: Duration,
    /// An image: pending → available.
    pub image: Duration,
    /// A volume: creating → available, attaching → attached, detaching → detached.
    pub volume: Duration,
    /// How long a terminated instance is still listed.
    pub forget_terminated: Duration,
}

impl Latency {
    /// Everything happens at once.
    pub fn none() -> Self {
        let at_once = Duration::ZERO;
        Self {
            start: at_once,
            stop: at_once,
            terminate: at_once,
            snapshot: at_once,
            image: at_once,
            volume: at_once,
            forget_terminated: Duration::from_secs(3600),
        }
    }
}

impl Default for Latency {
    fn default() -> Self {
        let short = Duration::from_millis(300);
        Self {
            start: short,
            stop: short,
            terminate: short,
            snapshot: short,
            image: short,
            volume: Duration::from_millis(100),
            forget_terminated: Duration::from_secs(3600),
        }
    }
}

/// A token bucket: `burst` requests at once, `per_second` on the long run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

/// Limits by family of actions, for each region; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Throttle {
    /// EC2's Describe and Get actions.
    pub ec2_read: Option<Rate>,
    /// EC2's other actions.
    pub ec2_write: Option<Rate>,
    /// EBS direct: ListSnapshotBlocks, ListChangedBlocks.
    pub ebs_list: Option<Rate>,
    /// EBS direct: GetSnapshotBlock.
    pub ebs_read: Option<Rate>,
    /// EBS direct: StartSnapshot, PutSnapshotBlock, CompleteSnapshot.
    pub ebs_write: Option<Rate>,
    /// CloudWatch and STS.
    pub other: Option<Rate>,
}

impl Throttle {
    /// About what a new account has in a large region.
    pub fn like_aws() -> Self {
        let rate = |per_second, burst| Some(Rate { per_second, burst });
        Self {
            ec2_read: rate(20.0, 100.0),
            ec2_write: rate(5.0, 50.0),
            ebs_list: rate(50.0, 50.0),
            ebs_read: rate(1000.0, 1000.0),
            ebs_write: rate(1000.0, 1000.0),
            other: rate(50.0, 500.0),
        }
    }
}
