//! From a line to a [`Filter`]: split into tokens with their places, then read each token.

use super::{Filter, FilterError, HasFlag, IsFlag, Key, Sort, Term, Test, When};
use crate::domain::feedback::{GapType, Resolution};
use crate::domain::text;
use crate::domain::time::{DAY, HOUR, MINUTE, Millis};

/// Longest line accepted; nobody types more, and the parser is fed by the network too.
const MAX_CHARS: usize = 2_000;

/// A word or quoted group, with its place in the line.
struct Token {
    start: usize,
    end: usize,
    negated: bool,
    /// The key's text and the place where the value starts.
    key: Option<(String, usize)>,
    value: String,
    quoted: bool,
}

pub(super) fn filter(source: &str) -> Result<Filter, FilterError> {
    let chars: Vec<char> = source.chars().collect();
    if chars.len() > MAX_CHARS {
        let message = format!("a filter has at most {MAX_CHARS} characters");
        return Err(FilterError { message, start: MAX_CHARS, end: chars.len(), nearest: None });
    }
    let mut filter = Filter { source: source.trim().to_owned(), ..Filter::default() };
    let mut at = 0;
    while let Some(token) = next_token(&chars, &mut at)? {
        read(&token, &mut filter)?;
    }
    Ok(filter)
}

fn error(start: usize, end: usize, message: impl Into<String>, nearest: Option<&str>) -> FilterError {
    FilterError { message: message.into(), start, end, nearest: nearest.map(str::to_owned) }
}

/// Reads the next token: `-`? (`key:`)? (quoted | bare).
fn next_token(chars: &[char], at: &mut usize) -> Result<Option<Token>, FilterError> {
    while chars.get(*at).is_some_and(|c| c.is_whitespace()) {
        *at += 1;
    }
    let start = *at;
    if start >= chars.len() {
        return Ok(None);
    }
    let negated = chars[start] == '-' && chars.get(start + 1).is_some_and(|c| !c.is_whitespace());
    if negated {
        *at += 1;
    }
    let mut key = None;
    let mut value = String::new();
    let mut quoted = false;
    while let Some(&c) = chars.get(*at).filter(|c| !c.is_whitespace()) {
        match c {
            '"' => {
                quoted = true;
                value.push_str(&quoted_text(chars, at)?);
            }
            ':' if key.is_none() && !quoted && is_key_text(&value) => {
                *at += 1;
                key = Some((std::mem::take(&mut value), *at));
            }
            c => {
                *at += 1;
                value.push(c);
            }
        }
    }
    Ok(Some(Token { start, end: *at, negated, key, value, quoted }))
}

/// Words like `std::io` or `10:30` or `http://x` are text, not keys.
fn is_key_text(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic())
}

fn quoted_text(chars: &[char], at: &mut usize) -> Result<String, FilterError> {
    let open = *at;
    *at += 1;
    let mut out = String::new();
    while let Some(&c) = chars.get(*at) {
        *at += 1;
        if c == '"' {
            return Ok(out);
        }
        out.push(c);
    }
    Err(error(open, chars.len(), "the quote is not closed", Some("\"")))
}

fn read(token: &Token, filter: &mut Filter) -> Result<(), FilterError> {
    let Some((word, value_at)) = &token.key else {
        return read_text(token, &token.value, filter);
    };
    let Some(key) = Key::from_word(&word.to_ascii_lowercase()) else {
        // `http://…` and friends: a colon followed by something that can't be a value.
        if token.value.starts_with("//") || token.value.starts_with(':') {
            return read_text(token, &format!("{word}:{}", token.value), filter);
        }
        let nearest = nearest(word, Key::ALL.iter().map(|k| k.as_str()));
        let message = match nearest {
            Some(n) => format!("there is no key `{word}:`; did you mean `{n}:`?"),
            None => format!("there is no key `{word}:`; the keys are {}", list(Key::ALL.iter().map(|k| k.as_str()))),
        };
        let start = token.start + usize::from(token.negated);
        return Err(error(start, value_at - 1, message, nearest));
    };
    let value = Value { key, at: *value_at, end: token.end, text: &token.value, quoted: token.quoted };
    if value.text.is_empty() {
        return Err(error(value.at, value.end, format!("`{key}:` needs a value{}", value.examples()), None));
    }
    if key == Key::Sort {
        if token.negated {
            return Err(error(token.start, token.end, "`sort:` can't be negated", None));
        }
        filter.sort = value.words(Sort::from_word, Sort::ALL, Sort::as_str)?.first().copied();
        return Ok(());
    }
    filter.terms.push(Term { negated: token.negated, test: value.test()? });
    Ok(())
}

