//! `remote` of a repository: git goes there with the author's own ssh or credential helper, while pull requests are opened with the token.

use super::report;
use crate::support::fake::git_server::GitServer;
use crate::support::fake::github::Github;
use crate::support::fake::ssh::Ssh;
use crate::support::fake::world::{GITHUB_TOKEN, SLUG, branches, make_repositories};
use crate::support::git::git;
use crate::support::program::{Home, Ran};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use tokio::runtime::Runtime;

const OVER_SSH: &str = "git@git.example:octo/billing.git";

/// A home with a report, a repository on a fake GitHub, and an ssh that gets there.
struct Bench {
    home: Home,
    report: String,
    ssh: Ssh,
    github: Github,
    runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let home = Home::new();
        let report = home.record(&[report("a date range for search_costs")]).remove(0);
        let bare = home.path().join("hosted").join(format!("{SLUG}.git"));
        make_repositories(&home.path().join("checkout"), &bare);
        let runtime = Runtime::new().unwrap();
        let github = runtime.block_on(Github::start(SLUG, GITHUB_TOKEN, &bare));
        let ssh = Ssh::new(&home.path().join("fake-ssh"), &bare);
        let bench = Self { home, report, ssh, github, runtime };
        bench.configure(OVER_SSH);
        bench
    }

    fn bare(&self) -> PathBuf {
        self.home.path().join("hosted").join(format!("{SLUG}.git"))
    }

    /// Nobody answers where git would go without `remote`.
    fn configure(&self, remote: &str) {
        let run = json!(["sh", "-c", "cat > /dev/null; echo RANGE = 1 > src/ranges.py; touch \"$HOME/asked\""]);
        self.home.configure(&format!(
            "[draft]\ndrafter = \"command\"\nconfirm = false\n[command]\nrun = {run}\n[github]\napi_url = {:?}\n\
             server_url = \"http://127.0.0.1:9\"\n[[repository]]\ngithub = {SLUG:?}\nremote = {remote:?}\n",
            self.github.url()
        ));
    }

    /// With the fake ssh, as the user may have set it.
    fn run(&self, arguments: &[&str]) -> Ran {
        let ssh = self.ssh.program();
        self.run_with(arguments, &[("GIT_SSH_COMMAND", ssh.to_str().unwrap())])
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let usual = [("GITHUB_TOKEN", GITHUB_TOKEN), ("FEEDBACK_PORT", "0")];
        let ran = self.home.run_with(arguments, "", &[&usual, variables].concat());
        assert!(!format!("{ran:?}").contains("CANARY"), "{ran:?}");
        ran
    }

    /// A draft that must become a pull request; its branch.
    fn drafted(&self, variables: &[(&str, &str)]) -> String {
        let ran = self.run_with(&["draft", &self.report, "--again", "--json"], variables);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let run: Value = serde_json::from_str(&ran.stdout).unwrap();
        let published = &run["draft"]["published"];
        assert!(published["pr_url"].as_str().unwrap().contains("/octo/billing/pull/"), "{published}");
        let branch = published["branch"].as_str().unwrap();
        assert_eq!(git(&self.bare(), &["diff", "--name-status", "main", branch]), "A\tsrc/ranges.py");
        branch.to_owned()
    }

    /// A draft that must fail before the drafter was asked; what it said last.
    fn fails(&self) -> String {
        drop(std::fs::remove_file(self.home.path().join("asked")));
        let ran = self.run(&["draft", &self.report, "--again"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(!self.home.path().join("asked").exists(), "asked for nothing: {ran:?}");
        let left: Vec<_> = std::fs::read_dir(self.home.path().join("cache/worktrees")).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
        ran.stderr.lines().next_back().unwrap().to_owned()
    }

    /// What `doctor` says about the repository: state, finding, advice.
    fn doctor(&self, variables: &[(&str, &str)]) -> [String; 3] {
        let ran = self.run_with(&["doctor", "--json"], variables);
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        let checks = found.as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "repository").unwrap();
        ["state", "found", "advice"].map(|field| check[field].as_str().unwrap().to_owned())
    }
}

