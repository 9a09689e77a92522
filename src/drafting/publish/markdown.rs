//! Untrusted text inside a pull request body, quoted so that it does nothing.
//!
//! Two ways. What an agent reported is shown as it is, in a fence longer than any run of backticks in it ([`fenced`]). What the model
//! wrote for the reviewer should read well, so [`prose`] rebuilds it: paragraphs, lists, headings as bold lines, code spans and
//! code blocks are recognised and written anew, and every other character that means something in Markdown is
//! escaped. Mentions, issue references and links have no escape on GitHub (they are found in the rendered text), so those
//! are broken with a zero-width space, in code as well: after a squash merge this text may stand in a commit message.

use crate::domain::text;

const BREAK: char = '\u{200b}';

/// A code block that its content can't end; `max` bytes of it, and a line that counts the rest.
pub(super) fn fenced(raw: &str, max: usize) -> String {
    let kept = &raw[..raw.floor_char_boundary(max)];
    let body = text::block(kept.trim());
    let block = code_block(&body);
    if kept.len() == raw.len() {
        return block;
    }
    format!("{block}\n\n({} more bytes are not shown here)", raw.len() - kept.len())
}

/// A code span of one line.
pub(super) fn code(raw: &str, max_chars: usize) -> String {
    let inner = text::clipped(raw, max_chars).replace('`', "'");
    let inner = defuse(inner.trim());
    // An empty span would show its backticks.
    if inner.is_empty() { "(empty)".into() } else { format!("`{inner}`") }
}

fn code_block(body: &str) -> String {
    let body = defuse(body);
    let longest = body.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{body}\n{fence}")
}

