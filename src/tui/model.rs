//! The whole state of the screen. Changed by [`super::update`] only; drawn from by [`super::screen`] only.

use super::action::Context;
use super::bench::{Bench, Change, Comparison, Page, Run};
use super::keymap::Keymap;
use super::mirror::Mirror;
use super::screen::layout::{self, Layout};
use super::servers::{ServerKey, Servers};
use super::settings::{Done, SettingKey, Settings};
use super::theme::{Shade, Theme};
use crate::domain::draft::{Draft, DraftState};
use crate::domain::filter::{Filter, FilterError, Test};
use crate::domain::id::{CommandId, DraftId, FeedbackId};
use crate::domain::server::Server;
use crate::domain::time::Millis;
use crate::protocol::Progress;
use crate::protocol::read::{Detail, Facets, Row, Stats};
use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use ratatui::text::Line;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tui_textarea::TextArea;

/// The big panes behind number keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    #[default]
    Inbox,
    Drafts,
    Servers,
    Settings,
}

/// The server behind the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingest {
    /// Where reports are taken.
    At(String),
    /// Why none are.
    Off(String),
}

/// Whose choice the theme is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chooser {
    /// By its background, as soon as it has said what that is.
    #[default]
    Terminal,
    /// By the key for it.
    User,
}

/// The line above the footer: what came of the last key. Gone with the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub text: String,
    pub mood: Mood,
    /// The run it is about, where the key of the drafts view leads.
    pub about: Option<DraftId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Plain,
    Good,
    Bad,
}

/// What lies over the panes; the last one has the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    Help { scroll: usize },
    Confirm(Question),
}

/// A question answered with yes or no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Quit although this many drafts are running.
    QuitWhileDrafting(usize),
    /// Take a repository or a key out of its file; `label` is how the question calls it.
    RemoveSetting { name: String, label: String },
    /// Throw away changes that wait for their review.
    Discard(Vec<DraftId>),
    /// Draft these reports again, which throws away that many changes that wait for their review.
    Replace { reports: Vec<FeedbackId>, waiting: usize },
}

/// A command on its way: its rows are marked until the answer is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pending {
    /// `undoing`: this is an undo, which is not undone in turn.
    Review {
        reports: Vec<FeedbackId>,
        reviewed: bool,
        undoing: bool,
        /// The selection this was for, to be brought back when it is refused.
        marked: BTreeSet<FeedbackId>,
    },
    Note {
        report: FeedbackId,
        batch: NoteBatch,
    },
    Draft {
        report: FeedbackId,
        /// It was selected.
        marked: bool,
    },
    Cancel {
        draft: DraftId,
    },
    Setting {
        name: String,
        done: Done,
    },
    /// A decision about a change that waits.
    Decision {
        draft: DraftId,
    },
    Publish {
        draft: DraftId,
    },
}

/// One note that goes to each of some reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteBatch {
    /// The first of its commands.
    pub id: CommandId,
    /// The report that its text is kept with until all have it.
    pub kept_with: FeedbackId,
    pub size: usize,
    /// One of them was refused.
    pub refused: bool,
}

/// A review mark that can be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// That made the mark.
    pub command: CommandId,
    pub reports: Vec<FeedbackId>,
    /// What they were before.
    pub reviewed: bool,
}

/// Where the keys of the inbox go.
#[derive(Debug, Default)]
pub enum Focus {
    #[default]
    List,
    Detail,
    Note(Box<NoteEditor>),
    Filter(Box<FilterInput>),
}

/// A note being written.
#[derive(Debug)]
pub struct NoteEditor {
    /// The one beside it, and the one that the text is kept with.
    pub report: FeedbackId,
    /// Those that are to have the note and do not have it yet.
    pub reports: Vec<FeedbackId>,
    pub area: TextArea<'static>,
    /// Sent and not answered yet: the first of the commands.
    pub saving: Option<CommandId>,
    /// To be handed to agents that meet the same gap.
    pub public: bool,
    /// The pane the keys came from, and go back to.
    pub from_detail: bool,
}

/// A filter being typed.
#[derive(Debug)]
pub struct FilterInput {
    pub area: TextArea<'static>,
    /// The filter in force when the typing began.
    pub before: String,
    pub error: Option<FilterError>,
    /// What `tab` goes through, and which of them stands in the line.
    pub offers: Vec<String>,
    pub offer: Option<usize>,
}

