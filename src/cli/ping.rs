//! `patchwork ping`: is the channel alive that the drop-ins report through?
//!
//! A canary report goes the way of every report: over HTTP, with the key, onto the disk. It is asked for again before anything is said. It
//! comes from the server `patchwork-ping`, is stored as reviewed, and is not counted among the servers.

use super::exit::{Code, Usage};
use super::out::Out;
use super::setup::{Global, ServerArgs, Setup};
use crate::config;
use crate::domain::feedback::CANARY_SERVER;
use crate::engine::new_command_id;
use crate::providers::ProviderError;
use crate::providers::sidecar::Sidecar;
use anyhow::{Context, anyhow, bail};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(
        long,
        value_name = "URL",
        help = "Where to send it; also FEEDBACK_SIDECAR_URL. Without: the configured address on this machine"
    )]
    url: Option<String>,
}

pub(super) async fn run(args: Args, global: &Global) -> anyhow::Result<Code> {
    let setup = Setup::load(global, &ServerArgs::default())?;
    let from_environment = || config::process_vars("FEEDBACK_SIDECAR_URL").filter(|url| !url.trim().is_empty());
    let url = args.url.or_else(from_environment).unwrap_or_else(|| here(setup.loaded.config.server.address));
    let url = url.trim();
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(Usage("the address must begin with http:// or https://".into()).into());
    }
    let sidecar = Sidecar::new(url, setup.secrets.api_key.as_ref())?;
    let begun = Instant::now();
    arrive(&sidecar).await.map_err(explained).with_context(|| format!("{url} is not taking reports"))?;
    let took = begun.elapsed().as_millis();
    let mut out = Out::open();
    out.line(format!("{url} takes reports: a canary arrived and was read back in {took} ms"))?;
    out.finish()?;
    Ok(Code::Ok)
}

async fn arrive(sidecar: &Sidecar) -> anyhow::Result<()> {
    let id = new_command_id().to_string();
    let canary = json!({
        "id": id, "server_name": CANARY_SERVER, "gap_type": "other", "client_type": "patchwork ping",
        "what_i_needed": "Nothing: this is the canary of `patchwork ping`.",
        "what_i_tried": "Whether a report arrives.",
    });
    let answer = sidecar.report(&canary).await?;
    if answer["status"] != "recorded" || answer["id"] != id.as_str() {
        bail!("something answers there that is not Patchwork: check the address");
    }
    let kept = sidecar.feedback(&id).await.context("the canary was taken and can't be read back")?;
    if kept["server_name"] != CANARY_SERVER {
        bail!("the canary was taken and something else came back: check the address");
    }
    Ok(())
}

/// In the words of somebody who has just copied a drop-in, where those of a failed request would lead astray.
fn explained(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(ProviderError::Network { message, .. }) => anyhow!(
            "there is no connection ({message}). Start Patchwork there with `patchwork serve`, or `patchwork`, and check the address"
        ),
        Some(ProviderError::Api { status, message, .. }) if message.is_empty() && *status < 500 => {
            anyhow!("what answers there, with status {status}, is not Patchwork: check the address")
        }
        Some(ProviderError::Garbage { message, .. }) => anyhow!("{message}: check the address"),
        Some(_) | None => error,
    }
}

/// The address that one connects to: a server that listens on all of them is asked on loopback.
fn here(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}
