//! Tags: how what an operation made is found again, and what a person sees of it.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use novacron_provider::OperationTag;

/// Counts the syncs of an operation, on snapshots.
pub const SEQUENCE: &str = "novacron:sequence";
/// Which disk of the machine, on disks that are written.
pub const INDEX: &str = "novacron:disk-index";
/// The true size of a disk in bytes, where the volume is rounded up to whole GiB. On an instance it is followed by
/// `:` and the device, because volumes are born with the instance and get their tags all alike.
pub const SIZE: &str = "novacron:size-bytes";

/// The tags of one thing: the configured ones, and ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(pub BTreeMap<String, String>);

impl Tags {
    pub fn new(configured: &BTreeMap<String, String>, tag: &OperationTag) -> Self {
        let mut tags = configured.clone();
        tags.insert(OperationTag::KEY.to_owned(), tag.to_string());
        Self(tags)
    }

    pub fn with(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        self.0.insert(key.into(), value.to_string());
        self
    }

    pub fn specification(&self, of: ResourceType) -> TagSpecification {
        let tags = self.0.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        TagSpecification::builder().resource_type(of).set_tags(Some(tags)).build()
    }

    /// For EBS direct, whose tags are a type of their own.
    pub fn ebs(&self) -> Vec<aws_sdk_ebs::types::Tag> {
        self.0.iter().map(|(key, value)| aws_sdk_ebs::types::Tag::builder().key(key).value(value).build()).collect()
    }
}

/// Labels of a machine as tags. `aws:` is reserved by AWS, `novacron:` by us.
pub fn may_be_set(key: &str) -> bool {
    !key.starts_with("aws:") && !key.starts_with("novacron:") && !key.is_empty()
}

pub fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}

/// What carries this operation's tag.
pub fn made_by(tag: &OperationTag) -> Filter {
    filter(&format!("tag:{}", OperationTag::KEY), [tag.as_str()])
}

pub fn filter<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Filter {
    let values = values.into_iter().map(str::to_owned).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}
