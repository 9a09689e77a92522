//! The loop: waits for a message, lets `update` have it, carries out what comes of it, draws when something has changed. Whatever has
//! arrived meanwhile is taken before drawing, so a slow line sees fewer frames and never old ones.

use super::editor::{Writing, edit};
use super::effect::Effects;
use super::input::Input;
use super::keymap::{Keymap, KeymapError};
use super::message::{Answer, Effect, Msg, Subject};
use super::model::{Ingest, Model, Start};
use super::terminal::{self, Screen, Typed};
use super::theme::{Shade, Theme};
use super::unsaved::UnsavedNotes;
use super::update;
use crate::client::{EngineHandle, new_command_id};
use crate::config::{ThemeChoice, UiConfig, process_vars};
use crate::domain::text;
use crate::domain::time::Millis;
use crate::protocol::Actor;
use rustix::process::Signal;
use std::io;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Messages on their way to the screen; senders wait when it is full.
const MESSAGES: usize = 1024;
/// Messages taken before a frame is due, so that a flood can't keep the screen from being drawn.
const BATCH: usize = 4096;

/// What a screen is made of.
#[derive(Debug)]
pub struct Options {
    pub engine: EngineHandle,
    pub actor: Actor,
    pub ui: UiConfig,
    /// Unsaved notes and panic reports go here.
    pub state_dir: PathBuf,
    pub ingest: Ingest,
}

