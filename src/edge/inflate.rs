//! Decompresses request bodies (RFC 9110 §8.4). The body limit holds for every step.
//!
//! A body is inflated once it has arrived in full, in one go and without awaiting. So there are never more decoder
//! windows in memory than threads. A kilobyte that expands to a gigabyte is given up at the limit.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use std::borrow::Cow;
use std::io::Read;

/// Supported codings, as sent in the `Accept-Encoding` header of a response.
pub(super) const UNDERSTOOD: &str = "gzip, br, deflate";

/// Maximum number of codings of one body. More are refused.
const MOST_CODINGS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    /// A coding that is unknown, or too many of them.
    Unknown,
    TooLarge,
    /// Not in the declared format, cut off, or (as far as the decoder reports it) followed by other bytes.
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Brotli,
    /// The zlib format, as the RFC requires, not bare deflate.
    Deflate,
}

/// Returns the codings of a body, in the order they were applied; empty for a plain one.
pub(super) fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Mistake> {
    let mut codings = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        let text = value.to_str().map_err(|_| Mistake::Unknown)?;
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let coding = match name.to_ascii_lowercase().as_str() {
                "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "br" => Coding::Brotli,
                "deflate" => Coding::Deflate,
                _ => return Err(Mistake::Unknown),
            };
            if codings.len() == MOST_CODINGS {
                return Err(Mistake::Unknown);
            }
            codings.push(coding);
        }
    }
    Ok(codings)
}

/// Decodes a body, into at most `limit` bytes.
pub(super) fn inflate(codings: &[Coding], body: Bytes, limit: usize) -> Result<Bytes, Mistake> {
    codings.iter().rev().try_fold(body, |body, coding| {
        let mut left = &*body;
        let (inflated, is_valid) = coding.read_part(&mut left, limit);
        if inflated.len() > limit {
            return Err(Mistake::TooLarge);
        }
        if is_valid && left.is_empty() { Ok(inflated.into()) } else { Err(Mistake::Broken) }
    })
}

/// Returns `true` if the beginning of a body already exceeds the limit.
pub(super) fn exceeds(codings: &[Coding], beginning: &[u8], limit: usize) -> bool {
    let mut part = Cow::Borrowed(beginning);
    codings.iter().rev().any(|coding| {
        part = Cow::Owned(coding.read_part(&mut &*part, limit).0);
        part.len() > limit
    })
}

impl Coding {
    /// Inflates up to one byte past the limit, and leaves the remaining bytes in `input`. Returns the bytes, and
    /// whether the input is valid as far as it was read.
    fn read_part(self, input: &mut &[u8], limit: usize) -> (Vec<u8>, bool) {
        match self {
            Self::Gzip => read_up_to(limit, flate2::bufread::MultiGzDecoder::new(input)),
            Self::Deflate => read_up_to(limit, flate2::bufread::ZlibDecoder::new(input)),
            Self::Brotli => read_up_to(limit, brotli::Decompressor::new(input, 4096)),
        }
    }
}

fn read_up_to(limit: usize, decoder: impl Read) -> (Vec<u8>, bool) {
    let mut inflated = Vec::new();
    let read = decoder.take(limit as u64 + 1).read_to_end(&mut inflated);
    (inflated, read.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use http::HeaderValue;
    use std::io::Write as _;

    fn deflate(coding: Coding, bytes: &[u8]) -> Bytes {
        let best = Compression::best();
        let deflated = match coding {
            Coding::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), best);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Deflate => {
                let mut encoder = ZlibEncoder::new(Vec::new(), best);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Brotli => {
                let mut out = Vec::new();
                brotli::CompressorWriter::new(&mut out, 4096, 5, 22).write_all(bytes).unwrap();
                out
            }
        };
        deflated.into()
    }

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Deflate];

    #[test]
    fn bodies_come_out_as_they_went_in() {
        let body = b"{\"query\":\"{ hello }\"}".repeat(100);
        for outer in ALL {
            let once = deflate(outer, &body);
            assert_eq!(inflate(&[outer], once.clone(), body.len()), Ok(Bytes::from(body.clone())));
            for inner in ALL {
                let twice = deflate(outer, &deflate(inner, &body));
                let inflated = inflate(&[inner, outer], twice, body.len());
                assert_eq!(inflated, Ok(Bytes::from(body.clone())), "{inner:?} in {outer:?}");
            }
            assert_eq!(inflate(&[outer], once, body.len() - 1), Err(Mistake::TooLarge));
        }
        assert_eq!(inflate(&[], Bytes::from_static(b"x"), 0), Ok(Bytes::from_static(b"x")));
    }

    #[test]
    fn a_broken_body_is_told_as_such() {
        for coding in ALL {
            let whole = deflate(coding, &b"{ hello }".repeat(1000));
            let cut = whole.slice(..whole.len() - 3);
            assert!(inflate(&[coding], cut, 1 << 20) == Err(Mistake::Broken), "{coding:?}");
            // The brotli decoder reads ahead and does not report how far.
            if coding != Coding::Brotli {
                let longer = Bytes::from([&*whole, b"more"].concat());
                let inflated = inflate(&[coding], longer, 1 << 20);
                assert!(inflated == Err(Mistake::Broken), "{coding:?}");
            }
            let plain = Bytes::from_static(b"{\"query\":\"{ hello }\"}");
            assert_eq!(inflate(&[coding], plain, 1 << 20), Err(Mistake::Broken), "{coding:?}");
            assert_eq!(inflate(&[coding], Bytes::new(), 9), Err(Mistake::Broken), "{coding:?}");
        }
    }

    /// Gzip members of a megabyte of zeros, one after the other: a megabyte of them expands to a gigabyte.
    #[test]
    fn a_bomb_is_given_up_at_the_limit() {
        let member = deflate(Coding::Gzip, &vec![0; 1 << 20]);
        let bomb = Bytes::from(member.repeat(1024));
        assert!(bomb.len() < 2 << 20, "{}", bomb.len());
        assert_eq!(inflate(&[Coding::Gzip], bomb.clone(), 1 << 20), Err(Mistake::TooLarge));
        assert!(
            exceeds(&[Coding::Gzip], &bomb[..4_000], 1 << 20),
            "its beginning is over the limit"
        );
        assert!(!exceeds(&[Coding::Gzip], &bomb[..400], 1 << 20));
        let packed = deflate(Coding::Gzip, &bomb);
        assert!(exceeds(&[Coding::Gzip; 2], &packed[..packed.len() - 20], 1 << 20));
        let codings = [Coding::Gzip, Coding::Gzip];
        assert_eq!(inflate(&codings, packed, 1 << 20), Err(Mistake::TooLarge));
    }

    #[test]
    fn codings_are_read_off_the_header() {
        let of = |values: &[&'static str]| {
            let values = values.iter().map(|value| HeaderValue::from_static(value));
            codings(&values.map(|value| (CONTENT_ENCODING, value)).collect())
        };
        assert_eq!(of(&[]), Ok(vec![]));
        assert_eq!(of(&["identity"]), Ok(vec![]));
        assert_eq!(of(&[" GZip "]), Ok(vec![Coding::Gzip]));
        assert_eq!(of(&["deflate, br"]), Ok(vec![Coding::Deflate, Coding::Brotli]));
        for unknown in [&["zstd"][..], &["gzip, zstd"], &["gzip, gzip, gzip"], &["gzip;q=1"]] {
            assert_eq!(of(unknown), Err(Mistake::Unknown), "{unknown:?}");
        }
    }
}
