//! What the user wants, as a closed list: the vocabulary of `assets/keymap.toml` and of `[ui.keys]` in the settings.
//!
//! A key press becomes an [`Action`] in [`super::keymap`] and nowhere else, so the help, the footer and the settings can't disagree with what
//! a key does.

use crate::domain::feedback::word_enum;
use serde::{Deserialize, Serialize};

word_enum! {
    /// An intent, named as the user would say it.
    Action {
        Quit = "quit",
        /// Quit, from wherever the cursor is.
        Interrupt = "interrupt",
        Suspend = "suspend",
        Help = "help",
        CloseHelp = "close_help",
        Theme = "theme",
        Inbox = "inbox",
        Drafts = "drafts",
        Servers = "servers",
        Settings = "settings",
        NextView = "next_view",
        Down = "down",
        Up = "up",
        HalfPageDown = "half_page_down",
        HalfPageUp = "half_page_up",
        Top = "top",
        Bottom = "bottom",
        Open = "open",
        Back = "back",
        Filter = "filter",
        AcceptFilter = "accept_filter",
        LeaveFilter = "leave_filter",
        Complete = "complete",
        HideReviewed = "hide_reviewed",
        Review = "review",
        Select = "select",
        Undo = "undo",
        Note = "note",
        NoteInEditor = "note_in_editor",
        SaveNote = "save_note",
        LeaveNote = "leave_note",
        PublicNote = "public_note",
        Draft = "draft",
        Redraft = "redraft",
        Cancel = "cancel",
        /// The other side of the run: its stages and log, its change.
        TurnOver = "turn_over",
        /// What the change does otherwise than the draft before, or all of it.
        Compare = "compare",
        NextHunk = "next_hunk",
        PreviousHunk = "previous_hunk",
        NextFile = "next_file",
        PreviousFile = "previous_file",
        DropHunk = "drop_hunk",
        EditText = "edit_text",
        BaseBranch = "base_branch",
        AcceptBase = "accept_base",
        LeaveBase = "leave_base",
        ReadyOrDraft = "ready_or_draft",
        Publish = "publish",
        /// Although the `verify` command failed.
        PublishAnyway = "publish_anyway",
        Discard = "discard",
        OpenLink = "open_link",
        Copy = "copy",
        Edit = "edit",
        AddRepository = "add_repository",
        Remove = "remove",
        Test = "test",
        Explain = "explain",
        SaveSetting = "save_setting",
        NextWord = "next_word",
        LeaveSetting = "leave_setting",
        Yes = "yes",
        No = "no",
    }
}

word_enum! {
    /// Where the keys go: which pane has them, or what lies over the panes.
    Context {
        List = "list",
        Detail = "detail",
        Drafts = "drafts",
        Run = "run",
        /// A change that waits for somebody to look at it.
        Review = "review",
        /// The name of its base branch is being typed.
        Base = "base",
        Servers = "servers",
        Server = "server",
        Settings = "settings",
        Setting = "setting",
        /// A setting is being typed.
        Edit = "edit",
        Note = "note",
        Filter = "filter",
        Help = "help",
        Confirm = "confirm",
    }
}
