//! Tells at a glance that an identifier means nothing to a query, which holds for nearly all of them.
//!
//! What an identifier means takes taking it apart and cutting stems. But no part can mean anything unless it begins as a term of the
//! query does, and a stem keeps the beginning of its word. So a table of beginnings lets most identifiers pass unexamined, and a
//! repository full of names that occur once costs little more than reading it.

use super::words;

/// Letters of a beginning: a stem keeps that many of a word that has them.
const LETTERS: usize = 3;
const BITS: usize = 1 << 15;

/// Beginnings, by a hash: one that is not in it begins nothing; one that is may begin nothing either.
#[derive(Debug)]
pub(super) struct Sieve {
    bits: Vec<bool>,
}

impl Sieve {
    /// `names` are terms, pairs of terms, and names in snake case.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut bits = vec![false; BITS];
        for name in names {
            // The first part decides: without it the whole is not there either.
            let first = name.split(['_', ' ']).find(|part| !part.is_empty()).unwrap_or_default();
            let bytes = first.as_bytes();
            bits[place(&bytes[..bytes.len().min(LETTERS)])] = true;
        }
        Self { bits }
    }

    /// False for an identifier that surely means nothing.
    pub(super) fn lets_through(&self, identifier: &str) -> bool {
        let bytes = identifier.as_bytes();
        // A part may be shorter than the beginnings: all lengths are tried.
        let begins = |at: usize| (1..=LETTERS).filter_map(|n| bytes.get(at..at + n)).any(|b| self.bits[place(b)]);
        !identifier.is_ascii() || (0..bytes.len()).any(|at| words::part_starts_at(bytes, at) && begins(at))
    }
}

fn place(beginning: &[u8]) -> usize {
    beginning.iter().fold(0, |hash, b| hash * 37 + usize::from(b.to_ascii_lowercase())) % BITS
}
