//! The screen: its copy of the data, what it shows, and whole sessions at the keyboard.

mod compare;
mod convergence;
mod hints;
mod history;
mod review;
mod screens;
mod servers;
mod sessions;
mod settings;
