//! One value of a setting: how it is read from TOML and from the environment, what is allowed, how it is written back.
//!
//! Every type a setting can have implements [`ConfigValue`]; the tables in `file` name a type per key and nothing more.

use super::types::{JsonMode, ThemeChoice, TokenLimit};
use crate::domain::draft::{Cost, DrafterKind, RedraftKind, TargetKind};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;
use toml::de::{DeFloat, DeInteger, DeValue};

/// Where a value came from, strongest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// A line of `config.toml`, counted from 1.
    File(usize),
    /// The variable's name.
    Env(&'static str),
    /// The flag's name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(line) => write!(f, "line {line}"),
            Self::Env(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    pub value: T,
    pub origin: Origin,
}

impl<T> Written<T> {
    pub fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// A type that a setting can have.
pub(super) trait ConfigValue: Sized {
    const IS_LIST: bool = false;

    /// All that it can be, when that is a few words.
    fn words() -> Vec<&'static str> {
        Vec::new()
    }

    /// Reads a value of the file. The error says what is allowed and never repeats what was written: it could be a key pasted
    /// into the wrong file.
    fn read(value: &DeValue<'_>) -> Result<Self, String>;

    /// Reads the text of a variable or a flag.
    fn read_text(text: &str) -> Result<Self, String>;

    /// As TOML.
    fn write(&self) -> String;
}

/// From a setting as written to the same setting as used, and back.
pub(super) trait Becomes<Used> {
    fn used(self) -> Used;
    fn written(used: &Used) -> Self;
}

impl<T: ConfigValue + Clone> Becomes<T> for T {
    fn used(self) -> T {
        self
    }

    fn written(used: &T) -> Self {
        used.clone()
    }
}

impl Becomes<String> for BaseUrl {
    fn used(self) -> String {
        self.0
    }

    fn written(used: &String) -> Self {
        Self(used.clone())
    }
}

/// For types whose TOML form is a string.
macro_rules! text_value {
    ($type:ty, |$text:ident| $read:expr, |$value:ident| $write:expr $(, || $words:expr)?) => {
        impl ConfigValue for $type {
            $(fn words() -> Vec<&'static str> {
                $words
            })?

            fn read(value: &DeValue<'_>) -> Result<Self, String> {
                match value.as_str() {
                    Some(text) => Self::read_text(text),
                    None => Err(format!("must be a string in quotes, not {}", a_type(value))),
                }
            }

            fn read_text($text: &str) -> Result<Self, String> {
                $read
            }

            fn write(&self) -> String {
                let $value = self;
                quote(&$write)
            }
        }
    };
}

text_value!(String, |text| Ok(text.to_owned()), |v| v);
text_value!(PathBuf, |text| Ok(Self::from(text)), |v| v.to_string_lossy());
text_value!(IpAddr, |text| read_ip(text), |v| v.to_string());
text_value!(Duration, |text| read_duration(text), |v| write_duration(*v));
text_value!(BaseUrl, |text| Self::parse(text), |v| v.0);

/// For types that are one of a few words.
macro_rules! word_value {
    ($($type:ty),+ $(,)?) => { $(
        text_value!($type, |text| word(text, Self::from_word, &Self::words()), |v| v.as_str(), || Self::ALL.iter().map(|w| w.as_str()).collect());
    )+ };
}

word_value!(DrafterKind, JsonMode, RedraftKind, TargetKind, ThemeChoice, TokenLimit);

impl ConfigValue for bool {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| format!("must be true or false, not {}", a_type(value)))
    }

    fn words() -> Vec<&'static str> {
        vec!["true", "false"]
    }

    fn read_text(text: &str) -> Result<Self, String> {
        text.trim().parse().map_err(|_| "must be true or false".to_owned())
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// US dollars in the file, millionths of them in the program.
impl ConfigValue for Cost {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = value.as_float().map(DeFloat::as_str).or_else(|| value.as_integer().map(DeInteger::as_str));
        text.map_or_else(|| Err(format!("{DOLLARS}, not {}", a_type(value))), Self::read_text)
    }

    fn read_text(text: &str) -> Result<Self, String> {
        let dollars: f64 = text.trim().replace('_', "").parse().map_err(|_| DOLLARS.to_owned())?;
        if (0.0..=1_000_000.0).contains(&dollars) {
            Ok(Self((dollars * 1_000_000.0).round() as i64))
        } else {
            Err(DOLLARS.to_owned())
        }
    }

    fn write(&self) -> String {
        format!("{:?}", self.0 as f64 / 1_000_000.0)
    }
}

const DOLLARS: &str = "must be US dollars from 0 to 1000000, such as 2.5";

impl ConfigValue for Vec<String> {
    const IS_LIST: bool = true;

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let allowed = || format!("must be a list of strings such as [\"a\", \"b\"], not {}", a_type(value));
        let items = value.as_array().ok_or_else(allowed)?;
        items.iter().map(|item| item.get_ref().as_str().map(str::to_owned).ok_or_else(allowed)).collect()
    }

    /// As TOML, for items with commas in them, or simply with commas between the items.
    fn read_text(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('[') {
            let bad = |_| "must be a list such as [\"a\", \"b\"], or a, b".to_owned();
            return DeValue::parse(text.trim()).map_err(bad).and_then(|value| Self::read(value.get_ref()));
        }
        Ok(text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
    }

    fn write(&self) -> String {
        let items: Vec<_> = self.iter().map(|item| quote(item)).collect();
        format!("[{}]", items.join(", "))
    }
}

/// A whole number from `LOW` to `HIGH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Within<const LOW: u32, const HIGH: u32>(u32);

