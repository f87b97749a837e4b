//! The four vendors' price lists, each in its vendor's own shape.
//!
//! What is stated are the prices of the catalog that ships, exactly, unless [`PriceDrift`] moves some of them. Beside each lie
//! the rows that a reader must not take for it: Windows, Low Priority, developers' prices, prices of tomorrow, free tiers, whole
//! terms. Azure's, Google's and Oracle's lists are answered without a signature, as theirs are (Google's wants a key, any key);
//! AWS's is one of the signed services.
//!
//! | | action, for faults |
//! |---|---|
//! | `GET /api/retail/prices` | `AzureRetailPrices` |
//! | `GET /v1/services/6F81-5844-456A/skus` | `GcpListSkus` |
//! | `GET /pls/apex/cetools/api/v1/products/` | `OciListProducts` |
//! | `AWSPriceListService.GetProducts` | `GetProducts` |
//! | `DescribeSpotPriceHistory` | the same |

mod aws;
mod azure;
mod book;
mod fault;
mod gcp;
mod gcp_pieces;
mod oci;

use http::request::Parts;
use http::{Method, Response};

use crate::core::Core;
use crate::faults::Effect;
use crate::reply::{Body, Reply};
use crate::server::Hangup;
use crate::throttle::Family;

pub(crate) use aws::{TARGET, action_of, error, get_products, spot_history};
pub(crate) use book::Book;
pub use book::PriceDrift;
pub use fault::PriceFault;

/// A price list that takes no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenList {
    Azure,
    Gcp,
    Oci,
}

/// What a list says: an answer's body, or a refusal with a status and a sentence.
type Said = Result<Vec<u8>, (u16, String)>;

impl OpenList {
    /// The list that lies at this path.
    pub fn at(path: &str) -> Option<Self> {
        match path {
            azure::PATH => Some(Self::Azure),
            gcp::PATH => Some(Self::Gcp),
            oci::PATH => Some(Self::Oci),
            _ => None,
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Azure => "AzureRetailPrices",
            Self::Gcp => "GcpListSkus",
            Self::Oci => "OciListProducts",
        }
    }

    fn refusal(self, status: u16, message: &str) -> Reply {
        let body = match self {
            Self::Azure => serde_json::json!({ "Error": { "Code": status.to_string(), "Message": message } }),
            Self::Gcp => serde_json::json!({ "error": { "code": status, "message": message, "status": "SANDBOX" } }),
            Self::Oci => serde_json::json!({ "code": status.to_string(), "message": message }),
        };
        Reply::json(status, &body)
    }
}

/// Answers a request for a list, with the faults that are in force for it.
pub(crate) async fn answer(core: &Core, list: OpenList, parts: &Parts, id: &str) -> Result<Response<Body>, Hangup> {
    let target = parts.uri.path_and_query().map_or("", |p| p.as_str());
    let names = |text: &str| target.contains(text);
    let effects = core.faults().judge(list.action(), names).effects;
    let mut truncate = None;
    let mut faults = Vec::new();
    for effect in effects {
        match effect {
            Effect::Delay { ms } => tokio::time::sleep(std::time::Duration::from_millis(ms)).await,
            Effect::Drop { .. } => return Err(Hangup),
            Effect::Truncate { after } => truncate = Some(after),
            Effect::Error { status, message, .. } => {
                let message = message.unwrap_or_else(|| "This fault was ordered from the sandbox".to_owned());
                return Ok(list.refusal(status, &message).into_response(id));
            }
            Effect::Prices(PriceFault::TooMany { retry_after }) => {
                let reply = list.refusal(429, "too many requests").with("retry-after", retry_after);
                return Ok(reply.into_response(id));
            }
            Effect::Prices(fault) => faults.push(fault),
            _ => {}
        }
    }
    if !core.buckets().take("prices", Family::Other, core.now()) {
        return Ok(list.refusal(429, "too many requests").with("retry-after", 1).into_response(id));
    }
    let said = match (list, &parts.method) {
        (_, method) if method != Method::GET => Err((405, "only GET is answered".to_owned())),
        (OpenList::Azure, _) => azure::page(&core.prices(), parts, &faults),
        (OpenList::Gcp, _) => gcp::page(&core.prices(), parts, &faults),
        (OpenList::Oci, _) => oci::list(&core.prices(), parts, &faults),
    };
    let reply = match said {
        Ok(body) => Reply::new(200, "application/json; charset=utf-8", body),
        Err((status, message)) => list.refusal(status, &message),
    };
    Ok(match truncate {
        Some(after) => reply.into_truncated(id, after),
        None => reply.into_response(id),
    })
}

/// The value of a parameter of the query.
fn query(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
