//! One thing in full, for people.

use std::fmt::Write;

use novacron_types::{DiskProof, Migration, TransferStats, VerifyLevel, VmRecord};

use super::{human, plain};
use crate::client::types::MigrationPlan;

/// Lines of a name and a value. What others have written in them does nothing to a terminal, and makes no lines of its own.
#[derive(Default)]
pub struct Lines(pub String);

impl Lines {
    pub fn add(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        let _ = writeln!(self.0, "{:<13} {}", plain(name), plain(&value.to_string()));
        self
    }
    pub fn add_some(&mut self, name: &str, value: Option<impl std::fmt::Display>) -> &mut Self {
        if let Some(value) = value {
            self.add(name, value);
        }
        self
    }
    pub fn head(&mut self, text: &str) -> &mut Self {
        let _ = writeln!(self.0, "\n{}", plain(text));
        self
    }
    pub fn line(&mut self, text: impl std::fmt::Display) -> &mut Self {
        let _ = writeln!(self.0, "  {}", plain(&text.to_string()));
        self
    }
}

pub fn migration(migration: &Migration) -> String {
    let mut lines = Lines::default();
    let from = migration.instance_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let to = migration.target_instance_id.as_ref().map(ToString::to_string).unwrap_or_default();
    lines
        .add("Migration", &migration.migration_id)
        .add("Status", format_args!("{}, {:.1}%", migration.status, migration.progress))
        .add("Phase", if migration.phase.is_empty() { "-" } else { &migration.phase })
        .add("From", format_args!("{} {from}", migration.source))
        .add("To", format_args!("{} {to}", migration.destination))
        .add_some("VM", migration.vm_id.as_ref())
        .add("Started", human::time(migration.start_time));
    if let Some(end) = migration.end_time {
        lines.add("Ended", format_args!("{}, after {}", human::time(end), human::between(migration.start_time, end)));
    }
    if migration.transfer_stats.bytes_total > 0 {
        lines.add("Moved", moved(&migration.transfer_stats));
    }
    lines.add_some("Held", migration.hold_reason.as_ref());
    if migration.cancel_requested && !migration.status.is_terminal() {
        lines.add("Cancel", "asked for");
    }
    if let Some(error) = &migration.error {
        lines.add("Error", format_args!("{} ({})", error.message, error.code)).add_some("", error.advice.as_ref());
    }
    if let Some(proof) = &migration.proof {
        lines.head("Proof");
        proof.disks.iter().for_each(|disk| proof_lines(&mut lines, disk));
    }
    if !migration.checkpoints.is_empty() {
        lines.head("Checkpoints");
        for point in &migration.checkpoints {
            let undo = if point.reversible { "can be undone" } else { "can't be undone" };
            lines.line(format_args!("{}  {:5.1}%  {:<16} {undo}", human::time(point.at), point.progress, point.phase));
        }
    }
    lines.0
}

fn proof_lines(lines: &mut Lines, disk: &DiskProof) {
    let equal = match disk.target_root {
        Some(root) if root == disk.source_root => "equal",
        Some(_) => "DIFFERENT",
        None => "written",
    };
    let target = disk.target_root.map_or("not looked at".to_owned(), |root| root.to_string());
    let level = match disk.verified {
        VerifyLevel::Stored => "what is stored was checked",
        VerifyLevel::Transit => "what was sent was checked",
    };
    lines
        .line(format_args!("{} ({}): {equal}; {level}", disk.device, human::bytes(disk.size_bytes)))
        .line(format_args!("  source  {}", disk.source_root))
        .line(format_args!("  target  {target}"))
        .line(format_args!("  {}", disk.method));
}

pub fn moved(stats: &TransferStats) -> String {
    let mut text = format!("{} of {}", human::bytes(stats.bytes_transferred), human::bytes(stats.bytes_total));
    for (bytes, what) in [
        (stats.bytes_zero, "zero"),
        (stats.bytes_unchanged, "unchanged"),
        (stats.bytes_resumed, "moved before an interruption"),
        (stats.bytes_verified, "read back"),
    ] {
        if bytes > 0 {
            let _ = write!(text, ", {} {what}", human::bytes(bytes));
        }
    }
    text
}

pub fn plan(plan: &MigrationPlan) -> String {
    let mut lines = Lines::default();
    let instance = &plan.instance;
    lines
        .add("Plan", format_args!("{} → {}", plan.source, plan.destination))
        .add("Machine", format_args!("{} ({}), {}", instance.display_name(), instance.instance_id, instance.state))
        .add("Becomes", &plan.name);
    match plan.disk_bytes {
        Some(bytes) => lines.add("Disks", format_args!("{}, {}", instance.disks.len(), human::bytes(bytes))),
        None => lines.add("Disks", format_args!("{}, size not known yet", instance.disks.len())),
    };
    let verify = match plan.transfer.verify() {
        VerifyLevel::Stored => "what the target stores is checked",
        VerifyLevel::Transit => "what is sent is checked",
    };
    let limit = plan.transfer.bandwidth_limit.filter(|limit| limit.0 > 0);
    lines
        .add("Verify", verify)
        .add("Rate", limit.map_or("no limit".to_owned(), |limit| format!("at most {limit}/s")))
        .add("At target", if plan.starts_at_target { "started" } else { "left stopped" })
        .add(
            "Source",
            match (plan.deletes_source, plan.stops_source) {
                (true, _) => "DELETED once the target is verified",
                (false, true) => "stopped, and kept",
                (false, false) => "left as it is",
            },
        )
        .add("Steps", plan.steps.join(" → "));
    for note in &plan.notes {
        lines.add("Note", note);
    }
    lines.0
}

pub fn vm(vm: &VmRecord) -> String {
    let mut lines = Lines::default();
    let instance = &vm.instance;
    let spec = &instance.spec;
    lines
        .add("VM", &vm.vm_id)
        .add("Name", &vm.name)
        .add("Provider", &vm.provider)
        .add("Instance", &instance.instance_id)
        .add("State", instance.state)
        .add_some("Zone", instance.zone.as_ref().or(instance.region.as_ref()))
        .add_some("Type", spec.instance_type.as_ref())
        .add_some("vCPUs", spec.vcpus)
        .add_some("Memory", spec.memory_bytes.map(human::bytes))
        .add_some("Placed by", vm.placed_by.as_ref())
        .add("Created", human::time(vm.created_at))
        .add("Seen", human::time(vm.updated_at));
    if !instance.disks.is_empty() {
        lines.head("Disks");
        for disk in &instance.disks {
            let size = disk.size_bytes.map_or("size unknown".to_owned(), human::bytes);
            let boot = if disk.boot { ", boots" } else { "" };
            lines.line(format_args!("{:<12} {:<24} {size}{boot}", disk.device, disk.disk_id));
        }
    }
    if !spec.labels.is_empty() {
        lines.head("Labels");
        for (key, value) in &spec.labels {
            lines.line(format_args!("{key}={value}"));
        }
    }
    if !instance.details.is_empty() {
        lines.head("Details");
        for (key, value) in &instance.details {
            lines.line(format_args!("{key}: {value}"));
        }
    }
    lines.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_named_stays_in_its_line() {
        let mut lines = Lines::default();
        lines.add("Na\u{9b}me", "a\u{1b}[2J\nb").head("He\u{7}ad").line("c\u{85}d").add_some("Some", Some("e\tf"));
        assert_eq!(lines.0, "Na me         a [2J b\n\nHe ad\n  c d\nSome          e f\n");
    }
}
