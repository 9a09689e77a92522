//! What strict fakes check with.

use serde_json::Value;

/// # Errors
/// The complaint, unless `fine`.
pub fn must(fine: bool, complaint: &str) -> Result<(), String> {
    if fine { Ok(()) } else { Err(complaint.to_owned()) }
}

/// # Errors
/// When it is no object, or has a field that is not known.
pub fn only(value: &Value, place: &str, known: &[&str]) -> Result<(), String> {
    let object = value.as_object().ok_or_else(|| format!("{place} is not an object: {value}"))?;
    match object.keys().find(|k| !known.contains(&k.as_str())) {
        Some(unknown) => Err(format!("{place}: `{unknown}`: Extra inputs are not permitted")),
        None => Ok(()),
    }
}

/// Which properties of an object have to be required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    /// Any.
    Some,
    /// Every one.
    All,
}

/// The subset of JSON Schema that constrained decoding takes.
///
/// # Errors
/// The first thing that is not in it.
pub fn schema(schema: &Value, depth: usize, required: Required) -> Result<(), String> {
    let known = ["type", "additionalProperties", "required", "properties", "items", "enum", "description"];
    only(schema, "a schema", &known)?;
    must(depth < 10, "the schema is too deep")?;
    let kind = &schema["type"];
    let is = |name: &str| kind == name || kind.as_array().is_some_and(|a| a.iter().any(|k| k == name));
    must(kind.is_string() || kind.is_array(), "a schema without a type")?;
    if is("object") {
        must(schema["additionalProperties"] == false, "an object without `additionalProperties: false`")?;
        let properties = schema["properties"].as_object().ok_or("an object without properties")?;
        let names = schema["required"].as_array().ok_or("an object without `required`")?;
        for name in names {
            must(
                name.as_str().is_some_and(|n| properties.contains_key(n)),
                &format!("{name} is required and unknown"),
            )?;
        }
        must(required == Required::Some || names.len() == properties.len(), "`required` must name every property")?;
        for below in properties.values() {
            self::schema(below, depth + 1, required)?;
        }
    }
    if is("array") {
        self::schema(&schema["items"], depth + 1, required)?;
    }
    Ok(())
}
