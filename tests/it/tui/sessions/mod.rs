//! Whole sessions at the keyboard: keys in, effects and screens out.

mod arrivals;
mod disorder;
mod early;
mod failures;
mod filtering;
mod notes;
mod paging;
mod triage;

use crate::support::session::Session;
use crate::support::{TestEngine, record};
use patchwork::engine::Engine;
use serde_json::{Value, json};

/// A report whose id is its name.
fn named(id: &str) -> Value {
    json!({"id": id, "what_i_needed": format!("need {id}"), "what_i_tried": "t", "server_name": "billing"})
}

async fn record_named(engine: &Engine, ids: &[&str]) {
    for id in ids {
        record(engine, named(id)).await;
    }
}

/// A screen over reports `a`, `b`, … recorded in this order, so that the last one stands at the top.
pub(super) async fn session(ids: &[&str]) -> Session {
    let test = TestEngine::open().await;
    record_named(&test.engine, ids).await;
    Session::open(80, 24, test).await
}

impl Session {
    /// Ids in the list, as far as it is loaded, top first; held ones too.
    fn rows(&self) -> Vec<String> {
        self.scene.model.mirror.rows().iter().map(|row| row.id.to_string()).collect()
    }

    fn selected(&self) -> String {
        self.scene.selected().unwrap()
    }

    /// The line of the screen that a report stands on; panics when it is not to be seen.
    fn line_of(&self, id: &str) -> usize {
        let needle = format!("need {id}");
        let model = &self.scene.model;
        let rows = model.layout().rows;
        let lines = self.scene.lines();
        let in_list = |y: &usize| (usize::from(rows.y)..usize::from(rows.bottom())).contains(y);
        let words = |line: &str| line.contains(&format!("{needle} ")) || line.trim_end().ends_with(&needle);
        let found = (0..lines.len()).filter(in_list).find(|y| words(&lines[*y]));
        found.unwrap_or_else(|| panic!("{id} is not on the screen:\n{}", lines.join("\n")))
    }
}
