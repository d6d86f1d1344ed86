//! Exact decimal arithmetic on JSON numbers: integers of any size, and decimals that never pass through a float.

use super::Failure;
use num_bigint::{BigInt, Sign};
use serde_json::Number;

/// Maximum number of digits of an operand and of a result.
pub(super) const MAX_DIGITS: usize = 1000;

/// Significant digits of a quotient that does not terminate, as in IEEE 754 decimal128. Its integer part is always
/// exact.
const QUOTIENT_DIGITS: usize = 34;

/// `digits × 10^-scale`.
#[derive(Debug, Clone)]
pub(super) struct ExactNumber {
    digits: BigInt,
    scale: usize,
}

/// Reason why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inexact {
    NotNumber,
    TooManyDigits,
    DivisionByZero,
}

impl Inexact {
    pub(super) fn of(self, method: &'static str) -> Failure {
        match self {
            Self::NotNumber => Failure::NotNumber { method },
            Self::TooManyDigits => Failure::TooManyDigits { method },
            Self::DivisionByZero => Failure::DivisionByZero { method },
        }
    }
}

impl ExactNumber {
    /// Parses an optional sign, digits with an optional point, and an optional exponent.
    pub(super) fn parse(text: &str) -> Result<Self, Inexact> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, exponent(power)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
            return Err(Inexact::NotNumber);
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        if whole.is_empty() && fraction.is_empty() {
            return Ok(Self { digits: BigInt::ZERO, scale: 0 });
        }
        let whole_number = |length: usize| i64::try_from(length).unwrap_or(i64::MAX / 4);
        let scale = whole_number(fraction.len()) - power;
        let length = whole_number(whole.len() + fraction.len()) + (-scale).max(0);
        if length.max(scale) > whole_number(MAX_DIGITS) {
            return Err(Inexact::TooManyDigits);
        }
        let digits = [whole, fraction].concat();
        let digits = BigInt::parse_bytes(digits.as_bytes(), 10).ok_or(Inexact::NotNumber)?;
        let digits = if text.starts_with('-') { -digits } else { digits };
        // Both are within the limits above, and one of them is zero.
        let (scale, zeros) = (usize::try_from(scale), usize::try_from(-scale));
        let (scale, zeros) = (scale.unwrap_or(0), zeros.unwrap_or(0));
        Ok(Self { digits: digits * ten_to(zeros), scale })
    }

    /// Parses an integer with an optional sign, in a base from 2 to 36.
    pub(super) fn parse_integer(text: &str, base: u32) -> Result<Self, Inexact> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if unsigned.is_empty() || !unsigned.chars().all(|char| char.is_digit(base)) {
            return Err(Inexact::NotNumber);
        }
        if unsigned.len() > MAX_DIGITS {
            return Err(Inexact::TooManyDigits);
        }
        let digits = BigInt::parse_bytes(unsigned.as_bytes(), base).ok_or(Inexact::NotNumber)?;
        let digits = if text.starts_with('-') { -digits } else { digits };
        Ok(Self { digits, scale: 0 })
    }

    /// Returns the integer part.
    pub(super) fn truncated(&self) -> Self {
        Self { digits: &self.digits / ten_to(self.scale), scale: 0 }
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let (left, right, scale) = aligned(self, other);
        Self { digits: left + right, scale }
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        let (left, right, scale) = aligned(self, other);
        Self { digits: left - right, scale }
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        Self { digits: &self.digits * &other.digits, scale: self.scale + other.scale }
    }

    /// Returns the remainder of a truncating division: it has the sign of `self`.
    pub(super) fn rem(&self, other: &Self) -> Result<Self, Inexact> {
        if other.is_zero() {
            return Err(Inexact::DivisionByZero);
        }
        let (left, right, scale) = aligned(self, other);
        Ok(Self { digits: left % right, scale })
    }

    /// Returns the quotient. One that does not terminate is rounded to [`QUOTIENT_DIGITS`], half to even.
    pub(super) fn div(&self, other: &Self) -> Result<Self, Inexact> {
        if other.is_zero() {
            return Err(Inexact::DivisionByZero);
        }
        let (left, right, _) = aligned(self, other);
        // At least one more digit than is kept, so that the last one can be rounded.
        let scale = (QUOTIENT_DIGITS + length(&right)).saturating_sub(length(&left)) + 2;
        let scaled = left * ten_to(scale);
        let (quotient, rest) = (&scaled / &right, &scaled % &right);
        let kept = QUOTIENT_DIGITS.max(length(&quotient).saturating_sub(scale));
        let dropped = length(&quotient).saturating_sub(kept);
        let unit = ten_to(dropped);
        let (mut digits, below) = (&quotient / &unit, &quotient % &unit);
        let twice: BigInt = BigInt::from(below.magnitude().clone()) * 2;
        let is_odd = digits.bit(0);
        let rounds_up = match twice.cmp(&unit) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => rest.sign() != Sign::NoSign || is_odd,
            std::cmp::Ordering::Less => false,
        };
        if rounds_up {
            let is_negative =
                (self.digits.sign() == Sign::Minus) != (other.digits.sign() == Sign::Minus);
            digits += if is_negative { -1 } else { 1 };
        }
        Ok(Self { digits, scale: scale - dropped })
    }

    fn is_zero(&self) -> bool {
        self.digits.sign() == Sign::NoSign
    }

    /// Returns a JSON number, without an exponent and without trailing zeros of a fraction.
    pub(super) fn to_number(&self) -> Result<Number, Inexact> {
        let text = self.digits.magnitude().to_string();
        let padded = format!("{text:0>width$}", width = self.scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - self.scale);
        let fraction = fraction.trim_end_matches('0');
        if whole.len() + fraction.len() > MAX_DIGITS {
            return Err(Inexact::TooManyDigits);
        }
        let sign = if self.digits.sign() == Sign::Minus { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{fraction}").parse().map_err(|_| Inexact::NotNumber)
    }
}