impl FilterInput {
    pub fn text(&self) -> String {
        self.area.lines().join(" ")
    }

    /// What is wrong, unless it is only that the last word is not finished yet.
    pub fn mistake(&self) -> Option<&FilterError> {
        let unfinished = |e: &&FilterError| !self.offers.is_empty() && e.end == self.text().chars().count();
        self.error.as_ref().filter(|e| !unfinished(e))
    }
}

/// What is being read for the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loading {
    #[default]
    Nothing,
    Rows,
    /// Its beginning, where the user wants to be: the cursor goes there, not back to its report.
    Top,
}

/// What becomes of reviewed reports in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reviewed {
    #[default]
    Hidden,
    Shown,
}

/// The list of reports and the one beside it.
#[derive(Debug, Default)]
pub struct Inbox {
    pub focus: Focus,
    /// Index into the mirror's rows.
    pub cursor: usize,
    /// First row on the screen.
    pub offset: usize,
    /// Rows at the front that arrived while the eye was elsewhere: not shown until asked for.
    pub held: usize,
    /// New rows that lie before the window.
    pub beyond: usize,
    /// The cursor is at the top because the user put it there: what arrives may appear.
    pub following: bool,
    pub marked: BTreeSet<FeedbackId>,
    pub reviewed: Reviewed,
    /// The filter as typed; what `u` adds comes on top.
    pub typed: String,
    /// First line of the report beside the list, and the report it is a line of.
    pub scroll: usize,
    pub scrolled: Option<FeedbackId>,
    /// Counts list requests; answers of older ones are thrown away.
    pub generation: u64,
    pub loading: Loading,
    /// Reports asked for and not answered; true: the answer may be older than what has been heard since.
    pub asked: BTreeMap<FeedbackId, bool>,
}

/// Where the keys of the drafts view go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DraftsFocus {
    #[default]
    List,
    Run,
}

/// The list of runs and the one beside it.
#[derive(Debug, Default)]
pub struct Drafts {
    pub focus: DraftsFocus,
    /// The run under the cursor; the newest one while it is `None`.
    pub selected: Option<DraftId>,
    pub offset: usize,
    pub run: Option<Run>,
    /// Counts readings of `run`.
    pub version: u64,
    pub scroll: usize,
    /// Stay at the end of the run as it grows.
    pub tail: bool,
    /// A read is under way; `again`: the run has changed since it began.
    pub reading: Option<DraftId>,
    pub again: bool,
    pub bench: Bench,
}

/// See the module.
#[derive(Debug)]
pub struct Model {
    pub now: Millis,
    pub size: Rect,
    pub keymap: Arc<Keymap>,
    pub theme: Theme,
    pub chooser: Chooser,
    pub ingest: Ingest,
    pub mirror: Mirror,
    pub stats: Stats,
    pub facets: Facets,
    pub view: View,
    pub inbox: Inbox,
    pub drafts: Drafts,
    pub servers: Servers,
    pub settings: Settings,
    pub overlays: Vec<Overlay>,
    pub status: Option<Status>,
    pub pending: BTreeMap<CommandId, Pending>,
    pub undo: Vec<Undo>,
    pub unsaved: BTreeMap<FeedbackId, String>,
    pub progress: BTreeMap<DraftId, Progress>,
    /// The newest snapshot that was asked for is here.
    pub ready: bool,
    /// Keys pressed before there was a list they could be about.
    pub early: Vec<KeyEvent>,
    /// A read has failed: nothing is read by itself until somebody presses a key.
    pub reads_fail: bool,
    pub stats_read: Read,
    /// Makes command ids: a random part from outside and a number.
    pub ids: (String, u64),
    /// The log is being followed.
    pub watching: bool,
    /// The last line each running draft has said.
    pub said: BTreeMap<DraftId, String>,
    pub detail_text: Text<DetailKey>,
    pub run_text: Text<RunKey>,
    pub server_text: Text<ServerKey>,
    pub setting_text: Text<SettingKey>,
}

/// How a read that is repeated when things change is getting on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Read {
    #[default]
    Done,
    UnderWay,
    /// Under way, and things have changed since it began.
    Outdated,
}

/// Lines laid out for a width, made again only when what they show has changed: a report can be a quarter of a megabyte.
#[derive(Debug)]
pub struct Text<K> {
    pub key: Option<K>,
    pub lines: Vec<Line<'static>>,
}

