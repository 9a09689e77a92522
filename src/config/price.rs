//! `[[price]]`: what the models cost that the built-in table does not know, or knows wrongly.

use super::reader::Reader;
use super::types::Price;
use crate::domain::draft::Cost;
use toml::de::DeTable;

const KEYS: [&str; 5] = ["model", "input", "output", "cached", "cache_write"];

pub(super) fn read(reader: &mut Reader<'_>, at: usize, table: &DeTable<'_>) -> Option<Price> {
    const PLACE: &str = "price";
    reader.refuse_unknown("[[price]] ", table, &KEYS);
    let model = reader.value::<String>(PLACE, table, "model");
    let mut cost = |key| reader.value::<Cost>(PLACE, table, key).map(|w| w.value);
    let (input, output, cached, cache_write) = (cost("input"), cost("output"), cost("cached"), cost("cache_write"));
    let (Some(model), Some(input), Some(output)) = (model, input, output) else {
        let message = "a [[price]] needs `model`, and `input` and `output` in US dollars for a million tokens";
        reader.fail(at, message.to_owned());
        return None;
    };
    Some(Price { model: model.value, input, output, cached, cache_write })
}
