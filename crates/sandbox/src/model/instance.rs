//! Instances.

use std::net::Ipv4Addr;

use super::{InstanceType, Tags};
use crate::clock::{Millis, Transition};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    pub fn code(self) -> u16 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Instance {
    pub id: String,
    pub reservation_id: String,
    pub launch_index: usize,
    pub image_id: String,
    pub kind: &'static InstanceType,
    pub arch: String,
    pub zone: String,
    pub subnet_id: String,
    pub groups: Vec<String>,
    pub private_ip: Ipv4Addr,
    pub interface: InterfaceIds,
    pub key_name: Option<String>,
    pub launched: Millis,
    pub tags: Tags,
    /// As it came, in base64.
    pub user_data: Option<String>,
    pub profile: Option<Profile>,
    pub spot: Option<Spot>,
    pub ebs_optimized: bool,
    pub monitoring: bool,
    pub tenancy: String,
    pub boot_mode: Option<String>,
    pub ena: bool,
    pub root_device: String,
    /// The ids of the attached volumes; the volumes know the devices.
    pub volumes: Vec<String>,
    pub state: Transition<InstanceState>,
    pub state_reason: Option<(&'static str, &'static str)>,
    /// What EC2 shows as the reason of the last transition.
    pub transition_reason: String,
    pub client_token: Option<String>,
    pub termination_protected: bool,
    /// When a terminated instance is listed no more.
    pub forget_at: Millis,
}

#[derive(Debug)]
pub(crate) struct InterfaceIds {
    pub id: String,
    pub attachment: String,
    pub mac: String,
}

impl InterfaceIds {
    pub fn new() -> Self {
        let bits: [u8; 5] = rand::random();
        let mac: Vec<String> = bits.iter().map(|b| format!("{b:02x}")).collect();
        Self { id: super::new_id("eni"), attachment: super::new_id("eni-attach"), mac: format!("02:{}", mac.join(":")) }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub arn: String,
    pub id: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub request_id: String,
    pub max_price: Option<String>,
    pub persistent: bool,
    pub interruption: String,
}
