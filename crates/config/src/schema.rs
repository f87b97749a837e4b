//! How a key is described. The checker, the documentation and the JSON Schema all follow from these.

/// More than any machine has.
pub(crate) const MAX_CPUS: i64 = 100_000;

/// A key of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    /// Other names that mean the same.
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    /// Shown as `***` wherever configuration is shown.
    pub secret: bool,
    /// As a person would write it. Empty: none.
    pub default: &'static str,
    pub effect: Effect,
    /// The block that it is in can't be without it.
    pub required: bool,
    pub doc: &'static str,
}

/// Whether setting it changes anything in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Now,
    /// It is read and checked, and nothing follows it yet.
    None,
}

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Text,
    Path,
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    Number {
        min: f64,
        max: f64,
    },
    OneOf(&'static [&'static str]),
    /// Bytes: a number, or a text such as `8GiB`.
    Size,
    /// The memory or disk of a machine: as `Size`, and no less than a machine can have.
    Capacity,
    /// Whole virtual CPUs, at least one.
    Cpus,
    /// US dollars: a number, or a text such as `0.05 USD`.
    Dollars,
    /// Milliseconds: a number, or a text with its unit.
    Millis,
    /// When something is done, as five fields of cron.
    Schedule,
    /// A region's name, or latitude and longitude in degrees.
    Location,
    /// An `http` or `https` address.
    Url,
    /// A text, a number or `true` or `false`: what it must be depends on the keys beside it.
    Scalar,
    /// A name of something that is described elsewhere.
    Reference(Referent),
    /// An address to listen at.
    Address,
    /// A URL of a database.
    StoreUrl,
    /// 64 hexadecimal digits.
    Sha256,
    List(&'static Kind),
    /// Names of the user's choice, each with a text.
    Map,
    Block(&'static [Key]),
    /// A provider's own block, named after its kind.
    Provider,
    /// A list of providers.
    Providers,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Referent {
    /// A provider, by its name or its kind.
    Provider,
    /// As `Provider`, or a pricing model such as `spot-instances`.
    Offer,
    /// A vendor's region, a zone, or a group of regions.
    Region,
    /// A provider, or a region.
    Place,
    /// A compliance programme.
    Programme,
}

impl Kind {
    /// In words, for errors and for the documentation.
    pub fn describe(&self) -> String {
        match self {
            Self::Text => "text".into(),
            Self::Path => "path".into(),
            Self::Bool => "`true` or `false`".into(),
            Self::Integer { min, max } if *max == i64::MAX => format!("whole number from {min}"),
            Self::Integer { min, max } => format!("whole number from {min} to {max}"),
            Self::Number { min, max } if *max == f64::MAX => format!("number from {min}"),
            Self::Number { min, max } => format!("number from {min} to {max}"),
            Self::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Size => "size (`4096`, `64MiB`, `8GB`)".into(),
            Self::Capacity => "size with its unit (`8Gi`, `512Mi`, `100GB`)".into(),
            Self::Cpus => format!("whole number of virtual CPUs from 1 to {MAX_CPUS}"),
            Self::Dollars => "dollars (`0.05`, `0.05 USD`)".into(),
            Self::Millis => "milliseconds (`10`, `10ms`, `0.5s`)".into(),
            Self::Schedule => "five fields of cron (`0 2 * * *`)".into(),
            Self::Location => "region, or latitude and longitude (`50.11,8.68`)".into(),
            Self::Url => "URL (`https://…`)".into(),
            Self::Scalar => "text, number, `true` or `false`".into(),
            Self::Reference(Referent::Provider) => "provider's name or kind".into(),
            Self::Reference(Referent::Offer) => "provider's name or kind, or pricing model".into(),
            Self::Reference(Referent::Region) => "region, zone or group of regions".into(),
            Self::Reference(Referent::Place) => "provider, region or zone".into(),
            Self::Reference(Referent::Programme) => "compliance programme (`HIPAA`)".into(),
            Self::Address => "address and port (`127.0.0.1:8080`)".into(),
            Self::StoreUrl => "URL (`postgres://…` or `sqlite:…`)".into(),
            Self::Sha256 => "64 hexadecimal digits".into(),
            Self::List(Self::Block(_)) => "list of blocks of keys".into(),
            Self::List(item) => format!("list of {}", item.describe()),
            Self::Map => "names with a text each".into(),
            Self::Block(_) => "block of keys".into(),
            Self::Provider => "a provider's block".into(),
            Self::Providers => "list of providers".into(),
        }
    }
}

pub(crate) const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, aliases: &[], kind, secret: false, default: "", effect: Effect::Now, required: false, doc }
}

impl Key {
    pub(crate) const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }
    pub(crate) const fn alias(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }
    pub(crate) const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
    pub(crate) const fn required(self) -> Self {
        Self { required: true, ..self }
    }
    /// Checked, but without effect in this version.
    pub(crate) const fn later(self) -> Self {
        Self { effect: Effect::None, ..self }
    }
}
