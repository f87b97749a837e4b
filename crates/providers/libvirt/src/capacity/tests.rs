use proptest::prelude::*;

use super::*;

fn figures(of: &[(&str, u64)]) -> Figures {
    of.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

fn times(at: Instant, busy: u64, idle: u64) -> CpuTimes {
    CpuTimes { at, busy, idle }
}

#[test]
fn a_load_is_the_busy_part_of_the_time_between_two_readings() {
    let start = Instant::now();
    let from = [("kernel", 100), ("user", 200), ("idle", 1_000), ("iowait", 50), ("utilization", 7)];
    let to = [("kernel", 150), ("user", 400), ("idle", 1_500), ("iowait", 300), ("utilization", 9)];
    let from = CpuTimes::of(&figures(&from), start).unwrap();
    let to = CpuTimes::of(&figures(&to), start + Duration::from_millis(1500)).unwrap();
    // 250 of 1000 were busy: waiting for a disk is not.
    assert_eq!(load(&from, &to), Some(Load { permille: 250, window: Duration::from_millis(1500) }));
}

#[test]
fn counts_that_tell_nothing_give_no_load() {
    let at = Instant::now();
    let from = times(at, 100, 1_000);
    assert_eq!(load(&from, &from), None, "no time has passed");
    assert_eq!(load(&from, &times(at, 5, 2_000)), None, "the host was started again");
    assert_eq!(load(&from, &times(at, 200, 10)), None, "the host was started again");
    assert_eq!(CpuTimes::of(&figures(&[]), at), None);
    assert_eq!(CpuTimes::of(&figures(&[("utilization", 30)]), at), None);
    assert_eq!(CpuTimes::of(&figures(&[("user", u64::MAX), ("kernel", 1), ("idle", 1)]), at), None);
}

#[test]
fn free_memory_is_with_the_caches() {
    assert_eq!(free_memory(&figures(&[("total", 100), ("free", 5), ("buffers", 7), ("cached", 30)])), Some(42 * KIB));
    assert_eq!(free_memory(&figures(&[("total", 100), ("free", 5)])), Some(5 * KIB));
    assert_eq!(free_memory(&figures(&[("total", 100), ("cached", 5)])), None);
    assert_eq!(free_memory(&figures(&[("free", u64::MAX), ("cached", 5)])), Some(u64::MAX));
}

#[test]
fn other_machines_are_of_no_known_architecture() {
    assert_eq!(architecture("x86_64"), Some(Architecture::X86_64));
    assert_eq!(architecture("aarch64"), Some(Architecture::Arm64));
    assert_eq!(architecture("i686"), None);
}

proptest! {
    #[test]
    fn a_load_is_within_its_bounds(from in any::<(u32, u32)>(), more in any::<(u64, u64)>()) {
        let at = Instant::now();
        let (busy, idle) = (u64::from(from.0).checked_add(more.0), u64::from(from.1).checked_add(more.1));
        prop_assume!(busy.is_some() && idle.is_some() && more != (0, 0));
        let load = load(&times(at, from.0.into(), from.1.into()), &times(at, busy.unwrap(), idle.unwrap())).unwrap();
        prop_assert!(load.permille <= 1000);
        let exact = more.0 as f64 / (more.0 as f64 + more.1 as f64) * 1000.0;
        prop_assert!((f64::from(load.permille) - exact).abs() <= 0.501, "{} is not {exact}", load.permille);
    }
}
