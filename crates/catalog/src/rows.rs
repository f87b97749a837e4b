//! Each list of a catalog as bytes and back. What is written here is format version 2; see [`crate::snapshot`].

use novacron_types::{Architecture, ProviderKind};

use crate::{
    Destination, Disk, Embodied, Gpu, Grid, Group, GroupId, InstanceType, Offers, Parts, Per, Point, Power, Pricing,
    Region, RegionId, RoundTrip, Sector, Sla, SlaRow, SlaScope, Tier, Transfer, TypeId, WireError,
    wire::{Reader, Writer},
};

type Read<T> = Result<T, WireError>;

/// In the order of their codes; only ever appended to.
const KINDS: [ProviderKind; 4] = [ProviderKind::Aws, ProviderKind::Azure, ProviderKind::Gcp, ProviderKind::Oci];
const SECTORS: [Sector; 5] =
    [Sector::Commercial, Sector::Government, Sector::China, Sector::Sovereign, Sector::LocalZone];

/// The most disks, transfers or round trips of a snapshot.
const AROUND: usize = 1 << 20;

/// A kind of provider that a snapshot has no code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a snapshot holds no rows of the kind {0}")]
pub struct KindNotHeld(pub ProviderKind);

pub(crate) fn write(parts: &Parts) -> Result<Vec<u8>, KindNotHeld> {
    let kinds = parts.regions.iter().map(|r| r.kind).chain(parts.types.iter().map(|t| t.kind));
    let kinds = kinds.chain(parts.slas.iter().map(|row| row.sla.kind));
    if let Some(kind) = kinds.into_iter().find(|kind| !KINDS.contains(kind)) {
        return Err(KindNotHeld(kind));
    }
    let mut w = Writer::default();
    w.list(&parts.groups, write_group);
    w.list(&parts.regions, write_region);
    w.list(&parts.types, write_type);
    w.list(&parts.disks, |w, disk| {
        w.uint(disk.region.0.into());
        w.text(&disk.name);
        w.uint(disk.nanos_per_gb_month);
        w.byte(disk.group.0);
    });
    w.list(&parts.transfers, write_transfer);
    w.list(&parts.round_trips, |w, trip| {
        w.uint(trip.from.0.into());
        w.uint(trip.to.0.into());
        w.uint(trip.micros.into());
        w.byte(trip.group.0);
    });
    w.list(&parts.slas, write_sla);
    write_offers(&mut w, &parts.offers);
    Ok(w.0)
}

pub(crate) fn read(bytes: &[u8]) -> Read<Parts> {
    let r = &mut Reader::new(bytes);
    let parts = Parts {
        groups: r.list(1 << 8, read_group)?,
        regions: r.list(1 << 16, read_region)?,
        types: r.list(1 << 16, read_type)?,
        disks: r.list(AROUND, |r| {
            Ok(Disk { region: region(r)?, name: r.text()?, nanos_per_gb_month: r.uint()?, group: group(r)? })
        })?,
        transfers: r.list(AROUND, read_transfer)?,
        round_trips: r
            .list(AROUND, |r| Ok(RoundTrip { from: region(r)?, to: region(r)?, micros: r.num()?, group: group(r)? }))?,
        slas: r.list(1 << 10, read_sla)?,
        offers: read_offers(r)?,
    };
    r.end()?;
    Ok(parts)
}

fn region(r: &mut Reader<'_>) -> Read<RegionId> {
    r.num().map(RegionId)
}

fn group(r: &mut Reader<'_>) -> Read<GroupId> {
    r.byte().map(GroupId)
}

fn code<T: PartialEq>(all: &[T], value: &T) -> u8 {
    all.iter().position(|v| v == value).unwrap_or(usize::from(u8::MAX)) as u8
}

fn coded<T: Copy>(r: &mut Reader<'_>, all: &[T]) -> Read<T> {
    match all.get(usize::from(r.byte()?)) {
        Some(value) => Ok(*value),
        None => r.fail("a code that does not exist"),
    }
}

fn write_group(w: &mut Writer, group: &Group) {
    w.text(&group.name);
    w.text(&group.source);
    w.text(&group.licence);
    w.text(&group.as_of);
    w.option(group.rule.as_ref(), |w, rule| w.text(rule));
    group.currency.iter().for_each(|byte| w.byte(*byte));
    w.byte(u8::from(group.per == Per::Month));
}

