//! From options and files to what is asked.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use novacron_config::{Context, Manifest, Overrides};
use novacron_types::{
    ByteSize, VmId, in_words,
    manifest::VirtualMachine,
    placement::{Constraint, ConstraintKind, Gigabytes, Millis, Operator, PlacementRequest, Scalar},
};
use serde_json::Value;

use super::words::{architecture, dollars, gpu, strategy, weights};
use crate::{
    cli::PlaceArgs,
    commands::config::kinds,
    exit::{Failure, Result},
};

/// No manifest is larger.
const MOST_BYTES: u64 = 16 << 20;

pub fn request(args: &PlaceArgs) -> Result<PlacementRequest> {
    let mut request = match &args.file {
        Some(path) => from_file(path)?,
        None => PlacementRequest::default(),
    };
    machine(args, &mut request)?;
    wishes(args, &mut request)?;
    // A server would refuse it too.
    if let Some(name) = &request.vm_id {
        VmId::new(name.as_str()).map_err(|error| Failure::usage(error.to_string()))?;
    }
    Ok(request)
}

fn machine(args: &PlaceArgs, request: &mut PlacementRequest) -> Result<()> {
    let machine = &args.machine;
    let size = |size: ByteSize| Gigabytes { bytes: size.0 };
    set(&mut request.vm_id, args.name.clone());
    set(&mut request.required_cpu, machine.cpu);
    set(&mut request.required_memory_gb, machine.memory.map(size));
    set(&mut request.required_disk_gb, machine.disk.map(size));
    set(&mut request.disk_type, machine.disk_type.clone());
    set(&mut request.gpu, machine.gpu.as_deref().map(gpu).transpose()?);
    set(&mut request.architecture, machine.arch.as_deref().map(architecture));
    set(&mut request.instance_type, machine.instance_type.clone());
    set(&mut request.traffic_gb_per_month, machine.traffic);
    set(&mut request.workload, machine.workload.clone());
    set(&mut request.image, args.image.clone());
    set(&mut request.alternatives, args.alternatives);
    if machine.no_burstable {
        request.allow_burstable = Some(false);
    }
    if let Some(mbps) = machine.bandwidth {
        request.performance_targets.get_or_insert_default().min_bandwidth_mbps = Some(mbps);
    }
    for label in &machine.label {
        let (key, value) = label.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| {
            Failure::usage(format!("{label:?} is not a label")).hint("Write KEY=VALUE, such as tier=critical.")
        })?;
        request.tags.insert(key.to_owned(), value.to_owned());
    }
    Ok(())
}

fn wishes(args: &PlaceArgs, request: &mut PlacementRequest) -> Result<()> {
    let wish = &args.wish;
    for (kind, values) in [(ConstraintKind::Provider, &wish.provider), (ConstraintKind::Region, &wish.region)] {
        if !values.is_empty() {
            request.constraints.push(among(kind, values));
        }
    }
    if !wish.prefer.is_empty() {
        request.preferred_regions.clone_from(&wish.prefer);
    }
    if !wish.pricing.is_empty() {
        request.pricing.clone_from(&wish.pricing);
    }
    request.compliance_requirements.extend(wish.compliance.iter().cloned());
    set(&mut request.near, wish.near.clone());
    if let Some(text) = &wish.max_latency {
        if request.near.is_none() && request.preferred_regions.is_empty() {
            return Err(Failure::usage("--max-latency does not say to where")
                .hint("Add --near REGION, such as --near us-east-1."));
        }
        let most = text.parse::<Millis>().map_err(|error| Failure::usage(error.to_string()))?;
        request.performance_targets.get_or_insert_default().max_latency_ms = Some(most);
    }
    if let Some(percent) = wish.sla {
        request.performance_targets.get_or_insert_default().required_sla = Some(percent);
    }
    set(&mut request.max_cost_per_hour, wish.max_cost.as_deref().map(|text| dollars("--max-cost", text)).transpose()?);
    set(&mut request.strategy, wish.strategy.as_deref().map(strategy).transpose()?);
    set(&mut request.weights, wish.weights.as_deref().map(weights).transpose()?);
    if wish.configured {
        request.configured_only = Some(true);
    }
    Ok(())
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}

