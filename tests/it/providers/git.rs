//! The git cache and its work trees, over HTTP and from a directory.

use super::{KEY, Stranger};
use crate::support::fake::Fault;
use crate::support::fake::git_server::{FETCH, GitServer, REFS};
use crate::support::git::git;
use patchwork::domain::change::{Existing, Plan, RepoPath};
use patchwork::providers::{GitCache, ProviderError, Remote, Worktree};
use std::io::Read;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A hosted repository `o/r` with one commit, and an author's clone of it.
struct Hosted {
    server: GitServer,
    cache: GitCache,
    dir: TempDir,
}

impl Hosted {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (bare, clone) = (dir.path().join("hosted/o/r.git"), dir.path().join("clone"));
        std::fs::create_dir_all(&bare).unwrap();
        git(&bare, &["init", "--quiet", "--bare"]);
        git(&bare, &["config", "http.receivepack", "true"]);
        git(dir.path(), &["clone", "--quiet", bare.to_str().unwrap(), "clone"]);
        let hosted = Self {
            server: GitServer::start(&dir.path().join("hosted"), "o/r", KEY).await,
            cache: GitCache::new(dir.path().join("cache")),
            dir,
        };
        commit(&clone, "a.txt", "one\n");
        hosted
    }

    fn clone(&self) -> PathBuf {
        self.dir.path().join("clone")
    }

    fn bare(&self) -> PathBuf {
        self.dir.path().join("hosted/o/r.git")
    }

    fn mirror(&self) -> PathBuf {
        let mirrors = std::fs::read_dir(self.dir.path().join("cache/mirrors")).unwrap().flatten();
        mirrors.map(|e| e.path()).find(|p| p.is_dir()).expect("a mirror")
    }

    fn remote(&self) -> Remote {
        Remote::Url { url: format!("{}/o/r.git", self.server.url()), token: Some(KEY.to_owned().into()) }
    }

    async fn checkout(&self, id: &str) -> Worktree {
        self.cache.checkout(&self.remote(), None, id).await.unwrap()
    }
}

/// Commits a file in a clone and pushes the branch it is on.
fn commit(clone: &Path, name: &str, text: &str) {
    std::fs::write(clone.join(name), text).unwrap();
    git(clone, &["add", "--all"]);
    git(clone, &["commit", "--quiet", "-m", name]);
    git(clone, &["push", "--quiet", "origin", "HEAD"]);
}

fn path(path: &str) -> RepoPath {
    RepoPath::parse(path).unwrap()
}

fn plan(at: &str, text: &str) -> Plan {
    Plan::from([(path(at), Some(text.to_owned().into()))])
}

const ME: (&str, &str) = ("Me", "me@example.com");

#[tokio::test]
async fn a_change_is_committed_pushed_and_recognised_when_pushed_again() {
    let hosted = Hosted::start().await;
    let tree = hosted.checkout("w1").await;
    assert_eq!((tree.base_branch(), tree.files().len()), ("main", 1));
    let commit = tree.commit(&plan("b.txt", "new\n"), "patchwork/b", "Add b", ME, None).await.unwrap();
    tree.push("patchwork/b", &[]).await.unwrap();
    tree.push("patchwork/b", &[]).await.unwrap();
    assert_eq!(git(&hosted.bare(), &["rev-parse", "patchwork/b"]), commit);
    assert_eq!(git(&hosted.bare(), &["log", "-1", "--format=%an %ae %s", "patchwork/b"]), "Me me@example.com Add b");
    tree.check_out().await.unwrap();
    let root = tree.root().to_owned();
    assert!(root.exists());
    tree.remove().await.unwrap();
    hosted.cache.until_clean().await;
    assert!(!root.exists());
}

#[tokio::test]
async fn the_second_checkout_sees_what_is_new() {
    let hosted = Hosted::start().await;
    hosted.checkout("w1").await.remove().await.unwrap();
    commit(&hosted.clone(), "a.txt", "two\n");
    let tree = hosted.checkout("w2").await;
    assert_eq!(tree.read(&path("a.txt")), Existing::Text("two\n".into()));
    // A branch that was rewritten is no reason to fail either.
    git(&hosted.clone(), &["commit", "--quiet", "--amend", "-m", "Rewritten"]);
    git(&hosted.clone(), &["push", "--quiet", "--force", "origin", "HEAD"]);
    let tree = hosted.checkout("w3").await;
    assert_eq!(tree.base_commit(), git(&hosted.clone(), &["rev-parse", "HEAD"]));
}

