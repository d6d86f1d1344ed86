//! Texts with a format, texts without it, and arbitrary texts against simpler rules.

use super::ScalarFormat;
use proptest::prelude::*;

/// Name, valid texts, and invalid texts.
const TEXTS: [(&str, &[&str], &[&str]); 7] = [
    (
        "Date",
        &["2026-01-31", "2024-02-29", "2000-02-29", "0000-12-31"],
        &[
            "",
            "2026-1-31",
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-04-31",
            "2026-01-31T00:00:00Z",
            "2026/01/31",
            "20260131",
            "２026-01-31",
        ],
    ),
    (
        "DateTime",
        &[
            "2026-01-31T09:30:00Z",
            "2026-01-31t09:30:00z",
            "2026-01-31 23:59:60.123456789+05:30",
            "2026-01-31T00:00:00-23:59",
        ],
        &[
            "",
            "2026-01-31",
            "2026-01-31T09:30:00",
            "2026-01-31T24:00:00Z",
            "2026-01-31T09:60:00Z",
            "2026-01-31T09:30:61Z",
            "2026-01-31T09:30:00.Z",
            "2026-01-31T09:30:00+0530",
            "2026-01-31T09:30Z",
            "2026-02-30T09:30:00Z",
            "2026-01-31T09:30:00ZZ",
            "2026-01-31T09:30:00é",
        ],
    ),
    (
        "Email",
        &["ada@example.com", "a.b+c@x", "o'neil@a-b.example"],
        &["", "ada", "@x", "a@", "a@b@c", "a b@x", "a@-x.de", "a@x..de", "ä@x.de", "a@x_y.de"],
    ),
    (
        "Int64",
        &["0", "-9223372036854775808", "9223372036854775807", "007"],
        &["", "9223372036854775808", "1.0", "1e3", "+1", " 1", "x"],
    ),
    ("UInt64", &["0", "18446744073709551615"], &["-1", "18446744073709551616", "+1", ""]),
    (
        "URL",
        &["https://example.com/a?b=c", "mailto:a@b.de"],
        &["", "/a", "example.com", "http://", " https://a.de", "https://a.de ", "https://a\n.de"],
    ),
    (
        "UUID",
        &["123e4567-e89b-12d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000"],
        &[
            "",
            "123e4567e89b12d3a456426614174000",
            "123e4567-e89b-12d3-a456-42661417400g",
            "{123e4567-e89b-12d3-a456-42661417400}",
        ],
    ),
];

#[test]
fn texts_have_the_form_of_their_scalar() {
    for (name, good, bad) in TEXTS {
        let format = ScalarFormat::of(name).expect(name);
        for text in good {
            assert!(format.accepts_text(text), "{name}: {text}");
        }
        for text in bad {
            assert!(!format.accepts_text(text), "{name}: {text}");
        }
    }
}

#[test]
fn only_integers_take_numbers() {
    for (name, digits, is_good) in [
        ("Int64", "-7", true),
        ("Int64", "1.0", false),
        ("Int64", "9223372036854775808", false),
        ("UInt64", "18446744073709551615", true),
        ("UInt64", "-1", false),
        ("Date", "20260131", false),
    ] {
        let format = ScalarFormat::of(name).expect(name);
        assert_eq!(format.accepts_number(digits), is_good, "{name}: {digits}");
    }
    assert_eq!(ScalarFormat::of("JSON"), None);
}

/// Generates texts of a format, and texts with a few characters changed, or cut.
fn near(form: &'static str) -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), "[-+:.TtZz @/0-9a-fé\n]");
    (form, prop::collection::vec(change, 0..3), any::<prop::sample::Index>(), any::<bool>())
        .prop_map(|(text, changes, cut, cuts)| {
            let mut characters: Vec<String> = text.chars().map(String::from).collect();
            for (at, to) in changes.into_iter().filter(|_| !text.is_empty()) {
                let at = at.index(characters.len());
                characters[at] = to;
            }
            let length = characters.len();
            characters.truncate(if cuts { cut.index(length + 1) } else { length });
            characters.concat()
        })
}

/// Returns `true` for two digits whose value is at most `most`.
fn is_pair(text: &str, most: u32) -> bool {
    text.len() == 2
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u32>().is_ok_and(|number| number <= most)
}

fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    if !is_year || !is_pair(month, 12) || !is_pair(day, 31) {
        return false;
    }
    let number = |text: &str| text.parse::<u64>().unwrap_or_default();
    let (year, month, day) = (number(year), number(month), number(day));
    // The first day of the month after it, counted from year 0, as in Howard Hinnant's `days_from_civil`.
    let days = |year: u64, month: u64| {
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5
    };
    let year = year + 400;
    let next = if month == 12 { days(year + 1, 1) } else { days(year, month + 1) };
    month > 0 && day > 0 && day <= next - days(year, month)
}

fn is_moment(text: &str) -> bool {
    let Some((day, time)) = text.split_once(['T', 't', ' ']) else { return false };
    let (time, offset) = match time.strip_suffix(['Z', 'z']) {
        Some(time) => (time, "00:00"),
        None => match time.rsplit_once(['+', '-']) {
            Some(split) => split,
            None => return false,
        },
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let pairs = |text: &str, most: &[u32]| {
        let parts: Vec<&str> = text.split(':').collect();
        parts.len() == most.len() && parts.iter().zip(most).all(|(part, most)| is_pair(part, *most))
    };
    is_day(day)
        && pairs(clock, &[23, 59, 60])
        && pairs(offset, &[23, 59])
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_within(text: &str, least: i128, most: i128) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<i128>().is_ok_and(|number| (least..=most).contains(&number))
}

fn is_groups_of_hex(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let is_hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(is_hex)
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), digits in "[-+0-9.eE]{0,40}") {
        for (name, ..) in TEXTS {
            let format = ScalarFormat::of(name).expect(name);
            for text in [&text, &digits] {
                let _ = (format.accepts_text(text), format.accepts_number(text));
            }
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar(text in near("[0-9]{4}-(0[0-9]|1[0-3])-([02][0-9]|3[0-2])")) {
        prop_assert_eq!(ScalarFormat::Date.accepts_text(&text), is_day(&text));
    }

    #[test]
    fn dates_have_times_with_an_offset(
        text in near("20[0-9]{2}-0[1-9]-[012][0-9][Tt ][012][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{0,9})?([Zz]|[-+][012][0-9]:[0-6][0-9])"),
    ) {
        prop_assert_eq!(ScalarFormat::DateTime.accepts_text(&text), is_moment(&text));
    }

    #[test]
    fn integers_have_64_bits(text in near("-?[0-9]{1,21}")) {
        let (signed, unsigned) = (ScalarFormat::Int64, ScalarFormat::UInt64);
        let is_signed = is_within(&text, i64::MIN.into(), i64::MAX.into());
        let is_unsigned = !text.starts_with('-') && is_within(&text, 0, u64::MAX.into());
        prop_assert_eq!(signed.accepts_text(&text), is_signed);
        prop_assert_eq!(unsigned.accepts_text(&text), is_unsigned);
        prop_assert_eq!(signed.accepts_number(&text), is_signed);
        prop_assert_eq!(unsigned.accepts_number(&text), is_unsigned);
    }

    #[test]
    fn identifiers_are_groups_of_hex_digits(text in near("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")) {
        prop_assert_eq!(ScalarFormat::Uuid.accepts_text(&text), is_groups_of_hex(&text));
    }

    #[test]
    fn addresses_have_one_sign_and_labels(
        good in "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,20}@[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\\.[a-z0-9]{1,20}){0,3}",
        text in near("[a-z.]{0,5}@[a-z-]{0,5}\\.[a-z]{0,3}"),
    ) {
        prop_assert!(ScalarFormat::Email.accepts_text(&good), "{}", good);
        if ScalarFormat::Email.accepts_text(&text) {
            prop_assert_eq!(text.matches('@').count(), 1);
            prop_assert!(!text.contains("..") || text.rfind("..") < text.find('@'));
            prop_assert!(text.is_ascii() && !text.contains(char::is_whitespace));
        }
    }

    #[test]
    fn urls_begin_with_their_scheme(text in near(" ?[a-z]{1,5}:(//)?[a-z.]{0,9}(/[a-z \\t]{0,4})?[ \n]?")) {
        if ScalarFormat::Url.accepts_text(&text) {
            let scheme = text.split(':').next().unwrap_or_default();
            let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
            prop_assert!(scheme.starts_with(|first: char| first.is_ascii_alphabetic()));
            prop_assert!(scheme.bytes().all(is_scheme), "{:?}", text);
            prop_assert!(!text.contains(|c: char| c.is_ascii_control()) && !text.ends_with(' '));
        }
    }
}
