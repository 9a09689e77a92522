//! The format of `secrets.env`: `NAME="value"` lines, as shells, systemd and Docker read them.

/// Why a text is not such a file; never with the text itself, which holds keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct BadLine {
    pub line: usize,
    pub problem: &'static str,
}

/// A line of the file.
enum Line {
    /// Blank, or a comment.
    Nothing,
    Pair {
        name: String,
        value: String,
    },
}

/// All pairs, in order.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, BadLine> {
    let mut pairs = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        match read_line(raw).map_err(|problem| BadLine { line: index + 1, problem })? {
            Line::Nothing => {}
            Line::Pair { name, value } => pairs.push((name, value)),
        }
    }
    Ok(pairs)
}

/// The text with `name` set to `value`, or without it when `value` is `None`; every other line stays as it is.
pub(super) fn with(text: &str, name: &str, value: Option<&str>) -> String {
    let mut out = String::with_capacity(text.len() + 80);
    for raw in text.lines() {
        if !matches!(read_line(raw), Ok(Line::Pair { name: found, .. }) if found == name) {
            out.push_str(raw);
            out.push('\n');
        }
    }
    if let Some(value) = value {
        out.push_str(name);
        out.push('=');
        out.push_str(&quoted(value));
        out.push('\n');
    }
    out
}

fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

fn read_line(raw: &str) -> Result<Line, &'static str> {
    let line = raw.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(Line::Nothing);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=').ok_or("write NAME=\"value\"")?;
    let name = name.trim();
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(legal) {
        return Err("a name has letters, digits and `_` only");
    }
    Ok(Line::Pair { name: name.to_owned(), value: read_value(value.trim())? })
}

fn read_value(text: &str) -> Result<String, &'static str> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return Ok(text.to_owned());
    };
    let mut value = String::new();
    let mut chars = text[1..].chars();
    while let Some(c) = chars.next() {
        match c {
            c if c == quote => {
                let rest = chars.as_str().trim();
                let ends = rest.is_empty() || rest.starts_with('#');
                return if ends { Ok(value) } else { Err("there is text after the closing quote") };
            }
            '\\' if quote == '"' => value.push(chars.next().ok_or("the value ends in `\\`")?),
            c => value.push(c),
        }
    }
    Err("the quote is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_shells_read() {
        let text = "# keys\n\nA=plain\nexport B = \"q \\\" \\\\\" # why\nC='as $it is'\nD=\n";
        let pairs = parse(text).unwrap();
        let expected = [("A", "plain"), ("B", "q \" \\"), ("C", "as $it is"), ("D", "")];
        assert_eq!(pairs, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn a_bad_line_is_named_without_its_text() {
        for text in
            ["ok=1\nSECRETVALUE", "ok=1\nX=\"SECRET", "ok=1\nX=\"SECRET\" SECRET", "\nSEC RET=1", "\nX=\"SECRET\\"]
        {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, 2);
            assert!(!error.to_string().contains("SEC"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_value_without_controls_comes_back_and_the_rest_stays(value in "[^\\p{C}]{0,40}") {
            let before = "# mine\nOTHER='x'\nKEY=old\n";
            let after = with(before, "KEY", Some(&value));
            prop_assert!(after.starts_with("# mine\nOTHER='x'\n"));
            let pairs = parse(&after).unwrap();
            prop_assert_eq!(pairs.last(), Some(&("KEY".to_owned(), value)));
            prop_assert_eq!(pairs.len(), 2);
            prop_assert_eq!(with(&after, "KEY", None), "# mine\nOTHER='x'\n");
        }
    }
}
