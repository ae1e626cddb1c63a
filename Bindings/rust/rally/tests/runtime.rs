//! The safe interface against the shipped models.

mod support;

use rally::*;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use support::*;

#[test]
fn models_describe_themselves() {
    let model = language_model();
    let info = model.info().unwrap();
    assert_eq!(info.kind, Kind::LanguageModel);
    assert!(info.vocab_size > 0 && info.num_recursion >= 1 && info.parameter_count > 0);
    assert_eq!(info.dtype, Dtype::F32);
    let options = ModelOptions {
        dtype: Some(Dtype::Bf16),
        ..Default::default()
    };
    let coarse = Model::open_with(path("RALLY_TEST_LM", "rally-tiny.onnx"), &options).unwrap();
    assert_eq!(coarse.info().unwrap().dtype, Dtype::Bf16);
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
fn models_are_stored_again() {
    let folder = std::env::temp_dir().join(format!("rally-rust-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, target) = (path("RALLY_TEST_LM", "rally-tiny.onnx"), folder.join("int8.onnx"));
    let options = QuantizeOptions {
        calibration_text: Some("The sea was calm. ".repeat(40)),
        progress: None,
    };
    quantize_with(&source, &target, Dtype::Int8, &options).unwrap();
    let calibrated = std::fs::read(&target).unwrap();
    quantize(&source, &target, Dtype::Int8).unwrap();
    assert_ne!(calibrated, std::fs::read(&target).unwrap());
    let model = Model::open(&target).unwrap();
    assert_eq!(model.tensors().unwrap()[0].dtype, "int8");
    assert_eq!(model.metadata().unwrap(), language_model().metadata().unwrap());
    for (dtype, name) in [(Dtype::Bf16, "bf16"), (Dtype::F32, "f32")] {
        quantize(&source, &target, dtype).unwrap();
        assert_eq!(Model::open(&target).unwrap().tensors().unwrap()[0].dtype, name);
    }
    quantize(&source, &target, Dtype::Q4).unwrap();
    let model = Model::open(&target).unwrap();
    assert_eq!(model.info().unwrap().dtype, Dtype::Q4);
    assert!(model.tensors().unwrap().iter().any(|tensor| tensor.dtype == "q4"));
    let error = quantize(&target, &target, Dtype::Int8).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn prepared_files_are_the_same_model() {
    let folder = std::env::temp_dir().join(format!("rally-rust-prepare-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, target) = (path("RALLY_TEST_LM", "rally-tiny.onnx"), folder.join("tiny.rally"));
    prepare(&source, &target, Some(Dtype::Int8)).unwrap();
    let cached = ModelOptions {
        dtype: Some(Dtype::Int8),
        cache_folder: Some(folder.join("cache")),
        ..Default::default()
    };
    let copied = ModelOptions {
        copy_weights: true,
        ..Default::default()
    };
    let opened = Model::open_with(
        &source,
        &ModelOptions {
            dtype: Some(Dtype::Int8),
            ..Default::default()
        },
    )
    .unwrap();
    for model in [
        Model::open(&target).unwrap(),
        Model::open_with(&target, &copied).unwrap(),
        Model::open_with(&source, &cached).unwrap(),
    ] {
        assert_eq!(
            model.score_fingerprint(false).unwrap(),
            opened.score_fingerprint(false).unwrap()
        );
        assert_eq!(model.info().unwrap(), opened.info().unwrap());
    }
    assert_eq!(std::fs::read_dir(folder.join("cache")).unwrap().count(), 2);
    let error = prepare(&target, folder.join("other.rally"), None).unwrap_err();
    assert_eq!(error.code(), Code::Unsupported);
    std::fs::remove_dir_all(&folder).unwrap();
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
            ..Default::default()
        },
    )
    .unwrap();
    let mut narrow = Runner::with(
        &model,
        RunnerOptions {
            threads: 1,
            max_batch_tokens: 4,
            ..Default::default()
        },
    )
    .unwrap();
    let rows: Rows = [vec![1, 2, 3, 4, 5], vec![6, 7]].iter().collect();
    let wanted = Wanted {
        logits: true,
        hidden: true,
        logprobs: true,
        depths: true,
        ..Wanted::default()
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
fn progress_is_heard_and_ends_a_call() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&heard);
    let options = ModelOptions {
        progress: Some(Progress::new(move |done, total| {
            sink.lock().unwrap().push((done, total));
            ControlFlow::Continue(())
        })),
        log: Some(Log::new(|level, line| {
            assert!(level >= LogLevel::Debug && !line.is_empty())
        })),
        ..Default::default()
    };
    let model = Model::open_with(path("RALLY_TEST_LM", "rally-tiny.onnx"), &options).unwrap();
    let steps = heard.lock().unwrap().clone();
    assert!(!steps.is_empty() && steps.iter().all(|&(done, total)| done <= total));

    let options = ModelOptions {
        progress: Some(Progress::new(|_, _| ControlFlow::Break(()))),
        ..Default::default()
    };
    let cancelled = Model::open_with(path("RALLY_TEST_LM", "rally-tiny.onnx"), &options);
    assert_eq!(cancelled.unwrap_err().code(), Code::Cancelled);

    let rows = Rows::from(&[1, 2, 3][..]);
    let stopping = RunnerOptions {
        progress: Some(Progress::new(|_, _| ControlFlow::Break(()))),
        ..Default::default()
    };
    let mut runner = Runner::with(&model, stopping).unwrap();
    assert_eq!(runner.logprobs(&rows).unwrap_err().code(), Code::Cancelled);

    let panicking = RunnerOptions {
        progress: Some(Progress::new(|_, _| panic!("from the watcher"))),
        ..Default::default()
    };
    let mut runner = Runner::with(&model, panicking).unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| runner.logprobs(&rows)));
    assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"from the watcher"));
}

#[test]
fn targets_are_the_next_tokens_by_default() {
    let model = language_model();
    let mut runner = Runner::new(&model).unwrap();
    let rows = [&[1, 2, 3][..], &[4, 5]].into_iter().collect::<Rows>();
    let next = runner.logprobs(&rows).unwrap();
    let wanted = |targets: Vec<i32>| Wanted {
        logprobs: true,
        targets: Some(targets),
        ..Wanted::default()
    };
    let named = runner
        .run(&rows, &wanted(vec![2, 3, -1, 5, -1]), RunOptions::default())
        .unwrap()
        .logprobs;
    assert_eq!([named[0], named[1], named[3]], next[..]);
    assert!(named[2].is_nan() && named[4].is_nan());
    let error = runner.run(&rows, &wanted(vec![2]), RunOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains("5 tokens, found 1"));
}

#[test]
fn models_say_what_they_are() {
    let (model, rater) = (language_model(), rater());
    let info = model.info().unwrap();
    assert_eq!(info.head_dim * info.num_attention_heads, info.hidden_size);
    assert_eq!(
        (info.num_labels, info.score_rule, info.exit),
        (0, ScoreRule::None, None)
    );
    let info = rater.info().unwrap();
    assert_eq!((info.num_labels, info.has_score, info.score_index), (1, true, Some(0)));
    assert_eq!(info.score_rule, ScoreRule::Logit);
    assert_eq!(model.metadata_value("rally.kind").unwrap(), "lm");
    assert_eq!(model.metadata_value("rally.no").unwrap_err().code(), Code::MissingKey);
}
