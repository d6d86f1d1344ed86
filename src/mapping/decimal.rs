//! Numbers by value, of any size: compared and normalised as text, never through a float.

use serde_json::Number;
use std::cmp::Ordering;
use std::io::Write as _;

/// Maximum number of digits that [`canonical`] writes without an exponent.
const PLAIN_DIGITS: i128 = 64;

/// Appends the canonical form of a JSON number, which is the same for all spellings of its value. An integer of at most
/// [`PLAIN_DIGITS`] digits is written plainly (`100` for `1e2` and `100.0`), other numbers as `0.…e…`. Linear in the
/// digits.
pub(crate) fn canonical(text: &str, out: &mut Vec<u8>) {
    let decimal = Decimal::of(text);
    if decimal.sign() == 0 {
        out.push(b'0');
        return;
    }
    if decimal.negative {
        out.push(b'-');
    }
    let digits = decimal.digits.concat();
    let zeros = decimal.exponent - digits.len() as i128;
    if zeros >= 0 && decimal.exponent <= PLAIN_DIGITS {
        out.extend_from_slice(&digits);
        out.extend((0..zeros).map(|_| b'0'));
        return;
    }
    out.extend_from_slice(b"0.");
    out.extend_from_slice(&digits);
    write!(out, "e{}", decimal.exponent).expect("a Vec takes every byte");
}

/// Compares two numbers by value: `1`, `1.0` and `10e-1` are equal. Linear in their digits.
pub(super) fn by_size(left: &Number, right: &Number) -> Ordering {
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        return left.cmp(&right);
    }
    let (left, right) = (left.as_str(), right.as_str());
    let (left, right) = (Decimal::of(left), Decimal::of(right));
    left.compare(&right)
}

/// `0.d₁d₂d₃… × 10^exponent` with `d₁` not zero; no digits for zero.
struct Decimal<'a> {
    negative: bool,
    /// Digits before and after the point.
    digits: [&'a [u8]; 2],
    exponent: i128,
}

impl<'a> Decimal<'a> {
    /// Parses a JSON number.
    fn of(text: &'a str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let power = exponent(power);
        if whole.is_empty() {
            let significant = fraction.trim_start_matches('0');
            let exponent = power - (fraction.len() - significant.len()) as i128;
            let negative = negative && !significant.is_empty();
            return Self { negative, digits: [b"", significant.as_bytes()], exponent };
        }
        let exponent = power + whole.len() as i128;
        let whole = if fraction.is_empty() { whole.trim_end_matches('0') } else { whole };
        Self { negative, digits: [whole.as_bytes(), fraction.as_bytes()], exponent }
    }