impl<K> Default for Text<K> {
    fn default() -> Self {
        Self { key: None, lines: Vec::new() }
    }
}

/// All that the lines of a report depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailKey {
    pub report: FeedbackId,
    pub version: u64,
    pub width: u16,
    pub theme: Shade,
    pub ages: Vec<String>,
}

/// All that the lines of a run depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunKey {
    pub draft: DraftId,
    pub version: u64,
    pub width: u16,
    pub theme: Shade,
    /// While it runs, durations grow.
    pub second: Option<i64>,
    pub bytes: i64,
}

pub fn is_waiting(draft: &Draft) -> bool {
    matches!(draft.state, DraftState::Waiting { .. })
}

/// A filter that says itself which reports it wants, reviewed or not.
fn asks_for_a_state(filter: &Filter) -> bool {
    filter.terms.iter().any(|t| matches!(t.test, Test::Is(_)))
}

/// What a screen begins with.
#[derive(Debug)]
pub struct Start {
    pub now: Millis,
    pub size: (u16, u16),
    pub keymap: Arc<Keymap>,
    pub theme: Theme,
    pub ingest: Ingest,
    pub unsaved: BTreeMap<FeedbackId, String>,
    /// Different for every process.
    pub id_prefix: String,
}

impl Model {
    pub fn new(start: Start) -> Self {
        let status = match &start.ingest {
            Ingest::At(_) => None,
            Ingest::Off(why) => Some(Status { text: why.clone(), mood: Mood::Bad, about: None }),
        };
        let inbox = Inbox { following: true, ..Inbox::default() };
        Self {
            now: start.now,
            size: Rect::new(0, 0, start.size.0, start.size.1),
            keymap: start.keymap,
            theme: start.theme,
            chooser: Chooser::default(),
            ingest: start.ingest,
            mirror: Mirror::default(),
            stats: Stats::default(),
            facets: Facets::default(),
            view: View::default(),
            inbox,
            drafts: Drafts { tail: true, ..Drafts::default() },
            servers: Servers::default(),
            settings: Settings::default(),
            overlays: Vec::new(),
            status,
            pending: BTreeMap::new(),
            undo: Vec::new(),
            unsaved: start.unsaved,
            progress: BTreeMap::new(),
            ready: false,
            early: Vec::new(),
            reads_fail: false,
            stats_read: Read::default(),
            ids: (start.id_prefix, 0),
            watching: false,
            said: BTreeMap::new(),
            detail_text: Text::default(),
            run_text: Text::default(),
            server_text: Text::default(),
            setting_text: Text::default(),
        }
    }

    pub fn context(&self) -> Context {
        match self.overlays.last() {
            Some(Overlay::Help { .. }) => return Context::Help,
            Some(Overlay::Confirm(_)) => return Context::Confirm,
            None => {}
        }
        match (self.view, &self.inbox.focus, self.drafts.focus) {
            (View::Inbox, Focus::List, _) => Context::List,
            (View::Inbox, Focus::Detail, _) => Context::Detail,
            (View::Inbox, Focus::Note(_), _) => Context::Note,
            (View::Inbox, Focus::Filter(_), _) => Context::Filter,
            (View::Servers, ..) => self.servers.context(),
            (View::Settings, ..) => self.settings.context(),
            (View::Drafts, _, DraftsFocus::List) => Context::Drafts,
            (View::Drafts, _, DraftsFocus::Run) if self.drafts.bench.base.is_some() => Context::Base,
            (View::Drafts, _, DraftsFocus::Run) if self.on_bench() && self.waits() => Context::Review,
            (View::Drafts, _, DraftsFocus::Run) => Context::Run,
        }
    }

    pub fn layout(&self) -> Layout {
        layout::of(self)
    }

    /// The row under the cursor.
    pub fn row(&self) -> Option<&Row> {
        self.mirror.rows().get(self.inbox.cursor)
    }

    /// The report beside the list: the one under the cursor, or the one a note is being written about, wherever the list has gone.
    pub fn shown(&self) -> Option<&FeedbackId> {
        match &self.inbox.focus {
            Focus::Note(editor) => Some(&editor.report),
            Focus::List | Focus::Detail | Focus::Filter(_) => self.row().map(|row| &row.id),
        }
    }

    /// The report beside the list, once it is read.
    pub fn detail(&self) -> Option<&Detail> {
        self.mirror.detail(self.shown()?)
    }