#[test]
fn a_draft_goes_over_ssh_and_its_pull_request_over_the_api() {
    let bench = Bench::new();
    let ssh = bench.ssh.program();
    let branch = bench.drafted(&[("GIT_SSH_COMMAND", ssh.to_str().unwrap())]);
    assert_eq!(branches(&bench.bare()), [branch]);
    let calls = bench.ssh.calls();
    assert!(calls.iter().any(|call| call == "git-upload-pack 'octo/billing.git'"), "{calls:?}");
    assert!(calls.iter().any(|call| call == "git-receive-pack 'octo/billing.git'"), "{calls:?}");
}

#[test]
fn the_authors_own_way_to_call_ssh_is_kept() {
    let bench = Bench::new();
    let program = bench.ssh.program();
    let program = program.to_str().unwrap();
    let settings = bench.home.path().join("gitconfig");
    std::fs::write(&settings, format!("[core]\n\tsshCommand = '{program}' -F from-the-settings\n")).unwrap();
    let path = format!("{}:{}", bench.home.path().join("fake-ssh").display(), std::env::var("PATH").unwrap());
    let with_options = format!("{program} -F from-the-variable");
    for (variables, settings) in [
        (vec![("GIT_CONFIG_GLOBAL", settings.to_str().unwrap())], Some("from-the-settings")),
        (
            vec![("GIT_CONFIG_GLOBAL", settings.to_str().unwrap()), ("GIT_SSH_COMMAND", with_options.as_str())],
            Some("from-the-variable"),
        ),
        (vec![("GIT_SSH", program)], None),
        (vec![("PATH", path.as_str())], None),
    ] {
        let before = bench.ssh.settings().len();
        bench.drafted(&variables);
        let given = bench.ssh.settings().split_off(before);
        assert_eq!(given.first().map(String::as_str), settings, "{variables:?}");
        assert!(given.iter().all(|one| Some(one.as_str()) == settings), "{given:?}");
    }
}

#[test]
fn what_stops_ssh_ends_the_draft_with_what_to_do_and_the_next_one_works() {
    let bench = Bench::new();
    let host_key = "No ED25519 host key is known for git.example and you have requested strict checking.\nHost key verification failed.\n";
    for (trouble, words) in [
        (host_key, "Connect once by hand (`ssh -T git@git.example`)"),
        (
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n",
            "ssh-keygen -R git.example",
        ),
        ("git@git.example: Permission denied (publickey).\n", "load the key into the agent (`ssh-add`)"),
        (
            "ssh: connect to host git.example port 22: Connection timed out\n",
            "port 22: Connection timed out). Check the network",
        ),
        ("ssh: Could not resolve hostname git.example: Name or service not known\n", "not known). Check the network"),
        (
            "ERROR: Repository not found.\n",
            "The repository git@git.example:octo/billing.git was not found. It does not exist",
        ),
    ] {
        bench.ssh.fail(Some(trouble));
        let said = bench.fails();
        assert!(said.contains(words), "{said}");
    }
    bench.ssh.fail(None);
    bench.ssh.refuse_pushes(Some("ERROR: The key you are authenticating with has been marked as read only.\n"));
    let said = bench.fails();
    assert!(said.contains("may read the repository and not push to it"), "{said}");
    bench.ssh.refuse_pushes(None);
    let ssh = bench.ssh.program();
    bench.drafted(&[("GIT_SSH_COMMAND", ssh.to_str().unwrap())]);
}

#[test]
fn a_missing_ssh_is_named() {
    let bench = Bench::new();
    let nowhere = bench.home.path().join("bin");
    std::fs::create_dir(&nowhere).unwrap();
    let path = std::env::var("PATH").unwrap();
    for program in ["git", "sh"] {
        let found = path.split(':').map(|dir| PathBuf::from(dir).join(program)).find(|p| p.exists()).unwrap();
        std::os::unix::fs::symlink(found, nowhere.join(program)).unwrap();
    }
    let ran = bench.run_with(&["draft", &bench.report], &[("PATH", nowhere.to_str().unwrap())]);
    assert!(ran.code == Some(1) && ran.stderr.contains("ssh is not installed, or not on the PATH"), "{ran:?}");
}

