//! The parameters of a Query request: `BlockDeviceMapping.1.Ebs.VolumeSize=8` and the like, seen as a tree.

use std::collections::BTreeMap;

use crate::error::{ApiError, ApiResult};

/// All parameters of one request.
#[derive(Debug, Default, Clone)]
pub(crate) struct Params {
    all: BTreeMap<String, String>,
}

/// The parameters below one prefix. The root's prefix is empty.
#[derive(Debug, Clone)]
pub(crate) struct Scope<'a> {
    all: &'a BTreeMap<String, String>,
    prefix: String,
}

impl Params {
    pub fn parse(body: &[u8]) -> Self {
        Self { all: form_urlencoded::parse(body).into_owned().collect() }
    }

    pub fn root(&self) -> Scope<'_> {
        Scope { all: &self.all, prefix: String::new() }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

impl<'a> Scope<'a> {
    /// The value of a parameter; an empty one counts as absent, as it does at EC2.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.all.get(&format!("{}{name}", self.prefix)).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// The value of a parameter that may be an empty text, such as a tag's value.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.all.get(&format!("{}{name}", self.prefix)).map(String::as_str)
    }

    pub fn need(&self, name: &str) -> ApiResult<&'a str> {
        self.get(name).ok_or_else(|| ApiError::missing(&format!("{}{name}", self.prefix)))
    }

    pub fn flag(&self, name: &str) -> ApiResult<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some(v) if v.eq_ignore_ascii_case("true") || v == "1" => Ok(Some(true)),
            Some(v) if v.eq_ignore_ascii_case("false") || v == "0" => Ok(Some(false)),
            Some(v) => Err(ApiError::invalid(format!("Invalid value '{v}' for {}{name}", self.prefix))),
        }
    }

    pub fn number(&self, name: &str) -> ApiResult<Option<i64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(n) => Ok(Some(n)),
            Err(_) => {
                Err(ApiError::invalid(format!("Invalid value '{text}' for {}{name}. Expected a number.", self.prefix)))
            }
        }
    }

    pub fn within(&self, name: &str) -> Scope<'a> {
        Scope { all: self.all, prefix: format!("{}{name}.", self.prefix) }
    }

    /// `Name.1`, `Name.2`, … in the order of their numbers.
    pub fn list(&self, name: &str) -> Vec<&'a str> {
        self.indices(name)
            .into_iter()
            .filter_map(|(_, at)| self.all.get(&at).map(String::as_str))
            .filter(|v| !v.is_empty())
            .collect()
    }

    /// Like [`Scope::list`], with the empty ones.
    pub fn list_with_empty(&self, name: &str) -> Vec<&'a str> {
        self.indices(name).into_iter().filter_map(|(_, at)| self.all.get(&at).map(String::as_str)).collect()
    }

    /// The structures `Name.1.…`, `Name.2.…` in the order of their numbers.
    pub fn structs(&self, name: &str) -> Vec<Scope<'a>> {
        let found = self.indices(name);
        found.into_iter().map(|(_, at)| Scope { all: self.all, prefix: format!("{at}.") }).collect()
    }

    pub fn has_any(&self) -> bool {
        self.all.range(self.prefix.clone()..).next().is_some_and(|(k, _)| k.starts_with(&self.prefix))
    }

    fn indices(&self, name: &str) -> Vec<(u32, String)> {
        let stem = format!("{}{name}.", self.prefix);
        let mut found: Vec<(u32, String)> = self
            .all
            .range(stem.clone()..)
            .map_while(|(key, _)| key.strip_prefix(stem.as_str()))
            .filter_map(|rest| {
                let number = rest.split('.').next().unwrap_or(rest);
                number.parse().ok().map(|n| (n, format!("{stem}{number}")))
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_follow_their_numbers_and_structures_nest() {
        let p = Params::parse(
            b"Id.10=j&Id.2=b&Id.1=a&Idle.1=x&Map.1.Ebs.VolumeSize=8&Map.2.DeviceName=%2Fdev%2Fsdb&Empty=&On=true&N=x",
        );
        let r = p.root();
        assert_eq!(r.list("Id"), ["a", "b", "j"]);
        let maps = r.structs("Map");
        assert_eq!(maps.len(), 2);
        assert_eq!(maps[0].within("Ebs").number("VolumeSize").unwrap(), Some(8));
        assert!(!maps[1].within("Ebs").has_any());
        assert_eq!(maps[1].get("DeviceName"), Some("/dev/sdb"));
        assert_eq!((r.get("Empty"), r.text("Empty")), (None, Some("")));
        assert_eq!(r.flag("On").unwrap(), Some(true));
        assert_eq!(r.number("N").unwrap_err().code, "InvalidParameterValue");
    }
}
