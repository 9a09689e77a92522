//! The screen: its copy of the data, what it shows, and whole sessions at the keyboard.

mod compare;
mod convergence;
mod hints;
mod history;
mod live;
mod red;
mod review;
mod room;
mod screens;
mod servers;
mod sessions;
mod settings;
