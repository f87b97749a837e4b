//! The calls of libvirt that the bindings have no safe function for: backup jobs, checkpoints, and what a host measures.
#![allow(unsafe_code)]

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_char},
    ptr,
};

use virt::{
    connect::Connect,
    domain::Domain,
    error::{Error, ErrorNumber},
};
use virt_sys as sys;

/// Documents are built by us without NUL; one that has it ends there, and libvirt refuses what is left.
fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// Begins a backup job, and makes a checkpoint at the same point in time.
pub fn backup_begin(domain: &Domain, backup: &str, checkpoint: Option<&str>) -> Result<(), Error> {
    let backup = c_string(backup);
    let checkpoint = checkpoint.map(c_string);
    let checkpoint = checkpoint.as_ref().map_or(ptr::null(), |text| text.as_ptr());
    // SAFETY: the domain lives as long as its reference, and both texts outlive the call, which only reads them.
    let result = unsafe { sys::virDomainBackupBegin(domain.as_ptr(), backup.as_ptr(), checkpoint, 0) };
    if result < 0 { Err(Error::last_error()) } else { Ok(()) }
}

/// The description of the running backup job, if there is one.
pub fn backup_xml(domain: &Domain) -> Result<Option<String>, Error> {
    // SAFETY: the domain lives as long as its reference; the result is null or a text that is ours to free.
    let text = unsafe { sys::virDomainBackupGetXMLDesc(domain.as_ptr(), 0) };
    if text.is_null() {
        let error = Error::last_error();
        // A domain that is not running has no job either.
        return match error.code() {
            ErrorNumber::NoDomainBackup | ErrorNumber::OperationInvalid => Ok(None),
            _ => Err(error),
        };
    }
    Ok(Some(take_text(text)))
}

/// Asks libvirt to end the domain's job. It is over when [`backup_xml`] gives none.
pub fn abort_job(domain: &Domain) -> Result<(), Error> {
    // SAFETY: the domain lives as long as its reference.
    let result = unsafe { sys::virDomainAbortJob(domain.as_ptr()) };
    if result < 0 { Err(Error::last_error()) } else { Ok(()) }
}

/// The names of all checkpoints of a domain.
pub fn checkpoints(domain: &Domain) -> Result<Vec<String>, Error> {
    let mut list: *mut sys::virDomainCheckpointPtr = ptr::null_mut();
    // SAFETY: the domain lives as long as its reference; `list` is written once, with an array of as many
    // references as are returned, all of them ours to free.
    let count = unsafe { sys::virDomainListAllCheckpoints(domain.as_ptr(), &raw mut list, 0) };
    let Ok(count) = usize::try_from(count) else {
        return Err(Error::last_error());
    };
    let mut names = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: `index` is below the number of elements that libvirt said it has put there; the name lives as
        // long as its checkpoint, and is copied before that is freed.
        unsafe {
            let checkpoint = *list.add(index);
            let name = sys::virDomainCheckpointGetName(checkpoint);
            if !name.is_null() {
                names.push(CStr::from_ptr(name).to_string_lossy().into_owned());
            }
            sys::virDomainCheckpointFree(checkpoint);
        }
    }
    // SAFETY: the array was allocated by libvirt for us to free, and is not used afterwards.
    unsafe { libc::free(list.cast()) };
    Ok(names)
}

/// Whether only libvirt's own record of a checkpoint is deleted, because its bitmap is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delete {
    Whole,
    RecordOnly,
}

/// Deletes a checkpoint; one that is not there is `NoDomainCheckpoint`.
pub fn checkpoint_delete(domain: &Domain, name: &str, delete: Delete) -> Result<(), Error> {
    let name = c_string(name);
    // SAFETY: the domain lives as long as its reference, and the name outlives the call, which only reads it.
    let checkpoint = unsafe { sys::virDomainCheckpointLookupByName(domain.as_ptr(), name.as_ptr(), 0) };
    if checkpoint.is_null() {
        return Err(Error::last_error());
    }
    let flags = match delete {
        Delete::Whole => 0,
        Delete::RecordOnly => sys::VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY,
    };
    // SAFETY: the checkpoint is a reference of ours, used last by the call that frees it. The error is read
    // before that call, which would reset it.
    unsafe {
        let result = sys::virDomainCheckpointDelete(checkpoint, flags);
        let result = if result < 0 { Err(Error::last_error()) } else { Ok(()) };
        sys::virDomainCheckpointFree(checkpoint);
        result
    }
}

/// What a host measures, by libvirt's names.
pub type Figures = BTreeMap<String, u64>;

/// More than any driver gives.
const MOST_FIGURES: usize = 64;

/// The nanoseconds that all CPUs together have spent since the host started: `kernel`, `user`, `idle`, `iowait`. Empty where
/// the driver has none.
pub fn cpu_times(connect: &Connect) -> Result<Figures, Error> {
    let blank = sys::virNodeCPUStats { field: [0; 80], value: 0 };
    let ask = |array, count: &mut i32| {
        // SAFETY: the connection lives as long as its reference; `array` is null with a count of 0, or has `count` elements.
        unsafe { sys::virNodeGetCPUStats(connect.as_ptr(), sys::VIR_NODE_CPU_STATS_ALL_CPUS, array, count, 0) }
    };
    figures(blank, ask, |figure| (name_in(&figure.field), figure.value))
}

/// The kibibytes of a host's memory: `total`, `free`, `buffers`, `cached`. Empty where the driver does not tell.
pub fn memory(connect: &Connect) -> Result<Figures, Error> {
    let blank = sys::virNodeMemoryStats { field: [0; 80], value: 0 };
    let ask = |array, count: &mut i32| {
        // SAFETY: the connection lives as long as its reference; `array` is null with a count of 0, or has `count` elements.
        unsafe { sys::virNodeGetMemoryStats(connect.as_ptr(), sys::VIR_NODE_MEMORY_STATS_ALL_CELLS, array, count, 0) }
    };
    figures(blank, ask, |figure| (name_in(&figure.field), figure.value))
}

/// Asks how many there are, then for them.
fn figures<T: Copy>(
    blank: T,
    ask: impl Fn(*mut T, &mut i32) -> i32,
    read: impl Fn(&T) -> (String, u64),
) -> Result<Figures, Error> {
    let mut count = 0;
    let result = ask(ptr::null_mut(), &mut count);
    let mut array = vec![blank; answered(result, count)?];
    if array.is_empty() {
        return Ok(Figures::new());
    }
    count = array.len() as i32;
    let result = ask(array.as_mut_ptr(), &mut count);
    array.truncate(answered(result, count)?);
    Ok(array.iter().map(read).collect())
}

/// How many figures there are after a call that gave `result`; none where the driver does not have them.
fn answered(result: i32, count: i32) -> Result<usize, Error> {
    if result >= 0 {
        return Ok(usize::try_from(count).unwrap_or(0).min(MOST_FIGURES));
    }
    let error = Error::last_error();
    match error.code() {
        ErrorNumber::NoSupport | ErrorNumber::OperationUnsupported | ErrorNumber::ArgumentUnsupported => Ok(0),
        _ => Err(error),
    }
}

/// The text in a field of fixed length, up to its NUL.
fn name_in(field: &[c_char]) -> String {
    let bytes: Vec<u8> = field.iter().take_while(|c| **c != 0).map(|c| c.cast_unsigned()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn take_text(text: *mut c_char) -> String {
    // SAFETY: callers pass a NUL-terminated text from libvirt that is theirs to free, and do not use it again.
    unsafe {
        let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
        libc::free(text.cast());
        copy
    }
}