#[tokio::test]
async fn what_is_here_is_not_fetched_again() {
    let hosted = Hosted::start().await;
    let clone = hosted.clone();
    // Nothing that git could make smaller.
    let mut noise = vec![0; 200_000];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    std::fs::write(clone.join("noise"), noise).unwrap();
    commit(&clone, "a.txt", "one and a half\n");
    let mut cost = Vec::new();
    for round in ["first", "again", "moved"] {
        if round == "moved" {
            commit(&clone, "a.txt", "two\n");
        }
        let before = hosted.server.sent();
        let tree = hosted.checkout(round).await;
        assert_eq!(tree.base_commit(), git(&clone, &["rev-parse", "HEAD"]));
        tree.remove().await.unwrap();
        cost.push(hosted.server.sent() - before);
    }
    assert!(cost[0] > 200_000, "{cost:?}");
    // The second asks for the branches and nothing else, the third gets one small file.
    assert!(cost[1] < 1_000 && cost[2] < 2_000, "{cost:?}");
}

#[tokio::test]
async fn what_a_killed_run_left_in_the_cache_is_cleared_away() {
    let hosted = Hosted::start().await;
    hosted.checkout("w1").await.remove().await.unwrap();
    let mirror = hosted.mirror();
    for lock in ["shallow.lock", "packed-refs.lock", "HEAD.lock", "config.lock"] {
        std::fs::write(mirror.join(lock), "").unwrap();
    }
    for entry in std::fs::read_dir(mirror.join("refs/patchwork")).unwrap().flatten() {
        std::fs::write(format!("{}.lock", entry.path().display()), "").unwrap();
    }
    // A checkout that was killed before git had finished it.
    for name in ["w2", "w9"] {
        let half = mirror.join("worktrees").join(name);
        std::fs::create_dir_all(&half).unwrap();
        let tree = hosted.dir.path().join("cache/worktrees").join(name).join("tree/.git");
        std::fs::write(half.join("gitdir"), format!("{}\n", tree.display())).unwrap();
        std::fs::write(half.join("commondir"), "../..\n").unwrap();
        std::fs::write(half.join("HEAD"), format!("{}\n", git(&hosted.clone(), &["rev-parse", "HEAD"]))).unwrap();
        std::fs::write(half.join("locked"), "initializing\n").unwrap();
    }
    let litter = hosted.dir.path().join("cache/worktrees/w2");
    std::fs::create_dir_all(litter.join("deep")).unwrap();
    std::fs::write(litter.join("deep/old"), "").unwrap();
    commit(&hosted.clone(), "a.txt", "two\n");
    let tree = hosted.checkout("w2").await;
    assert_eq!(tree.read(&path("a.txt")), Existing::Text("two\n".into()));
    assert!(!litter.join("deep").exists());
    tree.check_out().await.unwrap();
    assert_eq!(std::fs::read_to_string(tree.root().join("a.txt")).unwrap(), "two\n");
    assert!(!mirror.join("worktrees/w9").exists());
}

#[tokio::test]
async fn a_damaged_mirror_is_made_anew() {
    let hosted = Hosted::start().await;
    hosted.checkout("w1").await.remove().await.unwrap();
    std::fs::write(hosted.mirror().join("HEAD"), "nonsense").unwrap();
    let tree = hosted.checkout("w2").await;
    assert_eq!(tree.base_commit(), git(&hosted.clone(), &["rev-parse", "HEAD"]));
}

#[tokio::test]
async fn mirrors_that_lost_their_objects_heal() {
    let hosted = Hosted::start().await;
    hosted.checkout("w1").await.remove().await.unwrap();
    std::fs::remove_dir_all(hosted.mirror().join("objects")).unwrap();
    std::fs::create_dir_all(hosted.mirror().join("objects/pack")).unwrap();
    let tree = hosted.checkout("w2").await;
    assert_eq!(tree.read(&path("a.txt")), Existing::Text("one\n".into()));
}

