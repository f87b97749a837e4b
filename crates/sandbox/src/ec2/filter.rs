//! `Filter.N`, ids and paging, which all Describe actions have in common.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::error::{ApiError, ApiResult};
use crate::model::{Tags, is_id};
use crate::params::Scope;
use crate::pattern;

/// What a resource has to say about one filter's name: none, one, or several values.
pub(crate) type Values<'a> = Vec<Cow<'a, str>>;

pub(crate) fn one<'a>(value: impl Into<Cow<'a, str>>) -> Values<'a> {
    vec![value.into()]
}

pub(crate) fn maybe<'a>(value: Option<impl Into<Cow<'a, str>>>) -> Values<'a> {
    value.map(Into::into).into_iter().collect()
}

/// The filters of a request: all must accept, each by any of its values.
#[derive(Debug)]
pub(crate) struct Filters<'a>(Vec<(&'a str, Vec<&'a str>)>);

impl<'a> Filters<'a> {
    /// Reads the filters; one that is not in `known`, nor about tags, is refused.
    pub fn read(p: &Scope<'a>, known: &[&str]) -> ApiResult<Self> {
        let mut filters = Vec::new();
        for f in p.structs("Filter") {
            let name = f.need("Name")?;
            if !known.contains(&name) && name != "tag-key" && !name.starts_with("tag:") {
                return Err(ApiError::invalid(format!("The filter '{name}' is invalid")));
            }
            // Tags may have empty values, so those count here.
            let values: Vec<&str> = f.list_with_empty("Value");
            if values.len() > 200 {
                let text = "The maximum number of filter values specified on a single call is 200";
                return Err(ApiError::bad("FilterLimitExceeded", text));
            }
            filters.push((name, values));
        }
        Ok(Self(filters))
    }

    pub fn accept<'r>(&self, tags: &'r Tags, values: impl Fn(&str) -> Values<'r>) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let is_wanted = |value: &str| wanted.iter().any(|w| pattern::matches(w, value));
            if let Some(key) = name.strip_prefix("tag:") {
                tags.get(key).is_some_and(|v| is_wanted(v))
            } else if *name == "tag-key" {
                tags.keys().any(|k| is_wanted(k))
            } else {
                values(name).iter().any(|v| is_wanted(v))
            }
        })
    }
}

/// `MaxResults` and `NextToken`.
#[derive(Debug)]
pub(crate) struct Page {
    max: usize,
    after: Option<String>,
    /// The action that is asked: a token of one list is none of another's.
    action: String,
}

impl Page {
    /// `least` is the smallest `MaxResults` that the action takes; more than 1000 counts as 1000. Without
    /// `MaxResults` all comes at once, as it does at EC2.
    pub fn read(p: &Scope<'_>, least: i64) -> ApiResult<Self> {
        let max = match p.number("MaxResults")? {
            None => usize::MAX,
            Some(n) if n < least => {
                return Err(ApiError::invalid(format!(
                    "Value ( {n} ) for parameter maxResults is invalid. Expecting a value of at least {least}."
                )));
            }
            Some(n) => usize::try_from(n.min(1000)).unwrap_or(1000),
        };
        let action = p.get("Action").unwrap_or_default().to_owned();
        let after = match p.get("NextToken") {
            None => None,
            Some(token) => Some(open(&action, token).ok_or_else(|| {
                let text = format!("The specified NextToken is not one that {action} of this sandbox gave");
                ApiError::bad("InvalidNextToken", text)
            })?),
        };
        Ok(Self { max, after, action })
    }

    /// One page of what `accept` takes of `all`, and the token for the next page.
    pub fn of<'m, T>(&self, all: &'m BTreeMap<String, T>, accept: impl Fn(&T) -> bool) -> (Vec<&'m T>, Option<String>) {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = self.after.as_deref().map_or(Unbounded, Excluded);
        let mut found = Vec::new();
        let mut last: Option<&str> = None;
        for (id, item) in all.range::<str, _>((from, Unbounded)) {
            if !accept(item) {
                continue;
            }
            if found.len() == self.max {
                return (found, last.map(|id| seal(&self.action, id)));
            }
            found.push(item);
            last = Some(id);
        }
        (found, None)
    }
}

fn seal(action: &str, id: &str) -> String {
    BASE64_STANDARD.encode(format!("{action} after {id}"))
}

fn open(action: &str, token: &str) -> Option<String> {
    let text = String::from_utf8(BASE64_STANDARD.decode(token).ok()?).ok()?;
    text.strip_prefix(action)?.strip_prefix(" after ").map(str::to_owned)
}

/// How the ids of one kind of resource look, and the errors about them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    pub parameter: &'static str,
    pub prefix: &'static str,
    pub malformed: &'static str,
    pub not_found: &'static str,
    pub noun: &'static str,
}

