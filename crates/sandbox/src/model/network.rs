//! The default network of a region: one VPC, a subnet in each zone, one security group.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use crate::blocks::sha256;
use crate::sigv4::hex;

#[derive(Debug)]
pub(crate) struct Network {
    pub vpc_id: String,
    pub group_id: String,
    pub subnets: Vec<Subnet>,
    used: HashSet<Ipv4Addr>,
}

#[derive(Debug)]
pub(crate) struct Subnet {
    pub id: String,
    pub zone: String,
    pub zone_id: String,
    /// 172.31.N.0/20.
    third: u8,
    next: u32,
    taken: u32,
}

/// Addresses of a /20 without the five that the vendor keeps.
const USABLE: u32 = 4096 - 5;

pub(crate) const VPC_CIDR: &str = "172.31.0.0/16";

impl Network {
    pub fn of(region: &str) -> Self {
        let id = |kind: &str, what: &str| {
            let digest = hex(&sha256(format!("{region} {what}").as_bytes()));
            format!("{kind}-0{}", &digest[..16])
        };
        let subnet = |(i, letter): (usize, char)| Subnet {
            id: id("subnet", &format!("subnet {letter}")),
            zone: format!("{region}{letter}"),
            zone_id: format!("{}-az{}", short(region), i + 1),
            third: (i as u8) * 16,
            next: 0,
            taken: 0,
        };
        Self {
            vpc_id: id("vpc", "vpc"),
            group_id: id("sg", "group"),
            subnets: ['a', 'b', 'c'].into_iter().enumerate().map(subnet).collect(),
            used: HashSet::new(),
        }
    }

    pub fn subnet(&self, id: &str) -> Option<&Subnet> {
        self.subnets.iter().find(|s| s.id == id)
    }

    pub fn subnet_of_zone(&self, zone: &str) -> Option<&Subnet> {
        self.subnets.iter().find(|s| s.zone == zone)
    }

    /// A free address of the subnet, or `None` if all are taken.
    pub fn lease(&mut self, subnet: &str) -> Option<Ipv4Addr> {
        let subnet = self.subnets.iter_mut().find(|s| s.id == subnet)?;
        for _ in 0..USABLE {
            let address = subnet.address(subnet.next % USABLE);
            subnet.next = (subnet.next + 1) % USABLE;
            if self.used.insert(address) {
                subnet.taken += 1;
                return Some(address);
            }
        }
        None
    }

    /// Takes this very address; `Err(true)` says that it is in use, `Err(false)` that it is not the subnet's.
    pub fn lease_exactly(&mut self, subnet: &str, address: Ipv4Addr) -> Result<(), bool> {
        let subnet = self.subnets.iter_mut().find(|s| s.id == subnet).ok_or(false)?;
        let [a, b, c, d] = address.octets();
        let host = u32::from(c & 15) << 8 | u32::from(d);
        if (a, b, c & 0xf0) != (172, 31, subnet.third) || !(4..4095).contains(&host) {
            return Err(false);
        }
        if !self.used.insert(address) {
            return Err(true);
        }
        subnet.taken += 1;
        Ok(())
    }

    pub fn release(&mut self, address: Ipv4Addr) {
        if self.used.remove(&address) {
            let third = address.octets()[2] & 0xf0;
            if let Some(subnet) = self.subnets.iter_mut().find(|s| s.third == third) {
                subnet.taken -= 1;
            }
        }
    }
}

impl Subnet {
    pub fn cidr(&self) -> String {
        format!("172.31.{}.0/20", self.third)
    }

    pub fn free(&self) -> u32 {
        USABLE - self.taken
    }

    fn address(&self, n: u32) -> Ipv4Addr {
        let host = n + 4;
        Ipv4Addr::new(172, 31, self.third + (host >> 8) as u8, (host & 255) as u8)
    }
}

/// `us-east-1` → `use1`, as zone ids begin.
fn short(region: &str) -> String {
    let mut parts = region.split('-');
    let land = parts.next().unwrap_or_default();
    let side: String = match parts.next().unwrap_or_default() {
        "northeast" => "ne".into(),
        "southeast" => "se".into(),
        "northwest" => "nw".into(),
        "southwest" => "sw".into(),
        other => other.chars().take(1).collect(),
    };
    format!("{land}{side}{}", parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_given_once_and_taken_back() {
        let mut n = Network::of("us-east-1");
        let subnet = n.subnets[1].id.clone();
        assert_eq!(n.subnets[1].zone_id, "use1-az2");
        let all: HashSet<_> = (0..USABLE).map(|_| n.lease(&subnet).unwrap()).collect();
        assert_eq!((all.len() as u32, n.subnets[1].free()), (USABLE, 0));
        assert_eq!(n.lease(&subnet), None);
        let one = Ipv4Addr::new(172, 31, 17, 9);
        assert!(all.contains(&one));
        assert_eq!(n.lease_exactly(&subnet, one), Err(true));
        n.release(one);
        assert_eq!(n.lease(&subnet), Some(one));
        assert_eq!(n.lease_exactly(&subnet, Ipv4Addr::new(10, 0, 0, 5)), Err(false));
    }
}
