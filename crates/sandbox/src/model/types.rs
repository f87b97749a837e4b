//! Some of the vendor's instance types, with their real processors and memory.

/// What can be run.
#[derive(Debug)]
pub(crate) struct InstanceType {
    pub name: &'static str,
    pub vcpus: u32,
    pub memory_mib: u64,
    pub archs: &'static [&'static str],
    pub threads_per_core: u32,
    pub ghz: f64,
    pub network: &'static str,
    pub current: bool,
    pub burstable: bool,
    pub maker: &'static str,
    pub hypervisor: &'static str,
}

pub(crate) fn type_named(name: &str) -> Option<&'static InstanceType> {
    TYPES.iter().find(|t| t.name == name)
}

const fn row(
    name: &'static str,
    vcpus: u32,
    memory_mib: u64,
    archs: &'static [&'static str],
    (threads_per_core, ghz): (u32, f64),
    network: &'static str,
    maker: &'static str,
) -> InstanceType {
    InstanceType {
        name,
        vcpus,
        memory_mib,
        archs,
        threads_per_core,
        ghz,
        network,
        current: true,
        burstable: false,
        maker,
        hypervisor: "nitro",
    }
}

const fn burst(of: InstanceType) -> InstanceType {
    InstanceType { burstable: true, ..of }
}

const fn xen(of: InstanceType) -> InstanceType {
    InstanceType { hypervisor: "xen", ..of }
}

const X86: &[&str] = &["x86_64"];
const X86_BOTH: &[&str] = &["i386", "x86_64"];
const ARM: &[&str] = &["arm64"];

pub(crate) static TYPES: &[InstanceType] = &[
    InstanceType { current: false, ..xen(row("m1.small", 1, 1740, X86_BOTH, (1, 2.0), "Low", "Intel")) },
    burst(xen(row("t2.micro", 1, 1024, X86_BOTH, (1, 2.5), "Low to Moderate", "Intel"))),
    burst(xen(row("t2.small", 1, 2048, X86_BOTH, (1, 2.5), "Low to Moderate", "Intel"))),
    burst(xen(row("t2.medium", 2, 4096, X86, (1, 2.3), "Low to Moderate", "Intel"))),
    burst(row("t3.nano", 2, 512, X86, (2, 2.5), "Up to 5 Gigabit", "Intel")),
    burst(row("t3.micro", 2, 1024, X86, (2, 2.5), "Up to 5 Gigabit", "Intel")),
    burst(row("t3.small", 2, 2048, X86, (2, 2.5), "Up to 5 Gigabit", "Intel")),
    burst(row("t3.medium", 2, 4096, X86, (2, 2.5), "Up to 5 Gigabit", "Intel")),
    burst(row("t3.large", 2, 8192, X86, (2, 2.5), "Up to 5 Gigabit", "Intel")),
    burst(row("t3.xlarge", 4, 16384, X86, (2, 2.5), "Up to 5 Gigabit", "Intel")),
    burst(row("t3.2xlarge", 8, 32768, X86, (2, 2.5), "Up to 5 Gigabit", "Intel")),
    burst(row("t3a.micro", 2, 1024, X86, (2, 2.2), "Up to 5 Gigabit", "AMD")),
    burst(row("t3a.small", 2, 2048, X86, (2, 2.2), "Up to 5 Gigabit", "AMD")),
    burst(row("t3a.medium", 2, 4096, X86, (2, 2.2), "Up to 5 Gigabit", "AMD")),
    burst(row("t3a.large", 2, 8192, X86, (2, 2.2), "Up to 5 Gigabit", "AMD")),
    burst(row("t4g.nano", 2, 512, ARM, (1, 2.5), "Up to 5 Gigabit", "AWS")),
    burst(row("t4g.micro", 2, 1024, ARM, (1, 2.5), "Up to 5 Gigabit", "AWS")),
    burst(row("t4g.small", 2, 2048, ARM, (1, 2.5), "Up to 5 Gigabit", "AWS")),
    burst(row("t4g.medium", 2, 4096, ARM, (1, 2.5), "Up to 5 Gigabit", "AWS")),
    burst(row("t4g.large", 2, 8192, ARM, (1, 2.5), "Up to 5 Gigabit", "AWS")),
    burst(row("t4g.xlarge", 4, 16384, ARM, (1, 2.5), "Up to 5 Gigabit", "AWS")),
    row("m5.large", 2, 8192, X86, (2, 3.1), "Up to 10 Gigabit", "Intel"),
    row("m5.xlarge", 4, 16384, X86, (2, 3.1), "Up to 10 Gigabit", "Intel"),
    row("m5.2xlarge", 8, 32768, X86, (2, 3.1), "Up to 10 Gigabit", "Intel"),
    row("m5.4xlarge", 16, 65536, X86, (2, 3.1), "Up to 10 Gigabit", "Intel"),
    row("m6i.large", 2, 8192, X86, (2, 3.5), "Up to 12.5 Gigabit", "Intel"),
    row("m6i.xlarge", 4, 16384, X86, (2, 3.5), "Up to 12.5 Gigabit", "Intel"),
    row("m6i.2xlarge", 8, 32768, X86, (2, 3.5), "Up to 12.5 Gigabit", "Intel"),
    row("m6i.4xlarge", 16, 65536, X86, (2, 3.5), "Up to 12.5 Gigabit", "Intel"),
    row("m6g.medium", 1, 4096, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("m6g.large", 2, 8192, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("m6g.xlarge", 4, 16384, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("m6g.2xlarge", 8, 32768, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("m6g.4xlarge", 16, 65536, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("c5.large", 2, 4096, X86, (2, 3.4), "Up to 10 Gigabit", "Intel"),
    row("c5.xlarge", 4, 8192, X86, (2, 3.4), "Up to 10 Gigabit", "Intel"),
    row("c5.2xlarge", 8, 16384, X86, (2, 3.4), "Up to 10 Gigabit", "Intel"),
    row("c6i.large", 2, 4096, X86, (2, 3.5), "Up to 12.5 Gigabit", "Intel"),
    row("c6i.xlarge", 4, 8192, X86, (2, 3.5), "Up to 12.5 Gigabit", "Intel"),
    row("c6i.2xlarge", 8, 16384, X86, (2, 3.5), "Up to 12.5 Gigabit", "Intel"),
    row("c6g.medium", 1, 2048, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("c6g.large", 2, 4096, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("c6g.xlarge", 4, 8192, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("c6g.2xlarge", 8, 16384, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("r5.large", 2, 16384, X86, (2, 3.1), "Up to 10 Gigabit", "Intel"),
    row("r5.xlarge", 4, 32768, X86, (2, 3.1), "Up to 10 Gigabit", "Intel"),
    row("r5.2xlarge", 8, 65536, X86, (2, 3.1), "Up to 10 Gigabit", "Intel"),
    row("r6g.large", 2, 16384, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("r6g.xlarge", 4, 32768, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
    row("r6g.2xlarge", 8, 65536, ARM, (1, 2.5), "Up to 10 Gigabit", "AWS"),
];
