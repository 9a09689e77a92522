//! The review bench over the largest change that there can be: sixteen megabytes in a hundred files, lines of a megabyte, text of any
//! kind. Every message and the frame after it, against a frame. A part of `screen.rs`.

use super::{FRAME, Fallible, NOW, key};
use patchwork::domain::draft::{Draft, DraftState, DrafterKind, TargetKind, Usage};
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::domain::review::{Choices, Proposal};
use patchwork::domain::time::Millis;
use patchwork::protocol::read::{DraftDetail, Page, Snapshot, Stats};
use patchwork::protocol::{Actor, Command, Door, Event, EventKind, Made, Receipt, Seq, Signal};
use patchwork::tui::bench::Run;
use patchwork::tui::keymap::Keymap;
use patchwork::tui::message::{Answer, Effect, Msg};
use patchwork::tui::model::{Ingest, Model, Start};
use patchwork::tui::theme::{Shade, Theme};
use patchwork::tui::{screen, update};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of each file's new text.
const FILE: usize = 160 * 1024;

/// A hundred files, each of another kind of text.
fn diff() -> String {
    let piece = |n: usize| match n % 5 {
        0 => "    return [cost for cost in costs if cost.customer == customer]  # by hand\n".to_owned(),
        1 => "\n".to_owned(),
        2 => "請求書を顧客ごとに検索する🇫🇮e\u{301}\u{202e}\t".to_owned(),
        3 => "const a=1,b=\"two\";".to_owned(),
        _ => format!("e{}", "\u{301}".repeat(500)),
    };
    let mut diff = String::new();
    for n in 0..100 {
        let size = if n < 4 { 1024 * 1024 } else { FILE };
        let text = piece(n).repeat(size / piece(n).len());
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        let name = format!("src/directory/file_{n}.py");
        let head = format!(
            "diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1,{} @@\n",
            lines.len()
        );
        diff.push_str(&head);
        for line in lines {
            diff.extend(["+", line, "\n"]);
        }
    }
    diff
}

fn run() -> Run {
    let draft = Draft {
        id: DraftId::trusted("d1"),
        feedback_id: FeedbackId::trusted("r1"),
        headline: "a need".into(),
        server_name: "billing".into(),
        number: 1,
        state: DraftState::Waiting { trouble: String::new() },
        drafter: DrafterKind::Command,
        model: "agent".into(),
        target: TargetKind::Github,
        created_at: Millis(NOW),
        updated_at: Millis(NOW),
        usage: Usage::default(),
        cost: None,
        confirm: true,
        verdict: None,
        pull: None,
    };
    let proposal = Proposal { title: "A title".into(), summary: "Because. ".repeat(6_000), base: "main".into() };
    Run::of(DraftDetail {
        draft,
        stages: Vec::new(),
        files: Vec::new(),
        diff: diff(),
        log: String::new(),
        proposal: Some(proposal),
        choices: Choices::default(),
        earlier: None,
    })
}

struct Bench {
    model: Model,
    terminal: Terminal<TestBackend>,
    run: Run,
    seq: i64,
    worst: Duration,
}

impl Bench {
    fn open(run: Run) -> Fallible<Self> {
        let model = Model::new(Start {
            now: Millis(NOW),
            size: (120, 40),
            keymap: Arc::new(Keymap::new(&BTreeMap::new())?),
            theme: Theme::new(Shade::Dark, true),
            ingest: Ingest::At("127.0.0.1:8099".into()),
            unsaved: BTreeMap::new(),
            id_prefix: "bench".into(),
        });
        let terminal = Terminal::new(TestBackend::new(120, 40))?;
        let mut bench = Self { model, terminal, run, seq: 0, worst: Duration::ZERO };
        let first = update::begin(&mut bench.model);
        bench.settle(first)?;
        Ok(bench)
    }

    /// One message and the frame after it.
    fn take(&mut self, message: Msg) -> Fallible<Vec<Effect>> {
        let begun = Instant::now();
        let effects = update::update(&mut self.model, message);
        self.terminal.draw(|frame| screen::render(frame, &self.model))?;
        self.worst = self.worst.max(begun.elapsed());
        Ok(effects)
    }

    fn settle(&mut self, effects: Vec<Effect>) -> Fallible<()> {
        let mut waiting = VecDeque::from(effects);
        while let Some(effect) = waiting.pop_front() {
            for message in self.answers(effect) {
                waiting.extend(self.take(message)?);
            }
        }
        Ok(())
    }

    /// As the engine would, from another thread.
    fn answers(&mut self, effect: Effect) -> Vec<Msg> {
        match effect {
            Effect::Begin { generation, request } => {
                let page = Page { seq: Seq(0), rows: Vec::new(), next: None };
                let drafts = vec![self.run.detail.draft.clone()];
                let snapshot = Snapshot { seq: Seq(0), page, drafts, stats: Stats::default() };
                vec![Msg::Answer(Answer::Snapshot { generation, filter: request.filter, result: Ok(snapshot) })]
            }
            Effect::ReadDraft(id) => vec![Msg::Answer(Answer::Draft { id, result: Ok(Box::new(self.run.clone())) })],
            Effect::Submit { id, command: Command::EditReview { choices, .. } } => {
                self.seq += 1;
                self.run.detail.choices = *choices;
                let event = Event {
                    seq: Seq(self.seq),
                    at: Millis(NOW),
                    kind: EventKind::DraftReviewEdited,
                    actor: Actor::new(Door::Tui, ""),
                    command: Some(id.clone()),
                    text: String::new(),
                    feedback: None,
                    draft: Some(Box::new(self.run.detail.draft.clone())),
                };
                let receipt = Receipt { seq: Seq(self.seq), made: Made::Nothing, replayed: false };
                let answer = Answer::Submitted { id, result: Ok(receipt) };
                vec![Msg::Signal(Signal::Event(Box::new(event))), Msg::Answer(answer)]
            }
            _ => Vec::new(),
        }
    }

    fn press(&mut self, name: &str) -> Fallible<()> {
        let effects = self.take(Msg::Key(key(name)))?;
        self.settle(effects)
    }
}

/// Whether no message took longer than a frame.
pub fn measure() -> Fallible<bool> {
    let run = run();
    let mut out = std::io::stdout();
    let mut met = true;
    for (what, begin, keys, times) in [
        ("open", "", &["3", "enter"][..], 1),
        ("row by row", "", &["j"], 2_000),
        ("half pages", "", &["ctrl-d"], 2_000),
        ("file by file", "", &["]"], 100),
        ("back, file by file", "G", &["["], 100),
        ("hunk by hunk", "", &["n"], 100),
        ("end and top", "", &["G", "g"], 100),
        ("in a line of a megabyte", "]]]", &["ctrl-d"], 1_000),
        ("drop and take back", "]]]]", &[" "], 100),
        ("turn over", "]", &["v"], 100),
    ] {
        let mut bench = Bench::open(run.clone())?;
        if what != "open" {
            bench.press("3")?;
            bench.press("enter")?;
        }
        for c in begin.chars() {
            bench.press(&c.to_string())?;
        }
        bench.worst = Duration::ZERO;
        for name in keys.iter().cycle().take(keys.len() * times) {
            bench.press(name)?;
        }
        let ratio = bench.worst.as_secs_f64() / FRAME.as_secs_f64();
        writeln!(out, "120x40 review, {what:<24} worst {:>9.3?}, which is {ratio:.2} of a frame", bench.worst)?;
        met &= bench.worst < FRAME;
    }
    Ok(met)
}