fn among(kind: ConstraintKind, values: &[String]) -> Constraint {
    Constraint {
        kind,
        operator: Operator::In,
        value: None,
        values: values.iter().cloned().map(Scalar::Text).collect(),
        max_latency: None,
    }
}

/// The text of a file; `-` is standard input.
pub(super) fn read_text(path: &Path) -> Result<String> {
    let mut text = String::new();
    let read = match path.to_str() {
        Some("-") => std::io::stdin().lock().take(MOST_BYTES + 1).read_to_string(&mut text),
        _ => File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut text)),
    };
    read.map_err(|error| Failure::usage(format!("cannot read {}", path.display())).why(error))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(Failure::usage(format!(
            "{} is larger than any manifest ({} MiB)",
            path.display(),
            MOST_BYTES >> 20
        )));
    }
    Ok(text)
}

/// Every document of a file of manifests.
fn documents(path: &Path, text: &str) -> Result<Vec<Manifest>> {
    let env = |name: &str| std::env::var(name).ok();
    let file = path.display().to_string();
    let context = Context { file: &file, env: &env, kinds: &kinds(), overrides: Overrides::default() };
    novacron_config::manifests(text, &context).map_err(|error| {
        Failure::usage("the manifest can't be used")
            .why(error)
            .hint("`novacron config schema --kind VirtualMachine` has every key; docs/configuration.md explains them.")
    })
}

/// The machines of files of manifests. A configuration among them is checked, and returned as its place.
pub fn machines(files: &[PathBuf]) -> Result<(Vec<VirtualMachine>, Vec<String>)> {
    let (mut machines, mut configurations) = (Vec::new(), Vec::new());
    for path in files {
        for document in documents(path, &read_text(path)?)? {
            match document {
                Manifest::VirtualMachine(manifest) => machines.push(manifest.machine),
                Manifest::FederationConfig(manifest) => {
                    configurations.push(format!("{}:{}", path.display(), manifest.place.line));
                }
            }
        }
    }
    Ok((machines, configurations))
}

/// Whether a text is a request as the API takes it, and not a manifest.
fn as_request(text: &str) -> Option<Value> {
    let value: Value = serde_saphyr::from_str(text).ok()?;
    let is = |key: &str| value.get(key).is_some();
    (value.is_object() && !is("kind") && !is("apiVersion") && !is("spec")).then_some(value)
}

fn typed(path: &Path, value: Value) -> Result<PlacementRequest> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = error.path().to_string();
        let field = if field == "." { String::new() } else { format!("`{field}`: ") };
        Failure::usage(format!("{}: this is not a request for a place", path.display()))
            .why(format!("{field}{}", in_words(&error.inner().to_string())))
            .hint("docs/placement.md lists its fields; a manifest begins with `apiVersion` and `kind: VirtualMachine`.")
    })
}

fn from_file(path: &Path) -> Result<PlacementRequest> {
    let one = |found: usize| {
        Failure::usage(format!("{} describes {found} machines, and one is placed at a time", path.display()))
            .hint("`novacron apply -f FILE --dry-run` shows the places of all of them.")
    };
    let mut found = requests(path)?.requests;
    match found.len() {
        1 => Ok(found.remove(0)),
        many => Err(one(many)),
    }
}

/// What a file asks for.
pub struct Asked {
    /// One request, several, or those of the machines that manifests describe.
    pub requests: Vec<PlacementRequest>,
    /// By manifests, which do not say whether to make a machine.
    pub described: bool,
}

pub fn requests(path: &Path) -> Result<Asked> {
    let text = read_text(path)?;
    if let Some(value) = as_request(&text) {
        let requests = match value.get("requests").or_else(|| value.get("vms")) {
            Some(Value::Array(list)) => list.iter().map(|value| typed(path, value.clone())).collect::<Result<_>>()?,
            _ => vec![typed(path, value)?],
        };
        return Ok(Asked { requests, described: false });
    }
    let machines = documents(path, &text)?.into_iter().filter_map(|document| match document {
        Manifest::VirtualMachine(manifest) => Some(manifest.machine),
        Manifest::FederationConfig(_) => None,
    });
    let named = |machine: VirtualMachine| {
        let request = machine.request();
        machine.names().map(|name| PlacementRequest { vm_id: Some(name), ..request.clone() }).collect::<Vec<_>>()
    };
    Ok(Asked { requests: machines.flat_map(named).collect(), described: true })
}
