//! Manifests: files of documents, each a configuration or a machine.

use std::collections::BTreeMap;

use novacron_types::manifest::VirtualMachine;

use crate::{
    check::{Checker, Ineffective},
    config::Config,
    error::{ConfigError, Faults, Place},
    expand::expand,
    keys::{FEDERATION, VIRTUAL_MACHINE},
    machine,
    node::{Node, Raw, read_all},
    parse::{Context, configuration},
    reference::{Reference, unknown_providers},
    scalar::near,
};

/// One document of a file.
#[derive(Debug)]
pub enum Manifest {
    FederationConfig(Box<FederationManifest>),
    VirtualMachine(Box<MachineManifest>),
}

#[derive(Debug)]
pub struct FederationManifest {
    /// Where the document begins.
    pub place: Place,
    pub config: Config,
}

#[derive(Debug)]
pub struct MachineManifest {
    /// Where the document begins.
    pub place: Place,
    pub machine: VirtualMachine,
    /// Names of providers and regions, which are for whoever knows them to check: [`unknown_providers`] and
    /// [`unknown_regions`](crate::unknown_regions).
    pub references: Vec<Reference>,
    /// Keys that are set, and that nothing follows in this version.
    pub ineffective: Vec<Ineffective>,
}

impl Manifest {
    pub fn place(&self) -> Place {
        match self {
            Self::FederationConfig(document) => document.place,
            Self::VirtualMachine(document) => document.place,
        }
    }
}

const KINDS: &[&str] = &["FederationConfig", "VirtualMachine"];
/// Machines of one file, replicas counted.
const MOST_MACHINES: u64 = 100_000;

/// Reads a file of manifests: documents of YAML with `---` between them, or JSON. Empty ones are left out; there may be none.
/// Bounds are those of [`parse`](crate::parse). The error has every fault of every document, in the order of the file.
///
/// No two machines have the same name. Names of providers are checked where the file has a configuration too.
pub fn manifests(text: &str, context: &Context<'_>) -> Result<Vec<Manifest>, ConfigError> {
    let mut trees = read_all(text, context.file)?;
    let mut faults = Faults::default();
    trees.iter_mut().for_each(|tree| expand(tree, context.env, &mut faults));
    let documents: Vec<Manifest> = trees.iter().filter_map(|tree| document(tree, context, &mut faults)).collect();
    one_of_each(&documents, &mut faults);
    if faults.is_empty() { Ok(documents) } else { Err(faults.into_error(context.file)) }
}

fn document(tree: &Node, context: &Context<'_>, faults: &mut Faults) -> Option<Manifest> {
    let kind = kind(tree, faults)?;
    let keys = if kind == "FederationConfig" { FEDERATION } else { VIRTUAL_MACHINE };
    let mut checker = Checker::new(keys, true);
    let place = tree.place;
    let manifest = match kind {
        "FederationConfig" => configuration(&mut checker, tree, context)
            .map(|config| Manifest::FederationConfig(Box::new(FederationManifest { place, config }))),
        _ => machine::read(&mut checker, tree).map(|machine| {
            let (references, ineffective) =
                (std::mem::take(&mut checker.references), std::mem::take(&mut checker.ineffective));
            Manifest::VirtualMachine(Box::new(MachineManifest { place, machine, references, ineffective }))
        }),
    };
    faults.append(checker.faults);
    manifest
}

/// What a document says that it is.
fn kind(tree: &Node, faults: &mut Faults) -> Option<&'static str> {
    let Raw::Map(map) = &tree.value else {
        let found = tree.value.describe();
        faults.at(
            tree.place,
            format!(
                "expected a document with `apiVersion` and `kind`, found {found}; separate several documents by `---`"
            ),
        );
        return None;
    };
    let Some((_, node)) = map.iter().find(|(name, _)| name.name == "kind") else {
        faults.at(tree.place, format!("the document needs `kind`: one of {}", KINDS.join(", ")));
        return None;
    };
    let Raw::Text(given) = &node.value else {
        let found = node.value.describe();
        faults.at(node.place, format!("`kind`: expected one of {}, found {found}", KINDS.join(", ")));
        return None;
    };
    let known = KINDS.iter().find(|kind| **kind == given.text).copied();
    if known.is_none() {
        let help = match near(&given.text, KINDS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", KINDS.join(" and ")),
        };
        faults.at(node.place, format!("`kind`: there is no kind {}; {help}", node.value.quote()));
    }
    known
}

/// What no document can see by itself.
fn one_of_each(documents: &[Manifest], faults: &mut Faults) {
    let mut federation: Option<&FederationManifest> = None;
    let mut machines = Vec::new();
    for document in documents {
        match document {
            Manifest::VirtualMachine(machine) => machines.push(machine.as_ref()),
            Manifest::FederationConfig(config) => match federation {
                Some(first) => {
                    let line = first.place.line;
                    faults.at(config.place, format!("there are two configurations, here and in line {line}"));
                }
                None => federation = Some(config),
            },
        }
    }
    let count: u64 = machines.iter().map(|machine| u64::from(machine.machine.spec.replicas)).sum();
    if count > MOST_MACHINES {
        faults.add(format!("the file describes {count} machines; {MOST_MACHINES} are the most"));
        return;
    }
    let mut names: BTreeMap<String, Place> = BTreeMap::new();
    for document in &machines {
        for name in document.machine.names() {
            if let Some(first) = names.get(&name) {
                let line = first.line;
                faults.at(
                    document.place,
                    format!("there are two machines with the name `{name}`, here and in line {line}"),
                );
                break;
            }
            names.insert(name, document.place);
        }
    }
    if let Some(federation) = federation {
        let config = &federation.config;
        let enabled = config.providers.iter().map(|provider| provider.name.as_str());
        let deciding = config.deciding_only.iter().map(|provider| provider.name.as_str());
        let disabled = config.disabled_providers.iter().map(String::as_str);
        let known: Vec<&str> = enabled.chain(deciding).chain(disabled).collect();
        for machine in machines {
            unknown_providers(&machine.references, &known).into_iter().for_each(|fault| faults.push(fault));
        }
    }
}
