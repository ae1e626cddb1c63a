//! Tokens that leave a looped model early.

mod support;

use rally::*;
use std::path::Path;
use std::process::Command;
use support::*;

/// No shipped model is looped: a program of the tests writes one, with three recursions and hazard gates.
fn looped() -> Model {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../Tests/Fuzz/looped.py");
    let made = Command::new("python3").arg(program).output().expect("python3 runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Model::from_bytes(&made.stdout, &ModelOptions::default()).expect("the looped model opens")
}

const NEVER: Option<f64> = Some(1.0);
const AT_ONCE: Option<f64> = Some(0.0);

#[test]
fn tokens_leave_a_looped_model_as_the_options_say() {
    let model = looped();
    let info = model.info().unwrap();
    assert_eq!((info.num_recursion, info.exit), (3, Some((Exit::Hazard, 0.6))));
    assert_eq!(info.kv_policy, KvPolicy::LastExited);
    let mut runner = Runner::new(&model).unwrap();
    let rows = Rows::from_iter([vec![5, 6, 7], vec![8, 9]]);
    let wanted = Wanted {
        depths: true,
        ..Wanted::default()
    };
    let mut depths = |options: RunOptions| runner.run(&rows, &wanted, options).unwrap().depths;
    let options = |exit_threshold| RunOptions {
        exit_threshold,
        ..RunOptions::default()
    };
    assert_eq!(depths(options(NEVER)), [3; 5]);
    assert_eq!(depths(options(AT_ONCE)), [1; 5]);
    assert_eq!(depths(options(None)), depths(options(Some(0.6))));
    let bounded = |min_depth, max_depth, exit_threshold| RunOptions {
        min_depth,
        max_depth,
        ..options(exit_threshold)
    };
    assert_eq!(depths(bounded(2, 0, AT_ONCE)), [2; 5]);
    assert_eq!(depths(bounded(0, 2, NEVER)), [2; 5]);
    let late = RunOptions {
        exit_from_each: Some(&[2, 0]),
        ..options(AT_ONCE)
    };
    assert_eq!(depths(late), [3, 3, 1, 1, 1]);
    let read = RunOptions {
        kv_policy: KvPolicy::Full,
        ..options(AT_ONCE)
    };
    assert_eq!(depths(read), [1; 5]);
}

#[test]
fn texts_of_a_looped_model_leave_early_after_the_prompt() {
    let model = looped();
    let mut runner = Runner::new(&model).unwrap();
    let asked = |exit_threshold, exit_from| Request {
        exit_threshold,
        exit_from,
        ..request(4)
    };
    let after_the_prompt = asked(AT_ONCE, None);
    let text = runner.generate_one(&after_the_prompt).unwrap();
    assert_eq!((text.prompt_depths, text.depths), (vec![3; 3], vec![3, 1, 1, 1]));
    assert_eq!(runner.generate_one(&asked(AT_ONCE, Some(0))).unwrap().depths, [1; 4]);
    assert_eq!(runner.generate_one(&asked(NEVER, None)).unwrap().depths, [3; 4]);

    let mut engine = Engine::new(&model).unwrap();
    engine.submit(&after_the_prompt).unwrap();
    let mut tokens = Vec::new();
    engine
        .run(|event| {
            tokens.extend(event.token);
            Flow::Continue
        })
        .unwrap();
    assert_eq!(tokens, text.tokens);
}

#[test]
fn exits_belong_to_looped_models() {
    let model = language_model();
    let mut runner = Runner::new(&model).unwrap();
    let rows = Rows::from_iter([vec![5, 6, 7], vec![8, 9]]);
    let wanted = Wanted {
        depths: true,
        ..Wanted::default()
    };
    let mut run = |starts: &[usize]| {
        let options = RunOptions {
            exit_from_each: Some(starts),
            ..RunOptions::default()
        };
        runner.run(&rows, &wanted, options)
    };
    let error = run(&[1]).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(
        error.to_string(),
        "exit_from_each: expected one for each of 2 rows, found 1"
    );
    // The shipped model has a router, and no exits that a token could wait for.
    assert_eq!(run(&[1, 0]).unwrap_err().code(), Code::Unsupported);
    assert_eq!(run(&[0, 0]).unwrap().depths.len(), 5);
}
