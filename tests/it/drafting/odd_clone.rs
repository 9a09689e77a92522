//! The author's own clone in the states that clones are in: dirty, shallow, on no branch, in the middle of a merge, empty. A draft gets a branch
//! into it, by a model or a program, or fails with a sentence; nothing else in it changes, not even a time.

use crate::support::fake::world::{World, branches, published};
use crate::support::git::{Fingerprint, git, try_git};
use patchwork::domain::draft::{DraftState, DrafterKind};
use std::path::Path;

/// How a state is made, in the author's clone and the hosted repository that it can be cloned from.
type Make = fn(&Path, &Path);

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

fn clone(checkout: &Path, bare: &Path, how: &[&str]) {
    std::fs::remove_dir_all(checkout).unwrap();
    let from = format!("file://{}", bare.display());
    let arguments = [&["clone", "--quiet"], how, &[&from, checkout.to_str().unwrap()]].concat();
    git(bare, &arguments);
}

/// Two more commits, so that there is something to be without.
fn grow(bare: &Path) {
    let tree = git(bare, &["rev-parse", "main^{tree}"]);
    for message in ["Second", "Third"] {
        let commit = git(bare, &["commit-tree", "-m", message, "-p", "main", &tree]);
        git(bare, &["update-ref", "refs/heads/main", &commit]);
    }
}

const STATES: &[(&str, Make)] = &[
    ("clean", |_, _| {}),
    ("staged, changed, deleted, new, ignored", |checkout, _| {
        for (name, text) in [("staged.py", "1\n"), ("README.md", "# Half a thought\n"), ("untracked.py", "2\n")] {
            write(checkout, name, text);
        }
        write(checkout, ".git/info/exclude", "ignored.py\n");
        write(checkout, "ignored.py", "3\n");
        git(checkout, &["add", "staged.py"]);
        std::fs::remove_file(checkout.join("src/old_costs.py")).unwrap();
        git(checkout, &["rm", "--quiet", "--cached", "tests/test_server.py"]);
    }),
    ("in the middle of a merge, with a stash", |checkout, _| {
        write(checkout, "README.md", "# Stashed\n");
        git(checkout, &["stash", "--quiet"]);
        git(checkout, &["checkout", "--quiet", "-b", "side"]);
        write(checkout, "README.md", "# Theirs\n");
        git(checkout, &["commit", "--quiet", "-am", "Theirs"]);
        git(checkout, &["checkout", "--quiet", "main"]);
        write(checkout, "README.md", "# Ours\n");
        git(checkout, &["commit", "--quiet", "-am", "Ours"]);
        assert_eq!(try_git(checkout, &["merge", "side"]), None, "a conflict");
    }),
    ("locked by another git", |checkout, _| write(checkout, ".git/index.lock", "")),
    ("shallow", |checkout, bare| {
        grow(bare);
        clone(checkout, bare, &["--depth", "1"]);
        assert_eq!(git(checkout, &["rev-parse", "--is-shallow-repository"]), "true");
    }),
    ("shallow and dirty", |checkout, bare| {
        grow(bare);
        clone(checkout, bare, &["--depth", "2"]);
        write(checkout, "README.md", "# Half a thought\n");
    }),
    ("with objects that it borrows", |checkout, bare| clone(checkout, bare, &["--shared"])),
    ("on no branch", |checkout, _| {
        git(checkout, &["commit", "--quiet", "--allow-empty", "-m", "Loose"]);
        git(checkout, &["checkout", "--quiet", "--detach", "HEAD"]);
    }),
    ("on no branch, and no branch is there", |checkout, _| {
        git(checkout, &["checkout", "--quiet", "--detach", "HEAD"]);
        git(checkout, &["branch", "--quiet", "-D", "main"]);
    }),
    ("a work tree of another clone", |checkout, bare| {
        std::fs::remove_dir_all(checkout).unwrap();
        let (other, checkout) = (checkout.with_file_name("other"), checkout.to_str().unwrap());
        git(bare, &["clone", "--quiet", ".", other.to_str().unwrap()]);
        git(&other, &["worktree", "add", "--quiet", "-b", "mine", checkout]);
    }),
    ("bare", |checkout, bare| clone(checkout, bare, &["--bare"])),
];

async fn world() -> World {
    let script = "cat > /dev/null; echo RANGE = 1 > src/ranges.py";
    World::with(|config, _| config.command.run = ["sh", "-c", script].map(str::to_owned).to_vec()).await
}

