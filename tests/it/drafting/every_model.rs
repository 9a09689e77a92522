//! What holds for every drafter that asks a model: a whole draft to a real repository, one repair, and every fault in a table. The run ends as failed
//! with the reason in words, the report stays as it was, and the next draft works.

use crate::support::fake::compatible::{Compatible, Dialect};
use crate::support::fake::outcome::{FakeModel, Outcome, Trouble};
use crate::support::fake::world::{ANTHROPIC_KEY, COMPATIBLE_KEY, OPENAI_KEY, World, branches};
use crate::support::git::git;
use patchwork::config::{Config, JsonMode};
use patchwork::domain::draft::{DrafterKind, Stage, Usage};
use serde_json::{Value, json};
use std::time::Duration;

const MODELS: [DrafterKind; 3] = [DrafterKind::Anthropic, DrafterKind::Openai, DrafterKind::OpenaiCompatible];

const HALF: &str = "{\"title\": \"Half\", \"summ";

async fn world(drafter: DrafterKind) -> World {
    World::with(|config, _| config.draft.drafter = drafter).await
}

fn key_of(drafter: DrafterKind) -> &'static str {
    match drafter {
        DrafterKind::Anthropic => ANTHROPIC_KEY,
        DrafterKind::Openai => OPENAI_KEY,
        DrafterKind::OpenaiCompatible => COMPATIBLE_KEY,
        DrafterKind::Command => panic!("a program has no key of ours"),
    }
}

/// One file created: the answer that always fits.
fn good() -> Outcome {
    let files = json!([{"path": "src/ranges.py", "action": "create", "content": "RANGE = 1\n", "edits": []}]);
    Outcome::change("Add a date range", &files)
}

/// Creates, edits and deletes.
fn several_files() -> Value {
    json!([
        {"path": "src/ranges.py", "action": "create", "content": "def parse(since):\n    return since\n", "edits": []},
        {"path": "src/server.py", "action": "edit", "content": null, "edits": [
            {"search": "def search_costs(query: str) -> list:", "replace": "def search_costs(query: str, since: str = \"\") -> list:"},
            {"search": "    return [query]\n", "replace": "    return [query, since]\n"},
        ]},
        {"path": "src/old_costs.py", "action": "delete", "content": null, "edits": []},
    ])
}

#[tokio::test]
async fn a_report_becomes_one_commit_and_a_draft_pull_request() {
    for drafter in MODELS {
        let world = world(drafter).await;
        let id = world.report(json!({"suggestion": "search_costs(query, since)"})).await;
        world.note(&id, "Use ISO dates.").await;
        world.model(drafter).plan(&Outcome::change("Add a date range to search_costs", &several_files()));
        let (detail, published) = world.publish(&id).await;

        let bare = world.bare();
        assert_eq!(branches(&bare), [published.branch.as_str()], "{drafter}");
        let stat = git(&bare, &["diff", "--name-status", "main", &published.branch]);
        assert_eq!(stat, "D\tsrc/old_costs.py\nA\tsrc/ranges.py\nM\tsrc/server.py", "{drafter}");
        let pulls = world.github.pulls();
        let body = pulls[0]["body"].as_str().unwrap();
        let model = world.config.model_of(drafter);
        assert!(body.contains(model) && body.contains("123 tokens in (3 of them cached), 42 out"), "{drafter}: {body}");
        assert_eq!((detail.draft.drafter, detail.draft.model.as_str()), (drafter, model));
        let Usage { input_tokens, output_tokens, cached_tokens, .. } = detail.draft.usage;
        assert_eq!((input_tokens, output_tokens, cached_tokens), (123, 42, 3), "{drafter}");

        // Notes outrank and come before the report; the repository's files are data of their own.
        let turns = world.model(drafter).turns(&world.model(drafter).script().requests()[0]);
        let [system, question] = turns.as_slice() else { panic!("{turns:?}") };
        assert!(system.contains("order of authority") && system.contains("The developer's notes."), "{system}");
        let place = |text: &str| question.find(text).unwrap_or_else(|| panic!("{text} is not in:\n{question}"));
        assert!(place("Use ISO dates.") < place("a date range for search_costs"), "{drafter}: {question}");
        assert!(place("<file path=\"src/server.py\"") < place("# The developer's notes"), "{drafter}: {question}");
        world.assert_clean();
    }
}

