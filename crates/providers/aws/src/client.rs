//! From settings to the clients of the services.

use std::time::Duration;

use aws_config::{
    AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig, environment::EnvironmentVariableRegionProvider,
    meta::region::ProvideRegion, profile::ProfileFileRegionProvider, retry::RetryConfig, sts::AssumeRoleProvider,
    timeout::TimeoutConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use novacron_provider::{ErrorKind, ProviderError, Result};
use secrecy::ExposeSecret;

use crate::settings::Settings;

/// The services that the provider speaks to.
#[derive(Debug, Clone)]
pub struct Clients {
    pub region: String,
    pub ec2: aws_sdk_ec2::Client,
    pub ebs: aws_sdk_ebs::Client,
    pub sts: aws_sdk_sts::Client,
    pub cloudwatch: aws_sdk_cloudwatch::Client,
}

impl Clients {
    /// Asks nothing of the network: credentials are looked for when the first request needs them.
    pub async fn new(settings: &Settings) -> Result<Self> {
        let region = region(settings).await?;
        let config = sdk_config(settings, &region).await;
        let endpoints = &settings.endpoints;
        let with = |endpoint: &Option<String>, retry: RetryConfig, attempt: Duration| {
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(attempt)
                .build();
            let mut builder = config.to_builder().retry_config(retry).timeout_config(timeouts);
            if let Some(url) = endpoint.as_ref().or(settings.endpoint.as_ref()) {
                builder = builder.endpoint_url(url);
            }
            builder.build()
        };
        // The control plane's calls are retried by a layer around the provider; block requests are not.
        let control = RetryConfig::standard().with_max_attempts(2).with_initial_backoff(Duration::from_millis(200));
        let blocks = RetryConfig::standard().with_max_attempts(5).with_initial_backoff(Duration::from_millis(100));
        let (minute, half) = (Duration::from_secs(60), Duration::from_secs(30));
        Ok(Self {
            region,
            ec2: aws_sdk_ec2::Client::new(&with(&endpoints.ec2, control.clone(), minute)),
            ebs: aws_sdk_ebs::Client::new(&with(&endpoints.ebs, blocks, half)),
            sts: aws_sdk_sts::Client::new(&with(&endpoints.sts, control.clone(), half)),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&with(&endpoints.cloudwatch, control, half)),
        })
    }
}

/// Whom requests are signed for, and how they are sent; no endpoint yet.
pub async fn sdk_config(settings: &Settings, region: &str) -> SdkConfig {
    let base = base(settings, region).await;
    match &settings.assume_role {
        Some(role) => assume(settings, role, &base, region).await,
        None => base,
    }
}

async fn region(settings: &Settings) -> Result<String> {
    if let Some(region) = &settings.region {
        return Ok(region.clone());
    }
    if let Some(region) = EnvironmentVariableRegionProvider::new().region().await {
        return Ok(region.to_string());
    }
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = settings.profile() {
        profile = profile.profile_name(name);
    }
    profile.build().region().await.map(|region| region.to_string()).ok_or_else(|| {
        ProviderError::new(ErrorKind::Invalid, "configure", "no region is configured")
            .advice("Set `region` in this provider's block, for example `region: us-east-1`.")
    })
}

async fn base(settings: &Settings, region: &str) -> SdkConfig {
    let mut loader: ConfigLoader =
        aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region.to_owned()));
    if let Ok(name) = AppName::new("novacron") {
        loader = loader.app_name(name);
    }
    if let Some(profile) = settings.profile() {
        loader = loader.profile_name(profile);
    }
    if let (Some(key), Some(secret)) = (&settings.access_key_id, &settings.secret_access_key) {
        let token = settings.session_token.as_ref().map(|token| token.expose_secret().to_owned());
        loader =
            loader.credentials_provider(Credentials::new(key, secret.expose_secret(), token, None, "configuration"));
    }
    loader.load().await
}

async fn assume(settings: &Settings, role: &str, base: &SdkConfig, region: &str) -> SdkConfig {
    let mut sts = base.to_builder();
    if let Some(url) = settings.endpoints.sts.as_ref().or(settings.endpoint.as_ref()) {
        sts = sts.endpoint_url(url);
    }
    let mut builder = AssumeRoleProvider::builder(role)
        .session_name("novacron")
        .region(Region::new(region.to_owned()))
        .configure(&sts.build());
    if let Some(id) = &settings.external_id {
        builder = builder.external_id(id.expose_secret());
    }
    let provider = SharedCredentialsProvider::new(builder.build().await);
    base.to_builder().credentials_provider(provider).build()
}
