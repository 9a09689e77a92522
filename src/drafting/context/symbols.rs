//! Recognises a definition by its line: enough to tell where a name is made from where it is used, in any of the languages
//! that MCP servers are written in, without a parser for each.
//!
//! A wrong guess costs a little weight or a line more in a window, so the rules are few: words that may stand in front are
//! skipped, then comes a keyword and a name; methods without a keyword are told by their bracket and the `{` at the end.

/// Longer lines are data or squeezed code.
const MAX_LINE: usize = 400;

/// Words that may stand before the keyword.
const BEFORE: &[&str] = &[
    "abstract",
    "async",
    "declare",
    "default",
    "export",
    "extern",
    "final",
    "inline",
    "internal",
    "open",
    "override",
    "partial",
    "private",
    "protected",
    "pub",
    "public",
    "readonly",
    "sealed",
    "static",
    "suspend",
    "unsafe",
    "virtual",
];

/// Keywords that the defined name follows.
const KEYWORDS: &[&str] = &[
    "class",
    "def",
    "defp",
    "enum",
    "fn",
    "fun",
    "func",
    "function",
    "impl",
    "interface",
    "macro_rules",
    "module",
    "namespace",
    "object",
    "proc",
    "record",
    "struct",
    "sub",
    "trait",
    "type",
    "union",
];

/// Keywords of a name that counts when it stands at the left edge: further in it is a local variable.
const BINDINGS: &[&str] = &["const", "let", "val", "var"];

/// Words that look like the name of a method and are none.
const STATEMENTS: &[&str] = &[
    "await",
    "case",
    "catch",
    "constructor",
    "do",
    "else",
    "elif",
    "except",
    "for",
    "foreach",
    "function",
    "if",
    "loop",
    "match",
    "new",
    "return",
    "super",
    "switch",
    "synchronized",
    "throw",
    "try",
    "unless",
    "until",
    "using",
    "when",
    "while",
    "with",
    "yield",
];

/// The name that a line defines.
pub(super) fn defined(line: &str) -> Option<&str> {
    if line.len() > MAX_LINE {
        return None;
    }
    let code = line.trim_start();
    // Cheap and right for most lines: a definition begins with a letter or a mark of privacy.
    if !code.starts_with(|c: char| c.is_ascii_alphabetic() || "_#$*".contains(c)) {
        return None;
    }
    let at_edge = code.len() == line.len();
    let mut rest = code;
    loop {
        let (word, after) = word(rest)?;
        if BEFORE.contains(&word) {
            // `pub(crate)`, `extern "C"`
            rest = skip_argument(after).trim_start();
            continue;
        }
        if KEYWORDS.contains(&word) {
            // `const fn` comes here by way of `const`; a keyword needs a blank behind it, or it is a name itself.
            return after.starts_with([' ', '\t', '<', '!']).then(|| name_after(after)).flatten();
        }
        if BINDINGS.contains(&word) {
            let next = after.trim_start();
            let (second, _) = self::word(next)?;
            if KEYWORDS.contains(&second) || second == "mut" {
                rest = next;
                continue;
            }
            return at_edge.then_some(second);
        }
        if rest.len() == code.len() && at_edge && !line.ends_with('{') {
            return None;
        }
        return method(word, after);
    }
}

/// How the SDKs spell that a tool is registered.
const REGISTRATIONS: &[&str] = &[
    ".tool(",
    "@tool",
    "#[tool",
    "registertool(",
    "register_tool(",
    "addtool(",
    "add_tool(",
    "newtool(",
    "new_tool(",
    "tool(name=",
    "tool::new(",
];

/// Whether a line registers a tool, whatever it is called.
pub(super) fn registers_tool(line: &str) -> bool {
    // Most lines have neither, and lower-casing each would cost more than all the rest.
    if line.len() > MAX_LINE
        || !(line.contains("ool(") || line.contains("@tool") || line.contains("[tool") || line.contains("ool::"))
    {
        return false;
    }
    let lower = line.to_ascii_lowercase();
    REGISTRATIONS.iter().any(|registration| lower.contains(registration))
}