#[tokio::test]
async fn an_answer_that_can_not_be_applied_goes_back_with_the_reason() {
    for drafter in MODELS {
        let world = world(drafter).await;
        let id = world.report(json!({})).await;
        let twice = json!([{"path": "src/server.py", "action": "edit", "content": null,
            "edits": [{"search": "@mcp.tool()", "replace": "changed"}]}]);
        world.model(drafter).plan(&Outcome::change("Twice", &twice));
        world.model(drafter).plan(&good());
        let (detail, _) = world.publish(&id).await;
        let requests = world.model(drafter).script().requests();
        let [first, second] = requests.as_slice() else { panic!("{}", requests.len()) };
        let (first, second) = (world.model(drafter).turns(first), world.model(drafter).turns(second));
        assert_eq!(
            first[..],
            second[..first.len()],
            "{drafter}: the question is as it was, so that it can come from the cache"
        );
        let [answer, reason] = &second[first.len()..] else { panic!("{second:?}") };
        assert!(answer.contains("Twice") && reason.contains("occurs 2 times"), "{drafter}: {second:?}");
        assert_eq!((detail.draft.usage.input_tokens, detail.draft.usage.output_tokens), (246, 84), "{drafter}");
        world.assert_clean();
    }
}

/// A fault, where the run ends, and words that its reason has.
struct Fault {
    outcomes: Vec<Outcome>,
    stage: Stage,
    words: &'static [&'static str],
}

fn fault(outcome: Outcome, words: &'static [&'static str]) -> Fault {
    Fault { outcomes: vec![outcome], stage: Stage::Model, words }
}

/// One that is tried twice more before it is believed.
fn stubborn(outcome: &Outcome, words: &'static [&'static str]) -> Fault {
    Fault { outcomes: vec![outcome.clone(); 3], stage: Stage::Model, words }
}

fn half() -> String {
    HALF.into()
}

/// Everything that a provider can do besides answering.
fn faults(drafter: DrafterKind) -> Vec<Fault> {
    let error = |about, message: &str| Outcome::Error(about, message.into());
    let inside = |about, message: &str| Outcome::ErrorInside(half(), about, message.into());
    let echo = format!("the key {} is wrong", key_of(drafter));
    let nothing = json!({"title": "Nothing to do", "summary": "`since` exists already.", "files": []}).to_string();
    let judged = |outcomes, words| Fault { outcomes, stage: Stage::Check, words };
    vec![
        // Refused before an answer began.
        fault(error(Trouble::BadKey, &echo), &["refused the key", "_API_KEY"]),
        fault(error(Trouble::Forbidden, "Not in your country"), &["refused the key", "Not in your country"]),
        fault(error(Trouble::Spent, "Your credit is used up"), &["spending limit", "trying again won't help"]),
        stubborn(
            &Outcome::Later(Trouble::Rate, 7, "Slow down".into()),
            &["limits the rate", "Slow down", "try again in 7 s"],
        ),
        fault(Outcome::Later(Trouble::Rate, 121, "Not today".into()), &["limits the rate", "try again in 2 min"]),
        stubborn(&error(Trouble::Rate, "Slow down"), &["limits the rate", "Slow down"]),
        stubborn(&error(Trouble::Overloaded, "Loading model"), &["overloaded", "Loading model"]),
        stubborn(&error(Trouble::Server, "Boom"), &["Boom", "Try again in a few minutes"]),
        fault(error(Trouble::TooLong, "300000 tokens"), &["300000 tokens", "`context_tokens`"]),
        fault(error(Trouble::BadRequest, "I don't like it"), &["status 400", "I don't like it"]),
        // No API at all.
        stubborn(&Outcome::HangsUp, &["connection to", "try again"]),
        stubborn(&Outcome::Page(502), &["status 502", "hotel"]),
        fault(Outcome::Page(200), &["base_url"]),
        fault(Outcome::Page(404), &["base_url", "status 404"]),
        fault(Outcome::Page(403), &["refused the key", "base_url"]),
        // An answer that ended in its middle: never asked for again.
        fault(Outcome::Ends(half()), &["broke off before its end"]),
        fault(Outcome::Ends(String::new()), &["broke off before its end"]),
        fault(Outcome::Breaks(half()), &["connection to"]),
        fault(Outcome::Malformed(half()), &["can't be understood"]),
        fault(Outcome::NotText(half()), &["not UTF-8"]),
        fault(inside(Trouble::Overloaded, "Too busy"), &["overloaded", "Too busy"]),
        fault(inside(Trouble::Rate, "Slow down"), &["limits the rate", "Slow down"]),
        fault(inside(Trouble::Spent, "No credit"), &["spending limit", "No credit"]),
        fault(inside(Trouble::Server, "Boom"), &["Boom", "Try again in a few minutes"]),
        // Answers that are none.
        fault(
            Outcome::Refuses("I can't help with that.".into()),
            &["refused to answer", "I can't help with that. Reword"],
        ),
        fault(Outcome::Filtered, &["refused to answer", "another model"]),
        fault(Outcome::Truncated(half()), &["cut off", "`max_output_tokens`"]),
        fault(Outcome::OddStop(half()), &["of_tomorrow"]),
        fault(Outcome::Says(String::new()), &["no text"]),
        judged(
            ["Hello!", "Hello again!", "Hi."].map(|text| Outcome::Says(text.into())).into(),
            &["asking again", "schema"],
        ),
        judged(vec![Outcome::Says(nothing)], &["changed nothing", "`since` exists already. Add a note"]),
    ]
}