fn exponent(text: &str) -> Result<i64, Inexact> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Inexact::NotNumber);
    }
    // One that does not fit 32 bits exceeds every limit.
    let size: i64 = digits.parse::<u32>().unwrap_or(u32::MAX).into();
    Ok(if text.starts_with('-') { -size } else { size })
}

fn aligned(left: &ExactNumber, right: &ExactNumber) -> (BigInt, BigInt, usize) {
    let scale = left.scale.max(right.scale);
    let scaled = |number: &ExactNumber| &number.digits * ten_to(scale - number.scale);
    (scaled(left), scaled(right), scale)
}

fn ten_to(power: usize) -> BigInt {
    BigInt::from(10_u32).pow(u32::try_from(power).unwrap_or(u32::MAX))
}

/// Returns the number of decimal digits; 1 for zero.
fn length(number: &BigInt) -> usize {
    number.magnitude().to_string().len()
}

#[cfg(test)]
mod tests {
    use super::{ExactNumber, Inexact};
    use proptest::prelude::*;

    type Compute = fn(&ExactNumber, &ExactNumber) -> Result<ExactNumber, Inexact>;

    const ADD: Compute = |left, right| Ok(left.add(right));
    const SUB: Compute = |left, right| Ok(left.sub(right));
    const MUL: Compute = |left, right| Ok(left.mul(right));

    fn compute(left: &str, operation: Compute, right: &str) -> Result<String, Inexact> {
        let (left, right) = (ExactNumber::parse(left)?, ExactNumber::parse(right)?);
        Ok(operation(&left, &right)?.to_number()?.as_str().to_owned())
    }

    #[test]
    fn sums_differences_and_products_are_exact() {
        for (left, operation, right, expected) in [
            ("1", ADD, "2", "3"),
            ("0.1", ADD, "0.2", "0.3"),
            ("2.5", ADD, "1.5", "4"),
            ("9007199254740993", ADD, "1", "9007199254740994"),
            ("123456789012345678901234567890", ADD, "1", "123456789012345678901234567891"),
            ("1e3", SUB, "0.001", "999.999"),
            ("-1.50", SUB, "-1.5", "0"),
            ("1", SUB, "1e-9", "0.999999999"),
            (
                "99999999999999999999",
                MUL,
                "99999999999999999999",
                "9999999999999999999800000000000000000001",
            ),
            ("-0.05", MUL, "20", "-1"),
            ("0e99999999999", ADD, "-0.0", "0"),
        ] {
            assert_eq!(compute(left, operation, right).as_deref(), Ok(expected), "{left} {right}");
        }
    }

