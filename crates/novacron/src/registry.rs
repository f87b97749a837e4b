//! The kinds of provider that this executable was built with.

use novacron_provider::Registry;

pub fn registry() -> Registry {
    let registry = Registry::default().with(novacron_provider_files::FilesFactory);
    #[cfg(feature = "aws")]
    let registry = registry.with(novacron_provider_aws::factory());
    #[cfg(feature = "libvirt")]
    let registry = registry.with(novacron_provider_libvirt::LibvirtFactory);
    registry
}