#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    #[error(transparent)]
    Keys(#[from] KeymapError),
    #[error("the terminal: {0}")]
    Terminal(#[from] io::Error),
    #[error("{path}: {source}: unsaved notes are kept there, so it must be a directory that can be written")]
    State { path: PathBuf, source: io::Error },
}

/// Runs until the user quits, `stop` resolves or the terminal is gone. `ingest_ended` resolves when no more reports are taken, with the
/// reason.
pub async fn run(
    options: Options,
    stop: impl Future<Output = ()>,
    ingest_ended: impl Future<Output = String>,
) -> Result<(), TuiError> {
    // All that can be wrong with the settings is said before the screen is touched.
    let keymap = Arc::new(Keymap::new(&options.ui.keys)?);
    let dir = options.state_dir.join("unsaved");
    let (sender, messages) = mpsc::channel(MESSAGES);
    let failures = sender.clone();
    // Where there is no room for it, the next key brings the next one.
    let failed = move |e: io::Error| drop(failures.try_send(Msg::Answer(Answer::NotKept(e.to_string()))));
    let (notes, unsaved) = UnsavedNotes::open(&dir, failed).map_err(|source| TuiError::State { path: dir, source })?;
    terminal::on_panic(options.state_dir.clone());

    let (background, typed) = match options.ui.theme {
        ThemeChoice::Auto => terminal::background()?,
        ThemeChoice::Dark | ThemeChoice::Light => (None, Typed::default()),
    };
    let colours = process_vars("NO_COLOR").is_none_or(|value| value.is_empty());
    let theme = Theme::new(Shade::choose(options.ui.theme, background), colours);
    let screen = Screen::enter(options.ui.mouse)?;
    let model = Model::new(Start {
        now: now(),
        size: screen.size()?,
        keymap,
        theme,
        ingest: options.ingest,
        unsaved,
        id_prefix: new_command_id().to_string(),
    });
    let effects = Effects::new(options.engine, options.actor, sender, notes);
    let mut app =
        App { model, screen, effects, messages, input: Some(Input::new(&typed.bytes, typed.cut)?), quit: false };
    match app.run(pin!(stop), pin!(ingest_ended)).await {
        Err(e) if terminal::is_gone(&e) => {
            tracing::info!(error = %e, "the terminal is gone");
            Ok(())
        }
        ended => Ok(ended?),
    }
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

struct App {
    model: Model,
    screen: Screen,
    effects: Effects,
    messages: mpsc::Receiver<Msg>,
    /// `None` while an editor has the keys: two readers would share them out at random.
    input: Option<Input>,
    quit: bool,
}

impl App {
    async fn run(
        &mut self,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        mut ingest_ended: Pin<&mut impl Future<Output = String>>,
    ) -> io::Result<()> {
        let first = update::begin(&mut self.model);
        self.carry_out(first).await?;
        let mut taking = true;
        let mut suspend = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
        let mut resume = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
        // The library tells of a new size only to whoever reads keys.
        let mut resized = signal(SignalKind::window_change())?;
        let mut gone = pin!(terminal::gone());
        while !self.quit {
            self.screen.draw(&self.model)?;
            let tick = self.tick();
            let input = match &mut self.input {
                Some(input) => input,
                none => none.insert(Input::new(&[], None)?),
            };
            let message = tokio::select! {
                message = input.next() => message,
                message = self.messages.recv() => message,
                () = tick => Some(Msg::Tick),
                why = &mut ingest_ended, if taking => {
                    taking = false;
                    Some(Msg::Answer(Answer::IngestStopped(why)))
                }
                // From outside: the key is read as a key.
                _ = suspend.recv() => {
                    self.carry_out(vec![Effect::Suspend]).await?;
                    continue;
                }
                _ = resume.recv() => {
                    self.screen.take_back()?;
                    continue;
                }
                _ = resized.recv() => {
                    let (width, height) = self.screen.size()?;
                    Some(Msg::Resize(width, height))
                }
                () = &mut gone => None,
                () = &mut stop => None,
            };
            // Asked to stop, or nobody is at the terminal any more.
            let Some(message) = message else { return Ok(()) };
            self.take(message).await?;
            self.take_waiting().await?;
        }
        Ok(())
    }

    /// Resolves when a label on the screen is due to change.
    fn tick(&self) -> impl Future<Output = ()> + use<> {
        let at = update::next_tick(&self.model);
        let wait = at.map(|at| Duration::from_millis(u64::try_from(at.0 - now().0).unwrap_or(0).max(10)));
        async move {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    async fn take_waiting(&mut self) -> io::Result<()> {
        for _ in 0..BATCH {
            let typed = match &mut self.input {
                Some(input) => input.now(),
                None => None,
            };
            let Some(message) = typed.or_else(|| self.messages.try_recv().ok()) else { return Ok(()) };
            if self.quit {
                return Ok(());
            }
            self.take(message).await?;
        }
        Ok(())
    }

    async fn take(&mut self, message: Msg) -> io::Result<()> {
        self.model.now = now();
        let effects = update::update(&mut self.model, message);
        self.carry_out(effects).await
    }

    async fn carry_out(&mut self, effects: Vec<Effect>) -> io::Result<()> {
        for effect in effects {
            match self.effects.carry_out(effect) {
                Some(Effect::Copy(text)) => Screen::copy(&text)?,
                Some(Effect::Edit { subject, title, text: begun }) => {
                    let title = text::clipped(&title, 80);
                    let writing = match subject {
                        Subject::Note(_) => Writing::Note,
                        Subject::Change(_) => Writing::Change,
                    };
                    let result = self.lend(|| edit(writing, &title, &begun)).await?.map_err(|e| e.to_string());
                    Box::pin(self.take(Msg::Answer(Answer::Edited { subject, result }))).await?;
                }
                Some(Effect::Suspend) => self.lend(terminal::stop).await??,
                Some(Effect::Quit) => self.quit = true,
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Lets something else have the terminal.
    async fn lend<T>(&mut self, during: impl FnOnce() -> T) -> io::Result<T> {
        // Nobody else may read keys meanwhile; dropping it waits until its thread is gone.
        self.input = None;
        // The editor may take minutes; the other tasks must not wait for it.
        let result = tokio::task::block_in_place(|| self.screen.lend(during))?;
        let (width, height) = self.screen.size()?;
        let effects = update::update(&mut self.model, Msg::Resize(width, height));
        Box::pin(self.carry_out(effects)).await?;
        Ok(result)
    }
}
