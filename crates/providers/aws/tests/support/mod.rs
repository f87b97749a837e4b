//! Where the provider is tested: on our own sandbox, and on moto.
#![allow(dead_code)] // Each test takes what it needs.

pub mod moto;
pub mod sandbox;

use std::sync::Arc;

use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use novacron_provider::{Provider, ProviderDefinition, ProviderFactory};
use novacron_types::{ProviderKind, ProviderName};
use serde_json::{Value, json};

pub const REGION: &str = "us-east-1";

/// A key and where it is good.
#[derive(Clone)]
pub struct Account {
    pub endpoint: String,
    pub key: String,
    pub secret: String,
}

impl Account {
    pub fn settings(&self) -> Value {
        json!({
            "region": REGION,
            "endpoint": self.endpoint,
            "access_key_id": self.key,
            "secret_access_key": self.secret,
        })
    }

    pub async fn provider(&self) -> Arc<dyn Provider> {
        provider(self.settings()).await
    }

    pub async fn provider_with(&self, more: Value) -> Arc<dyn Provider> {
        let mut settings = self.settings();
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        provider(settings).await
    }

    /// The same region of the same account, by another name and another address of the server.
    pub async fn again(&self) -> Arc<dyn Provider> {
        let mut settings = self.settings();
        settings["endpoint"] = self.endpoint.replace("127.0.0.1", "localhost").into();
        named("aws-again", settings).await
    }

    /// The vendor's own client, to look from outside.
    pub fn ec2(&self, region: &str) -> aws_sdk_ec2::Client {
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(&self.endpoint)
            .credentials_provider(Credentials::new(&self.key, &self.secret, None, None, "test"))
            .build();
        aws_sdk_ec2::Client::from_conf(config)
    }
}

pub async fn provider(settings: Value) -> Arc<dyn Provider> {
    named("aws-test", settings).await
}

async fn named(name: &str, settings: Value) -> Arc<dyn Provider> {
    let definition = ProviderDefinition { name: ProviderName::new(name).unwrap(), kind: ProviderKind::Aws, settings };
    novacron_provider_aws::factory().build(definition).await.unwrap()
}
