//! The safe interface against the shipped models.

use rally::*;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;

fn path(variable: &str, name: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../../Examples/models")
            .join(name),
    }
}

fn language_model() -> Model {
    Model::open(path("RALLY_TEST_LM", "rally-tiny.onnx")).expect("the language model opens")
}

fn rater() -> Model {
    Model::open(path("RALLY_TEST_RATER", "rally-rater-tiny.onnx")).expect("the rater opens")
}

fn request(count: usize) -> Request {
    Request {
        tokens: vec![1, 2, 3],
        max_tokens: count,
        stop_at_eos: false,
        ..Request::default()
    }
}

fn assert_send<T: Send>(_: &T) {}
fn assert_sync<T: Sync>(_: &T) {}

#[test]
fn models_describe_themselves() {
    let model = language_model();
    let info = model.info().unwrap();
    assert_eq!(info.kind, Kind::LanguageModel);
    assert!(info.vocab_size > 0 && info.num_recursion >= 1 && info.parameter_count > 0);
    assert!(model.metadata().unwrap().contains(&("rally.kind".into(), "lm".into())));
    assert_eq!(model.tensors().unwrap()[0].shape, [info.vocab_size, info.hidden_size]);
    assert_eq!(rater().info().unwrap().kind, Kind::Rater);
    assert!(!version().is_empty() && !instruction_set().is_empty());
}

#[test]
fn failures_have_codes() {
    let error = Model::open("no/such/model.onnx").unwrap_err();
    assert_eq!(error.code(), Code::FileNotFound);
    assert!(error.to_string().contains("no/such/model.onnx"));
    assert_eq!(Model::open(".").unwrap_err().code(), Code::NotAFile);
    assert_eq!(Model::open("a\0b").unwrap_err().code(), Code::InvalidArgument);
    let junk = Model::from_bytes(b"this is not a model", &ModelOptions::default());
    assert_eq!(junk.unwrap_err().code(), Code::CorruptFile);
    let limits = ModelOptions {
        max_file_bytes: 10,
        ..ModelOptions::default()
    };
    let limited = Model::open_with(path("RALLY_TEST_LM", "rally-tiny.onnx"), &limits);
    assert_eq!(limited.unwrap_err().code(), Code::LimitExceeded);

    let mut runner = Runner::new(&language_model()).unwrap();
    assert_eq!(
        runner.logprobs(&Rows::from(&[-1, 2][..])).unwrap_err().code(),
        Code::InvalidToken
    );
    assert_eq!(runner.rate(&Rows::from(&[1][..])).unwrap_err().code(), Code::WrongKind);
}

#[test]
fn text_comes_back() {
    let model = language_model();
    let text = "The sea, 海はひろい.";
    let tokens = model
        .encode_with(
            text,
            TokenizerOptions {
                add_bos: Some(false),
                ..Default::default()
            },
        )
        .unwrap();
    assert_eq!(model.decode(&tokens).unwrap(), text.as_bytes());
    let mut decoder = Decoder::new(&model, TokenizerOptions::default()).unwrap();
    let mut pieces: String = tokens.iter().map(|&token| decoder.push(token).unwrap()).collect();
    pieces += &decoder.finish().unwrap();
    assert_eq!(pieces, text);
}

#[test]
fn a_row_does_not_depend_on_the_others() {
    let model = language_model();
    let mut wide = Runner::with(
        &model,
        RunnerOptions {
            threads: 2,
            max_batch_tokens: 0,
        },
    )
    .unwrap();
    let mut narrow = Runner::with(
        &model,
        RunnerOptions {
            threads: 1,
            max_batch_tokens: 4,
        },
    )
    .unwrap();
    let rows: Rows = [vec![1, 2, 3, 4, 5], vec![6, 7]].iter().collect();
    let wanted = Wanted {
        logits: true,
        hidden: true,
        logprobs: true,
        depths: true,
        positions: None,
    };
    let together = wide.run(&rows, &wanted, RunOptions::default()).unwrap();
    let alone = narrow
        .run(&Rows::from(&[6, 7][..]), &wanted, RunOptions::default())
        .unwrap();
    let vocab_size = model.info().unwrap().vocab_size;
    assert!(together.logits[5 * vocab_size..] == alone.logits);
    assert_eq!(together.depths[5..], alone.depths);
    assert_eq!(together.logprobs[4..], alone.logprobs);
    assert!(wide.memory(&rows, 10).unwrap() > 0);
}

#[test]
fn generation_streams() {
    let model = language_model();
    let mut runner = Runner::new(&model).unwrap();
    let mut heard = Vec::new();
    let all = runner
        .generate(&[request(6), request(4)], |event| {
            if event.request == 0 {
                heard.push(event.token.unwrap());
            }
            Flow::Continue
        })
        .unwrap();
    assert_eq!(all[0].tokens, heard);
    assert_eq!(all[0].tokens[..4], all[1].tokens);
    assert_eq!(all[0].finish_reason, FinishReason::Limit);
    assert_eq!(all[0].depths.len(), 6);

    let cut = runner
        .generate(&[request(6)], |event| {
            if event.index == 1 {
                Flow::EndAll
            } else {
                Flow::Continue
            }
        })
        .unwrap();
    assert_eq!(
        (cut[0].tokens.len(), cut[0].finish_reason),
        (2, FinishReason::Cancelled)
    );
}

#[test]
fn a_panic_in_a_closure_goes_on_after_the_call() {
    let mut runner = Runner::new(&language_model()).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        runner.generate(&[request(6)], |_| panic!("from the closure"))
    }));
    assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"from the closure"));
    assert_eq!(runner.generate_one(&request(3)).unwrap().tokens.len(), 3);
}

#[test]
fn threads_share_a_model_and_cancel() {
    let model = language_model();
    assert_send(&model);
    assert_sync(&model);
    let expected = Runner::new(&model).unwrap().generate_one(&request(8)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                assert_eq!(
                    Runner::new(&model).unwrap().generate_one(&request(8)).unwrap(),
                    expected
                )
            });
        }
    });

    let mut runner = Runner::new(&model).unwrap();
    drop(model); // the runner keeps it
    assert_send(&runner);
    let canceller = runner.canceller();
    let cut = runner
        .generate(&[request(60)], |event| {
            if event.index == 0 {
                std::thread::scope(|scope| scope.spawn(|| canceller.cancel()).join().unwrap());
            }
            Flow::Continue
        })
        .unwrap();
    assert_eq!(cut[0].finish_reason, FinishReason::Cancelled);
    drop(runner);
    canceller.cancel();
}

#[test]
fn raters_rank() {
    let model = rater();
    let mut runner = Runner::new(&model).unwrap();
    let rows: Rows = ["The sea was calm.", "7 7 7 7 7 7 7"]
        .map(|text| model.encode(text).unwrap())
        .iter()
        .collect();
    let scores = runner.rate(&rows).unwrap();
    assert!(scores.len() == 2 && scores.iter().all(|score| score.is_finite()));
}
