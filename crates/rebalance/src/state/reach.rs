//! Where processes could ever stand.

use super::Tables;
use super::lanes::{less, times};

/// With more pairs of a process and a machine than this, which are too many to list, all count as possible.
const PAIRS: usize = 1 << 24;

/// By process, its home and the machines that could take it: those that are not forbidden, and that would have room if
/// nothing else were there but what stays in use of transient resources. None if there are too many.
pub(super) fn reach<const K: usize>(t: &Tables<'_, K>) -> Option<Vec<Vec<u32>>> {
    let machines = t.rows.len();
    if t.home.len() * machines > PAIRS {
        return None;
    }
    let mut room: Vec<_> = t.rows.iter().map(|row| row.slack).collect();
    for (needs, &home) in t.needs.iter().zip(t.home) {
        for (k, room) in room[home as usize].iter_mut().enumerate() {
            *room = less(*room, less(needs[k], times(needs[k], t.kept[k])));
        }
    }
    let fits =
        |p: usize, m: usize| (0..K).all(|k| less(room[m][k], t.needs[p][k]).to_array().iter().all(|&left| left >= 0.0));
    let may = |p: usize, m: usize| t.home[p] as usize == m || t.seat(p, m).is_some() && fits(p, m);
    Some((0..t.home.len()).map(|p| (0..machines as u32).filter(|&m| may(p, m as usize)).collect()).collect())
}
