//! From libvirt's errors to ours.

use novacron_provider::{ErrorKind, ProviderError};
use virt::error::{Error, ErrorNumber};

/// For `map_err`: the error of one of libvirt's calls, by the call's name.
pub fn fault(operation: &'static str) -> impl Fn(Error) -> ProviderError {
    move |error| {
        let (kind, advice) = judge(error.code(), error.message());
        let fault = ProviderError::new(kind, operation, error.message());
        match advice {
            Some(advice) => fault.advice(advice),
            None => fault,
        }
    }
}

pub fn invalid(operation: &'static str, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, operation, message)
}

pub fn conflict(operation: &'static str, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Conflict, operation, message)
}

pub fn unavailable(operation: &'static str, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, operation, message)
}

pub fn not_found(operation: &'static str, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::NotFound, operation, message)
}

/// Many of libvirt's errors have one number, and differ in QEMU's or the system's words only.
fn judge(code: ErrorNumber, message: &str) -> (ErrorKind, Option<&'static str>) {
    use ErrorNumber as E;
    let says = |words: &str| message.contains(words);
    match code {
        _ if says("No space left on device") || says("Disk quota exceeded") => (ErrorKind::Full, None),
        _ if says("lock") && (says("Failed to get \"write\"") || says("Failed to get shared")) => {
            (ErrorKind::Conflict, Some("Another program has the disk open. Wait for it to end, or stop it."))
        }
        _ if says("Cannot allocate memory") || says("cannot set up guest memory") => (
            ErrorKind::NoCapacity,
            Some("The host has not enough free memory. Stop another machine, or choose another host."),
        ),
        _ if says("Unable to find any firmware") || says("Unable to find 'efi' firmware") => (
            ErrorKind::Invalid,
            Some("The host has no UEFI firmware for guests: install it (Debian and Ubuntu: ovmf)."),
        ),
        E::NoDomain | E::NoStorageVolume | E::NoDomainCheckpoint | E::NoDomainBackup => (ErrorKind::NotFound, None),
        E::NoStoragePool => {
            (ErrorKind::NotFound, Some("Set `pool` to one that `virsh pool-list --all` shows, or `path` to a folder."))
        }
        E::NoNetwork => (
            ErrorKind::NotFound,
            Some("Set `network` to one that `virsh net-list --all` shows, or to `bridge:NAME`, `user` or `none`."),
        ),
        E::DomExist | E::StorageVolExist | E::NetworkExist => (ErrorKind::AlreadyExists, None),
        E::AuthFailed | E::AuthCancelled | E::AuthUnavailable | E::AccessDenied | E::OperationDenied => (
            ErrorKind::Unauthorised,
            Some(
                "Give the user that runs NovaCron access to libvirt: add it to the group `libvirt`, or for a \
                  remote host set up its key or certificate.",
            ),
        ),
        _ if says("Permission denied") || says("authentication unavailable") => (
            ErrorKind::Unauthorised,
            Some(
                "For libvirt's socket: add the user that runs NovaCron to the group `libvirt`. For a disk or \
                  `socket_dir`: QEMU's user on the host must be able to write there.",
            ),
        ),
        _ if says("Failed to connect socket") || says("Connection refused") => (
            ErrorKind::Unavailable,
            Some(
                "Is libvirt running on the host? Debian and Ubuntu: apt-get install libvirt-daemon-system \
                  qemu-system-x86 qemu-utils, then systemctl start libvirtd.",
            ),
        ),
        E::OperationInvalid
        | E::ResourceBusy
        | E::CheckpointInconsistent
        | E::BlockCopyActive
        | E::InvalidDomainCheckpoint
        | E::OperationAborted => (ErrorKind::Conflict, None),
        E::XmlError
        | E::XmlDetail
        | E::XmlInvalidSchema
        | E::InvalidArg
        | E::InvalidMac
        | E::OsType
        | E::ConfigUnsupported
        | E::ArgumentUnsupported
        | E::OperationUnsupported
        | E::NoSupport
        | E::CpuIncompatible => (ErrorKind::Invalid, None),
        E::NoMemory => (ErrorKind::NoCapacity, None),
        _ => (ErrorKind::Unavailable, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_decide_where_numbers_do_not() {
        let kind = |message| judge(ErrorNumber::InternalError, message).0;
        assert_eq!(kind("process exited: Failed to get \"write\" lock"), ErrorKind::Conflict);
        assert_eq!(kind("cannot set up guest memory 'pc.ram': Cannot allocate memory"), ErrorKind::NoCapacity);
        assert_eq!(kind("No space left on device"), ErrorKind::Full);
        assert_eq!(kind("something else"), ErrorKind::Unavailable);
    }
}