fn read_group(r: &mut Reader<'_>) -> Read<Group> {
    Ok(Group {
        name: r.text()?,
        source: r.text()?,
        licence: r.text()?,
        as_of: r.text()?,
        rule: r.option(Reader::text)?,
        currency: [r.byte()?, r.byte()?, r.byte()?],
        per: if r.flag()? { Per::Month } else { Per::Hour },
    })
}

fn write_region(w: &mut Writer, region: &Region) {
    w.byte(code(&KINDS, &region.kind));
    w.text(&region.name);
    w.text(&region.display);
    w.text(&region.country);
    w.byte(code(&SECTORS, &region.sector));
    w.option(region.point.as_ref(), |w, point| {
        w.int(point.lat_micro.into());
        w.int(point.lon_micro.into());
    });
    w.byte(region.zones);
    w.list(&region.compliance, |w, tag| w.text(tag));
    w.option(region.grid.as_ref(), |w, grid| {
        w.uint(grid.mg_per_kwh.into());
        w.byte(grid.group.0);
    });
    w.byte(region.group.0);
    w.byte(region.compliance_group.0);
}

fn read_region(r: &mut Reader<'_>) -> Read<Region> {
    Ok(Region {
        kind: coded(r, &KINDS)?,
        name: r.text()?,
        display: r.text()?,
        country: r.text()?,
        sector: coded(r, &SECTORS)?,
        point: r.option(|r| Ok(Point { lat_micro: micro(r)?, lon_micro: micro(r)? }))?,
        zones: r.byte()?,
        compliance: r.list(64, Reader::text)?,
        grid: r.option(|r| Ok(Grid { mg_per_kwh: r.num()?, group: group(r)? }))?,
        group: group(r)?,
        compliance_group: group(r)?,
    })
}

fn micro(r: &mut Reader<'_>) -> Read<i32> {
    let value = r.int()?;
    i32::try_from(value).or_else(|_| r.fail("a coordinate is too large"))
}

fn write_type(w: &mut Writer, ty: &InstanceType) {
    w.byte(code(&KINDS, &ty.kind));
    w.text(&ty.name);
    w.uint(ty.vcpus.into());
    w.uint(ty.sustained_milli_vcpus.into());
    w.uint(ty.memory_bytes);
    w.option(ty.gpu.as_ref(), |w, gpu| {
        w.text(&gpu.model);
        w.uint(gpu.milli.into());
        w.uint(gpu.memory_bytes);
    });
    w.uint(ty.network_mbps.into());
    w.uint(ty.network_peak_mbps.into());
    w.byte(ty.network_group.0);
    w.uint(ty.local_disk_gb);
    for flag in [ty.architecture == Architecture::Arm64, ty.burstable, ty.shared_core, ty.bare_metal] {
        w.byte(u8::from(flag));
    }
    w.option(ty.power.as_ref(), |w, power| {
        w.uint(power.idle_mw_per_vcpu.into());
        w.uint(power.full_mw_per_vcpu.into());
        w.byte(power.group.0);
    });
    w.option(ty.embodied.as_ref(), |w, embodied| {
        w.uint(embodied.server_grams);
        w.uint(embodied.server_vcpus.into());
        w.byte(embodied.group.0);
    });
    w.byte(ty.group.0);
}

fn read_type(r: &mut Reader<'_>) -> Read<InstanceType> {
    Ok(InstanceType {
        kind: coded(r, &KINDS)?,
        name: r.text()?,
        vcpus: r.num()?,
        sustained_milli_vcpus: r.num()?,
        memory_bytes: r.uint()?,
        gpu: r.option(|r| Ok(Gpu { model: r.text()?, milli: r.num()?, memory_bytes: r.uint()? }))?,
        network_mbps: r.num()?,
        network_peak_mbps: r.num()?,
        network_group: group(r)?,
        local_disk_gb: r.uint()?,
        architecture: if r.flag()? { Architecture::Arm64 } else { Architecture::X86_64 },
        burstable: r.flag()?,
        shared_core: r.flag()?,
        bare_metal: r.flag()?,
        power: r.option(|r| Ok(Power { idle_mw_per_vcpu: r.num()?, full_mw_per_vcpu: r.num()?, group: group(r)? }))?,
        embodied: r.option(|r| Ok(Embodied { server_grams: r.uint()?, server_vcpus: r.num()?, group: group(r)? }))?,
        group: group(r)?,
    })
}

