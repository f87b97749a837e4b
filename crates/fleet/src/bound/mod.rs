//! The lower bound and the worths that prove it.

mod cholesky;
mod costs;
mod dual;
mod group;
mod least;
mod master;
mod merge;
mod price;

pub(crate) use costs::Costs;
pub(crate) use dual::{Dual, dual};
pub(crate) use least::least;
pub(crate) use price::{FRACTION, Pricer, Stuck, most_worth, price};
