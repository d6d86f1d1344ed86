//! The accepted signature algorithms of RFC 7518 and RFC 8037: only asymmetric ones, each with its kind of key.

use super::key::Material;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    /// With Ed25519; Ed448 is not supported.
    EdDsa,
}

impl Algorithm {
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// Parses the name as written in tokens and keys; case matters. `Ed25519` is RFC 9864's name for `EdDSA`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Returns whether a key of this kind can make a signature of this algorithm.
    pub(super) fn fits(self, key: &Material) -> bool {
        match key {
            Material::Rsa { .. } => self.rsa().is_some(),
            Material::P256(_) => self == Self::Es256,
            Material::P384(_) => self == Self::Es384,
            Material::Ed25519(_) => self == Self::EdDsa,
        }
    }

    /// Returns whether `key` signed `message`. Signatures have only one form: ECDSA's has a fixed length and is never
    /// zero, and Ed25519's is reduced (ring checks both).
    pub(super) fn verify(self, key: &Material, message: &[u8], signature: &[u8]) -> bool {
        if let Material::Rsa { n, e } = key {
            let key = RsaPublicKeyComponents { n, e };
            return self.rsa().is_some_and(|how| key.verify(how, message, signature).is_ok());
        }
        let (how, public): (&'static dyn VerificationAlgorithm, &[u8]) = match (self, key) {
            (Self::Es256, Material::P256(point)) => (&ECDSA_P256_SHA256_FIXED, point),
            (Self::Es384, Material::P384(point)) => (&ECDSA_P384_SHA384_FIXED, point),
            (Self::EdDsa, Material::Ed25519(point)) => (&ED25519, point),
            _ => return false,
        };
        UnparsedPublicKey::new(how, public).verify(message, signature).is_ok()
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Some(&RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Some(&RSA_PSS_2048_8192_SHA512),
            Self::Es256 | Self::Es384 | Self::EdDsa => None,
        }
    }
}
