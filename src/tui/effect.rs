//! Carries out what `update` asked for: calls the engine, writes unsaved notes, starts the browser. Nothing here is waited for by the
//! screen; every answer comes back as a message. What needs the terminal itself is done by [`super::run`].

use super::bench::{Change, Comparison, Run};
use super::message::{Answer, Effect, Msg};
use super::mirror::Side;
use super::settings::Hidden;
use super::unsaved::UnsavedNotes;
use crate::client::EngineHandle;
use crate::config::{SecretsPatch, process_vars, secret_name};
use crate::domain::filter::Filter;
use crate::domain::id::{CommandId, DraftId};
use crate::protocol::read::{DraftDetail, PageRequest};
use crate::protocol::{Actor, Command, Refusal, RefusalKind, Seq};
use futures::StreamExt;
use secrecy::SecretString;
use std::hash::{BuildHasher, RandomState};
use std::process::{Command as Process, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Commands that wait for their turn; when so many do, the next is refused and the user presses the key again.
const COMMANDS: usize = 256;

/// The hands of the screen.
#[derive(Debug)]
pub(super) struct Effects {
    engine: EngineHandle,
    actor: Actor,
    messages: mpsc::Sender<Msg>,
    commands: mpsc::Sender<(CommandId, Command)>,
    unsaved: UnsavedNotes,
    changes: Arc<Changes>,
}

impl Effects {
    /// `messages` takes what comes back. When it is full the senders wait: nothing is lost, it is only later.
    pub(super) fn new(engine: EngineHandle, actor: Actor, messages: mpsc::Sender<Msg>, unsaved: UnsavedNotes) -> Self {
        let (commands, waiting) = mpsc::channel(COMMANDS);
        tokio::spawn(submit_in_order(engine.clone(), actor.clone(), waiting, messages.clone()));
        Self { engine, actor, messages, commands, unsaved, changes: Arc::default() }
    }

    /// Does it, or gives it back when it needs the terminal.
    pub(super) fn carry_out(&self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Begin { generation, request } => self.begin(generation, request),
            Effect::Watch { after } => self.watch(after),
            Effect::ReadPage { generation, filter, side, request } => self.page(generation, filter, side, request),
            Effect::ReadFeedback(id) => {
                self.ask(|engine| async move { Answer::Feedback { result: engine.feedback(&id).await, id } });
            }
            Effect::ReadDraft(id) => {
                let changes = Arc::clone(&self.changes);
                self.ask(|engine| async move {
                    Answer::Draft { result: changes.run(&engine, &id).await.map(Box::new), id }
                });
            }
            Effect::ReadDifference { asked, draft, against } => {
                self.ask(|engine| async move {
                    Answer::Difference { asked, result: compare(&engine, &draft, &against).await }
                });
            }
            Effect::ReadStats => self.ask(|engine| async move { Answer::Stats(engine.stats().await) }),
            Effect::ReadFacets => self.ask(|engine| async move { Answer::Facets(engine.facets().await) }),
            Effect::ReadServers => self.ask(|engine| async move { Answer::Servers(engine.servers().await) }),
            Effect::ReadSettings => self.ask(|engine| async move { Answer::Settings(engine.sheet().await) }),
            Effect::SaveKey { name, value } => self.save_key(name, &value),
            Effect::Check(check) => {
                self.ask(|engine| async move { Answer::Checked { result: engine.check(check.clone()).await, check } });
            }
            Effect::Submit { id, command } => self.submit(id, command),
            Effect::KeepUnsaved { feedback, text } => self.unsaved.keep(feedback, text),
            Effect::OpenLink(link) => self.ask(|_| async move { Answer::Opened { result: browse(&link), link } }),
            Effect::Copy(_) | Effect::Edit { .. } | Effect::Suspend | Effect::Quit => return Some(effect),
        }
        None
    }

    /// Runs a question on a task of its own.
    fn ask<F>(&self, question: impl FnOnce(EngineHandle) -> F)
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let messages = self.messages.clone();
        let answer = question(self.engine.clone());
        tokio::spawn(async move {
            // The screen is gone when nobody listens any more.
            drop(messages.send(Msg::Answer(answer.await)).await);
        });
    }

    fn begin(&self, generation: u64, request: PageRequest) {
        let filter = request.filter.clone();
        self.ask(
            |engine| async move { Answer::Snapshot { generation, filter, result: engine.snapshot(request).await } },
        );
    }

    fn page(&self, generation: u64, filter: Filter, side: Side, request: PageRequest) {
        self.ask(|engine| async move { Answer::Page { generation, filter, side, result: engine.page(request).await } });
    }

    fn watch(&self, after: Seq) {
        let (mut signals, messages) = (self.engine.watch(after), self.messages.clone());
        tokio::spawn(async move {
            while let Some(signal) = signals.next().await {
                if messages.send(Msg::Signal(signal)).await.is_err() {
                    return;
                }
            }
        });
    }

    fn save_key(&self, name: String, value: &Hidden) {
        let (actor, done) = (self.actor.clone(), value.done());
        let value = SecretString::from(value.expose());
        self.ask(|engine| async move {
            let result = match secret_name(&name) {
                Ok(known) => engine.save_secrets(actor, SecretsPatch::one(known, value)).await,
                Err(sentence) => Err(Refusal::new(RefusalKind::Invalid, sentence)),
            };
            Answer::KeySaved { name, done, result }
        });
    }

    fn submit(&self, id: CommandId, command: Command) {
        if let Err(e) = self.commands.try_send((id, command)) {
            let (id, _) = e.into_inner();
            let refusal = Refusal::new(RefusalKind::Busy, "too much at once: wait a moment and press the key again");
            self.ask(|_| async move { Answer::Submitted { id, result: Err(refusal) } });
        }
    }
}

