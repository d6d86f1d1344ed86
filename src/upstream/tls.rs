//! TLS to upstreams: which certificates a source trusts, and which certificate the gateway presents.
//!
//! Without settings, the system's roots are trusted and no certificate is presented. Files are read again when
//! connections are replaced (`max_age`), so that certificates can be renewed while the gateway runs. Nothing of a key
//! is ever printed.

use hyper_rustls::ConfigBuilderExt;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WantsClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::ring;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct};
use rustls::{RootCertStore, SignatureScheme};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Maximum size of a certificate file, in bytes.
const LARGEST: u64 = 1 << 20;

/// Files in PEM format.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Roots that are trusted instead of the system's, and server certificates that are trusted themselves.
    pub ca: Option<PathBuf>,
    /// Certificate that the gateway presents, with the intermediate ones, and its private key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Trusts any certificate. Never for a source.
    pub any_certificate: bool,
}

impl Tls {
    /// Builds the configuration of TLS.
    ///
    /// # Errors
    /// A file cannot be read, or has invalid content; one lowercase sentence.
    pub fn client_config(&self) -> Result<ClientConfig, String> {
        if *self == Self::default() {
            return trusting_the_system();
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        if self.any_certificate {
            let verifier = AnyCertificate(Arc::clone(builder.crypto_provider()));
            let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
            return self.identified(builder);
        }
        let builder = match &self.ca {
            Some(path) => {
                let verifier = Named::new(path, Arc::clone(builder.crypto_provider()))?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
            None => builder.with_native_roots().map_err(|error| no_roots(&error))?,
        };
        self.identified(builder)
    }

    /// Adds the identity to a configuration, if there is one.
    fn identified(
        &self,
        builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    ) -> Result<ClientConfig, String> {
        let Some((cert, key)) = &self.identity else { return Ok(builder.with_no_client_auth()) };
        let chain = certificates(cert)?;
        // The parser's own message may quote the file.
        let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|_| format!("`{}` holds no private key in PEM", key.display()))?;
        builder.with_client_auth_cert(chain, secret).map_err(|error| {
            format!("`{}` and `{}` do not go together: {error}", cert.display(), key.display())
        })
    }
}

/// Read once, because the system's roots are many and every instance needs them.
fn trusting_the_system() -> Result<ClientConfig, String> {
    static SYSTEM: OnceLock<Result<ClientConfig, String>> = OnceLock::new();
    let make = || {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = builder.with_native_roots().map_err(|error| no_roots(&error))?;
        Ok(builder.with_no_client_auth())
    };
    SYSTEM.get_or_init(make).clone()
}

/// Returns a configuration for plain `http`, for which no certificate is ever checked.
///
/// # Errors
/// An internal one: no version of TLS is supported.
pub fn trusting_nobody() -> Result<ClientConfig, String> {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn no_roots(error: &std::io::Error) -> String {
    format!("the system has no trusted root certificates: {error}")
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("`{}` holds no certificate in PEM", path.display())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error| format!("cannot read `{}`: {error}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("`{}` is larger than 1 MiB", path.display()));
    }
    Ok(bytes)
}

/// Trusts the certificates of a file: what they sign, and those certificates themselves. A self-signed certificate made
/// by `openssl req -x509` declares itself an authority (`CA:TRUE`), which is otherwise refused for a server's
/// certificate.
#[derive(Debug)]
struct Named {
    certificates: Vec<CertificateDer<'static>>,
    usual: Arc<WebPkiServerVerifier>,
}

impl Named {
    fn new(path: &Path, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let certificates = certificates(path)?;
        let unfit = |error: &dyn std::error::Error| format!("`{}`: {error}", path.display());
        let mut roots = RootCertStore::empty();
        for root in &certificates {
            roots.add(root.clone()).map_err(|error| unfit(&error))?;
        }
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| unfit(&error))?;
        Ok(Self { certificates, usual })
    }
}

/// Returns whether the only objection to a certificate is that it is an authority. Its dates have been checked by then,
/// and its name has not.
fn is_authority(error: &rustls::Error) -> bool {
    let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = error else {
        return false;
    };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Returns whether a certificate fits no name because it has none, as `openssl req -x509` makes it without
/// `subjectAltName`.
fn is_nameless(error: &rustls::Error) -> bool {
    use CertificateError::NotValidForNameContext;
    matches!(
        error,
        rustls::Error::InvalidCertificate(NotValidForNameContext { presented, .. })
            if presented.is_empty()
    )
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let usual = self.usual.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match usual {
            Err(error) if is_authority(&error) && self.certificates.contains(end_entity) => {
                let parsed = ParsedCertificate::try_from(end_entity)?;
                match verify_server_name(&parsed, server_name) {
                    // Without a name of its own, it is told by being the very one that is named.
                    Err(error) if !is_nameless(&error) => Err(error),
                    _ => Ok(ServerCertVerified::assertion()),
                }
            }
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.usual.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.usual.supported_verify_schemes()
    }
}

/// Trusts any certificate. The peer still proves that it has the certificate's key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
