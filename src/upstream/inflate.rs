//! Inflates replies that a service compressed although no coding was requested (RFC 9110, section 8.4).
//!
//! A reply is inflated when it is complete, and no step may hold more than a reply may have: a kilobyte that becomes a
//! gigabyte is refused at the limit.

use super::Failure;
use crate::memory::Arriving;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use std::io::Read;

/// Maximum number of codings of one reply.
const MAX_CODINGS: usize = 2;

/// Bytes that are inflated in one step.
const PIECE: usize = 8 << 10;

#[derive(Debug, Clone, Copy)]
enum Coding {
    Gzip,
    Brotli,
    /// The zlib format.
    Deflate,
}

/// Returns the body without the codings that `headers` name, and removes those headers.
///
/// # Errors
/// A coding is unknown, or there are too many; the body does not match them or is larger than `limit`; or there is no
/// room for it.
pub(super) fn inflate(
    headers: &mut HeaderMap,
    body: Bytes,
    limit: usize,
    arriving: &mut Arriving,
) -> Result<Bytes, Failure> {
    if body.is_empty() || !headers.contains_key(CONTENT_ENCODING) {
        return Ok(body);
    }
    let codings = codings(headers)?;
    if codings.is_empty() {
        return Ok(body);
    }
    let plain = codings
        .iter()
        .rev()
        .try_fold(body, |body, coding| decode(*coding, &body, limit, arriving))?;
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    Ok(plain)
}

/// Returns the codings in the order in which they were applied.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Failure> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes());
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let coding = match name.to_ascii_lowercase().as_str() {
                "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "br" => Coding::Brotli,
                "deflate" => Coding::Deflate,
                _ => return Err(invalid(format!("unknown content-encoding `{name}`"))),
            };
            if codings.len() == MAX_CODINGS {
                return Err(invalid("more than 2 content-encodings".to_owned()));
            }
            codings.push(coding);
        }
    }
    Ok(codings)
}

fn invalid(message: String) -> Failure {
    Failure::Invalid(message)
}

fn decode(
    coding: Coding,
    mut body: &[u8],
    limit: usize,
    arriving: &mut Arriving,
) -> Result<Bytes, Failure> {
    let plain = match coding {
        Coding::Gzip => read(flate2::bufread::MultiGzDecoder::new(&mut body), limit, arriving),
        Coding::Deflate => read(flate2::bufread::ZlibDecoder::new(&mut body), limit, arriving),
        Coding::Brotli => read(brotli::Decompressor::new(&mut body, 4096), limit, arriving),
    }?;
    if body.is_empty() {
        return Ok(plain);
    }
    Err(invalid("bytes follow the compressed body".to_owned()))
}

/// Reads in pieces. Each piece is counted before the next one is made.
fn read(mut decoder: impl Read, limit: usize, arriving: &mut Arriving) -> Result<Bytes, Failure> {
    let (mut plain, mut piece) = (Vec::new(), [0; PIECE]);
    loop {
        let length = decoder.read(&mut piece).map_err(|error| {
            invalid(format!("the body is not what its content-encoding says: {error}"))
        })?;
        if length == 0 {
            return Ok(plain.into());
        }
        if plain.len() + length > limit {
            return Err(Failure::TooLarge(limit));
        }
        arriving.add(length)?;
        plain.extend_from_slice(&piece[..length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use http::HeaderValue;
    use std::io::Write as _;

    fn compressed(coding: &str, plain: &[u8]) -> Vec<u8> {
        match coding {
            "br" => {
                let mut out = Vec::new();
                brotli::CompressorWriter::new(&mut out, 4096, 5, 22).write_all(plain).unwrap();
                out
            }
            "deflate" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
            _ => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(plain).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    fn inflated(coding: &'static str, body: Vec<u8>, limit: usize) -> Result<Bytes, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        let mut arriving = crate::memory::Memory::default().begin();
        let plain = inflate(&mut headers, body.into(), limit, &mut arriving)?;
        assert_eq!(headers.contains_key(CONTENT_ENCODING), coding == "identity");
        Ok(plain)
    }

    #[test]
    fn a_compressed_reply_is_inflated() {
        for coding in ["gzip", "x-gzip", "GZIP", "br", "deflate"] {
            let body = compressed(&coding.to_ascii_lowercase(), b"{}");
            assert_eq!(inflated(coding, body, 2), Ok(Bytes::from_static(b"{}")), "{coding}");
        }
        let twice = compressed("br", &compressed("gzip", b"[1]"));
        assert_eq!(inflated("gzip, br", twice, 1 << 10), Ok(Bytes::from_static(b"[1]")));
        assert_eq!(inflated("identity", b"1".to_vec(), 1), Ok(Bytes::from_static(b"1")));
    }

    #[test]
    fn a_bomb_is_given_up_at_the_limit() {
        for coding in ["gzip", "br", "deflate"] {
            let bomb = compressed(coding, &vec![b' '; 4 << 20]);
            assert!(bomb.len() < 10_000);
            assert_eq!(inflated(coding, bomb, 1 << 20), Err(Failure::TooLarge(1 << 20)));
        }
    }

    #[test]
    fn what_is_not_as_its_header_says_is_refused() {
        let broken = |coding, body: &[u8]| {
            matches!(inflated(coding, body.to_vec(), 1 << 10), Err(Failure::Invalid(_)))
        };
        let whole = compressed("gzip", b"{\"a\":1}");
        assert!(broken("gzip", &whole[..whole.len() - 4]));
        assert!(broken("gzip", b"{}"));
        assert!(broken("br", b"\xff\xff\xff"));
        assert!(broken("zstd", b"{}"));
        assert!(broken("gzip, gzip, gzip", &whole));
        assert!(broken("deflate", &[&compressed("deflate", b"1")[..], b"2"].concat()));
    }
}