    /// Returns -1, 0 or 1.
    fn sign(&self) -> i8 {
        match (self.digits, self.negative) {
            ([b"", b""], _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let signs = self.sign().cmp(&other.sign());
        if signs.is_ne() || self.sign() == 0 {
            return signs;
        }
        let digits = |decimal: &Self| decimal.digits.concat();
        let size =
            self.exponent.cmp(&other.exponent).then_with(|| digits(self).cmp(&digits(other)));
        if self.negative { size.reverse() } else { size }
    }
}

/// Parses an exponent of ten. One that does not fit 64 bits saturates.
fn exponent(text: &str) -> i128 {
    let most = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    text.parse::<i64>().unwrap_or(most).into()
}

#[cfg(test)]
mod tests {
    use super::{by_size, canonical};
    use num_bigint::BigInt;
    use proptest::prelude::*;

    fn spelled(text: &str) -> String {
        let mut out = Vec::new();
        canonical(text, &mut out);
        String::from_utf8(out).expect("digits are text")
    }

    #[test]
    fn all_spellings_of_a_number_have_one_canonical_spelling() {
        for (expected, spellings) in [
            ("100", &["100", "1e2", "1E+2", "100.0", "1000e-1", "0.1e3"][..]),
            ("0", &["0", "-0", "0.0", "0e99"]),
            ("-7", &["-7", "-7.00", "-70e-1"]),
            ("0.15e1", &["1.5", "1.50", "15e-1"]),
            ("-0.5e0", &["-0.5", "-5e-1"]),
            ("0.1e401", &["1e400", "10e399"]),
            ("123456789012345678901234567890", &["123456789012345678901234567890.0"]),
            ("0.1e9223372036854775808", &["1e99999999999999999999999"]),
        ] {
            for spelling in spellings {
                assert_eq!(spelled(spelling), expected, "{spelling}");
            }
        }
    }

    #[test]
    fn numbers_are_compared_by_value_at_any_size() {
        let order = [
            "-1e400",
            "-123456789012345678901234567891",
            "-123456789012345678901234567890",
            "-1.5",
            "-0.00000000000000000000000000000000001",
            "0",
            "1e-400",
            "0.1234567890123456789",
            "0.12345678901234567891",
            "1",
            "9007199254740992",
            "9007199254740993",
            "9007199254740993.5",
            "18446744073709551616",
            "123456789012345678901234567890",
            "123456789012345678901234567891",
            "1e400",
            "2e400",
            "1e99999999999999999999999",
        ];
        let number = |text: &str| serde_json::from_str(text).expect(text);
        for (at, left) in order.iter().enumerate() {
            for (beside, right) in order.iter().enumerate() {
                assert_eq!(
                    by_size(&number(left), &number(right)),
                    at.cmp(&beside),
                    "{left} {right}"
                );
            }
        }
    }

    #[test]
    fn one_number_has_many_spellings() {
        for same in [
            &["1", "1.0", "10e-1", "0.1e1", "1E0", "1.000", "100e-2"][..],
            &["0", "-0", "0.0", "0e99", "-0.000e-7"],
            &["123456789012345678901234567890", "12345678901234567890123456789e1"],
            &["-0.05", "-5e-2", "-0.5E-1", "-50e-3"],
        ] {
            let number = |text: &str| serde_json::from_str(text).expect(text);
            for (left, right) in same.iter().flat_map(|left| same.iter().map(move |r| (left, r))) {
                assert!(by_size(&number(left), &number(right)).is_eq(), "{left} {right}");
            }
        }
    }

    /// Writes `digits × 10^power` with the point moved, so that `at` digits follow it.
    fn respelled(digits: i64, power: i64, at: u8, zeros: usize) -> String {
        let sign = if digits < 0 { "-" } else { "" };
        let behind = usize::from(at);
        let text = format!("{:0>width$}", digits.unsigned_abs(), width = behind + 1);
        let (whole, fraction) = text.split_at(text.len() - behind);
        let fraction = format!("{fraction}{}", "0".repeat(zeros));
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}e{}", power + i64::from(at))
    }

    proptest! {
        #[test]
        fn a_moved_point_changes_no_number(
            digits in any::<i64>(),
            power in -90_i64..90,
            (at, other) in (0_u8..30, 0_u8..30),
            zeros in 0_usize..5,
        ) {
            let (left, right) = (respelled(digits, power, at, 0), respelled(digits, power, other, zeros));
            prop_assert_eq!(spelled(&left), spelled(&right));
            prop_assert_eq!(spelled(&spelled(&left)), spelled(&left));
            let number = |text: &str| serde_json::from_str(text).expect(text);
            prop_assert!(by_size(&number(&left), &number(&right)).is_eq(), "{} {}", left, right);
        }

        #[test]
        fn numbers_are_ordered_as_integers_of_any_size_are(
            (left, right) in (-999_i64..999, -999_i64..999),
            (power, other) in (0_u32..40, 0_u32..40),
            (at, beside) in (0_u8..6, 0_u8..6),
        ) {
            let whole = |digits: i64, power| BigInt::from(digits) * BigInt::from(10).pow(power);
            let expected = whole(left, power).cmp(&whole(right, other));
            let number = |text: &str| serde_json::from_str(text).expect(text);
            let left = respelled(left, power.into(), at, 0);
            let right = respelled(right, other.into(), beside, 1);
            prop_assert_eq!(by_size(&number(&left), &number(&right)), expected);
            prop_assert_eq!(spelled(&left) == spelled(&right), expected.is_eq());
        }

        #[test]
        fn no_number_panics(text in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][-+]?[0-9]{1,25})?") {
            let number = |text: &str| serde_json::from_str(text).expect(text);
            prop_assert!(by_size(&number(&text), &number(&text)).is_eq());
            prop_assert!(number(&spelled(&text)).as_str().len() <= text.len() + 64);
        }
    }
}
