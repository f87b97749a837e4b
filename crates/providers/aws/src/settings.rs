//! What can be configured: the keys of a provider of kind `aws`.

use std::{collections::BTreeMap, fmt};

use novacron_provider::{ErrorKind, KeyInfo, ProviderError, Result};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

/// The keys as they are written.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub region: Option<String>,
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<SecretString>,
    pub session_token: Option<SecretString>,
    pub profile: Option<String>,
    pub credentials: Credentials,
    pub assume_role: Option<String>,
    pub external_id: Option<SecretString>,
    pub default_vpc: Option<String>,
    pub default_subnet: Option<String>,
    pub security_groups: Vec<String>,
    /// Taken so that a configuration for the slow way over S3 loads; nothing reads it.
    pub s3_bucket: Option<String>,
    pub key_pair_name: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub endpoint: Option<String>,
    pub endpoints: Endpoints,
    pub image_map: BTreeMap<String, String>,
    #[serde(alias = "instanceFamily")]
    pub instance_family: Option<String>,
    #[serde(alias = "spotEnabled")]
    pub spot_enabled: Option<bool>,
    pub defaults: Defaults,
    pub ebs_requests_per_second: Option<f64>,
}

/// `credentials.secret` names a profile of the shared AWS files, where secrets stay out of the configuration.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    pub secret: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoints {
    pub ec2: Option<String>,
    pub ebs: Option<String>,
    pub sts: Option<String>,
    pub cloudwatch: Option<String>,
    pub pricing: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    #[serde(alias = "instanceFamily")]
    pub instance_family: Option<String>,
    #[serde(alias = "spotEnabled")]
    pub spot_enabled: Option<bool>,
}

const fn key(name: &'static str, doc: &'static str) -> KeyInfo {
    KeyInfo { name, secret: false, doc }
}

const fn secret(name: &'static str, doc: &'static str) -> KeyInfo {
    KeyInfo { name, secret: true, doc }
}

pub const KEYS: &[KeyInfo] = &[
    key("region", "The region. Absent: AWS_REGION, or the profile's."),
    key("access_key_id", "Absent, with the next: the usual credential chain of AWS."),
    secret("secret_access_key", "The secret of the access key."),
    secret("session_token", "For temporary credentials."),
    key("profile", "A profile of the shared AWS files (~/.aws)."),
    key("credentials", "`secret`: as `profile`."),
    key("assume_role", "The ARN of a role that is taken on for every request."),
    secret("external_id", "What the role's owner asks for besides."),
    key("default_vpc", "The VPC of new machines whose subnet is not said."),
    key("default_subnet", "The subnet of new machines."),
    key("security_groups", "Ids of the security groups of new machines."),
    key("s3_bucket", "Kept for the way over S3, which is not used."),
    key("key_pair_name", "The key pair of new machines."),
    key("tags", "Put on everything that is made."),
    key("endpoint", "One URL for all services, instead of Amazon's."),
    key("endpoints", "`ec2`, `ebs`, `sts`, `cloudwatch`, `pricing`: a URL for one service."),
    key("image_map", "Names of images, and the AMI that each stands for in this region."),
    key("instance_family", "Where no instance type is said, one of this family is taken (t3)."),
    key("spot_enabled", "False: machines on spare capacity are refused."),
    key("defaults", "`instance_family` and `spot_enabled`, written together."),
    key(
        "ebs_requests_per_second",
        "Most block requests a second each way. Default: 1000, Amazon's quota; 0: no limit.",
    ),
];