async fn each_fails_in_words_and_the_next_draft_works(drafter: DrafterKind) {
    let world = world(drafter).await;
    let model = world.model(drafter);
    let mut wrong = Vec::new();
    for Fault { outcomes, stage: at, words } in faults(drafter) {
        let id = world.report_here().await;
        for outcome in &outcomes {
            model.plan(outcome);
        }
        let (stage, reason) = world.failure(&id).await;
        let missing: Vec<_> = words.iter().filter(|w| !reason.contains(**w)).collect();
        let sentence = reason.ends_with('.') && !reason.contains("..") && reason.len() < 1_500;
        if stage != at || !missing.is_empty() || !sentence || reason.contains(key_of(drafter)) {
            wrong.push(format!("{missing:?} missing in {stage}: {reason}"));
        }
        assert_eq!(model.script().unasked(), 0, "every answer was asked for: {reason}");
        model.plan(&good());
        world.publish(&id).await;
    }
    assert!(wrong.is_empty(), "{drafter}: {wrong:#?}");
    world.assert_clean();
}

#[tokio::test]
async fn every_fault_of_anthropic() {
    each_fails_in_words_and_the_next_draft_works(DrafterKind::Anthropic).await;
}

#[tokio::test]
async fn every_fault_of_openai() {
    each_fails_in_words_and_the_next_draft_works(DrafterKind::Openai).await;
}

#[tokio::test]
async fn every_fault_of_a_compatible_server() {
    each_fails_in_words_and_the_next_draft_works(DrafterKind::OpenaiCompatible).await;
}

#[tokio::test]
async fn a_passing_fault_is_waited_out_as_the_server_asks() {
    for drafter in MODELS {
        let world = world(drafter).await;
        let id = world.report(json!({})).await;
        let model = world.model(drafter);
        model.plan(&Outcome::Later(Trouble::Rate, 120, "Slow down".into()));
        model.plan(&Outcome::Error(Trouble::Overloaded, "Loading model".into()));
        model.plan(&good());
        let (detail, _) = world.publish(&id).await;
        let told: Vec<&str> = detail
            .stages
            .iter()
            .flat_map(|s| s.details.iter().map(String::as_str))
            .filter(|l| l.starts_with("Waited "))
            .collect();
        assert!(told.len() == 2 && told[0].starts_with("Waited 120 s: ") && told[0].contains("Slow down"), "{told:?}");
        let waits = world.waits.all();
        let second = Duration::from_millis(750)..=Duration::from_secs(1);
        assert!(
            waits.len() == 2 && waits[0] == Duration::from_mins(2) && second.contains(&waits[1]),
            "{drafter}: {waits:?}"
        );
    }
}

#[tokio::test]
async fn what_an_unusable_answer_has_cost_is_recorded() {
    for drafter in MODELS {
        let world = world(drafter).await;
        let id = world.report_here().await;
        for outcome in [Outcome::Refuses("No.".into()), Outcome::Filtered, Outcome::Truncated(half())] {
            world.model(drafter).plan(&outcome);
            let usage = world.draft(&id).await.draft.usage;
            assert!(usage.input_tokens == 123 && usage.output_tokens >= 42, "{drafter}, {outcome:?}: {usage:?}");
        }
    }
}

#[tokio::test]
async fn a_model_that_is_not_there_is_answered_with_those_that_are() {
    let wrong = |config: &mut Config, drafter| match drafter {
        DrafterKind::Anthropic => config.anthropic.model = "claude-test-I".into(),
        DrafterKind::Openai => config.openai.model = "gpt-test-I".into(),
        DrafterKind::OpenaiCompatible => config.openai_compatible.model = "qwen-test:70b".into(),
        DrafterKind::Command => {}
    };
    for (drafter, words) in [
        (
            DrafterKind::Anthropic,
            ["`claude-test-I` was not found", "model = \"claude-test-1\"", "claude-ageing-2 (deprecated)."],
        ),
        (DrafterKind::Openai, ["`gpt-test-I` was not found", "model = \"gpt-test-1\"", "gpt-other-9."]),
        (
            DrafterKind::OpenaiCompatible,
            ["`qwen-test:70b` was not found", "model = \"qwen-test:7b\"", "llama-other:latest"],
        ),
    ] {
        let world = World::with(|config, _| {
            config.draft.drafter = drafter;
            wrong(config, drafter);
        })
        .await;
        let id = world.report(json!({})).await;
        let (stage, reason) = world.failure(&id).await;
        assert_eq!(stage, Stage::Model);
        for words in words.iter().copied().chain([format!("[{drafter}] in config.toml").as_str()]) {
            assert!(reason.contains(words), "`{words}` is not in: {reason}");
        }
    }
}