/// Markdown with its structure kept and everything that acts taken out of it.
pub(super) fn prose(raw: &str, max: usize) -> String {
    let kept = &raw[..raw.floor_char_boundary(max)];
    let safe = text::block(kept);
    let mut out: Vec<String> = Vec::new();
    let mut lines = safe.lines();
    while let Some(line) = lines.next() {
        if line.trim_start().starts_with("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|l| !l.trim_start().starts_with("```")).collect();
            out.push(code_block(&body.join("\n")));
        } else {
            out.push(prose_line(line));
        }
    }
    if kept.len() < raw.len() {
        out.push(format!("\n({} more bytes are not shown here)", raw.len() - kept.len()));
    }
    out.join("\n").trim().to_owned()
}

/// Prose of one line, inside of a line of ours.
pub(super) fn one_line(raw: &str, max_chars: usize) -> String {
    inline(text::clipped(raw, max_chars).trim())
}

fn prose_line(line: &str) -> String {
    let text = line.trim_start();
    if text.is_empty() {
        return String::new();
    }
    let indent = if line.len() - text.len() >= 2 { "  " } else { "" };
    if let Some(heading) = text.strip_prefix('#').map(|t| t.trim_start_matches('#').trim()).filter(|t| !t.is_empty()) {
        return format!("**{}**", inline(heading));
    }
    for bullet in ["- ", "* ", "+ "] {
        if let Some(item) = text.strip_prefix(bullet) {
            return format!("{indent}- {}", inline(item));
        }
    }
    let number: String = text.chars().take_while(char::is_ascii_digit).collect();
    if let Some(item) = text.get(number.len()..).and_then(|t| t.strip_prefix(". ").or_else(|| t.strip_prefix(") ")))
        && (1..=3).contains(&number.len())
    {
        return format!("{indent}{number}. {}", inline(item));
    }
    inline(text)
}

/// Text of one line: code spans kept, the rest escaped.
fn inline(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line.trim_end();
    while let Some(open) = rest.find('`') {
        out.push_str(&escape(&rest[..open]));
        let after = &rest[open + 1..];
        match after.find('`') {
            // Two backticks in a row would open a longer span: both are escaped.
            Some(close) if !after[..close].trim().is_empty() => {
                out.extend(["`", &defuse(&after[..close]), "`"]);
                rest = &after[close + 1..];
                // A backtick right behind the span would merge with its end.
                if rest.starts_with('`') {
                    out.push(BREAK);
                }
            }
            _ => {
                out.push_str("\\`");
                rest = after;
            }
        }
    }
    out.push_str(&escape(rest));
    out
}

/// Every character that Markdown acts on, made to stand for itself.
fn escape(text: &str) -> String {
    let text = defuse(&text.replace("**", ""));
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Only at the beginning of a line does a hyphen make a list, a rule or a heading.
            '-' if text[..at].trim().is_empty() => out.push_str("\\-"),
            '\\' | '*' | '_' | '[' | ']' | '!' | '|' | '~' | '$' | '=' | '+' | '`' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Breaks what GitHub, or a bot that reads the raw text, acts on: mentions, references, links, CI switches, commands.
///
/// Code needs it too. A squash merge may turn the whole body into a commit message, and there no fence counts.
fn defuse(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (at, c) in text.char_indices() {
        let (before, after) = (&text[..at], &text[at + c.len_utf8()..]);
        let next = after.chars().next();
        let (break_before, break_after) = match c {
            '@' => (false, next.is_some_and(char::is_alphanumeric)),
            '#' => (false, next.is_some_and(|n| n.is_ascii_digit())),
            ':' => (false, after.starts_with("//")),
            '-' => (ends_with_ignore_case(before, "gh"), false),
            '.' => (ends_with_ignore_case(before, "www"), false),
            // Bots take a line that begins so for an order.
            '/' => (false, next.is_some_and(char::is_alphabetic) && begins_a_line(before)),
            '[' | '*' => (false, ["skip", "ci", "no"].iter().any(|w| starts_with_ignore_case(after, w))),
            _ => (false, false),
        };
        if break_before {
            out.push(BREAK);
        }
        out.push(c);
        if break_after {
            out.push(BREAK);
        }
    }
    out
}

fn begins_a_line(before: &str) -> bool {
    before.trim_end_matches([' ', '\t']).chars().next_back().is_none_or(|c| c == '\n')
}

fn starts_with_ignore_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

fn ends_with_ignore_case(text: &str, end: &str) -> bool {
    let tail = text.len().checked_sub(end.len()).and_then(|at| text.get(at..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

#[cfg(test)]
#[path = "../../../tests/support/markdown.rs"]
pub(super) mod judge;

#[cfg(test)]
mod tests {
    use super::judge::inert;
    use super::*;
    use proptest::prelude::*;

    /// What Markdown, GitHub and bots act on, to be strung together at random.
    const ACTING: [&str; 60] = [
        "`",
        "``",
        "```",
        "~~~",
        "```text",
        "\n",
        "\n\n",
        "\r",
        "    ",
        "  ",
        "\t",
        " ",
        "- ",
        "* ",
        "+ ",
        "1. ",
        "2) ",
        "> ",
        "# ",
        "## x",
        "[x](http://e.example)",
        "![",
        "](",
        "[",
        "]",
        ")",
        "<b>",
        "</details>",
        "<!--",
        "-->",
        "<script>",
        "<http://e.example>",
        "@octo",
        "@",
        "#12",
        "#",
        "GH-3",
        "www.e.example",
        "http://e.example",
        "a@b.example",
        "|",
        "|-|",
        "---",
        "===",
        "\\",
        "&lt;",
        "&#64;octo",
        "*",
        "**",
        "_",
        "$",
        "$$x$$",
        "[^1]",
        "[^1]: x",
        "[a]: http://e.example",
        "[ ] ",
        "[skip ci]",
        "/approve",
        "\u{200b}",
        "x",
    ];

    fn hostile() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(&ACTING[..]), 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_acts_and_nothing_swallows_what_follows(raw in hostile(), max in 1_usize..200) {
            for shown in [prose(&raw, max), fenced(&raw, max), code(&raw, max), format!("Said: {}", one_line(&raw, max))] {
                prop_assert_eq!(inert(&shown), Ok(()), "{}", &shown);
                let whole = format!("{shown}\n\n## End\n");
                let parsed: Vec<_> = pulldown_cmark::Parser::new(&whole).collect();
                let end = format!("{:?}", &parsed[parsed.len().saturating_sub(3)..]);
                prop_assert!(end.starts_with("[Start(Heading") && end.contains("End"), "{} in {}", end, whole);
            }
        }
    }

    #[test]
    fn no_content_ends_its_fence() {
        for hostile in ["```\n@everyone fixes #1", "````\n```\n`````text\n", "~~~\n</details><script>", "`"] {
            let block = fenced(hostile, 1_000);
            let fence: String = block.chars().take_while(|c| *c == '`').collect();
            let closing = block.lines().skip(1).filter(|l| l.trim().starts_with(&fence)).count();
            assert_eq!(closing, 1, "{block}");
            assert!(block.ends_with(&fence));
        }
    }

    #[test]
    fn structure_survives() {
        let raw =
            "## What\n\nAdds `search_costs(q)`:\n- one **bold** thing\n  * nested\n1. first\n```py\n@mcp.tool()\n```\n";
        let shown = prose(raw, 10_000);
        assert_eq!(
            shown,
            "**What**\n\nAdds `search_costs(q)`:\n- one bold thing\n  - nested\n1. first\n```text\n@\u{200b}mcp.tool()\n```"
        );
    }

    #[test]
    fn nothing_in_prose_acts() {
        let raw = "Fixes #12, closes o/r#3, GH-4, resolves https://github.com/o/r/issues/5 and www.evil.example \
                   @octocat ![x](http://e/x.png) [y](javascript:z) <img src=x> <!-- hidden --> a@b.example &#64;x";
        let shown = prose(raw, 10_000);
        let code = fenced(raw, 10_000);
        for acts in ["#1", "#3", "GH-4", "://", "www.e", "@o", "@b"] {
            assert!(!code.contains(acts), "{acts} in {code}");
        }
        let switches = prose("[skip ci] `[ci skip]`", 100);
        assert!(!switches.contains("[skip ci") && !switches.contains("[ci skip"), "{switches}");
        // What is escaped is not there for this purpose.
        let active = shown.replace("\\[", "").replace("\\]", "").replace("\\!", "");
        for acts in ["#1", "#3", "GH-4", "://", "www.e", "@o", "@b", "[", "]", "!", "<", ">"] {
            assert!(!active.contains(acts), "{acts} in {shown}");
        }
        for line in ["===", "---", "> quote", "1) x", "| a | b |", "\\`@x`"] {
            let shown = prose(&format!("text\n{line}"), 1_000);
            let last = shown.lines().last().unwrap();
            assert!(!last.starts_with(['=', '>', '|']) && last != "---", "{last}");
        }
    }

    #[test]
    fn half_open_code_is_text() {
        for raw in ["a ` b @x", "``@x``", "`` ` @x", "`a``@x"] {
            let shown = prose(raw, 100);
            let outside: String = shown.split('`').step_by(2).collect();
            assert!(!outside.contains("@x"), "{raw}: {shown}");
        }
        let unclosed = prose("```\n@x fixes #1", 100);
        assert!(unclosed.ends_with("```"), "{unclosed}");
    }
}