fn read_text(token: &Token, value: &str, filter: &mut Filter) -> Result<(), FilterError> {
    let words: Vec<String> = text::words(value).collect();
    if words.is_empty() {
        if value.trim().is_empty() && token.quoted {
            return Err(error(token.start, token.end, "nothing between the quotes", None));
        }
        return Err(error(token.start, token.end, "search needs a letter or a digit", None));
    }
    filter.terms.push(Term { negated: token.negated, test: Test::Text(words) });
    Ok(())
}

/// The value of a `key:value` token.
struct Value<'a> {
    key: Key,
    at: usize,
    end: usize,
    text: &'a str,
    quoted: bool,
}

impl Value<'_> {
    fn test(&self) -> Result<Test, FilterError> {
        Ok(match self.key {
            Key::Server => Test::Server(self.names()?),
            Key::Session => Test::Session(self.names()?),
            Key::Model => Test::Model(self.names()?),
            Key::Client => Test::Client(self.names()?),
            Key::Tool => Test::Tool(self.names()?),
            Key::Gap => Test::Gap(self.words(GapType::from_word, GapType::ALL, GapType::as_str)?),
            Key::Resolution => {
                Test::Resolution(self.words(Resolution::from_word, Resolution::ALL, Resolution::as_str)?)
            }
            Key::Is => Test::Is(self.words(IsFlag::from_word, IsFlag::ALL, IsFlag::as_str)?),
            Key::Has => Test::Has(self.words(HasFlag::from_word, HasFlag::ALL, HasFlag::as_str)?),
            Key::Since => Test::Since(self.when(false)?),
            Key::Until => Test::Until(self.when(true)?),
            Key::Sort => return Err(error(self.at, self.end, "`sort:` is read apart", None)),
        })
    }

    /// Alternatives with their places.
    fn parts(&self) -> Vec<(usize, &str)> {
        if self.quoted {
            return vec![(self.at, self.text)];
        }
        let mut at = self.at;
        let mut parts = Vec::new();
        for part in self.text.split(',') {
            if !part.is_empty() {
                parts.push((at, part));
            }
            at += part.chars().count() + 1;
        }
        parts
    }

    fn names(&self) -> Result<Vec<String>, FilterError> {
        let names: Vec<String> = self.parts().into_iter().map(|(_, p)| p.to_owned()).collect();
        if names.is_empty() {
            return Err(error(self.at, self.end, format!("`{}:` needs a value", self.key), None));
        }
        Ok(names)
    }

    fn words<T: Copy>(
        &self,
        known: fn(&str) -> Option<T>,
        all: &'static [T],
        name: fn(T) -> &'static str,
    ) -> Result<Vec<T>, FilterError> {
        let mut found = Vec::new();
        for (at, part) in self.parts() {
            let tidy = part.to_ascii_lowercase().replace('-', "_");
            let Some(value) = known(&tidy) else {
                let nearest = nearest(&tidy, all.iter().map(|v| name(*v)));
                let message = match nearest {
                    Some(n) => format!("`{}:` does not know `{part}`; did you mean `{n}`?", self.key),
                    None => format!("`{}:` is one of {}", self.key, list(all.iter().map(|v| name(*v)))),
                };
                return Err(error(at, at + part.chars().count(), message, nearest));
            };
            found.push(value);
        }
        if found.is_empty() {
            return Err(error(self.at, self.end, format!("`{}:` needs a value{}", self.key, self.examples()), None));
        }
        Ok(found)
    }

    fn when(&self, end_of_day: bool) -> Result<When, FilterError> {
        let bad = || {
            error(
                self.at,
                self.end,
                format!(
                    "`{}:` takes an age such as `7d`, `12h`, `30m`, `2w`, or a date such as `2026-11-01`",
                    self.key
                ),
                None,
            )
        };
        if let Some(ms) = age(self.text) {
            return Ok(When::Ago(ms));
        }
        if let Ok(date) = self.text.parse::<jiff::civil::Date>() {
            let day = if end_of_day { date.tomorrow().map_err(|_| bad())? } else { date };
            let start = day.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| bad())?.timestamp().as_millisecond();
            return Ok(When::At(Millis(start - i64::from(end_of_day))));
        }
        Millis::from_iso(self.text).map(When::At).ok_or_else(bad)
    }

    fn examples(&self) -> String {
        let words: Vec<&str> = match self.key {
            Key::Gap => GapType::ALL.iter().map(|v| v.as_str()).collect(),
            Key::Resolution => Resolution::ALL.iter().map(|v| v.as_str()).collect(),
            Key::Is => IsFlag::ALL.iter().map(|v| v.as_str()).collect(),
            Key::Has => HasFlag::ALL.iter().map(|v| v.as_str()).collect(),
            Key::Sort => Sort::ALL.iter().map(|v| v.as_str()).collect(),
            Key::Since | Key::Until => vec!["7d", "2026-11-01"],
            Key::Server | Key::Session | Key::Model | Key::Client | Key::Tool => return String::new(),
        };
        format!(": {}", list(words.into_iter()))
    }
}

