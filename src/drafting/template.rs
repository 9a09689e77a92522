//! Fills `{{name}}` in the texts under `assets/`.
//!
//! One pass over the template: what a value contains is never looked at again, so a report that says `{{notes}}` stays a report.

/// The template with every known `{{name}}` replaced; names without a value stay as they are.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + values.iter().map(|(_, v)| v.len()).sum::<usize>());
    let mut rest = template;
    while let Some(open) = rest.find("{{") {
        out.push_str(&rest[..open]);
        let after = &rest[open + 2..];
        let value = after.find("}}").and_then(|close| {
            let name = &after[..close];
            values.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value, &after[close + 2..]))
        });
        let (text, behind) = value.unwrap_or(("{{", after));
        out.push_str(text);
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_templates() {
        assert_eq!(fill("a {{x}} {{y}} {{z}} {{", &[("x", "{{y}}"), ("y", "1")]), "a {{y}} 1 {{z}} {{");
    }
}
