//! What tokens cost: the prices the user wrote, then the built-in ones, then nothing, which is not the same as zero.

use crate::config::{Config, Layer, Price};
use crate::domain::draft::{Cost, Usage};
use std::sync::LazyLock;

/// Checked by a test: a mistake in it would leave no price at all.
static BUILT_IN: LazyLock<Vec<Price>> =
    LazyLock::new(|| Layer::parse(include_str!("../../assets/prices.toml")).map(|l| l.prices).unwrap_or_default());

/// The price of a model, as far as anybody knows it.
pub fn price_of<'a>(config: &'a Config, model: &str) -> Option<&'a Price> {
    config.prices.iter().chain(BUILT_IN.iter()).find(|price| price.model == model)
}

/// What was used, at these prices; rounded up.
pub fn cost(usage: Usage, price: &Price) -> Cost {
    let fresh = usage.input_tokens - usage.cached_tokens - usage.cache_written_tokens;
    let parts = [
        (fresh, price.input),
        (usage.cached_tokens, price.cached.unwrap_or(price.input)),
        (usage.cache_written_tokens, price.cache_write.unwrap_or(price.input)),
        (usage.output_tokens, price.output),
    ];
    let total: i128 = parts.iter().map(|(tokens, each)| i128::from((*tokens).max(0)) * i128::from(each.0)).sum();
    Cost(i64::try_from((total + 999_999) / 1_000_000).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price() -> Price {
        Price {
            model: "m".into(),
            input: Cost(4_000_000),
            output: Cost(20_000_000),
            cached: Some(Cost(400_000)),
            cache_write: None,
        }
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let usage = Usage {
            input_tokens: 1_000_000,
            output_tokens: 10_000,
            cached_tokens: 500_000,
            cache_written_tokens: 100_000,
        };
        // 400 000 fresh and 100 000 written at 4 $, 500 000 cached at 0.40 $, 10 000 out at 20 $.
        assert_eq!(cost(usage, &price()), Cost(1_600_000 + 400_000 + 200_000 + 200_000));
        assert_eq!(cost(Usage { output_tokens: 1, ..Usage::default() }, &price()), Cost(20));
        assert_eq!(cost(Usage::default(), &price()), Cost(0));
    }

    #[test]
    fn the_users_price_outranks_the_built_in_one_and_an_unknown_model_has_none() {
        let mut config = Config::default();
        assert_eq!(price_of(&config, "claude-opus-5-5").map(|p| p.input), Some(Cost(4_000_000)));
        config.prices.push(Price { model: "claude-opus-5-5".into(), ..price() });
        config.prices[0].input = Cost(1);
        assert_eq!(price_of(&config, "claude-opus-5-5").map(|p| p.input), Some(Cost(1)));
        assert_eq!(price_of(&config, "somebody-elses"), None);
        for model in [&config.anthropic.model, &config.openai.model] {
            assert!(price_of(&config, model).is_some(), "{model} is used unless somebody says otherwise");
        }
    }
}