/// One after the other, so that what was pressed first happens first.
async fn submit_in_order(
    engine: EngineHandle,
    actor: Actor,
    mut waiting: mpsc::Receiver<(CommandId, Command)>,
    messages: mpsc::Sender<Msg>,
) {
    while let Some((id, command)) = waiting.recv().await {
        let result = engine.submit(id.clone(), actor.clone(), command).await;
        if messages.send(Msg::Answer(Answer::Submitted { id, result })).await.is_err() {
            return;
        }
    }
}

/// The change that was read last: a run is read again at each decision about it, and its change stays the same.
#[derive(Debug, Default)]
struct Changes {
    keys: RandomState,
    last: Mutex<Option<(u64, Arc<Change>)>>,
}

impl Changes {
    async fn run(self: Arc<Self>, engine: &EngineHandle, id: &DraftId) -> Result<Run, Refusal> {
        let detail = engine.draft(id).await?;
        // A large one takes longer than the other tasks may wait.
        let read = tokio::task::spawn_blocking(move || self.read(detail)).await;
        read.map_err(|e| Refusal::new(RefusalKind::Storage, format!("the run could not be read: {e}")))
    }

    fn read(&self, detail: DraftDetail) -> Run {
        let key = self.keys.hash_one(&detail.diff);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, change)) = last.as_ref().filter(|(known, _)| *known == key) {
            return Run { change: Arc::clone(change), detail };
        }
        let run = Run::of(detail);
        *last = Some((key, Arc::clone(&run.change)));
        run
    }
}

async fn compare(engine: &EngineHandle, draft: &DraftId, against: &DraftId) -> Result<Comparison, Refusal> {
    let told = engine.draft_difference(draft, Some(against)).await?;
    let read = tokio::task::spawn_blocking(move || Comparison::of(told)).await;
    read.map_err(|e| Refusal::new(RefusalKind::Storage, format!("the difference could not be read: {e}")))
}

/// Starts a browser where there is one to be seen.
fn browse(link: &str) -> Result<(), String> {
    let set = |name: &str| process_vars(name).filter(|value| !value.trim().is_empty());
    let program = match set("BROWSER") {
        Some(browser) => browser,
        None if cfg!(target_os = "macos") => "open".to_owned(),
        None if set("DISPLAY").or_else(|| set("WAYLAND_DISPLAY")).is_some() => "xdg-open".to_owned(),
        None => return Err("there is no browser on this machine".to_owned()),
    };
    let mut command = Process::new(&program);
    command.arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|e| format!("{program} could not be started: {e}"))?;
    // Somebody has to wait for it, or it stays as a zombie until we end.
    std::thread::spawn(move || child.wait());
    Ok(())
}
