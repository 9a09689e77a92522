//! The screen over a real engine: effects are carried out one by one, answers and the log's news are handed back, until both have nothing
//! more to say.

use super::TestEngine;
use super::scene::Scene;
use futures::StreamExt;
use futures::stream::BoxStream;
use patchwork::client::EngineHandle;
use patchwork::config::{SecretsPatch, secret_name};
use patchwork::domain::id::FeedbackId;
use patchwork::protocol::{Actor, Door, Signal};
use patchwork::tui::bench::{Comparison, Run};
use patchwork::tui::message::{Answer, Effect, Msg};
use std::collections::{BTreeMap, VecDeque};

pub struct Session {
    pub scene: Scene,
    pub test: TestEngine,
    handle: EngineHandle,
    feed: Option<BoxStream<'static, Signal>>,
    waiting: VecDeque<Effect>,
    /// Half-typed notes, as the disk would have them.
    pub kept: BTreeMap<FeedbackId, String>,
    /// What has to be done by the terminal or the desktop.
    pub outside: Vec<Effect>,
}

impl Session {
    pub async fn open(width: u16, height: u16, test: TestEngine) -> Self {
        let mut scene = Scene::new(width, height);
        let waiting = std::mem::take(&mut scene.begun).into();
        let handle = EngineHandle::Local(test.engine.clone());
        let (kept, outside) = (BTreeMap::new(), Vec::new());
        let mut session = Self { scene, test, handle, feed: None, waiting, kept, outside };
        session.settle().await;
        session
    }

    /// Keys by their names, separated by spaces; the engine has answered each before the next is pressed.
    pub async fn keys(&mut self, names: &str) -> &mut Self {
        for name in names.split_whitespace() {
            self.waiting.extend(self.scene.key(name));
            self.settle().await;
        }
        self
    }

    pub async fn type_text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.waiting.extend(self.scene.type_text(c.encode_utf8(&mut [0; 4])));
            self.settle().await;
        }
        self
    }

    pub async fn send(&mut self, message: Msg) {
        self.waiting.extend(self.scene.send(message));
        self.settle().await;
    }

    /// Until nothing is asked for and everything in the log is heard.
    pub async fn settle(&mut self) {
        loop {
            while let Some(effect) = self.waiting.pop_front() {
                if let Some(answer) = self.carry_out(effect).await {
                    self.waiting.extend(self.scene.answer(answer));
                }
            }
            let newest = self.test.engine.hello().seq;
            let Some(feed) = self.feed.as_mut().filter(|_| self.scene.model.mirror.seq < newest) else { return };
            let signal = feed.next().await.expect("the engine is open");
            self.waiting.extend(self.scene.send(Msg::Signal(signal)));
        }
    }

    async fn carry_out(&mut self, effect: Effect) -> Option<Answer> {
        let engine = &self.handle;
        Some(match effect {
            Effect::Begin { generation, request } => {
                let filter = request.filter.clone();
                Answer::Snapshot { generation, filter, result: engine.snapshot(request).await }
            }
            Effect::ReadPage { generation, filter, side, request } => {
                Answer::Page { generation, filter, side, result: engine.page(request).await }
            }
            Effect::ReadFeedback(id) => Answer::Feedback { result: engine.feedback(&id).await, id },
            Effect::ReadDifference { asked, draft, against } => {
                let result = engine.draft_difference(&draft, Some(&against)).await.map(Comparison::of);
                Answer::Difference { asked, result }
            }
            Effect::ReadDraft(id) => Answer::Draft { result: engine.draft(&id).await.map(Run::of).map(Box::new), id },
            Effect::ReadStats => Answer::Stats(engine.stats().await),
            Effect::ReadServers => Answer::Servers(engine.servers().await),
            Effect::ReadSettings => Answer::Settings(engine.sheet().await),
            Effect::Check(check) => Answer::Checked { result: engine.check(check.clone()).await, check },
            Effect::SaveKey { name, value } => {
                let done = value.done();
                let patch = SecretsPatch::one(secret_name(&name).unwrap(), value.expose().into());
                Answer::KeySaved { result: engine.save_secrets(Actor::new(Door::Tui, "ada"), patch).await, name, done }
            }
            Effect::ReadFacets => Answer::Facets(engine.facets().await),
            Effect::Submit { id, command } => {
                let actor = Actor::new(Door::Tui, "ada");
                Answer::Submitted { result: engine.submit(id.clone(), actor, command).await, id }
            }
            Effect::Watch { after } => {
                assert!(self.feed.is_none(), "one feed is enough");
                self.feed = Some(engine.watch(after));
                return None;
            }
            Effect::KeepUnsaved { feedback, text } => {
                if text.trim().is_empty() {
                    self.kept.remove(&feedback);
                } else {
                    self.kept.insert(feedback, text);
                }
                return None;
            }
            Effect::Copy(_) | Effect::OpenLink(_) | Effect::Edit { .. } | Effect::Suspend | Effect::Quit => {
                self.outside.push(effect);
                return None;
            }
        })
    }
}