#[tokio::test]
async fn two_runs_at_once_share_a_mirror_and_nothing_else() {
    let hosted = Hosted::start().await;
    let (one, two) = tokio::join!(hosted.checkout("w1"), hosted.checkout("w2"));
    assert_ne!(one.root(), two.root());
    let plan_of_one = plan("b.txt", "one\n");
    let (done, there) = tokio::join!(one.apply(&plan_of_one), two.check_out());
    done.and(there).unwrap();
    assert!(!two.root().join("b.txt").exists());
    let diff = one.diff(&plan("b.txt", "one\n")).await.unwrap();
    assert!(diff.contains("+one") && diff.matches("diff --git").count() == 1, "{diff}");
    for (tree, name) in [(&one, "one"), (&two, "two")] {
        let branch = format!("patchwork/{name}");
        tree.commit(&plan("b.txt", name), &branch, "x", ME, None).await.unwrap();
        tree.push(&branch, &[]).await.unwrap();
    }
    let branches = git(&hosted.bare(), &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    assert_eq!(branches, "main\npatchwork/one\npatchwork/two");
}

#[tokio::test]
async fn a_token_does_not_follow_a_redirect_to_a_stranger() {
    let hosted = Hosted::start().await;
    let stranger = Stranger::start().await;
    for step in [REFS, FETCH] {
        let to = format!("{}/o/r.git/info/refs?service=git-upload-pack", stranger.url());
        hosted.server.fail(step, Fault::status(302, "").header("location", to));
        let error = hosted.cache.checkout(&hosted.remote(), None, "w1").await.unwrap_err().to_string();
        assert!(!error.contains(KEY), "{error}");
    }
    let told = stranger.seen();
    assert!(!told.is_empty(), "git follows the first one");
    assert!(told.iter().all(|request| !request.to_lowercase().contains("authorization")), "{told:?}");
    hosted.checkout("w1").await;
}

#[tokio::test]
async fn branches_are_found_by_name_and_by_head() {
    let hosted = Hosted::start().await;
    git(&hosted.clone(), &["checkout", "--quiet", "-b", "release/1"]);
    commit(&hosted.clone(), "a.txt", "released\n");
    for name in ["release/1", "refs/heads/release/1"] {
        let tree = hosted.cache.checkout(&hosted.remote(), Some(name), "w1").await.unwrap();
        assert_eq!(
            (tree.base_branch(), tree.base_commit()),
            ("release/1", git(&hosted.clone(), &["rev-parse", "HEAD"]).as_str())
        );
    }
    let error = hosted.cache.checkout(&hosted.remote(), Some("relase/1"), "w1").await.unwrap_err();
    assert!(matches!(&error, ProviderError::NotFound { known, .. } if known == &["main", "release/1"]), "{error}");
    // The author's clone, on no branch at all.
    git(&hosted.clone(), &["checkout", "--quiet", "--detach", "main"]);
    commit_here(&hosted.clone());
    let tree = hosted.cache.checkout(&Remote::Path(hosted.clone()), None, "w1").await.unwrap();
    assert_eq!(
        (tree.base_branch(), tree.base_commit()),
        ("HEAD", git(&hosted.clone(), &["rev-parse", "HEAD"]).as_str())
    );
}

fn commit_here(clone: &Path) {
    git(clone, &["commit", "--quiet", "--allow-empty", "-m", "Loose"]);
}

#[tokio::test]
async fn a_repository_with_longer_ids_works_too() {
    let dir = tempfile::tempdir().unwrap();
    let repo = dir.path().join("repo");
    std::fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "--quiet", "--object-format=sha256"]);
    commit_here(&repo);
    let tree = GitCache::new(dir.path().join("cache")).checkout(&Remote::Path(repo.clone()), None, "w1").await.unwrap();
    let commit = tree.commit(&plan("b.txt", "new\n"), "patchwork/b", "Add b", ME, None).await.unwrap();
    tree.push("patchwork/b", &[]).await.unwrap();
    assert_eq!((commit.len(), git(&repo, &["rev-parse", "patchwork/b"])), (64, commit.clone()));
}

#[tokio::test]
async fn names_of_branches_and_work_trees_can_not_be_anything() {
    let hosted = Hosted::start().await;
    for id in ["", ".", "..", "../x", "a/b", "-x ", ".hidden", "a\nb"] {
        assert!(hosted.cache.checkout(&hosted.remote(), None, id).await.is_err(), "{id:?}");
    }
    let tree = hosted.checkout("w1").await;
    for branch in ["", "HEAD", "-x", "a..b", "a b", "a~1", "a.lock", "refs/heads/../x", "a\nb", "@{u}"] {
        assert!(tree.commit(&plan("b.txt", "new\n"), branch, "x", ME, None).await.is_err(), "{branch:?}");
        assert!(tree.push(branch, &[]).await.is_err(), "{branch:?}");
    }
    assert_eq!(hosted.server.pushes(), 0);
}

