//! Reading an object from outside field by field: every fault is found at once, and no value is ever echoed.
//!
//! What [`super::feedback`] and [`super::server`] have in common. `null` is the same as absent; names come as a list or as text.

use super::feedback::{FieldError, MAX_EXTRA_BYTES, MAX_NAME_BYTES, MAX_TOOLS};
use serde_json::{Map, Value};

/// Takes known fields out of the object one by one; what remains is [`Reader::rest`].
pub(super) struct Reader {
    pub(super) fields: Map<String, Value>,
    pub(super) errors: Vec<FieldError>,
}

impl Reader {
    pub(super) fn new(fields: Map<String, Value>) -> Self {
        Self { fields, errors: Vec::new() }
    }

    /// `value`, unless something was wrong on the way to it.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Vec<FieldError>> {
        if self.errors.is_empty() { Ok(value) } else { Err(self.errors) }
    }

    pub(super) fn fail(&mut self, field: &str, kind: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(field, kind, message));
    }

    pub(super) fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field).filter(|v| !v.is_null())
    }

    pub(super) fn text(&mut self, field: &str, max: usize) -> String {
        match self.take(field) {
            None => String::new(),
            Some(Value::String(s)) if s.len() <= max => s,
            Some(Value::String(s)) => {
                let len = s.len();
                self.fail(field, "too_long", format!("at most {max} bytes, this has {len}: shorten it"));
                String::new()
            }
            Some(_) => {
                self.fail(field, "type", "must be a string");
                String::new()
            }
        }
    }

    /// A list of strings, or a string that holds one: JSON, or separated by commas or newlines.
    pub(super) fn names(&mut self, field: &str) -> Vec<String> {
        let tools: Vec<String> = match self.take(field) {
            None => return Vec::new(),
            Some(Value::Array(items)) => {
                let mut names = Vec::with_capacity(items.len());
                for item in items {
                    let Value::String(name) = item else {
                        self.fail(field, "type", "every entry must be a string");
                        return Vec::new();
                    };
                    names.push(name);
                }
                names
            }
            Some(Value::String(s)) => split_names(&s),
            Some(_) => {
                self.fail(field, "type", "must be a list of strings, or a comma-separated string");
                return Vec::new();
            }
        };
        if tools.len() > MAX_TOOLS {
            let len = tools.len();
            self.fail(field, "too_long", format!("at most {MAX_TOOLS} names, this has {len}"));
        }
        if tools.iter().any(|t| t.len() > MAX_NAME_BYTES) {
            self.fail(field, "too_long", format!("a name has at most {MAX_NAME_BYTES} bytes"));
        }
        tools
    }

    /// Everything that was not taken, within its limit.
    pub(super) fn rest(&mut self) -> Map<String, Value> {
        let extra = std::mem::take(&mut self.fields);
        let size = Value::Object(extra.clone()).to_string().len();
        if size > MAX_EXTRA_BYTES {
            let message = format!(
                "fields this server does not know have at most {MAX_EXTRA_BYTES} bytes together, these have {size}"
            );
            self.fail("body", "too_long", message);
        }
        extra
    }
}

fn split_names(text: &str) -> Vec<String> {
    if let Ok(names) = serde_json::from_str::<Vec<String>>(text) {
        return names;
    }
    text.split([',', '\n']).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect()
}
