//! What can be bought where, for how much, and who says so.
//!
//! A [`Catalog`] holds offers of instance types in regions with a price, and what surrounds them: disks, transfer, round
//! trips, carbon. Every row belongs to a [`Group`], which has its source, licence and date, and the rule by which the row was
//! derived where no source states the figure itself. One catalog is inside the executable ([`Catalog::embedded`]); others are
//! made from rows ([`Draft`], [`Catalog::new`]) or read from a snapshot.
//!
//! Money is an integer of 10⁻⁹ units with its group's currency. Ids are indices and hold within one catalog only.

mod around;
mod attach;
mod carbon;
mod catalog;
mod compliance;
mod diff;
mod draft;
mod embedded;
mod estimate;
mod group;
mod instance_type;
mod latency;
mod local;
mod offer;
mod parts;
mod places;
mod region;
mod rows;
mod sla;
mod snapshot;
mod wire;

pub mod refresh;

#[cfg(test)]
mod tests;

pub use around::{Destination, Disk, RoundTrip, Tier, Transfer};
pub use carbon::Carbon;
pub use catalog::{Catalog, UnknownRegion};
pub use compliance::{PROGRAMMES, UnknownProgramme, find_programme, is_level, programme, satisfies};
pub use diff::{Beside, BesideChange, Change, OfferKey, diff, diff_beside};
pub use draft::{Draft, DraftDestination, DraftOffer};
pub use embedded::EMBEDDED;
pub use estimate::{Estimate, EstimateError, EstimateRequest, HOURS_PER_MONTH, Part, Quote};
pub use group::{Group, GroupId, Per};
pub use instance_type::{Embodied, Gpu, InstanceType, Power, TypeId};
pub use latency::{Latency, LatencyBasis};
pub use local::{HALF, HostCost, HostPower, HourlyCost, LocalHost, LocalHostError};
pub use offer::{Interruption, NO_BAND, Offer, OfferId, Offers, Pricing, UnknownPricing};
pub use parts::{Parts, PartsError};
pub use places::{AREAS, area_of, is_area};
pub use region::{Grid, Point, Region, RegionId, Sector};
pub use rows::KindNotHeld;
pub use sla::{Sla, SlaRow, SlaScope};
pub use snapshot::{EncodeError, SnapshotError};
pub use wire::WireError;