/// Go's receiver, Rust's generics, a generator's star stand between keyword and name.
fn name_after(after: &str) -> Option<&str> {
    let mut rest = after.trim_start_matches(['!', '*']).trim_start();
    if let Some(generics) = rest.strip_prefix('<') {
        rest = generics.split_once('>')?.1.trim_start();
    }
    if let Some(receiver) = rest.strip_prefix('(') {
        rest = receiver.split_once(')')?.1.trim_start();
    }
    word(rest).map(|(name, _)| name)
}

/// `name(…) {`, `name<T>(…): R {`, `name: async (…) => {`, `List<T> name(…) {`: a method of a class or an object.
fn method<'a>(name: &'a str, after: &'a str) -> Option<&'a str> {
    if !after.trim_end().ends_with('{') || STATEMENTS.contains(&name) {
        return None;
    }
    // A type in front of the name, with its own arguments.
    let behind_type = after.strip_prefix('<').and_then(|a| a.split_once('>')).map_or(after, |(_, rest)| rest);
    if let Some((second, rest)) = behind_type.strip_prefix(' ').and_then(word)
        && rest.starts_with('(')
        && !STATEMENTS.contains(&second)
    {
        return Some(second);
    }
    let assigned = after.trim_start().starts_with([':', '=']) && after.contains("=>");
    (after.starts_with(['(', '<']) || assigned).then_some(name)
}

/// The word at the beginning, and what stands behind it.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(['#', '$', '*']);
    let end = text.bytes().position(|b| !super::words::is_word_byte(b)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn skip_argument(after: &str) -> &str {
    let after = after.trim_start();
    if let Some(inner) = after.strip_prefix('(') {
        return inner.split_once(')').map_or(after, |(_, rest)| rest);
    }
    if let Some(inner) = after.strip_prefix('"') {
        return inner.split_once('"').map_or(after, |(_, rest)| rest);
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_of_many_languages_are_seen() {
        for (line, name) in [
            ("def search_costs(query):", "search_costs"),
            ("    async def list_all(self):", "list_all"),
            ("class CostServer(Base):", "CostServer"),
            ("pub(crate) async fn search<'a>(x: &'a str) {", "search"),
            ("    pub const fn zero() -> Self {", "zero"),
            ("impl<T> Tool for Server<T> {", "Tool"),
            ("macro_rules! word_enum {", "word_enum"),
            ("func (s *Server) SearchCosts(ctx context.Context) error {", "SearchCosts"),
            ("func SearchCosts() {", "SearchCosts"),
            ("type Config struct {", "Config"),
            ("export default async function searchCosts(q) {", "searchCosts"),
            ("export const searchCosts = async (q) => {", "searchCosts"),
            ("const LIMIT = 3;", "LIMIT"),
            ("  private async searchCosts(q: string): Promise<void> {", "searchCosts"),
            ("  #hidden(q) {", "hidden"),
            ("  handler: async ({ query }) => {", "handler"),
            ("export interface Costs {", "Costs"),
            ("    public static List<Cost> searchCosts(String query) {", "searchCosts"),
            ("def größe(x):", "größe"),
        ] {
            assert_eq!(defined(line), Some(name), "{line}");
        }
    }

    #[test]
    fn registrations_of_the_sdks_are_seen() {
        for line in [
            "@mcp.tool()",
            "    @server.tool(name=\"x\")",
            "@tool",
            "server.registerTool('x', {",
            "  server.tool(\"x\", schema, async (args) => {",
            "        types.Tool(name=\"x\",",
            "s.AddTool(mcp.NewTool(\"x\"))",
            "    #[tool(description = \"x\")]",
        ] {
            assert!(registers_tool(line), "{line}");
        }
        for line in ["await client.call_tool(\"x\")", "from mcp import Tool", "def use_tool(x):", "# a tool (of mine)"]
        {
            assert!(!registers_tool(line), "{line}");
        }
    }

    #[test]
    fn uses_are_no_definitions() {
        for line in [
            "    return search_costs(query)",
            "    if (ready) {",
            "    for (const x of all) {",
            "  const local = 3;",
            "search_costs(query)",
            "type",
            "class",
            "# def commented():",
            "// fn commented() {",
            "    } else if (x) {",
            "  await run(() => {",
            "",
            "    \"def quoted\"",
        ] {
            assert_eq!(defined(line), None, "{line}");
        }
        assert_eq!(defined(&format!("def {}():", "x".repeat(MAX_LINE))), None);
    }
}
