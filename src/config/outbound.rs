//! How this process connects to servers, beyond what each server's entry says: the certificates of private CAs, and proxies.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::errors::ConfigErrors;
use crate::config::expand::Environment;
use crate::config::proxies::Proxies;

/// The variable that OpenSSL, Python, Go and curl read too.
pub(crate) const SSL_CERT_FILE: &str = "SSL_CERT_FILE";

/// How to connect to servers.
#[derive(Debug, Clone, Default)]
pub struct Outbound {
    /// CAs that are trusted beside the built-in ones, each parsed once already.
    pub roots: Vec<CertificateDer<'static>>,
    /// The proxies on the way to servers.
    pub proxies: Arc<Proxies>,
}

impl Outbound {
    /// Reads `gateway.tls.caFile` and the file of `SSL_CERT_FILE`, where they are named; both, so that a variable which an image sets
    /// for all its programs does not hide what is configured here.
    pub(crate) fn read(
        ca_file: &str,
        environment: &Environment,
        errors: &mut ConfigErrors,
        warnings: &mut Vec<String>,
    ) -> Self {
        let variable = environment.get(SSL_CERT_FILE).map(String::as_str);
        let files = [
            ("gateway.tls.caFile", ca_file),
            (SSL_CERT_FILE, variable.unwrap_or_default()),
        ];
        let mut roots = Vec::new();
        for (name, file) in files.into_iter().filter(|(_, file)| !file.is_empty()) {
            match certificates(Path::new(file)) {
                Ok((found, skipped)) => {
                    roots.extend(found);
                    if skipped > 0 {
                        warnings.push(format!(
                            "{name}: {skipped} certificates in {file} cannot be parsed, and are not trusted"
                        ));
                    }
                }
                Err((what, fix)) => errors.add(name, format!("{file}: {what}"), fix),
            }
        }
        Self {
            roots,
            proxies: Arc::new(Proxies::read(environment, warnings)),
        }
    }
}

/// The CA certificates in a PEM file, and how many more there are that cannot be parsed. Private keys and text between them are skipped.
fn certificates(
    file: &Path,
) -> Result<(Vec<CertificateDer<'static>>, usize), (String, &'static str)> {
    const EXPECTED: &str =
        "name a PEM file: -----BEGIN CERTIFICATE----- and so on, one or more times";
    let text = std::fs::read(file).map_err(|error| {
        let what = format!("cannot be read: {error}");
        (what, "correct the path, or make the file readable")
    })?;
    // What exactly is wrong with the encoding helps nobody.
    let found: Option<Vec<_>> = CertificateDer::pem_slice_iter(&text)
        .map(Result::ok)
        .collect();
    let found = found.ok_or_else(|| ("is not valid PEM".to_owned(), EXPECTED))?;
    if found.is_empty() {
        return Err(("holds no certificate".to_owned(), EXPECTED));
    }
    let all = found.len();
    let is_root = |root: &CertificateDer<'static>| RootCertStore::empty().add(root.clone()).is_ok();
    let roots: Vec<_> = found.into_iter().filter(is_root).collect();
    if roots.is_empty() {
        return Err((
            "holds no certificate that can be parsed".to_owned(),
            EXPECTED,
        ));
    }
    let skipped = all - roots.len();
    Ok((roots, skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_an_error_that_names_it() {
        let folder = std::env::temp_dir().join(format!("mcp-rest-ca-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let pem = |body: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        for (name, text, expected) in [
            ("empty", String::new(), "holds no certificate; "),
            (
                "der",
                "\u{30}\u{1}\u{2}".to_owned(),
                "holds no certificate; ",
            ),
            (
                "cut",
                "-----BEGIN CERTIFICATE-----\nAAAA".to_owned(),
                "is not valid PEM",
            ),
            (
                "other",
                pem("AAAA"),
                "holds no certificate that can be parsed",
            ),
        ] {
            std::fs::write(path(name), text).unwrap();
            let (mut errors, mut warnings) = (ConfigErrors::default(), Vec::new());
            let environment = [(SSL_CERT_FILE.to_owned(), path(name))].into();
            Outbound::read(&path("absent"), &environment, &mut errors, &mut warnings);
            let errors = errors.to_string();
            let absent = format!("gateway.tls.caFile: {}: cannot be read", path("absent"));
            let other = format!("SSL_CERT_FILE: {}: {expected}", path(name));
            assert!(
                errors.starts_with(&absent) && errors.contains(&other),
                "{errors}"
            );
        }
        std::fs::remove_dir_all(folder).unwrap();
        let nothing = Environment::from([(SSL_CERT_FILE.to_owned(), String::new())]);
        let mut errors = ConfigErrors::default();
        let outbound = Outbound::read("", &nothing, &mut errors, &mut Vec::new());
        assert!(outbound.roots.is_empty() && errors.is_empty());
    }
}
