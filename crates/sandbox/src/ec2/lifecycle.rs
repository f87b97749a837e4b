//! Starting, stopping, rebooting and terminating instances, and changing them while they are stopped.

use super::filter::Ids;
use super::{Ctx, done, instances};
use crate::clock::Transition;
use crate::error::{ApiError, ApiResult};
use crate::model::{Instance, InstanceState, type_named};
use crate::xml::Xml;

use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};

pub(super) fn start_instances(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let latency = c.core.config.latency.start;
    change(
        c,
        |i, state| match state {
            Stopped | Running | Pending => Ok(()),
            _ => Err(wrong_state(&i.id, "started")),
        },
        |i, state, now| {
            if state == Stopped {
                i.state = Transition::begin(Pending, Running, now, latency);
                i.launched = now;
                i.state_reason = None;
                i.transition_reason.clear();
            }
        },
    )
}

pub(super) fn stop_instances(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let latency = c.core.config.latency.stop;
    change(
        c,
        |i, state| match state {
            _ if i.spot.as_ref().is_some_and(|s| !s.persistent) => {
                let text = format!(
                    "You can't stop the Spot Instance '{}' because it is associated with a one-time \
                                    Spot Instance request. You can only stop Spot Instances associated with \
                                    persistent Spot Instance requests.",
                    i.id
                );
                Err(ApiError::bad("UnsupportedOperation", text))
            }
            Running | Stopping | Stopped => Ok(()),
            _ => Err(wrong_state(&i.id, "stopped")),
        },
        |i, state, now| {
            if state == Running {
                i.state = Transition::begin(Stopping, Stopped, now, latency);
                i.state_reason =
                    Some(("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"));
                i.transition_reason = user_initiated(now);
            }
        },
    )
}

pub(super) fn terminate_instances(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let latency = c.core.config.latency;
    let mut ending = Vec::new();
    let answer = change(
        c,
        |i, _| {
            if i.termination_protected {
                let text = format!(
                    "The instance '{}' may not be terminated. Modify its 'disableApiTermination' \
                                    instance attribute and try again.",
                    i.id
                );
                return Err(ApiError::bad("OperationNotPermitted", text));
            }
            Ok(())
        },
        |i, state, now| {
            if matches!(state, ShuttingDown | Terminated) {
                return;
            }
            i.state = Transition::begin(ShuttingDown, Terminated, now, latency.terminate);
            let keep = i64::try_from(latency.forget_terminated.as_millis()).unwrap_or(i64::MAX / 4);
            i.forget_at = i.state.due().saturating_add(keep);
            i.state_reason =
                Some(("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown"));
            i.transition_reason = user_initiated(now);
            ending.push((i.state.due(), i.id.clone()));
        },
    )?;
    for (due, id) in ending {
        c.region.remind(due, &id);
    }
    Ok(answer)
}

pub(super) fn reboot_instances(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    change(
        c,
        |i, state| match state {
            Running => Ok(()),
            _ => Err(wrong_state(&i.id, "rebooted")),
        },
        |_, _, _| {},
    )?;
    Ok(done())
}

/// Checks all the instances of the request first, and then changes all of them.
fn change(
    c: &mut Ctx<'_>,
    check: impl Fn(&Instance, InstanceState) -> ApiResult<()>,
    mut apply: impl FnMut(&mut Instance, InstanceState, i64),
) -> ApiResult<Xml> {
    let ids = Ids::INSTANCE.listed(&c.p, &c.region.instances)?;
    if ids.is_empty() {
        return Err(ApiError::missing("InstanceId"));
    }
    for id in &ids {
        if let Some(i) = c.region.instances.get(*id) {
            check(i, i.state.at(c.now))?;
        }
    }
    let mut x = Xml::fragment();
    x.list("instancesSet", ids, |x, id| {
        let Some(i) = c.region.instances.get_mut(id) else { return };
        let before = i.state.at(c.now);
        apply(i, before, c.now);
        x.el("instanceId", id);
        // The call answers with the state on the way, even where the way takes no time.
        let current = match (before, i.state.at(c.now)) {
            (Stopped, Running) => Pending,
            (Running, Stopped) => Stopping,
            (was, Terminated) if was != Terminated => ShuttingDown,
            (_, now) => now,
        };
        x.wrap("currentState", |x| instances::write_state(x, current));
        x.wrap("previousState", |x| instances::write_state(x, before));
    });
    Ok(x)
}

fn wrong_state(id: &str, done: &str) -> ApiError {
    let text = format!("The instance '{id}' is not in a state from which it can be {done}.");
    ApiError::bad("IncorrectInstanceState", text)
}

fn user_initiated(now: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
    format!("User initiated ({})", at.strftime("%Y-%m-%d %H:%M:%S GMT"))
}

/// The type, EBS optimisation, user data, termination protection, and what becomes of disks at termination.
pub(super) fn modify_instance_attribute(c: &mut Ctx<'_>) -> ApiResult<Xml> {
    let id = c.p.need("InstanceId")?;
    Ids::INSTANCE.check(id, &c.region.instances)?;
    let kind = match c.p.get("InstanceType.Value") {
        None => None,
        Some(name) => Some(
            type_named(name).ok_or_else(|| ApiError::invalid(format!("Invalid value '{name}' for InstanceType.")))?,
        ),
    };
    let ebs_optimized = c.p.flag("EbsOptimized.Value")?;
    let protected = c.p.flag("DisableApiTermination.Value")?;
    let user_data = c.p.text("UserData.Value");
    let Some(i) = c.region.instances.get_mut(id) else { return Err(ApiError::missing("InstanceId")) };
    let needs_stop = kind.is_some() || ebs_optimized.is_some() || user_data.is_some();
    if needs_stop && i.state.at(c.now) != Stopped {
        let text = format!("The instance '{id}' is not in the 'stopped' state.");
        return Err(ApiError::bad("IncorrectInstanceState", text));
    }
    if let Some(kind) = kind.filter(|k| !k.archs.contains(&i.arch.as_str())) {
        let text = format!("The instance type {} does not run the architecture {}", kind.name, i.arch);
        return Err(ApiError::invalid(text));
    }
    i.kind = kind.unwrap_or(i.kind);
    i.ebs_optimized = ebs_optimized.unwrap_or(i.ebs_optimized);
    i.termination_protected = protected.unwrap_or(i.termination_protected);
    if let Some(data) = user_data {
        i.user_data = Some(data.to_owned()).filter(|d| !d.is_empty());
    }
    for m in c.p.structs("BlockDeviceMapping") {
        let (device, delete) = (m.need("DeviceName")?, m.flag("Ebs.DeleteOnTermination")?);
        let attached = c.region.volumes.values_mut().filter_map(|v| v.attachment.as_mut());
        for a in attached.filter(|a| a.instance_id == id && a.device == device) {
            a.delete_on_termination = delete.unwrap_or(a.delete_on_termination);
        }
    }
    Ok(done())
}
