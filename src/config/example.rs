//! `config.example.toml`: the documentation of every setting, kept true by the tests here.

/// The text of `config.example.toml`, printed by `patchwork config example`.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

#[cfg(test)]
mod tests {
    use super::EXAMPLE;
    use crate::config::{Config, Entry, Layer, load};
    use crate::domain::draft::{DrafterKind, TargetKind};

    fn names(layer: &Layer) -> Vec<(&'static str, String)> {
        layer.entries().into_iter().map(|Entry { table, key, .. }| (table, key)).collect()
    }

    #[test]
    fn the_example_says_exactly_the_defaults_and_leaves_none_out() {
        let written = Layer::parse(EXAMPLE).unwrap();
        assert_eq!(names(&written), names(&Layer::defaults()));
        assert_eq!(written.resolve(), Config::default());
    }

    #[test]
    fn every_setting_can_be_set_by_its_name() {
        let specs: Vec<_> = Layer::specs().map(|spec| (spec.table, spec.key.to_owned())).collect();
        assert_eq!(specs, names(&Layer::defaults()), "in `Layer::specs`");
        for spec in Layer::specs() {
            assert!(!spec.about().is_empty(), "{spec:?}");
        }
    }

    #[test]
    fn every_key_of_the_example_is_explained() {
        let mut explained = false;
        for line in EXAMPLE.lines() {
            assert!(explained || !line.contains(" = ") || line.starts_with('#'), "no comment above: {line}");
            explained = line.starts_with('#');
        }
    }

    /// What stands behind `#:` in the example is settings too, only not in force.
    #[test]
    fn the_commented_settings_of_the_example_are_legal() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        let text: String = EXAMPLE.lines().map(|l| l.strip_prefix("#: ").unwrap_or(l).to_owned() + "\n").collect();
        std::fs::write(&file, text).unwrap();
        let config = load(Layer::default(), Some(&file), &|_| None).unwrap().config;
        assert_eq!(config.repositories.len(), 2);
        assert_eq!(config.repository_for("billing").unwrap().target, Some(TargetKind::Local));
        assert_eq!(config.repository_for("billing").unwrap().drafter, Some(DrafterKind::Command));
        assert!(!config.ui.keys.is_empty());
    }
}
