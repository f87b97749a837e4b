//! Where machines run: decisions, their records, and the work that follows from them.

mod settings;

pub use settings::{BurstSettings, HostSettings, OptimizationSettings, PlacingSettings};
