//! A place on the map, by name or by coordinates.

use std::str::FromStr;

use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Location {
    /// A region, zone or group, which whoever has the catalog looks up.
    Region(String),
    /// Millionths of a degree, north and east positive.
    Point { lat_micro: i32, lon_micro: i32 },
}

impl FromStr for Location {
    type Err = String;

    /// `us-east-1`, or latitude and longitude in degrees: `50.11, 8.68`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let Some((lat, lon)) = text.split_once(',') else {
            let number = text.parse::<f64>().is_ok();
            return match text {
                "" => Err("it is empty".into()),
                _ if number => Err("latitude and longitude are two numbers with a comma between them".into()),
                _ => Ok(Self::Region(text.to_owned())),
            };
        };
        let degrees = |text: &str, most: f64| {
            let degrees: f64 = text.trim().parse().ok()?;
            (-most..=most).contains(&degrees).then(|| (degrees * 1e6).round() as i32)
        };
        match (degrees(lat, 90.0), degrees(lon, 180.0)) {
            (Some(lat_micro), Some(lon_micro)) => Ok(Self::Point { lat_micro, lon_micro }),
            (None, _) => Err("the latitude is a number from -90 to 90".into()),
            (_, None) => Err("the longitude is a number from -180 to 180".into()),
        }
    }
}

impl TryFrom<String> for Location {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_or_by_coordinates() {
        assert_eq!("us-east-1".parse(), Ok(Location::Region("us-east-1".into())));
        assert_eq!("50.11, 8.68".parse(), Ok(Location::Point { lat_micro: 50_110_000, lon_micro: 8_680_000 }));
        assert_eq!("-90,-180".parse(), Ok(Location::Point { lat_micro: -90_000_000, lon_micro: -180_000_000 }));
        for bad in ["", " ", "50.11", "91,0", "0,181", "a,b", "1,2,3", "nan,0", ","] {
            assert!(bad.parse::<Location>().is_err(), "{bad}");
        }
    }
}