impl<const LOW: u32, const HIGH: u32> Within<LOW, HIGH> {
    fn parse(text: &str, radix: u32) -> Result<Self, String> {
        let digits = text.replace('_', "");
        match u32::from_str_radix(digits.trim_start_matches('+'), radix) {
            Ok(n) if (LOW..=HIGH).contains(&n) => Ok(Self(n)),
            _ => Err(format!("must be a whole number from {LOW} to {HIGH}")),
        }
    }
}

impl<const LOW: u32, const HIGH: u32> ConfigValue for Within<LOW, HIGH> {
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value.as_integer() {
            Some(number) => Self::parse(number.as_str(), number.radix()),
            None => Err(format!("must be a whole number from {LOW} to {HIGH}, not {}", a_type(value))),
        }
    }

    fn read_text(text: &str) -> Result<Self, String> {
        Self::parse(text.trim(), 10)
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

impl<const LOW: u32, const HIGH: u32> std::str::FromStr for Within<LOW, HIGH> {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::read_text(text)
    }
}

macro_rules! within_becomes {
    ($($number:ty),+) => { $(
        impl<const LOW: u32, const HIGH: u32> Becomes<$number> for Within<LOW, HIGH> {
            fn used(self) -> $number {
                // The ranges declared in `file` fit; were one too wide, its largest value would be taken, not a wrapped one.
                <$number>::try_from(self.0).unwrap_or(<$number>::MAX)
            }

            fn written(used: &$number) -> Self {
                Self(u32::try_from(*used).unwrap_or(HIGH))
            }
        }
    )+ };
}

within_becomes!(u16, u32, usize);

/// `http://…` or `https://…`, without credentials, query or a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = rest.map(|r| r.split('/').next().unwrap_or(r));
        let legal = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '\\');
        match host {
            None | Some("") => Err("must be a URL that begins with https:// or http://".to_owned()),
            Some(host) if host.contains('@') => {
                Err("must not hold a name or a password: those belong in secrets.env".to_owned())
            }
            Some(_) if !text.chars().all(legal) => Err("must be a base URL without `?`, `#` and spaces".to_owned()),
            Some(_) => Ok(Self(text.trim_end_matches('/').to_owned())),
        }
    }
}

fn word<T>(text: &str, known: fn(&str) -> Option<T>, all: &[&str]) -> Result<T, String> {
    known(text).ok_or_else(|| {
        let hint = nearest(text, all.iter().copied()).map(|w| format!("; did you mean \"{w}\"?")).unwrap_or_default();
        format!("must be one of {}{hint}", list(all))
    })
}

fn read_ip(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.trim_matches(['[', ']']).parse().map_err(|_| {
        "must be an IP address of this machine, such as 127.0.0.1 or ::1, or 0.0.0.0 for every interface".to_owned()
    })
}

/// Seconds per unit.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
/// No setting needs to wait longer than this.
const MAX_SECONDS: u64 = 7 * 86_400;

fn read_duration(text: &str) -> Result<Duration, String> {
    let seconds = UNITS.iter().find_map(|(unit, factor)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(*factor)
    });
    match seconds {
        Some(s) if (1..=MAX_SECONDS).contains(&s) => Ok(Duration::from_secs(s)),
        _ => Err("must be a time from \"1s\" to \"7d\", such as \"90s\", \"20m\" or \"2h\"".to_owned()),
    }
}

fn write_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match UNITS.iter().find(|(_, factor)| seconds > 0 && seconds.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", seconds / factor),
        None => format!("{seconds}s"),
    }
}

/// `text` as a TOML string.
pub(super) fn quote(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// What a value is, for an error that says what it should be.
pub(super) fn a_type(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|w| format!("`{w}`")).collect();
    quoted.join(", ")
}

/// The word that was probably meant.
pub(super) fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    words
        .map(|w| (strsim::jaro_winkler(&word.to_lowercase(), &w.to_lowercase()), w))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, w)| w)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_written() {
        for text in ["1s", "90s", "20m", "2h", "7d"] {
            assert_eq!(write_duration(read_duration(text).unwrap()), text);
        }
        for text in ["", "20", "0s", "8d", "1.5h", "-1m", "99999999999999999999s", "m"] {
            assert!(read_duration(text).unwrap_err().contains("\"20m\""), "{text}");
        }
    }

    #[test]
    fn base_urls_lose_their_slash_and_never_hold_a_password() {
        assert_eq!(BaseUrl::parse("https://ghe.example/api/v3/").unwrap().0, "https://ghe.example/api/v3");
        for text in ["", "ghe.example", "ftp://x", "https://", "https://a:b@x", "https://x?y=1", "http://x y"] {
            assert!(BaseUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_say_their_range() {
        type Port = Within<1, 65_535>;
        assert_eq!(Port::parse("8_099", 10).unwrap().0, 8099);
        for text in ["0", "65536", "-1", "x", ""] {
            assert!(Port::parse(text, 10).unwrap_err().contains("1 to 65535"), "{text}");
        }
    }

    #[test]
    fn money_reads_back_as_written() {
        for (text, written) in [("2.5", "2.5"), ("0", "0.0"), ("0.000001", "1e-6"), ("1_000", "1000.0")] {
            let cost = Cost::read_text(text).unwrap();
            assert_eq!(cost.write(), written);
            assert_eq!(Cost::read_text(&cost.write()).unwrap(), cost);
        }
        for text in ["", "-1", "NaN", "inf", "2000000", "$2"] {
            assert!(Cost::read_text(text).unwrap_err().contains("dollars"), "{text}");
        }
    }

    #[test]
    fn a_near_word_is_offered_and_a_far_one_is_not() {
        assert_eq!(nearest("prot", ["port", "host"].into_iter()), Some("port"));
        assert_eq!(nearest("zzz", ["port", "host"].into_iter()), None);
    }
}
