//! How long ago, in words that rarely change: an open screen must not write a byte a second to stay true.

use crate::domain::time::{DAY, HOUR, MINUTE, Millis, ago};

/// `now` for the first minute, then as [`ago`].
pub fn age(now: Millis, then: Millis) -> String {
    if now.since(then) < MINUTE { String::from("now") } else { ago(now, then) }
}

/// When [`age`] will say something else.
pub fn next_change(now: Millis, then: Millis) -> Millis {
    let elapsed = now.since(then);
    let unit = match elapsed {
        e if e < HOUR => MINUTE,
        e if e < DAY => HOUR,
        _ => DAY,
    };
    Millis(then.0.max(now.0 - elapsed).saturating_add((elapsed / unit + 1) * unit))
}

/// How long something took, or has been taking: `0.4s 12s 3m05s`.
pub fn took(ms: i64) -> String {
    match ms {
        ms if ms < 10_000 => format!("{}.{}s", ms / 1_000, ms % 1_000 / 100),
        ms if ms < MINUTE => format!("{}s", ms / 1_000),
        ms => format!("{}m{:02}s", ms / MINUTE, ms % MINUTE / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_holds_until_its_next_change_and_not_longer() {
        let then = Millis(1_000_000);
        for elapsed in [0, 59_999, MINUTE, 59 * MINUTE + 7, HOUR, 23 * HOUR + 5, DAY, 27 * DAY] {
            let now = then.plus(elapsed);
            let next = next_change(now, then);
            assert!(next > now);
            assert_eq!(age(Millis(next.0 - 1), then), age(now, then));
            if elapsed < 27 * DAY {
                assert_ne!(age(next, then), age(now, then), "after {elapsed}");
            }
        }
        assert!(next_change(Millis(5), Millis(500)) > Millis(5), "a clock that stepped back");
    }

    #[test]
    fn durations_are_short() {
        assert_eq!([400, 12_000, 185_000].map(took), ["0.4s", "12s", "3m05s"]);
    }
}