#[tokio::test]
async fn cancelling_hangs_up_on_every_model() {
    for drafter in MODELS {
        let world = world(drafter).await;
        let id = world.report_here().await;
        world.model(drafter).plan(&Outcome::Stalls(half()));
        let draft = world.start(&id, false).await.unwrap();
        world.model(drafter).script().until_stalled(1).await;
        world.cancel(&draft).await;
        world.model(drafter).script().until_abandoned(1).await;
        world.end_of(&draft).await;
        world.assert_clean();
    }
}

/// A server of one's own that wants no key and keeps no model to a schema; the model thinks aloud and wraps its answer.
#[tokio::test]
async fn what_a_server_does_not_enforce_is_taken_as_it_comes() {
    for json in [JsonMode::Object, JsonMode::None] {
        let fake = Compatible::start(None, Dialect { json: json.as_str(), ..Dialect::default() }).await;
        let world = World::with(|config, secrets| {
            config.draft.drafter = DrafterKind::OpenaiCompatible;
            config.openai_compatible.base_url = fake.url();
            config.openai_compatible.json = json;
            secrets.openai_compatible = None;
        })
        .await;
        let id = world.report(json!({})).await;
        let Outcome::Says(answer) = good() else { panic!("an answer") };
        fake.plan(&Outcome::Says(format!("<think>\nA {{date}} range …\n</think>\n\n```json\n{answer}\n```\n")));
        let (detail, published) = world.publish(&id).await;
        assert_eq!(git(&world.bare(), &["diff", "--name-only", "main", &published.branch]), "src/ranges.py");
        // It has counted 123 tokens of a question that is far longer.
        let told: Vec<&String> = detail.stages.iter().flat_map(|stage| &stage.details).collect();
        assert!(told.iter().any(|line| line.contains("Only 123 of about") && line.contains("context")), "{told:?}");
        world.assert_clean();
    }
}

/// What the first question of two runs has in common, before the first thing that differs.
fn common_prefix(first: &[String], second: &[String]) -> usize {
    let (first, second) = (first.concat(), second.concat());
    first.bytes().zip(second.bytes()).take_while(|(a, b)| a == b).count()
}

#[tokio::test]
async fn a_redraft_from_the_same_files_shares_its_prefix_byte_for_byte() {
    for drafter in MODELS {
        let world = world(drafter).await;
        let model = world.model(drafter);
        let id = world.report(json!({})).await;
        world.note(&id, "Use ISO dates.").await;
        model.plan(&Outcome::change("Add a date range", &several_files()));
        world.publish(&id).await;
        world.note(&id, "Call it `from`, and mend old_costs instead of deleting it.").await;
        model.plan(&good());
        world.publish(&id).await;

        let requests = model.script().requests();
        let [first, second] = requests.as_slice() else { panic!("{}", requests.len()) };
        let turns = [model.turns(first), model.turns(second)];
        assert!(turns[1][1].contains("Call it `from`") && turns[1][1].contains("<previous_draft"), "{}", turns[1][1]);
        let shared = common_prefix(&turns[0], &turns[1]);
        let marked = turns[0][0].len() + turns[0][1].find("# The repository (").unwrap();
        assert!(shared >= marked, "{drafter}: {shared} bytes of {marked}");
        match drafter {
            // All up to the mark behind the files is one cached block, the same in both.
            DrafterKind::Anthropic => {
                assert_eq!(first["system"], second["system"]);
                let files = &first["messages"][0]["content"][0];
                assert_eq!(files["cache_control"], json!({"type": "ephemeral"}));
                assert!(files["text"].as_str().unwrap().contains("<file path=\"src/server.py\""), "{files}");
                assert_eq!(files, &second["messages"][0]["content"][0]);
            }
            DrafterKind::Openai => assert_eq!(first["prompt_cache_key"], second["prompt_cache_key"]),
            // Such servers keep prefixes by themselves.
            DrafterKind::OpenaiCompatible | DrafterKind::Command => {}
        }
    }
}