impl Settings {
    /// Reads and checks the keys. Messages hold no value that may be a secret.
    pub fn parse(value: &Value) -> Result<Self> {
        let settings = Self::deserialize(value).map_err(|error| invalid(error.to_string()))?;
        if settings.access_key_id.is_some() != settings.secret_access_key.is_some() {
            return Err(invalid("`access_key_id` and `secret_access_key` only work together")
                .advice("Give both, or neither to use the usual credential chain of AWS."));
        }
        if settings.session_token.is_some() && settings.access_key_id.is_none() {
            return Err(invalid("`session_token` needs `access_key_id` and `secret_access_key`"));
        }
        if settings.external_id.is_some() && settings.assume_role.is_none() {
            return Err(invalid("`external_id` needs `assume_role`"));
        }
        let e = &settings.endpoints;
        for url in [&settings.endpoint, &e.ec2, &e.ebs, &e.sts, &e.cloudwatch, &e.pricing].into_iter().flatten() {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(invalid(format!("the endpoint {url:?} is not an http or https URL")));
            }
        }
        if let Some(key) = settings.tags.keys().find(|key| key.starts_with("aws:") || key.starts_with("novacron:")) {
            return Err(invalid(format!("the tag `{key}` is reserved")));
        }
        if settings.ebs_requests_per_second.is_some_and(|rate| !(rate >= 0.0 && rate.is_finite())) {
            return Err(invalid("`ebs_requests_per_second` must be 0 or more"));
        }
        Ok(settings)
    }

    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref().or(self.credentials.secret.as_deref())
    }

    pub fn instance_family(&self) -> Option<&str> {
        self.instance_family.as_deref().or(self.defaults.instance_family.as_deref())
    }

    pub fn spot_allowed(&self) -> bool {
        self.spot_enabled.or(self.defaults.spot_enabled).unwrap_or(true)
    }

    /// Whether it asks somebody else than Amazon.
    pub fn is_custom(&self) -> bool {
        let url = self.endpoints.ec2.as_deref().or(self.endpoint.as_deref());
        url.is_some_and(|url| {
            let host = url.split("//").nth(1).unwrap_or_default().split(['/', ':']).next().unwrap_or_default();
            !host.ends_with(".amazonaws.com") && !host.ends_with(".amazonaws.com.cn")
        })
    }
}

fn invalid(message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, "configure", message)
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_both_styles() {
        let guide = Settings::parse(&json!({
            "region": "us-east-1", "access_key_id": "a", "secret_access_key": "b", "default_vpc": "vpc-1",
            "default_subnet": "subnet-1", "security_groups": ["sg-1"], "s3_bucket": "b", "key_pair_name": "k",
            "tags": {"ManagedBy": "NovaCron"},
        }))
        .unwrap();
        assert!(guide.spot_allowed() && guide.profile().is_none());
        let spec = Settings::parse(&json!({
            "region": "us-east-1", "credentials": {"secret": "aws-credentials"},
            "defaults": {"instanceFamily": "t3", "spotEnabled": false},
        }))
        .unwrap();
        assert_eq!(spec.profile(), Some("aws-credentials"));
        assert_eq!(spec.instance_family(), Some("t3"));
        assert!(!spec.spot_allowed());
    }

    #[test]
    fn refuses_typos_and_halves() {
        for bad in [
            json!({"regoin": "us-east-1"}),
            json!({"access_key_id": "a"}),
            json!({"session_token": "a"}),
            json!({"external_id": "a"}),
            json!({"endpoint": "localhost:1"}),
            json!({"tags": {"novacron:operation": "x"}}),
            json!({"ebs_requests_per_second": -1}),
        ] {
            let error = Settings::parse(&bad).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Invalid, "{bad}");
        }
    }

    #[test]
    fn documents_every_key_and_marks_the_secret_ones() {
        for info in KEYS {
            let value = json!({ (info.name): {"no-such-key": 1} });
            let error = Settings::parse(&value).unwrap_err().to_string();
            assert!(!error.contains(&format!("unknown field `{}`", info.name)), "{error}");
        }
        assert_eq!(KEYS.iter().filter(|key| key.secret).count(), 3);
    }

    #[test]
    fn knows_amazon() {
        let custom = |url: &str| Settings { endpoint: Some(url.to_owned()), ..Settings::default() }.is_custom();
        assert!(custom("http://127.0.0.1:5000") && custom("https://amazonaws.com.example"));
        assert!(!custom("https://ec2.us-east-1.amazonaws.com") && !Settings::default().is_custom());
    }
}