    fn typed_filter(&self) -> Filter {
        // Only filters that parse become `typed`.
        Filter::parse(&self.inbox.typed).unwrap_or_default()
    }

    /// Whether the typed filter decides itself if reviewed reports are shown.
    pub fn filter_decides(&self) -> bool {
        asks_for_a_state(&self.typed_filter())
    }

    /// The filter in force: what is typed, and what `u` adds.
    pub fn filter(&self) -> Filter {
        let typed = self.typed_filter();
        if self.inbox.reviewed == Reviewed::Shown || asks_for_a_state(&typed) {
            return typed;
        }
        Filter::parse(format!("{} is:unreviewed", typed.source).trim()).unwrap_or(typed)
    }

    /// Index of the selected run.
    pub fn draft_cursor(&self) -> usize {
        let drafts = self.mirror.drafts();
        let at = self.drafts.selected.as_ref().and_then(|id| drafts.iter().position(|d| d.id == *id));
        at.unwrap_or(0)
    }

    pub fn selected_draft(&self) -> Option<&Draft> {
        self.mirror.drafts().get(self.draft_cursor())
    }

    /// The selected run, once it is read.
    pub fn run(&self) -> Option<&Run> {
        let selected = self.selected_draft()?;
        self.drafts.run.as_ref().filter(|run| run.detail.draft.id == selected.id)
    }

    /// Whether the selected run is open at its change.
    pub fn on_bench(&self) -> bool {
        self.view == View::Drafts && self.drafts.focus == DraftsFocus::Run && self.drafts.bench.page == Page::Change
    }

    /// Whether what is open is the difference from the draft before.
    pub fn compares(&self) -> bool {
        self.on_bench() && self.drafts.bench.comparing
    }

    /// The difference of the selected run, or why there is none, once it is read.
    pub fn compared(&self) -> Option<Result<&Comparison, &str>> {
        let run = self.run()?;
        let compared = self.drafts.bench.compared.as_ref().filter(|c| c.draft == run.detail.draft.id)?;
        Some(compared.result.as_ref()?.as_ref().map_err(String::as_str))
    }

    /// What is open, file by file: the change of the selected run, or the difference. Nothing before it is read.
    pub fn sheet(&self) -> Option<&Arc<Change>> {
        if self.drafts.bench.comparing {
            return Some(&self.compared()?.ok()?.change);
        }
        Some(&self.run()?.change)
    }

    /// Whether the selected run waits for its review.
    pub fn waits(&self) -> bool {
        self.selected_draft().is_some_and(is_waiting)
    }

    /// Runs that wait for their review.
    pub fn waiting(&self) -> usize {
        self.mirror.drafts().iter().filter(|draft| is_waiting(draft)).count()
    }

    pub fn selected_server(&self) -> Option<&Server> {
        self.servers.list.get(self.servers.cursor())
    }

    pub fn running(&self) -> usize {
        self.mirror.drafts().iter().filter(|d| d.state.is_active()).count()
    }

    pub fn is_pending(&self, report: &FeedbackId) -> bool {
        self.pending.values().any(|p| match p {
            Pending::Review { reports, .. } => reports.contains(report),
            Pending::Note { report: r, .. } | Pending::Draft { report: r, .. } => r == report,
            Pending::Cancel { .. } | Pending::Decision { .. } | Pending::Publish { .. } | Pending::Setting { .. } => {
                false
            }
        })
    }

    /// Whether a run is on its way out: published or thrown away.
    pub fn is_leaving(&self, draft: &DraftId) -> bool {
        self.pending.values().any(|p| match p {
            Pending::Cancel { draft: d } | Pending::Publish { draft: d } => d == draft,
            Pending::Review { .. }
            | Pending::Note { .. }
            | Pending::Draft { .. }
            | Pending::Decision { .. }
            | Pending::Setting { .. } => false,
        })
    }

    pub fn say(&mut self, mood: Mood, text: impl Into<String>) {
        self.status = Some(Status { text: text.into(), mood, about: None });
    }

    /// The same about a run, which the key of the drafts view then leads to.
    pub fn say_about(&mut self, draft: &DraftId, mood: Mood, text: impl Into<String>) {
        self.status = Some(Status { text: text.into(), mood, about: Some(draft.clone()) });
    }

    pub fn command_id(&mut self) -> CommandId {
        self.ids.1 += 1;
        CommandId::trusted(format!("{}-{}", self.ids.0, self.ids.1))
    }
}
