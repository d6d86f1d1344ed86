//! Close frames of a WebSocket: the code and the reason.

/// Maximum bytes of a reason. A close frame holds at most 123 (RFC 6455 §5.5).
const LONGEST_REASON: usize = 120;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) code: u16,
    pub(super) reason: String,
}

impl Closing {
    /// Creates a closing. A reason that is too long is cut.
    pub(super) fn new(code: u16, reason: &str) -> Self {
        let end = reason.floor_char_boundary(LONGEST_REASON);
        Self { code, reason: reason[..end].to_owned() }
    }

    /// Returns the payload of the close frame.
    pub(super) fn payload(&self) -> Vec<u8> {
        let mut payload = self.code.to_be_bytes().to_vec();
        payload.extend_from_slice(self.reason.as_bytes());
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_its_frame() {
        assert_eq!(Closing::new(4409, &"ä".repeat(100)).reason.len(), 120);
        assert_eq!(Closing::new(4409, &format!("x{}", "ä".repeat(100))).reason.len(), 119);
        assert_eq!(Closing::new(4400, "no").payload(), b"\x11\x30no");
    }
}
