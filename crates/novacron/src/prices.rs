//! The vendors' price APIs, as they are configured.

use std::sync::Arc;

use novacron_config::Config;
use novacron_provider::prices::PriceSource;
use novacron_provider_azure::{AzurePrices, AzurePricesSettings};
use novacron_provider_gcp::{GcpPrices, GcpPricesSettings};
use novacron_provider_oci::{OciPrices, OciPricesSettings};
use novacron_types::ProviderKind;

use crate::exit::{Failure, Result};

/// A source, or why there is none.
pub type Found = Result<Arc<dyn PriceSource>, String>;

/// The price source of a kind. An endpoint that can't be one is an error.
pub async fn source(config: &Config, kind: ProviderKind) -> Result<Found> {
    let sources = &config.catalog.sources;
    let of_kind = match kind {
        ProviderKind::Aws => &sources.aws,
        ProviderKind::Azure => &sources.azure,
        ProviderKind::Gcp => &sources.gcp,
        ProviderKind::Oci => &sources.oci,
        _ => return Ok(Err(format!("{kind} has no prices"))),
    };
    if !of_kind.enabled {
        return Ok(Err(format!("`catalog.sources.{kind}.enabled` is false")));
    }
    let endpoint = of_kind.endpoint_url.clone();
    let made: novacron_provider::Result<Arc<dyn PriceSource>> = match kind {
        ProviderKind::Azure => {
            let settings = AzurePricesSettings { endpoint, ..AzurePricesSettings::default() };
            AzurePrices::new(&settings).map(|source| Arc::new(source) as Arc<dyn PriceSource>)
        }
        ProviderKind::Oci => {
            let settings = OciPricesSettings { endpoint, ..OciPricesSettings::default() };
            OciPrices::new(&settings).map(|source| Arc::new(source) as Arc<dyn PriceSource>)
        }
        ProviderKind::Gcp => {
            let Some(api_key) = of_kind.api_key.clone() else {
                return Ok(Err("`catalog.sources.gcp.api_key` is not set; any project's key will do in which the Cloud Billing API is enabled".to_owned()));
            };
            let settings = GcpPricesSettings { api_key, endpoint, ..GcpPricesSettings::default() };
            GcpPrices::new(&settings).map(|source| Arc::new(source) as Arc<dyn PriceSource>)
        }
        _ => return aws(config, endpoint).await,
    };
    made.map(Ok).map_err(|error| {
        Failure::usage(format!("{kind} can't be asked for its prices")).why(error.message).maybe_hint(error.advice)
    })
}

/// By the credentials of the first provider of kind `aws`.
#[cfg(feature = "aws")]
async fn aws(config: &Config, endpoint: Option<String>) -> Result<Found> {
    let Some(provider) = config.providers.iter().find(|provider| provider.kind == ProviderKind::Aws) else {
        return Ok(Err("no provider of kind aws is configured, whose credentials it needs".to_owned()));
    };
    let mut settings = provider.settings.clone();
    if let (Some(endpoint), Some(settings)) = (endpoint, settings.as_object_mut()) {
        settings.entry("endpoints").or_insert_with(|| serde_json::json!({}))["pricing"] = endpoint.into();
    }
    match novacron_provider_aws::price_source(&settings).await {
        Ok(source) => Ok(Ok(source)),
        Err(error) => {
            Err(Failure::usage("aws can't be asked for its prices").why(error.message).maybe_hint(error.advice))
        }
    }
}

#[cfg(not(feature = "aws"))]
async fn aws(_: &Config, _: Option<String>) -> Result<Found> {
    Ok(Err("this build has no providers of kind aws".to_owned()))
}
