//! How many processes of a service are at a machine, a location or a neighbourhood.
//!
//! Services of many processes have a counter for each place. Those of few, which are most, have as many slots as
//! processes, so that 50,000 services on 5,000 machines do not take a counter for each pair.

/// Up to so many processes, looking through slots beats the memory of a counter a place.
const FEW: u32 = 8;
const EMPTY: u32 = u32::MAX;

#[derive(Clone)]
pub(super) struct Presence {
    services: Vec<Slots>,
    /// (place, count) of services of few.
    few: Vec<(u32, u32)>,
    many: Vec<u32>,
}

#[derive(Clone, Copy)]
enum Slots {
    Few { start: u32, len: u32 },
    Many { start: usize },
}

impl Presence {
    /// By the number of processes of each service.
    pub fn new(sizes: &[u32], places: usize) -> Self {
        let (mut few, mut many) = (0, 0);
        let services = sizes
            .iter()
            .map(|&size| {
                if size <= FEW || places <= 4 && size <= FEW * 2 {
                    few += size;
                    Slots::Few { start: few - size, len: size }
                } else {
                    many += places;
                    Slots::Many { start: many - places }
                }
            })
            .collect();
        Self { services, few: vec![(EMPTY, 0); few as usize], many: vec![0; many] }
    }

    #[inline]
    pub fn get(&self, service: usize, place: usize) -> u32 {
        match self.services[service] {
            Slots::Many { start } => self.many[start + place],
            Slots::Few { start, len } => self.few[start as usize..(start + len) as usize]
                .iter()
                .find(|slot| slot.0 == place as u32)
                .map_or(0, |slot| slot.1),
        }
    }

    /// One more; answers how many are there now.
    pub fn add(&mut self, service: usize, place: usize) -> u32 {
        match self.services[service] {
            Slots::Many { start } => {
                self.many[start + place] += 1;
                self.many[start + place]
            }
            Slots::Few { start, len } => {
                let slots = &mut self.few[start as usize..(start + len) as usize];
                let mut at = None;
                for (i, slot) in slots.iter().enumerate() {
                    if slot.0 == place as u32 {
                        at = Some(i);
                        break;
                    }
                    if slot.1 == 0 {
                        at = at.or(Some(i));
                    }
                }
                // There are as many slots as processes, so one is free.
                let Some(slot) = at.and_then(|i| slots.get_mut(i)) else { return 0 };
                *slot = (place as u32, slot.1 + 1);
                slot.1
            }
        }
    }

    /// One less; answers how many are there now.
    pub fn remove(&mut self, service: usize, place: usize) -> u32 {
        match self.services[service] {
            Slots::Many { start } => {
                self.many[start + place] -= 1;
                self.many[start + place]
            }
            Slots::Few { start, len } => {
                let slots = &mut self.few[start as usize..(start + len) as usize];
                let Some(slot) = slots.iter_mut().find(|slot| slot.0 == place as u32) else { return 0 };
                slot.1 -= 1;
                if slot.1 == 0 {
                    slot.0 = EMPTY;
                }
                slot.1
            }
        }
    }
}