fn write_transfer(w: &mut Writer, transfer: &Transfer) {
    w.uint(transfer.from.0.into());
    match transfer.to {
        Destination::Internet => w.uint(0),
        Destination::InternetAustralia => w.uint(1),
        Destination::InternetChina => w.uint(2),
        Destination::Region(to) => w.uint(3 + u64::from(to.0)),
    }
    w.list(&transfer.tiers, |w, tier| {
        w.uint(tier.from_gb);
        w.uint(tier.nanos_per_gb);
    });
    w.byte(transfer.group.0);
}

fn read_transfer(r: &mut Reader<'_>) -> Read<Transfer> {
    let from = region(r)?;
    let to = match r.uint()? {
        0 => Destination::Internet,
        1 => Destination::InternetAustralia,
        2 => Destination::InternetChina,
        code => match u16::try_from(code - 3) {
            Ok(to) => Destination::Region(RegionId(to)),
            Err(_) => return r.fail("a destination is too large"),
        },
    };
    let tiers = r.list(64, |r| Ok(Tier { from_gb: r.uint()?, nanos_per_gb: r.uint()? }))?;
    Ok(Transfer { from, to, tiers, group: group(r)? })
}

fn write_sla(w: &mut Writer, SlaRow { scope, sla }: &SlaRow) {
    w.byte(code(&KINDS, &sla.kind));
    let (code, name) = match scope {
        SlaScope::Any => (0, ""),
        SlaScope::Family(name) => (1, name.as_str()),
        SlaScope::Disk(name) => (2, name.as_str()),
    };
    w.byte(code);
    w.text(name);
    w.uint(sla.single_milli_percent.into());
    w.uint(sla.spread_milli_percent.into());
    w.uint(sla.multi_zone_milli_percent.into());
    w.byte(sla.group.0);
}

fn read_sla(r: &mut Reader<'_>) -> Read<SlaRow> {
    let kind = coded(r, &KINDS)?;
    let (code, name) = (r.byte()?, r.text()?);
    let scope = match code {
        0 if name.is_empty() => SlaScope::Any,
        1 => SlaScope::Family(name),
        2 => SlaScope::Disk(name),
        _ => return r.fail("a promise is for nothing that is known"),
    };
    let sla = Sla {
        kind,
        single_milli_percent: r.num()?,
        spread_milli_percent: r.num()?,
        multi_zone_milli_percent: r.num()?,
        group: group(r)?,
    };
    Ok(SlaRow { scope, sla })
}

fn write_offers(w: &mut Writer, offers: &Offers) {
    w.uint(offers.len() as u64);
    w.planes(2, offers.ty.iter().map(|v| v.0.into()));
    w.planes(1, offers.pricing.iter().map(|v| *v as u64));
    w.planes(2, offers.region.iter().map(|v| v.0.into()));
    w.planes(1, offers.group.iter().map(|v| v.0.into()));
    w.planes(8, offers.price_nanos.iter().copied());
    w.planes(1, offers.band.iter().map(|v| (*v).into()));
    w.planes(2, offers.zones.iter().map(|v| (*v).into()));
}

fn read_offers(r: &mut Reader<'_>) -> Read<Offers> {
    let len: usize = r.num()?;
    let ty = r.planes(len, |bytes| TypeId(u16::from_le_bytes(bytes)))?;
    let codes = r.planes(len, |[code]: [u8; 1]| code)?;
    let Some(pricing) = codes.into_iter().map(Pricing::from_code).collect() else {
        return r.fail("a pricing model that does not exist");
    };
    Ok(Offers {
        ty,
        pricing,
        region: r.planes(len, |bytes| RegionId(u16::from_le_bytes(bytes)))?,
        group: r.planes(len, |[group]| GroupId(group))?,
        price_nanos: r.planes(len, u64::from_le_bytes)?,
        band: r.planes(len, |[band]| band)?,
        zones: r.planes(len, u16::from_le_bytes)?,
        hourly_nanos: Vec::new(),
    })
}