#[test]
fn doctor_goes_where_the_draft_will_go() {
    let bench = Bench::new();
    let program = bench.ssh.program();
    let ssh = [("GIT_SSH_COMMAND", program.to_str().unwrap())];
    let [state, found, _] = bench.doctor(&ssh);
    assert!(state == "ok" && found.contains("of git@git.example:octo/billing.git, and git may push"), "{found}");
    assert!(branches(&bench.bare()).is_empty(), "nothing was pushed");
    let [state, found, advice] = bench.doctor(&[ssh[0], ("GITHUB_TOKEN", "")]);
    assert!(state == "fail" && found.ends_with("there is no token to open pull requests with"), "{found}");
    assert_eq!(advice, "set GITHUB_TOKEN");
    bench.ssh.refuse_pushes(Some("ERROR: Permission to octo/billing.git denied to ada.\n"));
    let [state, found, _] = bench.doctor(&ssh);
    assert!(
        state == "fail" && found.contains("and git may not push") && found.contains("Allow write access"),
        "{found}"
    );
    bench.ssh.fail(Some("git@git.example: Permission denied (publickey).\n"));
    let [state, found, _] = bench.doctor(&ssh);
    assert!(state == "fail" && found.contains("`ssh -T git@git.example` shows whether it works"), "{found}");
}

#[test]
fn an_address_without_a_token_of_ours_is_reached_with_the_authors_credential_helper() {
    let bench = Bench::new();
    let server = bench.runtime.block_on(GitServer::start(&bench.home.path().join("hosted"), SLUG, GITHUB_TOKEN));
    server.take_instead("ada", "the password of the author");
    bench.configure(&format!("{}/{SLUG}.git", server.url()));
    let at = |name: &str| bench.home.path().join(name);
    let (settings, asked, script) = (at("gitconfig"), at("helper-asked"), at("helper"));
    std::fs::write(&settings, format!("[credential]\n\thelper = {}\n", script.display())).unwrap();
    let helper = |password: &str| {
        let get = format!("test $1 = get && printf 'username=ada\\npassword={password}\\n'");
        std::fs::write(&script, format!("#!/bin/sh\necho $1 >> '{}'\n{get}\n", asked.display())).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let variables = [("GIT_CONFIG_GLOBAL", settings.to_str().unwrap())];
    helper("the password of the author");
    bench.drafted(&variables);
    let told = std::fs::read_to_string(&asked).unwrap();
    assert!(told.contains("get\n") && told.contains("store\n") && !told.contains("erase\n"), "{told}");
    let [state, found, _] = bench.doctor(&variables);
    assert!(state == "ok" && found.contains("and git may push"), "{found}");

    helper("a wrong one");
    let ran = bench.run_with(&["draft", &bench.report, "--again"], &variables);
    assert!(ran.code == Some(1) && ran.stderr.contains("Your git credential helper has nothing for it"), "{ran:?}");
    std::fs::write(&settings, "").unwrap();
    let ran = bench.run_with(&["draft", &bench.report, "--again"], &variables);
    assert!(ran.code == Some(1) && ran.stderr.contains("take `remote` out of config.toml"), "{ran:?}");
    assert_eq!(server.pushes(), 1);
}

#[test]
fn config_knows_the_remote_and_says_where_it_does_not_belong() {
    let home = Home::new();
    home.configure("[[repository]]\nserver = \"billing\"\ngithub = \"octo/billing\"\n");
    home.ok(&["config", "set", "repository.billing.remote", OVER_SSH]);
    let shown = home.ok(&["config", "show"]);
    assert!(shown.contains("remote = \"git@git.example:octo/billing.git\""), "{shown}");
    let refused = home.run(&["config", "set", "repository.billing.remote", "https://ada:hunter2@git.example/x"]);
    assert!(refused.code != Some(0) && refused.stderr.contains("must not hold a name or a password"), "{refused:?}");
    assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
    let both = home.run(&["config", "set", "repository.billing.path", "/srv/billing"]);
    assert!(both.code != Some(0) && both.stderr.contains("take `remote` out"), "{both:?}");
    home.ok(&["config", "unset", "repository.billing.remote"]);
    home.ok(&["config", "set", "repository.billing.path", "/srv/billing"]);
}
