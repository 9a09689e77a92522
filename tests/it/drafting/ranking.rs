//! `draft --dry-run`: the ranking of a real repository, and nothing left behind.

use super::*;

#[tokio::test]
async fn a_dry_run_ranks_and_needs_no_key() {
    let bench = Bench::new();
    let job = bench.job(DrafterKind::Anthropic);
    let dry = drafting::dry_run(&job, &bench.tools()).await.unwrap();
    assert_eq!(dry.files[0].path, "src/server.py");
    assert!(dry.files[0].reasons.iter().any(|r| r.contains("registers `search_costs`")), "{:?}", dry.files);
    assert!(dry.files[0].tokens > 0 && dry.brief_tokens > dry.files[0].tokens);
    assert_eq!(dry.commit, bench.git(&["rev-parse", "HEAD"]));
    assert!(dry.files.iter().any(|f| f.path == "tests/test_server.py"));
    bench.assert_clean();
}

#[tokio::test]
async fn links_submodules_and_binary_files_are_not_read() {
    let bench = Bench::new();
    std::os::unix::fs::symlink("/etc/passwd", bench.repo().join("search_costs.py")).unwrap();
    std::fs::write(bench.repo().join("search_costs_date.dat"), [0, 159, 146, 150]).unwrap();
    std::fs::write(bench.repo().join("search_costs_range"), [b'a', 0, 255]).unwrap();
    bench.commit_all("Odd files");
    let dry = drafting::dry_run(&bench.job(DrafterKind::Anthropic), &bench.tools()).await.unwrap();
    assert!(dry.files.iter().all(|f| !f.path.starts_with("search_costs")), "{:?}", dry.files);
}

#[tokio::test]
async fn an_empty_repository_is_said_in_words() {
    let bench = Bench::new();
    bench.git(&["rm", "-r", "--quiet", "."]);
    bench.git(&["commit", "--quiet", "--allow-empty", "-m", "Empty"]);
    let error = drafting::dry_run(&bench.job(DrafterKind::Anthropic), &bench.tools()).await.unwrap_err();
    assert!(error.to_string().contains("no text files"), "{error}");
    bench.assert_clean();
}
