//! Untrusted text as a title, a commit message or a branch name: places without Markdown, where GitHub still acts on words.
//!
//! In a commit subject `fixes #12` closes an issue on merge, `@name` notifies a person and `[skip ci]` switches the checks off. No
//! escape exists there, so what acts is reworded: it stays readable and does nothing.

use crate::domain::text;

/// Longest title, in characters; what git and GitHub show without cutting.
const MAX_TITLE: usize = 72;
const MAX_SLUG: usize = 40;

/// The title as a commit subject and pull request title, or one made from the report when the drafter gave none.
pub(crate) fn title(raw: &str, headline: &str) -> String {
    let cleaned = inert(raw);
    let cleaned = cleaned.trim_matches(|c: char| c.is_whitespace() || ".#*-".contains(c));
    if cleaned.chars().any(char::is_alphanumeric) {
        return text::clipped(cleaned, MAX_TITLE);
    }
    text::clipped(&format!("Close a reported gap: {}", inert(headline)), MAX_TITLE)
}

/// One line in which nothing acts on GitHub: no mention, reference, closing keyword, link or CI switch.
pub(crate) fn inert(raw: &str) -> String {
    let line = text::line(&raw.chars().take(4_000).collect::<String>());
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = without_schemes(&line).replace('[', "(").replace(']', ")").replace("NO_CI", "NO CI");
    let mut out = String::with_capacity(line.len());
    // Looking back at what is written already, so that what is left out can't bring together what acts.
    for c in line.chars() {
        while c.is_alphanumeric() && out.ends_with('@') {
            // What follows a `@` is a name to GitHub; without the sign it is a word.
            out.pop();
        }
        if c.is_ascii_digit() && out.ends_with('#') {
            let kept = out.trim_end_matches('#').trim_end().len();
            out.truncate(kept);
            out.push_str(if out.is_empty() { "no. " } else { " no. " });
        } else if c.is_ascii_digit() && out.to_ascii_lowercase().ends_with("gh-") {
            out.pop();
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// Most lines of a text in a commit message.
const MAX_LINES: usize = 60;

/// The same for a text of several lines, none of which git takes for a trailer.
pub(crate) fn inert_lines(raw: &str) -> String {
    let cut = raw.lines().nth(MAX_LINES).map(|_| "…".to_owned());
    let lines = raw.lines().take(MAX_LINES).map(|line| {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let inert = inert(line);
        let key = inert.split_once(':').map_or("", |(key, _)| key.trim_end());
        let is_trailer = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let mark = if is_trailer { "> " } else { "" };
        format!("{}{mark}{inert}", " ".repeat(indent.min(8))).trim_end().to_owned()
    });
    let text = lines.chain(cut).collect::<Vec<_>>().join("\n");
    text.trim_matches('\n').to_owned()
}

/// `https://x/y` as `x/y`: without its scheme an address is no link to anybody.
fn without_schemes(line: &str) -> String {
    let mut line = line.to_owned();
    while let Some(at) = line.find("://") {
        let head = line.get(..at).unwrap_or_default();
        let kept = head.trim_end_matches(|c: char| c.is_ascii_alphanumeric()).len();
        line.replace_range(kept..at + "://".len(), "");
    }
    line
}

/// Lower-case letters, digits and hyphens, as a part of a branch name; empty when nothing is left.
pub(crate) fn slug(raw: &str, max: usize) -> String {
    let mut out = String::new();
    for word in text::words(raw) {
        let word: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
        if word.is_empty() {
            continue;
        }
        if out.len() + word.len() + 1 > max {
            // A first word that is too long alone is cut; later ones are dropped whole.
            if out.is_empty() {
                out.extend(word.chars().take(max));
            }
            break;
        }
        if !out.is_empty() {
            out.push('-');
        }
        out.push_str(&word);
    }
    out
}

/// How the names of all branches of drafts begin.
pub(crate) const BRANCHES: &str = "patchwork/";

/// `patchwork/<title>-<report>-<n>`: legal for git whatever the title and the id are.
pub(crate) fn branch(title: &str, short_id: &str, number: i64) -> String {
    let parts = [slug(title, MAX_SLUG), report_part(short_id), number.to_string()];
    let name = parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("-");
    format!("{BRANCHES}{name}")
}

/// Whether a branch has the name that some draft of the report would get.
pub(crate) fn is_branch_of(name: &str, short_id: &str) -> bool {
    let Some((rest, number)) = name.strip_prefix(BRANCHES).and_then(|rest| rest.rsplit_once('-')) else { return false };
    let report = report_part(short_id);
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    is_number && !report.is_empty() && rest.strip_suffix(&report).is_some_and(|t| t.is_empty() || t.ends_with('-'))
}

fn report_part(short_id: &str) -> String {
    slug(short_id, 12).replace('-', "")
}

#[cfg(test)]
mod tests {
    use super::super::markdown::judge::inert_plain;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_title_acts_and_every_branch_is_legal(pieces in prop::collection::vec(prop::sample::select(&[
            "@octo", "@", "#1", "#", "GH-", "gh-3", "-3", "www.", "w", "://", "http://", "https://x", "hTtP://", "[skip ci]", "[", "skip ci]",
            "***NO_CI***", " ", "\n", "/", "..", ".lock", "~", "^", ":", "\\", "x", "\u{200b}", "\u{1b}", "ü",
        ][..]), 0..16)) {
            let raw: String = pieces.concat();
            let title = title(&raw, "h");
            prop_assert_eq!(inert_plain(&title), Ok(()), "{}", &title);
            prop_assert!((1..=MAX_TITLE).contains(&title.chars().count()) && !title.contains('\n'));
            let branch = branch(&raw, &raw, 1);
            prop_assert!(branch.bytes().all(|b| b.is_ascii_alphanumeric() || b"-/".contains(&b)) && !branch.contains("//"), "{}", branch);
        }
    }

    #[test]
    fn titles_do_nothing_and_fit_on_a_line() {
        for (raw, expected) in [
            ("Add a filter to search_costs.", "Add a filter to search_costs"),
            ("Fixes #12 and closes owner/repo#3", "Fixes no. 12 and closes owner/repo no. 3"),
            ("Closes GH-7", "Closes GH 7"),
            ("Fix https://github.com/o/r/issues/1", "Fix github.com/o/r/issues/1"),
            ("Thank @octocat\nfor `x`", "Thank octocat for `x`"),
            ("Tidy up [skip ci]", "Tidy up (skip ci)"),
            ("  \u{1b}[31m ", "\u{fffd}(31m"),
        ] {
            assert_eq!(title(raw, "h"), expected, "{raw:?}");
        }
        assert_eq!(title("...", "no way to @sort"), "Close a reported gap: no way to sort");
        assert!(title(&"long ".repeat(100), "h").chars().count() <= MAX_TITLE);
    }

    #[test]
    fn texts_keep_their_lines_and_none_is_a_trailer() {
        let raw = "\n\nFixes #12 for @octocat:\n\n- one [skip ci]\n  - two\nCo-authored-by: Eve <eve@x>\nSee: this\n\n";
        let expected =
            "Fixes no. 12 for octocat:\n\n- one (skip ci)\n  - two\n> Co-authored-by: Eve <evex>\n> See: this";
        assert_eq!(inert_lines(raw), expected);
        let long = inert_lines(&"x\n".repeat(100));
        assert!(long.lines().count() == MAX_LINES + 1 && long.ends_with("\n…"), "{long}");
    }

    #[test]
    fn a_report_knows_its_branches() {
        for (title, number) in [("Add a filter!", 1), ("", 12), ("1a2b3c4d", 3)] {
            assert!(is_branch_of(&branch(title, "1a2b3c4d", number), "1a2b3c4d"));
        }
        for other in [
            "patchwork/x-1a2b3c4d",
            "patchwork/x-91a2b3c4d-1",
            "x-1a2b3c4d-1",
            "patchwork/x-1a2b3c4d-1x",
            "patchwork/-",
        ] {
            assert!(!is_branch_of(other, "1a2b3c4d"), "{other}");
        }
    }

    #[test]
    fn branch_names_are_legal_whatever_comes_in() {
        assert_eq!(branch("Add a filter!", "1a2b3c4d", 2), "patchwork/add-a-filter-1a2b3c4d-2");
        assert_eq!(branch("..//@{ ~^:?*[\\", "../../x", 1), "patchwork/x-1");
        let long = branch(&"word ".repeat(100), "id", 1);
        assert!(long.len() < 70 && !long.contains("--"), "{long}");
        assert_eq!(branch("Größe ändern", "", 3), "patchwork/groe-andern-3");
    }
}
