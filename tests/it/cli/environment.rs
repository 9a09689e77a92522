//! What the programs of a draft find in their environment: none of our keys, wherever they are kept, and what they need.

use super::draft::{Bench, EDIT};
use std::os::unix::fs::PermissionsExt;

/// Every key that the program reads, and what other programs call the same ones.
const KEYS: [&str; 5] =
    ["GITHUB_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENAI_COMPATIBLE_API_KEY", "FEEDBACK_API_KEY"];
const COUSINS: [&str; 4] = ["GH_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GH_ENTERPRISE_TOKEN", "ANTHROPIC_AUTH_TOKEN"];

#[test]
fn neither_the_agent_nor_the_check_sees_a_key() {
    let bench = Bench::new(&format!("env > \"$HOME/agent.env\"; {EDIT}"));
    let config = bench.home.config_file();
    // The check learns its own home, so the file's name has to stand in the command.
    let seen = bench.home.path().join("check.env");
    let settings = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{settings}verify = \"env > {}\"\n", seen.display())).unwrap();
    let file = config.with_file_name("secrets.env");
    let lines = KEYS.map(|name| format!("{name}=CANARYfile-{name}\n"));
    std::fs::write(&file, lines.concat()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let in_environment: Vec<(&str, String)> =
        KEYS.iter().chain(&COUSINS).map(|name| (*name, format!("CANARYenv-{name}"))).collect();
    let mut variables: Vec<(&str, &str)> = in_environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    variables.extend([
        ("HTTPS_PROXY", "http://me:CANARYproxy@127.0.0.1:9"),
        ("MINE", "CANARYmine"),
        ("LANG", "C.UTF-8"),
    ]);

    let ran = bench.home.run_with(&["draft", &bench.report], "", &variables);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let read = |name: &str| std::fs::read_to_string(bench.home.path().join(name)).unwrap();
    let (agent, check) = (read("agent.env"), read("check.env"));
    for (who, environment) in [("agent", &agent), ("check", &check)] {
        for ours in ["CANARYfile", "CANARYenv"] {
            assert!(!environment.contains(ours), "{who}: {environment}");
        }
        assert!(environment.contains("\nPATH=") || environment.starts_with("PATH="), "{who}: {environment}");
        assert!(environment.contains("LANG=C.UTF-8"), "{who}: {environment}");
    }
    assert!(agent.contains("PATCHWORK_BRIEF=") && agent.contains("MINE=CANARYmine"), "the user's own: {agent}");
    assert!(check.contains("CI=1") && !check.contains("CANARY"), "only what is known to be needed: {check}");
    for said in [&ran.stdout, &ran.stderr] {
        assert!(!said.contains("CANARY"), "{said}");
    }
    let run = bench.home.ok(&["drafts", "--json"]);
    assert!(!run.contains("CANARY"), "{run}");
}