impl Ids {
    pub const INSTANCE: Self = Self {
        parameter: "InstanceId",
        prefix: "i",
        malformed: "InvalidInstanceID.Malformed",
        not_found: "InvalidInstanceID.NotFound",
        noun: "instance ID",
    };
    pub const VOLUME: Self = Self {
        parameter: "VolumeId",
        prefix: "vol",
        malformed: "InvalidVolumeID.Malformed",
        not_found: "InvalidVolume.NotFound",
        noun: "volume",
    };
    pub const SNAPSHOT: Self = Self {
        parameter: "SnapshotId",
        prefix: "snap",
        malformed: "InvalidSnapshotID.Malformed",
        not_found: "InvalidSnapshot.NotFound",
        noun: "snapshot",
    };
    pub const IMAGE: Self = Self {
        parameter: "ImageId",
        prefix: "ami",
        malformed: "InvalidAMIID.Malformed",
        not_found: "InvalidAMIID.NotFound",
        noun: "image id",
    };

    /// Checks that an id is well formed and known.
    pub fn check<T>(&self, id: &str, all: &BTreeMap<String, T>) -> ApiResult<()> {
        if !is_id(self.prefix, id) {
            let (noun, prefix) = (self.noun, self.prefix);
            let text = format!("Invalid id: \"{id}\" (expecting \"{prefix}-...\") for the {noun}");
            return Err(ApiError::bad(self.malformed, text));
        }
        if !all.contains_key(id) { Err(self.missing(&[id])) } else { Ok(()) }
    }

    /// The ids that the request lists, each once; none means all resources. One unknown id fails the request.
    pub fn listed<'a, T>(&self, p: &Scope<'a>, all: &BTreeMap<String, T>) -> ApiResult<Vec<&'a str>> {
        let mut ids = p.list(self.parameter);
        let mut seen = std::collections::HashSet::new();
        ids.retain(|id| seen.insert(*id));
        let mut unknown = Vec::new();
        for id in &ids {
            match self.check(id, all) {
                Ok(()) => {}
                Err(e) if e.code == self.not_found => unknown.push(*id),
                Err(e) => return Err(e),
            }
        }
        if unknown.is_empty() { Ok(ids) } else { Err(self.missing(&unknown)) }
    }

    fn missing(&self, ids: &[&str]) -> ApiError {
        let (s, verb) = if ids.len() == 1 { ("", "does") } else { ("s", "do") };
        let text = format!("The {}{s} '{}' {verb} not exist", self.noun, ids.join(", "));
        ApiError::bad(self.not_found, text)
    }
}

/// The page of `all` that ids, filters and paging select.
pub(crate) fn select<'m, T>(
    p: &Scope<'_>,
    ids: Ids,
    least: i64,
    all: &'m BTreeMap<String, T>,
    accept: impl Fn(&T) -> bool,
) -> ApiResult<(Vec<&'m T>, Option<String>)> {
    let listed = ids.listed(p, all)?;
    if listed.is_empty() {
        return Ok(Page::read(p, least)?.of(all, accept));
    }
    if p.get("MaxResults").is_some() && ids.prefix == "i" {
        let text = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(ApiError::combination(text));
    }
    Ok((listed.into_iter().filter_map(|id| all.get(id)).filter(|r| accept(r)).collect(), None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Params;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn filters_are_and_of_or() {
        let p = Params::parse(
            b"Filter.1.Name=tag:Name&Filter.1.Value.1=web*&Filter.1.Value.2=db&Filter.2.Name=size&Filter.2.Value.1=?",
        );
        let root = p.root();
        let f = Filters::read(&root, &["size"]).unwrap();
        let accept = |name: &str, size: &'static str| f.accept(&tags(&[("Name", name)]), |_| one(size));
        assert!(accept("web-1", "8") && accept("db", "8"));
        assert!(!accept("db2", "8") && !accept("web", "16"));
        assert!(!f.accept(&Tags::new(), |_| one("8")));
        let unknown = Filters::read(&root, &[]).unwrap_err();
        assert_eq!(unknown.message, "The filter 'size' is invalid");
    }

    #[test]
    fn pages_cover_everything_once() {
        let all: BTreeMap<String, u32> = (0..23).map(|n| (format!("i-{n:08x}"), n)).collect();
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let query = match &token {
                Some(t) => format!(
                    "MaxResults=5&NextToken={}",
                    form_urlencoded::byte_serialize(String::as_bytes(t)).collect::<String>()
                ),
                None => "MaxResults=5".to_owned(),
            };
            let p = Params::parse(query.as_bytes());
            let (page, next) = Page::read(&p.root(), 5).unwrap().of(&all, |n| n % 2 == 0);
            assert!(page.len() <= 5);
            seen.extend(page.into_iter().copied());
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..23).filter(|n| n % 2 == 0).collect::<Vec<_>>());
        let of_another_list = format!("Action=DescribeVolumes&NextToken={}", seal("DescribeInstances", "i-1"));
        for bad in ["NextToken=xyz", &of_another_list] {
            let bad = Params::parse(bad.as_bytes());
            assert_eq!(Page::read(&bad.root(), 5).unwrap_err().code, "InvalidNextToken");
        }
    }
}
