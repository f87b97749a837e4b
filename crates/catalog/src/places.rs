//! What people call a place: a vendor's region, a zone in it, or a group of regions such as `us-east` and `eu-west`.

use novacron_types::ProviderKind;

use crate::{Catalog, Point, Region, RegionId, Sector, UnknownRegion};

/// The groups. The short ones are whole areas, the others parts of them; `eu` is the continent with the British Isles.
pub const AREAS: [&str; 31] = [
    "af",
    "af-south",
    "ap",
    "ap-east",
    "ap-northeast",
    "ap-south",
    "ap-southeast",
    "au",
    "ca",
    "ca-central",
    "ca-east",
    "ca-west",
    "eu",
    "eu-central",
    "eu-north",
    "eu-south",
    "eu-west",
    "me",
    "me-central",
    "me-south",
    "me-west",
    "mx",
    "mx-central",
    "sa",
    "sa-east",
    "sa-west",
    "us",
    "us-central",
    "us-east",
    "us-south",
    "us-west",
];

impl Catalog {
    /// The regions that `name` stands for, of one kind or of all. In this order: a vendor's region, a zone, a group.
    /// Government, Chinese and sovereign regions are had by their own names, or those of groups that have no others, only: most
    /// people can't buy there.
    pub fn places(&self, name: &str, kind: Option<ProviderKind>) -> Result<Vec<RegionId>, UnknownRegion> {
        let name = name.trim().to_ascii_lowercase();
        let regions = || {
            let all = self.parts().regions.iter().enumerate();
            all.filter(|(_, r)| kind.is_none_or(|k| k == r.kind)).map(|(i, r)| (RegionId(i as u16), r))
        };
        let pick = |wanted: &dyn Fn(&Region) -> bool| -> Vec<RegionId> {
            regions().filter(|(_, r)| wanted(r)).map(|(id, _)| id).collect()
        };
        let exact = pick(&|r| r.name == name);
        if !exact.is_empty() {
            return Ok(exact);
        }
        let zone = pick(&|r| zone_of(r, &name));
        if !zone.is_empty() {
            return Ok(zone);
        }
        let group = pick(&|r| matches!(r.sector, Sector::Commercial | Sector::LocalZone) && in_area(r, &name));
        if !group.is_empty() || is_area(&name) {
            return Ok(group);
        }
        // A group without a region for everyone (`us-gov`) is asked for by its own name.
        let special = pick(&|r| area_of(r).is_some_and(|area| area == name));
        if !special.is_empty() {
            return Ok(special);
        }
        let mut nearest = self.nearest_regions(&name);
        // Of another kind there may be one.
        nearest.retain(|near| *near != name);
        Err(UnknownRegion { name: name.chars().take(64).collect(), nearest })
    }
}

/// Whether `name` is a group of regions, though the catalog may have none in it.
pub fn is_area(name: &str) -> bool {
    AREAS.contains(&name)
}

/// The group that a region is in: the area and, where one can tell, the part of it (`us-east`).
///
/// AWS and Google say it in the name. Azure's and Oracle's are told by country and coordinates: in the United States
/// east of 87° W, west of 104° W, or central; in Europe north of 55° N, south of 46° N, west of 8° E, or central.
pub fn area_of(region: &Region) -> Option<String> {
    match region.kind {
        ProviderKind::Aws | ProviderKind::Gcp => by_name(&region.name),
        _ => by_map(&region.country, region.point),
    }
}

fn in_area(region: &Region, name: &str) -> bool {
    is_part(area_of(region), &region.country, name)
}

/// Whether what stands there is in the group, whoever runs it.
pub(crate) fn in_area_at(country: &str, point: Option<Point>, name: &str) -> bool {
    is_part(by_map(country, point), country, name)
}

fn is_part(area: Option<String>, country: &str, name: &str) -> bool {
    area.is_some_and(|area| area == name || area.split('-').next() == Some(name))
        || (name == "au" && country == "AU")
        || (name == "mx" && country == "MX")
}

fn by_name(name: &str) -> Option<String> {
    let (head, rest) = name.split_once('-')?;
    let area = match head {
        "asia" | "australia" => "ap",
        "europe" => "eu",
        "northamerica" => "ca",
        "southamerica" => "sa",
        "africa" => "af",
        "il" => "me",
        head => head,
    };
    let part = rest.split('-').next()?.trim_end_matches(|c: char| c.is_ascii_digit());
    let part = match (area, part) {
        ("eu", "southwest") => "south",
        ("ca", "northeast") => "east",
        ("ca", "south") => return Some("mx".to_owned()),
        (_, part) => part,
    };
    Some(format!("{area}-{part}"))
}

fn by_map(country: &str, point: Option<Point>) -> Option<String> {
    let point = point?;
    let (lat, lon) = (f64::from(point.lat_micro) / 1e6, f64::from(point.lon_micro) / 1e6);
    let area = match country {
        "US" if lon > -87.0 => "us-east",
        "US" if lon < -104.0 => "us-west",
        "US" => "us-central",
        "CA" if lon > -90.0 => "ca-east",
        "CA" => "ca-west",
        "MX" => "mx",
        "BR" => "sa-east",
        "CL" | "CO" | "AR" | "PE" => "sa-west",
        "AE" | "QA" | "SA" | "BH" | "KW" | "OM" => "me-central",
        "IL" => "me-west",
        "ZA" | "KE" | "NG" | "EG" | "MA" => "af-south",
        "IN" => "ap-south",
        "JP" | "KR" => "ap-northeast",
        "HK" | "TW" => "ap-east",
        "SG" | "MY" | "ID" | "TH" | "AU" | "NZ" | "VN" | "PH" => "ap-southeast",
        "GB" | "IE" | "FR" | "DE" | "NL" | "BE" | "CH" | "AT" | "IT" | "ES" | "PT" | "PL" | "SE" | "NO" | "DK"
        | "FI" | "RS" | "GR" | "CZ" | "RO" => match () {
            () if lat > 55.0 => "eu-north",
            () if lat < 46.0 => "eu-south",
            () if lon < 8.0 => "eu-west",
            () => "eu-central",
        },
        _ => return None,
    };
    Some(area.to_owned())
}

/// `us-east-1a`, `us-central1-a`; Azure's zones are numbers (`eastus-1`), Oracle's end in `AD-1` (`us-ashburn-1-ad-1`).
fn zone_of(region: &Region, name: &str) -> bool {
    let Some(rest) = name.strip_prefix(region.name.as_str()) else { return false };
    let letter = |text: &str| matches!(text.as_bytes(), [b'a'..=b'f']);
    let number = |text: &str| matches!(text.as_bytes(), [b'1'..=b'4']);
    match region.kind {
        ProviderKind::Aws => letter(rest),
        ProviderKind::Gcp => rest.strip_prefix('-').is_some_and(letter),
        ProviderKind::Azure => rest.strip_prefix('-').is_some_and(number),
        ProviderKind::Oci => rest.strip_prefix("-ad-").is_some_and(number),
        _ => false,
    }
}
