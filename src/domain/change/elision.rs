//! Comments that stand for code a model did not write: `// ... existing code ...`, `# rest of the file unchanged`.
//!
//! Written into a file they delete what they speak of. A comment counts as one when nothing else is said in it: every word of it is
//! one of a few that such comments are made of. An honest comment says something about the code and uses other words, too.

use super::RepoPath;

/// How many lines of the text stand for others.
pub(super) fn count(path: &RepoPath, text: &str) -> usize {
    let prose = is_prose(path);
    text.lines().filter(|line| comment(line, prose).is_some_and(stands_for_code)).count()
}

/// In a document `#` begins a heading and `--` a dash; only comments of HTML are comments.
fn is_prose(path: &RepoPath) -> bool {
    let name = path.file_name().to_lowercase();
    [".md", ".mdx", ".markdown", ".rst", ".txt", ".adoc"].iter().any(|end| name.ends_with(end))
}

/// What a line says, if it is a comment and nothing else. A statement that does nothing counts as nothing.
fn comment(line: &str, prose: bool) -> Option<&str> {
    const MARKS: [&str; 7] = ["<!--", "{/*", "/*", "//", "#", "--", ";"];
    const NOTHING: [&str; 5] = ["pass", "pass;", "...", "{", "return"];
    let line = line.trim();
    let marks = if prose { &MARKS[..1] } else { &MARKS[..] };
    let after_nothing = NOTHING.iter().find_map(|word| line.strip_prefix(word).filter(|rest| rest.starts_with(' ')));
    let line = after_nothing.unwrap_or(line).trim_start();
    let (mark, text) = marks.iter().find_map(|mark| Some((*mark, line.strip_prefix(mark)?)))?;
    if matches!(mark, "--" | ";") && !text.starts_with([' ', '.', '…']) {
        // An option, a number that is counted down, an empty statement.
        return None;
    }
    Some(text.trim_end_matches("-->").trim_end_matches("*/}").trim_end_matches("*/"))
}

/// Each word of a placeholder is one of these. Apart from the last two kinds they stand in honest comments, too, so one alone is not enough.
const UNCHANGED: &[&str] = &["unchanged", "unmodified", "untouched", "omitted", "elided", "snip", "snipped"];
const REST: &[&str] = &["rest", "remaining"];
const EXISTING: &[&str] = &["existing"];
const LATER: &[&str] = &["todo", "fixme"];
const CODE: &[&str] = &[
    "code",
    "implementation",
    "logic",
    "body",
    "file",
    "class",
    "module",
    "script",
    "function",
    "functions",
    "method",
    "methods",
    "imports",
];
const OTHER: &[&str] = &["previous", "original", "other", "more", "same", "before", "above", "below"];
const THINGS: &[&str] = &[
    "cases",
    "content",
    "contents",
    "definitions",
    "fields",
    "handlers",
    "items",
    "lines",
    "part",
    "parts",
    "section",
    "stuff",
    "tests",
    "tools",
];
const FILLERS: &[&str] = &[
    "the",
    "of",
    "your",
    "this",
    "here",
    "is",
    "are",
    "for",
    "brevity",
    "as",
    "it",
    "goes",
    "stay",
    "stays",
    "remain",
    "remains",
    "a",
    "all",
    "and",
    "no",
    "changes",
    "keep",
    "implement",
    "in",
];
const KINDS: [&[&str]; 8] = [UNCHANGED, REST, EXISTING, LATER, CODE, OTHER, THINGS, FILLERS];

fn stands_for_code(comment: &str) -> bool {
    let text = comment.to_lowercase().replace('…', "...");
    let inner = text.trim_matches(|c: char| c.is_whitespace() || "[]()<>*-".contains(c));
    let dots = inner.starts_with("...") || inner.ends_with("...");
    let words: Vec<&str> = inner.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() || words.len() > 10 {
        return words.is_empty() && dots;
    }
    let says = |kind: &[&str]| words.iter().any(|word| kind.contains(word));
    words.iter().all(|word| KINDS.iter().any(|kind| kind.contains(word)))
        && (says(UNCHANGED)
            || (says(REST) && (dots || says(CODE) || says(LATER)))
            || (says(EXISTING) && (dots || says(CODE)))
            || (says(OTHER) && dots))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elides(path: &str, line: &str) -> bool {
        count(&RepoPath::parse(path).unwrap(), &format!("x = 1\n    {line}\ny = 2\n")) > 0
    }

    #[test]
    fn comments_that_stand_for_code_are_found() {
        for line in [
            "// ... rest of the file unchanged ...",
            "# ... existing code ...",
            "# ... rest of code",
            "// unchanged",
            "// … unchanged …",
            "<!-- ... -->",
            "<!-- rest of the file -->",
            "/* ... */",
            "/* ... other methods ... */",
            "{/* ... existing code ... */}",
            "# ...",
            "// [...]",
            "-- rest of the function stays the same",
            "; rest unchanged",
            "# existing code here",
            "# Existing implementation remains unchanged",
            "// omitted for brevity",
            "pass  # Todo: rest",
            "...  # rest of the implementation",
            "# Todo: implement the rest",
            "# (remaining methods unchanged)",
            "// ... (same as before)",
            "# --- snip ---",
            "// All other functions remain unchanged",
            "// ...more tools...",
        ] {
            assert!(elides("a.py", line), "{line}");
        }
        assert!(elides("README.md", "<!-- rest of the file unchanged -->"));
    }

    #[test]
    fn honest_comments_are_left_alone() {
        for line in [
            "// The rest of the items are unchanged by this",
            "let x = 1; // see ...",
            "# Loading the existing configuration...",
            "# Todo: handle the remaining retries",
            "// Existing tools",
            "// Remaining cases",
            "# The rest",
            "// Original content",
            "i--; // rest",
            "# Same as above",
            "# More tests",
            "# Imports",
            "// REST client",
            "# The REST of the API",
            "# keep it unchanged for old callers",
            "...",
            "pass",
            "return  # nothing to do",
            "#!/bin/sh",
            "#include <rest.h>",
            "#[derive(Debug)]",
            "# ---",
            "--rest",
            "return ...;",
            "// omitted when empty",
            "foo(...args)  // the rest",
            "# 1, 2, ..., n",
            "/// Original code of the error",
        ] {
            assert!(!elides("a.py", line), "{line}");
        }
        for line in ["# ...", "# The rest", "... and so on", "-- existing code"] {
            assert!(!elides("README.md", line), "{line}");
        }
    }
}