fn assert_no_work_tree(world: &World, state: &str) {
    let left: Vec<_> = std::fs::read_dir(world.cache().join("worktrees")).into_iter().flatten().flatten().collect();
    assert!(left.is_empty(), "{state}: {left:?}");
}

#[tokio::test]
async fn a_branch_is_all_that_comes_into_a_clone_whatever_its_state() {
    for (state, make) in STATES {
        let world = world().await;
        let checkout = world.checkout();
        make(&checkout, &world.bare());
        let base = git(&checkout, &["rev-parse", "HEAD"]);
        let before = Fingerprint::of(&checkout);
        let id = world.report_here().await;
        // The second run finds what the first has left in the cache and in the clone.
        for drafter in [DrafterKind::Command, DrafterKind::Anthropic] {
            world.good_reply();
            let run = world.draft_by(drafter, &id).await;
            assert!(
                matches!(run.draft.state, DraftState::Published { .. }),
                "{state}, {drafter}: {:?}",
                run.draft.state
            );
            before.assert_kept(&checkout);
            let published = published(&run);
            let stat = git(&checkout, &["diff-tree", "-r", "--name-status", &base, &published.branch]);
            assert_eq!(stat, "A\tsrc/ranges.py", "{state}, {drafter}");
            assert_eq!(git(&checkout, &["rev-parse", &format!("{}^", published.branch)]), base, "{state}, {drafter}");
            assert_no_work_tree(&world, state);
        }
        assert_eq!(world.anthropic.unasked(), 1, "a program needs no model");
    }
}

/// What can't be drafted from, the sentence, and what the author does about it.
const HOPELESS: &[(&str, Make, &str, Make)] = &[
    (
        "no commits",
        |checkout, _| {
            std::fs::remove_dir_all(checkout).unwrap();
            git(checkout.parent().unwrap(), &["init", "--quiet", checkout.to_str().unwrap()]);
            write(checkout, "new.py", "1\n");
        },
        "The repository is empty: commit something first.",
        |checkout, _| {
            std::fs::create_dir(checkout.join("src")).unwrap();
            git(checkout, &["add", "--all"]);
            git(checkout, &["commit", "--quiet", "-m", "First"]);
        },
    ),
    (
        "a branch without commits",
        |checkout, _| drop(git(checkout, &["checkout", "--quiet", "--orphan", "fresh"])),
        "Set `branch` under [[repository]] in config.toml. There are: main.",
        |checkout, _| drop(git(checkout, &["checkout", "--quiet", "main"])),
    ),
    (
        "a commit without files",
        |checkout, _| {
            git(checkout, &["checkout", "--quiet", "--orphan", "bare-bones"]);
            git(checkout, &["rm", "-r", "--quiet", "--force", "."]);
            git(checkout, &["commit", "--quiet", "--allow-empty", "-m", "Nothing"]);
        },
        "has no text files that a drafter could read",
        |checkout, _| drop(git(checkout, &["checkout", "--quiet", "main"])),
    ),
    (
        "no repository",
        |checkout, _| std::fs::rename(checkout.join(".git"), checkout.with_file_name("aside")).unwrap(),
        "It is not the root of a git repository",
        |checkout, _| std::fs::rename(checkout.with_file_name("aside"), checkout.join(".git")).unwrap(),
    ),
    (
        "objects that are lost",
        |checkout, _| std::fs::rename(checkout.join(".git/objects"), checkout.with_file_name("aside")).unwrap(),
        "",
        |checkout, _| {
            drop(std::fs::remove_dir_all(checkout.join(".git/objects")));
            std::fs::rename(checkout.with_file_name("aside"), checkout.join(".git/objects")).unwrap();
        },
    ),
];

#[tokio::test]
async fn what_can_not_be_drafted_from_is_said_and_the_next_draft_works() {
    for (state, make, words, mend) in HOPELESS {
        let world = world().await;
        let checkout = world.checkout();
        make(&checkout, &world.bare());
        let before = Fingerprint::of(&checkout);
        let id = world.report_here().await;
        let (_, reason) = world.failure(&id).await;
        assert!(reason.contains(words) && reason.ends_with('.'), "{state}: {reason}");
        assert_eq!(world.anthropic.asked(), 0, "{state}");
        before.assert_kept(&checkout);
        assert_no_work_tree(&world, state);
        mend(&checkout, &world.bare());
        world.good_reply();
        let (_, published) = world.publish(&id).await;
        assert_eq!(
            branches(&checkout).into_iter().filter(|b| b.starts_with("patchwork/")).collect::<Vec<_>>(),
            [published.branch]
        );
    }
}
