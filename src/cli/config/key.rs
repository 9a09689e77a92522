//! `patchwork config key NAME`: a key into `secrets.env`, typed hidden or from standard input, never as an argument, where every process
//! of the machine could read it.

use super::hidden;
use crate::cli::exit::{Usage, complain};
use crate::cli::out::Out;
use crate::cli::stdin;
use crate::config::{self, Secrets, SecretsError, SecretsPatch};
use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(help = "The key's name, such as GITHUB_TOKEN")]
    name: String,
    /// Take the key out of secrets.env
    #[arg(long)]
    remove: bool,
}

pub(super) fn run(out: &mut Out, args: &Args, secrets_file: &Path) -> anyhow::Result<()> {
    let name = config::secret_name(&args.name).map_err(Usage)?;
    let value = if args.remove { SecretString::default() } else { typed(name)? };
    let patch = SecretsPatch::one(name, value);
    match Secrets::save(secrets_file, &patch) {
        Err(e @ SecretsError::IllegalValue { .. }) => return Err(Usage(e.to_string()).into()),
        saved => saved.context("keys")?,
    }
    let loaded = Secrets::load(secrets_file, &config::process_vars).context("keys")?;
    for warning in &loaded.warnings {
        complain(warning);
    }
    let file = secrets_file.display();
    if args.remove {
        out.line(format!("{name} is not in {file} any more"))?;
    } else {
        out.line(format!("{name} is saved in {file}"))?;
    }
    if config::process_vars(name).is_some_and(|value| !value.trim().is_empty()) {
        complain(&format!("{name} is set in the environment, which wins over the file"));
    }
    Ok(())
}

fn typed(name: &str) -> anyhow::Result<SecretString> {
    let value = if stdin::is_terminal() {
        hidden::ask(&format!("{name} (typed hidden, esc gives up)"))?
    } else {
        SecretString::from(stdin::read("the key")?)
    };
    if value.expose_secret().trim().is_empty() {
        return Err(Usage(format!("no key came; to take {name} out, say --remove")).into());
    }
    Ok(value)
}
