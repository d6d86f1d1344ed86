//! TLS certificates from PEM files, reloaded when the files change.
//!
//! Open connections keep their certificate; new ones get the new one. If a new file is invalid, that is logged and the
//! previous certificate stays in use. The files are read every few seconds and compared by content, which also detects
//! what a cluster swaps behind a link, and at once on SIGHUP. TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN; no early
//! data, which can be replayed. Nothing of a key is ever printed.

use crate::edge::settings::Tls;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_rustls::TlsAcceptor;

/// Maximum size of a file, in bytes.
const LARGEST: u64 = 1 << 20;

/// The certificate for new connections.
pub(in crate::edge) struct Certificates {
    settings: Tls,
    current: Mutex<TlsAcceptor>,
}

/// Contents of the files, to detect changes.
#[derive(PartialEq, Eq)]
struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl Certificates {
    /// Reads the files of the settings.
    ///
    /// # Errors
    /// If a file cannot be read or is invalid. The error is one lowercase sentence.
    pub(in crate::edge) fn read(settings: &Tls) -> Result<Self, String> {
        let acceptor = Files::read(settings)?.acceptor(settings)?;
        Ok(Self { settings: settings.clone(), current: Mutex::new(acceptor) })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reloads the files when they change, for as long as it is polled.
    pub(super) async fn keep_current(self: Arc<Self>) {
        let mut hangups = Hangups::new();
        let mut seen = Files::read(&self.settings);
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(self.settings.check_every) => false,
                () = hangups.next() => true,
            };
            let settings = self.settings.clone();
            let read = tokio::task::spawn_blocking(move || Files::read(&settings)).await;
            let Ok(read) = read else { continue };
            if read != seen || (asked && read.is_err()) {
                self.change(&read);
                seen = read;
            } else if asked {
                tracing::info!(
                    "SIGHUP: the files of `server.tls` are read again, and are the same"
                );
            }
        }
    }

    fn change(&self, files: &Result<Files, String>) {
        let made = files.as_ref().map_err(String::clone);
        match made.and_then(|files| files.acceptor(&self.settings)) {
            Ok(acceptor) => {
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = acceptor;
                tracing::info!("new connections get the new certificate");
            }
            Err(mistake) => tracing::warn!("the certificate before stays in use: {mistake}"),
        }
    }
}

impl Files {
    fn read(settings: &Tls) -> Result<Self, String> {
        Ok(Self {
            cert: read(&settings.cert)?,
            key: read(&settings.key)?,
            client_ca: settings.client_ca.as_deref().map(read).transpose()?,
        })
    }

    fn acceptor(&self, settings: &Tls) -> Result<TlsAcceptor, String> {
        let chain = certificates(&self.cert, &settings.cert)?;
        // The parser's own message may quote the file.
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|_| format!("`{}` holds no private key in PEM", settings.key.display()))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = match (&self.client_ca, &settings.client_ca) {
            (Some(bytes), Some(path)) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(bytes, path)? {
                    roots.add(root).map_err(|error| format!("`{}`: {error}", path.display()))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| format!("`{}`: {error}", path.display()))?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| {
            let (cert, key) = (settings.cert.display(), settings.key.display());
            format!("`{cert}` and `{key}` do not go together: {error}")
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable =
        |reason: &dyn std::fmt::Display| format!("`{}` cannot be read: {reason}", path.display());
    let size = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if size > LARGEST {
        return Err(unreadable(&"it is larger than 1 MiB"));
    }
    std::fs::read(path).map_err(|error| unreadable(&error))
}

fn certificates(bytes: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(format!("`{}` holds no certificate in PEM", path.display())),
    }
}

/// SIGHUP, if the system has it.
#[cfg(unix)]
struct Hangups(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangups {
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self(signal(SignalKind::hangup()).ok())
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn settings(folder: &Path, cert: &str, key: &str) -> Tls {
        let (cert_path, key_path) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert_path, cert).unwrap();
        std::fs::write(&key_path, key).unwrap();
        Tls { cert: cert_path, key: key_path, ..Tls::default() }
    }

    fn mistake(settings: &Tls) -> String {
        Certificates::read(settings).err().expect("a mistake")
    }

    #[test]
    fn mistakes_name_the_file_and_never_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let one = rcgen::generate_simple_self_signed(["a.example".into()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["b.example".into()]).unwrap();
        let (cert, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        let secret = key.lines().nth(1).unwrap().to_owned();
        let of = |cert: &str, key: &str| settings(folder.path(), cert, key);
        assert!(Certificates::read(&of(&cert, &key)).is_ok());
        let broken = key.replace("-----END", "----END");
        let other_key = other.signing_key.serialize_pem();
        for (cert, key, part) in [
            ("", &*key, "cert.pem` holds no certificate"),
            (&key, &key, "cert.pem` holds no certificate"),
            (&cert, "", "key.pem` holds no private key"),
            (&cert, &cert, "key.pem` holds no private key"),
            (&cert, &broken, "key.pem` holds no private key"),
            (&cert, &other_key, "do not go together"),
        ] {
            let said = mistake(&of(cert, key));
            assert!(said.contains(part) && !said.contains(&secret), "{said}");
        }
        let whole = of(&cert, &key);
        let absent = PathBuf::from("no/such.pem");
        let no_cert = Tls { cert: absent.clone(), ..whole.clone() };
        let no_roots = Tls { client_ca: Some(absent), ..whole };
        assert!(mistake(&no_cert).contains("no/such.pem` cannot be read"));
        assert!(mistake(&no_roots).contains("no/such.pem` cannot be read"));
    }
}
