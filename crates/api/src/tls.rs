//! TLS by rustls with aws-lc-rs.

use std::{path::Path, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// Why HTTPS can't be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{path}: {error}")]
    File { path: String, error: String },
    #[error("certificate and key don't go together, or can't be used: {0}")]
    Unfit(#[from] rustls::Error),
}

pub fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let nothing = |path: &Path, what: &str| {
        let text =
            format!("there is no {what} in it; it is to be a PEM file with `-----BEGIN {}`", what.to_uppercase());
        unreadable(path, &text)
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.cert_file)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(&files.cert_file, &error))?;
    if chain.is_empty() {
        return Err(nothing(&files.cert_file, "certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key_file).map_err(|error| match error {
        pem::Error::NoItemsFound => nothing(&files.key_file, "private key"),
        error => unreadable(&files.key_file, &error),
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { path: path.display().to_string(), error: error.to_string() }
}