/// `7d`, `12h`, `30m`, `2w` in milliseconds.
fn age(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    let digits = &text[..text.len() - 1];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<i64>().ok()?.checked_mul(unit)
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    known
        .map(|k| if !word.is_empty() && k.starts_with(&word) { (1.0, k) } else { (strsim::jaro_winkler(&word, k), k) })
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(source: &str) -> Vec<Term> {
        filter(source).unwrap().terms
    }

    #[test]
    fn the_example_of_the_manual() {
        let f = filter(r#"server:billing gap:missing_tool is:unreviewed since:7d "search cost" -has:pr sort:oldest"#)
            .unwrap();
        assert_eq!(f.terms.len(), 6);
        assert_eq!(f.terms[0].test, Test::Server(vec!["billing".into()]));
        assert_eq!(f.terms[4].test, Test::Text(vec!["search".into(), "cost".into()]));
        assert_eq!(f.terms[5], Term { negated: true, test: Test::Has(vec![HasFlag::Pr]) });
        assert_eq!(f.order(), Sort::Oldest);
    }

    #[test]
    fn mistakes_have_a_place_and_a_neighbour() {
        let e = filter("foo servr:x").unwrap_err();
        assert_eq!((e.start, e.end, e.nearest.as_deref()), (4, 9, Some("server")));
        let e = filter("gap:missing_tool,wrong_formt").unwrap_err();
        assert_eq!((e.start, e.end, e.nearest.as_deref()), (17, 28, Some("wrong_format")));
        let e = filter("is:").unwrap_err();
        assert!(e.message.contains("unreviewed"), "{e}");
        assert!(filter("since:soon").unwrap_err().message.contains("7d"));
        assert_eq!(filter("a \"b").unwrap_err().start, 2);
    }

    #[test]
    fn what_looks_like_code_is_text() {
        assert_eq!(ok("std::io")[0].test, Test::Text(vec!["std".into(), "io".into()]));
        assert_eq!(ok("http://x.y")[0].test, Test::Text(vec!["http".into(), "x".into(), "y".into()]));
        assert_eq!(ok("foo-bar")[0].test, Test::Text(vec!["foo".into(), "bar".into()]));
        assert_eq!(ok("10:30").len(), 1);
    }

    #[test]
    fn until_a_date_includes_that_day() {
        let Test::Until(When::At(end)) = ok("until:2026-11-01")[0].test else { unreachable!() };
        assert_eq!(end.to_iso(), "2026-11-01T23:59:59.999+00:00");
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_a_filter_or_an_error_inside_the_line(line in "\\PC{0,60}") {
            let n = line.chars().count();
            match filter(&line) {
                Ok(f) => proptest::prop_assert_eq!(filter(&f.source).unwrap().terms, f.terms),
                Err(e) => proptest::prop_assert!(e.start <= e.end && e.end <= n),
            }
        }
    }
}
