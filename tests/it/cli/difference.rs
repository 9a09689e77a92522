//! `drafts ID --diff-to-previous`: what a re-draft does otherwise.

use super::draft::Bench;
use serde_json::json;

/// Writes another number when it is shown what it wrote before; and a line that would like to act on a terminal.
const AGENT: &str = "case \"$(cat)\" in *'return [1]'*) n=2 ;; *) n=1 ;; esac; sed -i \"s/return .*/return [$n]/\" src/server.py; \
                     echo 'A = 1' > src/same.py; printf 'x = \"\\033[2J%s\"\\n' \"$n\" > src/x.py";

/// Two drafts of the report; the newer one first.
fn drafts(bench: &Bench) -> Vec<String> {
    for more in [&[][..], &["--again"]] {
        let ran = bench.draft(more);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
    let drafts = bench.home.json(&["drafts", "--json"]);
    drafts.as_array().unwrap().iter().map(|draft| draft["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_redraft_is_compared_with_the_one_before() {
    let bench = Bench::new(AGENT);
    let ids = drafts(&bench);
    let shown = bench.home.ok(&["drafts", &ids[0], "--diff-to-previous"]);
    for part in [
        &format!("{} Draft 2 against draft 1\n", ids[0]),
        &format!("draft before {}\n", ids[1]),
        "outcome      2 files differ, 1 is the same in both.\n",
        "the same     src/same.py\n",
        "differs      src/server.py +1 -1\n",
        "  -    return [1]\n  +    return [2]\n",
    ] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    assert!(!shown.contains('\u{1b}') && shown.contains("\u{fffd}[2J"), "{shown}");

    let json = bench.home.json(&["drafts", &ids[0], "--diff-to-previous", "--json"]);
    assert_eq!((&json["draft"], &json["against"]), (&json!(ids[0]), &json!({"id": ids[1], "number": 1})));
    assert_eq!((&json["footing"], &json["same"]), (&json!("same-base"), &json!(["src/same.py"])));
    assert_eq!(
        json["files"][0],
        json!({"path": "src/server.py", "how": "both", "there_before": true, "there_now": true, "added": 1, "removed": 1})
    );
    assert!(json["diff"].as_str().unwrap().starts_with("diff --git a/src/server.py b/src/server.py\n--- a/"));
    assert_eq!(bench.home.json(&["drafts", &ids[0], "--diff-to", &ids[1], "--json"]), json);
}

#[test]
fn what_has_nothing_before_it_says_so() {
    let bench = Bench::new(AGENT);
    let ids = drafts(&bench);
    let ran = bench.home.run(&["drafts", &ids[1], "--diff-to-previous"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(4), ""), "{ran:?}");
    assert!(ran.stderr.contains("nothing to compare it with: draft again first"), "{ran:?}");
    for wrong in
        [&["drafts", "--diff-to-previous"][..], &["drafts", &ids[0], "--diff-to-previous", "--diff-to", &ids[1]]]
    {
        assert_eq!(bench.home.run(wrong).code, Some(2), "{wrong:?}");
    }
    assert_eq!(bench.home.run(&["drafts", &ids[0], "--diff-to", "nothing"]).code, Some(3));
}