    #[test]
    fn a_quotient_is_exact_or_has_34_digits() {
        for (left, right, expected) in [
            ("10", "5", "2"),
            ("7", "2", "3.5"),
            ("-7", "2", "-3.5"),
            ("0", "3", "0"),
            ("1", "3", "0.3333333333333333333333333333333333"),
            ("2", "3", "0.6666666666666666666666666666666667"),
            ("-2", "3", "-0.6666666666666666666666666666666667"),
            ("2", "-3", "-0.6666666666666666666666666666666667"),
            (
                "1",
                "3e40",
                "0.00000000000000000000000000000000000000003333333333333333333333333333333333",
            ),
            (
                "123456789012345678901234567890123456789012345678901234567890",
                "10",
                "12345678901234567890123456789012345678901234567890123456789",
            ),
            (
                "100000000000000000000000000000000000000000000000001",
                "3",
                "33333333333333333333333333333333333333333333333334",
            ),
            ("0.3", "0.1", "3"),
            ("1", "0.25", "4"),
        ] {
            assert_eq!(
                compute(left, ExactNumber::div, right).as_deref(),
                Ok(expected),
                "{left} {right}"
            );
        }
        assert_eq!(compute("1", ExactNumber::div, "0.0"), Err(Inexact::DivisionByZero));
    }

    #[test]
    fn a_remainder_has_the_sign_of_what_is_divided() {
        for (left, right, expected) in [
            ("7", "3", "1"),
            ("-7", "3", "-1"),
            ("7", "-3", "1"),
            ("5.5", "2", "1.5"),
            ("1e20", "7", "2"),
        ] {
            assert_eq!(
                compute(left, ExactNumber::rem, right).as_deref(),
                Ok(expected),
                "{left} {right}"
            );
        }
        assert_eq!(compute("1", ExactNumber::rem, "0"), Err(Inexact::DivisionByZero));
    }

    #[test]
    fn what_is_too_long_is_refused_and_never_rounded() {
        let nines = "9".repeat(1000);
        assert_eq!(compute(&nines, SUB, "1"), Ok(format!("{}8", "9".repeat(999))));
        for (left, operation, right) in [
            (&*nines, ADD, "1"),
            (&nines, MUL, &nines),
            ("1e1000", ADD, "1"),
            ("1e-1001", ADD, "1"),
            ("1e99999999999999999999", ADD, "1"),
            ("1e-999", MUL, "1e-999"),
        ] {
            assert_eq!(compute(left, operation, right), Err(Inexact::TooManyDigits), "{left}");
        }
    }

    #[test]
    fn only_numbers_are_numbers() {
        for text in [
            "", "-", "+", ".", "e5", "1e", "1e+", "1.2.3", " 1", "1 ", "0x1", "1_000", "NaN", "é",
            "--1",
        ] {
            assert_eq!(ExactNumber::parse(text).err(), Some(Inexact::NotNumber), "{text}");
        }
        for text in ["1_0", "", "-", "2", "é", " 1"] {
            assert_eq!(
                ExactNumber::parse_integer(text, 2).err(),
                Some(Inexact::NotNumber),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), digits in "[-+]?[0-9.eE+-]{0,40}", base in 2_u32..=36) {
            for text in [&text, &digits] {
                let _ = ExactNumber::parse_integer(text, base);
                let Ok(number) = ExactNumber::parse(text) else { continue };
                let _ = (number.truncated().to_number(), number.rem(&number), number.div(&number));
                if let Ok(written) = number.to_number() {
                    let again = ExactNumber::parse(written.as_str()).and_then(|read| read.to_number());
                    prop_assert_eq!(again, Ok(written));
                }
            }
        }

        /// Hundredths as integers, and the same as decimals.
        #[test]
        fn decimals_are_computed_as_integers_are(left in -1_000_000_i64..1_000_000, right in -1_000_000_i64..1_000_000) {
            let number = |number: i64, scale: u32| format!("{number}e-{scale}");
            let (a, b) = (number(left, 2), number(right, 2));
            let written = |number, scale| {
                Ok(ExactNumber::parse(&format!("{number}e-{scale}"))?.to_number()?.as_str().to_owned())
            };
            prop_assert_eq!(compute(&a, ADD, &b), written(left + right, 2));
            prop_assert_eq!(compute(&a, SUB, &b), written(left - right, 2));
            prop_assert_eq!(compute(&a, MUL, &b), written(left * right, 4));
            if right != 0 {
                prop_assert_eq!(compute(&a, ExactNumber::rem, &b), written(left % right, 2));
                let product = number(left * right, 4);
                prop_assert_eq!(compute(&product, ExactNumber::div, &b), written(left, 2));
            }
        }
    }
}
