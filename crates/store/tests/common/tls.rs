//! A PostgreSQL with a certificate.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use super::databases::{Place, is_root, postgres_with, run};

/// One that takes nothing but TLS. The authority that its certificate stands on is `ca.pem` in the place's folder.
pub fn postgres_with_tls() -> Option<Place> {
    let identity = Identity::new();
    let place = postgres_with(|data| identity.install(data))?;
    fs::write(place.folder.path().join("ca.pem"), &identity.authority).unwrap();
    Some(place)
}

/// A server's certificate for 127.0.0.1 and its key, and the authority behind it, in PEM.
struct Identity {
    authority: String,
    certificate: String,
    key: String,
}

impl Identity {
    fn new() -> Self {
        let mut of_authority = rcgen::CertificateParams::default();
        of_authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let authority = of_authority.self_signed(&authority_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(of_authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let of_server = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = of_server.signed_by(&key, &issuer).unwrap().pem();
        Self { authority, certificate, key: key.serialize_pem() }
    }

    /// Gives it to the server that keeps its data there; the options that make the server use it.
    fn install(&self, data: &Path) -> &'static str {
        for (name, content) in [
            ("server.crt", self.certificate.as_str()),
            ("server.key", &self.key),
            ("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n"),
        ] {
            let path = data.join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                run(Command::new("chown").arg("nobody:nogroup").arg(&path));
            }
        }
        " -c ssl=on"
    }
}
