//! The lower bound and the worths that prove it.

mod cholesky;
mod dual;
mod group;
mod master;
mod merge;
mod price;

pub(crate) use dual::{Dual, dual};
pub(crate) use merge::Merge;
pub(crate) use price::{FRACTION, Pricer, Stuck, most_worth, price};
