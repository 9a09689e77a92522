//! What a call to a model may use, decided before it is made: its worst case must fit under every limit.
//!
//! The input is estimated, the output is bounded by what the call asks for; where less fits, less is asked for.

use super::price::cost;
use crate::config::{DraftConfig, Price};
use crate::domain::draft::{Cost, Usage};

/// An answer that may be no longer than this is not worth its question.
const MIN_OUTPUT: i64 = 1_000;

/// What was used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Read and written together.
    pub tokens: i64,
    /// Of what had a known price.
    pub cost: Cost,
}

impl Spent {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(other.tokens), cost: self.cost.plus(other.cost) }
    }
}

/// A call that somebody wants to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Estimated.
    pub input_tokens: i64,
    /// The longest answer.
    pub output_tokens: i64,
}

impl Call {
    /// What it may use at most.
    pub fn worst(self, price: Option<&Price>) -> Spent {
        let usage = Usage { input_tokens: self.input_tokens, output_tokens: self.output_tokens, ..Usage::default() };
        let tokens = self.input_tokens.saturating_add(self.output_tokens);
        Spent { tokens, cost: price.map_or(Cost(0), |price| cost(usage, &dearest(price))) }
    }
}

/// Nobody knows before the call what of its input will be in the cache, or written to it.
fn dearest(price: &Price) -> Price {
    let input = price.input.max(price.cache_write.unwrap_or(price.input));
    Price { input, ..price.clone() }
}

/// The call as it may be made, with a shorter answer where that makes it fit.
///
/// # Errors
/// A sentence that names the limit, what is used of it, and what to do.
pub fn allow(
    limits: &DraftConfig,
    (model, price): (&str, Option<&Price>),
    draft: Spent,
    day: Spent,
    call: Call,
) -> Result<Call, String> {
    let mut output = call.output_tokens;
    for (name, limit, spent) in [
        ("max_tokens_per_draft", limits.max_tokens_per_draft, draft.tokens),
        ("max_tokens_per_day", limits.max_tokens_per_day, day.tokens),
    ] {
        if limit > 0 {
            let room = i64::from(limit) - spent - call.input_tokens;
            fits(name, room, &format!("{spent} of {limit} tokens are used"), call)?;
            output = output.min(room);
        }
    }
    for (name, limit, spent) in [
        ("max_cost_per_draft", limits.max_cost_per_draft, draft.cost),
        ("max_cost_per_day", limits.max_cost_per_day, day.cost),
    ] {
        if limit > Cost(0) {
            let price = price.ok_or_else(|| unknown_price(name, model))?;
            let question = Call { output_tokens: 0, ..call }.worst(Some(price)).cost;
            let left = i128::from(limit.0 - spent.0 - question.0) * 1_000_000;
            let room = left.checked_div(i128::from(price.output.0)).unwrap_or(i128::from(i64::MAX));
            let room = i64::try_from(room).unwrap_or(i64::MAX);
            fits(name, if left < 0 { -1 } else { room }, &format!("{spent} of {limit} are used"), call)?;
            output = output.min(room);
        }
    }
    Ok(Call { output_tokens: output, ..call })
}

fn fits(name: &str, room: i64, used: &str, call: Call) -> Result<(), String> {
    if room >= MIN_OUTPUT {
        return Ok(());
    }
    let needs = call.input_tokens;
    Err(format!(
        "The limit `{name}` leaves no room for another question to the model: {used}, and this one has about {needs} tokens, besides its \
         answer. Raise it under [draft] in config.toml, or lower `context_tokens`."
    ))
}

fn unknown_price(name: &str, model: &str) -> String {
    format!(
        "The limit `{name}` needs the price of `{model}`, and nobody has said it: add [[price]] with model = \"{model}\", input and output to config.toml, or set {name} = 0."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Call = Call { input_tokens: 10_000, output_tokens: 32_000 };

    fn price() -> Price {
        let (input, output) = (Cost(2_000_000), Cost(10_000_000));
        Price { model: "m".into(), input, output, cached: Some(Cost(1)), cache_write: Some(Cost(4_000_000)) }
    }

    fn spent(tokens: i64, cost: i64) -> Spent {
        Spent { tokens, cost: Cost(cost) }
    }

    fn output(limits: &DraftConfig, draft: Spent, day: Spent) -> Result<i64, String> {
        allow(limits, ("m", Some(&price())), draft, day, CALL).map(|call| call.output_tokens)
    }

    #[test]
    fn without_limits_everything_goes() {
        let all = allow(&DraftConfig::default(), ("m", None), spent(1 << 40, 1 << 50), spent(1 << 40, 1 << 50), CALL);
        assert_eq!(all, Ok(CALL));
    }

    #[test]
    fn an_answer_is_as_long_as_every_limit_leaves_room_for() {
        let limits = DraftConfig { max_tokens_per_draft: 50_000, max_tokens_per_day: 60_000, ..DraftConfig::default() };
        assert_eq!(output(&limits, spent(0, 0), spent(0, 0)), Ok(32_000));
        assert_eq!(output(&limits, spent(10_000, 0), spent(10_000, 0)), Ok(30_000));
        assert_eq!(output(&limits, spent(0, 0), spent(30_000, 0)), Ok(20_000));
        let refused = output(&limits, spent(39_500, 0), spent(39_500, 0)).unwrap_err();
        assert!(refused.contains("max_tokens_per_draft") && refused.contains("39500 of 50000"), "{refused}");
        assert!(output(&limits, spent(0, 0), spent(55_000, 0)).unwrap_err().contains("max_tokens_per_day"));
    }

    #[test]
    fn money_counts_the_question_at_its_dearest() {
        // The question costs at most 10 000 × 4 $ = 0.04 $, so 0.16 $ are left for the answer: 16 000 tokens.
        let limits = DraftConfig { max_cost_per_draft: Cost(200_000), ..DraftConfig::default() };
        assert_eq!(output(&limits, spent(0, 0), spent(0, 0)), Ok(16_000));
        assert_eq!(output(&limits, spent(0, 100_000), spent(0, 0)), Ok(6_000));
        let refused = output(&limits, spent(0, 155_000), spent(0, 0)).unwrap_err();
        assert!(refused.contains("max_cost_per_draft") && refused.contains("$0.15 of $0.20"), "{refused}");
        assert!(output(&limits, spent(0, 900_000), spent(0, 0)).is_err());
        let day = DraftConfig { max_cost_per_day: Cost(200_000), ..DraftConfig::default() };
        assert!(output(&day, spent(0, 0), spent(0, 180_000)).unwrap_err().contains("max_cost_per_day"));
    }

    #[test]
    fn a_limit_in_money_needs_a_price() {
        let limits = DraftConfig { max_cost_per_day: Cost(1), ..DraftConfig::default() };
        let refused = allow(&limits, ("my-model", None), Spent::default(), Spent::default(), CALL).unwrap_err();
        assert!(refused.contains("[[price]]") && refused.contains("model = \"my-model\""), "{refused}");
    }
}
