//! Whoever writes the change: a model in a conversation, or a command that is started again. Both are told what is wrong, and both
//! are told only so often.

use super::brief;
use super::command::Agent;
use super::error::DraftError;
use super::job::{Drafted, ReplyKind};
use super::model::Conversation;
use super::protect::Protected;
use crate::domain::draft::{Stage, Verified};
use crate::providers::Worktree;
use std::sync::Arc;

/// How often a change that can't be applied goes back.
pub(super) const MAX_REPAIRS: usize = 2;

pub(super) enum Drafter<'a> {
    Model(Box<Conversation<'a>>),
    Command(Box<Agent<'a>>),
}

impl Drafter<'_> {
    /// The next change that may be made. What was answered before is not asked for again.
    pub(super) async fn change(
        &mut self,
        worktree: &Arc<Worktree>,
        protected: &Protected,
    ) -> Result<Drafted, DraftError> {
        match self {
            Self::Model(conversation) => conversation.change(worktree, protected).await,
            Self::Command(agent) => agent.change(worktree, protected).await,
        }
    }

    /// Tells it that its change does not stand the test; the next change will be about that. A second time, after a crash, says nothing.
    pub(super) async fn failed(&mut self, verified: &Verified) -> Result<(), DraftError> {
        if self.awaits_answer() {
            return Ok(());
        }
        match self {
            Self::Model(conversation) => {
                conversation.reply(ReplyKind::Verify, brief::verify(verified, brief::AGAIN)).await
            }
            Self::Command(agent) => agent.reply(ReplyKind::Verify, brief::verify(verified, "")).await,
        }
    }

    /// How often it was told that its change does not stand the test.
    pub(super) fn failures(&self) -> usize {
        match self {
            Self::Model(conversation) => conversation.replies(ReplyKind::Verify),
            Self::Command(agent) => agent.replies(ReplyKind::Verify),
        }
    }

    /// Whether it was told so already, and the next change is still to come.
    pub(super) fn awaits_answer(&self) -> bool {
        match self {
            Self::Model(conversation) => conversation.awaits_answer(),
            Self::Command(agent) => agent.awaits_answer(),
        }
    }

    /// What it does from now on is part of this stage.
    pub(super) fn is_in(&mut self, stage: Stage) {
        match self {
            Self::Model(conversation) => conversation.is_in(stage),
            Self::Command(agent) => agent.is_in(stage),
        }
    }
}
