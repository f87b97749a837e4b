//! `kind: VirtualMachine`, from its document to the machine.

use novacron_types::{
    manifest::{MACHINE_NAME, MOST_CHARACTERS, VirtualMachine, is_machine_name, replica_name},
    placement::Constraint,
};
use serde_json::Value;

use crate::{
    check::Checker,
    keys::VIRTUAL_MACHINE,
    node::Node,
    parse::{NO_WEIGHT, no_weight},
    sense,
    value::without_holes,
};

/// `None`: something is wrong, and faults say what. There may be faults besides.
pub(crate) fn read<'n>(checker: &mut Checker<'n>, tree: &'n Node) -> Option<VirtualMachine> {
    let checked = checker.block(VIRTUAL_MACHINE, tree, "")?;
    let part = |pointer: &str| checked.value.pointer(pointer);
    if let Some(name) = part("/metadata/name").and_then(Value::as_str)
        && !is_machine_name(name)
    {
        let found = checker.quote("metadata.name");
        checker.fault("metadata.name", format!("expected {MACHINE_NAME}, found {found}"));
    } else if let Some(name) = part("/metadata/name").and_then(Value::as_str)
        && let Some(replicas) = part("/spec/replicas").and_then(Value::as_u64).filter(|replicas| *replicas > 1)
        // Of several the last has the longest name.
        && let longest = replica_name(name, replicas - 1)
        && !is_machine_name(&longest)
    {
        let most = MOST_CHARACTERS - (longest.len() - name.len());
        let found = format!(
            "{replicas} replicas get `-0` and so on behind it: expected at most {most} characters, found {}",
            name.len()
        );
        checker.fault("metadata.name", found);
    }
    let rules = "spec.federation.placement";
    let constraints = part("/spec/federation/placement/constraints").and_then(Value::as_array);
    for (index, constraint) in constraints.into_iter().flatten().enumerate() {
        let path = format!("{rules}.constraints[{index}]");
        // What can't be read has had its fault.
        if checker.is_right(&path)
            && let Ok(constraint) = serde_json::from_value::<Constraint>(constraint.clone())
        {
            sense::constraint(checker, &path, &constraint);
        }
    }
    let weights = part("/spec/federation/placement/weights");
    let path = format!("{rules}.weights");
    if checker.is_right(&path)
        && weights.is_some_and(|weights| serde_json::from_value(weights.clone()).is_ok_and(|w| no_weight(&w)))
    {
        checker.fault(&path, NO_WEIGHT);
    }
    let mut value = checked.value;
    without_holes(&mut value);
    match serde_json::from_value(value) {
        Ok(machine) => Some(machine),
        Err(error) => {
            // The checker lets through nothing that has no type, and so this is never reached without a fault.
            if checker.faults.is_empty() {
                checker.faults.at(tree.place, error.to_string());
            }
            None
        }
    }
}
