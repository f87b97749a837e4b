//! The points of the contract.

mod disks_in;
mod disks_out;
mod host;
mod images;
mod machines;
mod sweep;

use crate::Check;

/// A check from its function.
macro_rules! check {
    ($name:ident $(, $need:ident)*) => {
        $crate::Check {
            name: stringify!($name),
            needs: &[$(novacron_provider::Capability::$need),*],
            run: |context| Box::pin($name(context)),
        }
    };
}
pub(crate) use check;

pub fn all() -> Vec<Check> {
    let groups = [machines::CHECKS, disks_out::CHECKS, disks_in::CHECKS, sweep::CHECKS, images::CHECKS, host::CHECKS];
    groups.iter().flat_map(|group| group()).collect()
}

type Group = fn() -> Vec<Check>;
