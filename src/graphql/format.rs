//! Formats of custom scalars that are checked by name: `Date`, `DateTime`, `Email`, `Int64`, `UInt64`, `URL`, `UUID`.
//!
//! Values are only checked, never changed: a reply's number stays a number, and a text stays as it was written.

use url::Url;

/// Format of a checked scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarFormat {
    Date,
    DateTime,
    Email,
    Int64,
    UInt64,
    Url,
    Uuid,
}

/// Maximum length of an email address (RFC 5321, section 4.5.3.1, as corrected by erratum 1690).
const MAX_EMAIL: usize = 254;

impl ScalarFormat {
    /// Returns the format of the scalars of this name; `None` if they take any value.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "Date" => Self::Date,
            "DateTime" => Self::DateTime,
            "Email" => Self::Email,
            "Int64" => Self::Int64,
            "UInt64" => Self::UInt64,
            "URL" => Self::Url,
            "UUID" => Self::Uuid,
            _ => return None,
        })
    }

    /// Returns the description of the format, for messages.
    #[must_use]
    pub fn expected(self) -> &'static str {
        match self {
            Self::Date => "a date such as \"2026-01-31\"",
            Self::DateTime => "a date and time with its offset, such as \"2026-01-31T09:30:00Z\"",
            Self::Email => "an email address",
            Self::Int64 => "a whole number of 64 bits, or its digits as a string",
            Self::UInt64 => "a whole number from 0 to 2^64 - 1, or its digits as a string",
            Self::Url => "an absolute URL",
            Self::Uuid => "a UUID such as \"123e4567-e89b-12d3-a456-426614174000\"",
        }
    }

    /// Returns `true` if the text has the format.
    #[must_use]
    pub fn accepts_text(self, text: &str) -> bool {
        match self {
            Self::Date => is_date(text.as_bytes()),
            Self::DateTime => is_date_time(text.as_bytes()),
            Self::Email => is_email(text),
            Self::Int64 | Self::UInt64 => self.accepts_number(text),
            Self::Url => is_url(text),
            Self::Uuid => is_uuid(text.as_bytes()),
        }
    }

    /// Returns `true` if the digits of a JSON number have the format.
    #[must_use]
    pub fn accepts_number(self, digits: &str) -> bool {
        // Rust accepts a plus sign, too.
        match self {
            Self::Int64 => !digits.starts_with('+') && digits.parse::<i64>().is_ok(),
            Self::UInt64 => !digits.starts_with('+') && digits.parse::<u64>().is_ok(),
            _ => false,
        }
    }
}

/// Returns `true` for a `full-date` of RFC 3339.
fn is_date(text: &[u8]) -> bool {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text else { return false };
    let (Some(year), Some(month), Some(day)) =
        (number(&[y0, y1, y2, y3]), number(&[m0, m1]), number(&[d0, d1]))
    else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// Returns `true` for a `date-time` of RFC 3339; a space is allowed instead of the `T`.
fn is_date_time(text: &[u8]) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else { return false };
    let Some((b'T' | b't' | b' ', time)) = rest.split_first() else { return false };
    let Some((clock, rest)) = time.split_at_checked(8) else { return false };
    let &[h0, h1, b':', m0, m1, b':', s0, s1] = clock else { return false };
    let within = |digits: [u8; 2], most| number(&digits).is_some_and(|number| number <= most);
    if !is_date(date) || !within([h0, h1], 23) || !within([m0, m1], 59) || !within([s0, s1], 60) {
        return false;
    }
    let rest = match rest.split_first() {
        Some((b'.', fraction)) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            &fraction[digits..]
        }
        _ => rest,
    };
    match *rest {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h0, h1, b':', m0, m1] => within([h0, h1], 23) && within([m0, m1], 59),
        _ => false,
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'))
    })
}

/// Returns `true` for a valid email address of the HTML standard, section "Email state".
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_local =
        |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let edges = !label.starts_with('-') && !label.ends_with('-');
        (1..=63).contains(&label.len()) && edges && label.bytes().all(is_inner)
    };
    text.len() <= MAX_EMAIL
        && !local.is_empty()
        && local.bytes().all(is_local)
        && domain.split('.').all(is_label)
}

/// Returns `true` for an absolute URL of the URL standard. Its parser skips spaces around a URL, and tabs and line
/// breaks everywhere. Texts with these are refused here, because texts are passed on as they are.
fn is_url(text: &str) -> bool {
    let is_skipped =
        text.starts_with(' ') || text.ends_with(' ') || text.contains(char::is_control);
    !is_skipped && Url::parse(text).is_ok()
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests;