#[tokio::test]
async fn files_are_what_the_commit_says_without_a_checkout() {
    let hosted = Hosted::start().await;
    let clone = hosted.clone();
    let put = |name: &str, bytes: &[u8]| {
        let file = clone.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    };
    put("src/lib.rs", b"// text\n");
    put("src/crlf.txt", b"one\r\ntwo\r\n");
    put("src/latin", b"caf\xe9");
    put("src/big", &vec![b'x'; 1024 * 1024 + 1]);
    put("odd/a\nb", b"");
    put("empty", b"");
    put(".gitattributes", b"* text eol=crlf ident filter=evil\n");
    std::os::unix::fs::symlink("/etc", clone.join("out")).unwrap();
    commit(&clone, "z.txt", "$Id$\n");
    let tree = hosted.checkout("w1").await;
    let text = |text: &str| Existing::Text(text.to_owned());
    let why = Existing::Opaque;
    for (at, expected) in [
        ("src/lib.rs", text("// text\n")),
        ("z.txt", text("$Id$\n")),
        ("empty", text("")),
        ("none", Existing::Missing),
        ("src/none/none", Existing::Missing),
        ("src", why("it is a directory")),
        ("odd", why("it is a directory")),
        ("src/lib.rs/x", why("a part of its path is a file or a symbolic link")),
        ("src/latin", why("it is not UTF-8 text")),
        ("src/big", why("it is larger than 1 MiB")),
        ("out", why("it is a symbolic link")),
        ("out/passwd", why("it is inside a submodule or behind a symbolic link")),
        (
            "SRC/new.rs",
            why("there is a file or directory whose name differs only in case, and some systems can't hold both"),
        ),
    ] {
        assert_eq!(tree.read(&path(at)), expected, "{at}");
    }
    assert!(!tree.root().exists());
    assert_eq!(tree.left_out(), 1);
    // Many at a time, each from a git of its own.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(tree.read(&path("src/lib.rs")), text("// text\n"))));
        }
    });
}

/// What a command may do to the work tree it was let into, and to the repository behind it.
const HAVOC: &str = "echo changed > a.txt; echo new > new.txt; mkdir -p deep/dir; echo x > deep/dir/x; chmod +x a.txt; ln -s /etc/passwd link
    echo ignored > .gitignore; echo i > ignored; git init -q inner; echo y > inner/y
    git -c user.name=a -c user.email=a@b add -A; git -c user.name=a -c user.email=a@b commit -qm 'Mine'
    git update-index --assume-unchanged a.txt; git update-index --skip-worktree new.txt
    git config core.bare false; git config core.worktree /tmp; git config filter.evil.clean 'false'; git config core.hooksPath hooks
    echo '* filter=evil text eol=crlf' > \"$(git rev-parse --git-common-dir)/info/attributes\"
    mkdir closed; touch closed/x; chmod 0 closed";

#[tokio::test]
async fn a_work_tree_is_put_back_exactly_and_the_commit_is_the_plan_and_nothing_else() {
    for more in [
        "",
        "rm -rf \"$(git rev-parse --absolute-git-dir)\"",
        "rm .git",
        "rm -rf .git a.txt; ln -s /etc a.txt; mkdir .git",
    ] {
        let hosted = Hosted::start().await;
        let tree = hosted.checkout("w1").await;
        tree.check_out().await.unwrap();
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("{HAVOC}; {more}")]).current_dir(tree.root());
        let ran = shell.env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        assert!(tree.root().join("deep/dir/x").exists(), "{ran:?}");
        let commit = tree.commit(&plan("b.txt", "new\r\n"), "patchwork/b", "Add b", ME, None).await.unwrap();
        tree.push("patchwork/b", &[]).await.unwrap();
        let stat = git(&hosted.bare(), &["diff", "--name-status", "main", &commit]);
        assert_eq!(stat, "A\tb.txt", "{more}");
        assert_eq!(git(&hosted.bare(), &["rev-list", "--count", &format!("main..{commit}")]), "1");

        assert_eq!(tree.read(&path("a.txt")), Existing::Text("one\n".into()), "{more}");

        tree.reset().await;
        tree.check_out().await.unwrap();
        let mut names: Vec<_> = std::fs::read_dir(tree.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".git", "a.txt"], "{more}");
        assert_eq!(std::fs::read_to_string(tree.root().join("a.txt")).unwrap(), "one\n", "{more}");
        assert_eq!(tree.changed().await.unwrap(), [], "{more}");
        tree.apply(&plan("c.txt", "new\n")).await.unwrap();
        assert_eq!(tree.changed().await.unwrap().len(), 1, "{more}");
        tree.remove().await.unwrap();
        hosted.checkout("w2").await.remove().await.unwrap();
    }
}
