//! The safe interface against the shipped models.

mod support;

use rally::*;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::time::Duration;
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
fn outputs_have_names_and_states_have_length_one() {
    let model = rater();
    let mut runner = Runner::new(&model).unwrap();
    let rows = Rows::from(&[4, 5][..]);
    assert_eq!(model.labels(), ["LABEL_0"]);
    assert_eq!(runner.rate_outputs(&rows, false).unwrap(), runner.rate(&rows).unwrap());
    let state = runner.pooled(&rows, true).unwrap();
    assert_eq!(state.len(), model.info().unwrap().hidden_size);
    assert!((state.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
}

#[test]
fn documents_are_read_in_part() {
    let model = rater();
    let mut runner = Runner::new(&model).unwrap();
    let rows = Rows::from(&[1, 2, 3, 4, 5][..]);
    let options = DocumentOptions {
        window_tokens: 2,
        reading: Reading::Ends,
        join: Join::Max,
        ..Default::default()
    };
    let found = &runner.rate_documents(&rows, options).unwrap()[0];
    assert_eq!(found.windows.len(), 2);
    assert_eq!(found.score, found.windows[0].max(found.windows[1]));
    let wrong = DocumentOptions {
        stride_tokens: 1,
        ..options
    };
    assert_eq!(
        runner.rate_documents(&rows, wrong).unwrap_err().code(),
        Code::InvalidArgument
    );
    let (text, letters) = (
        "a <|endoftext|> b",
        TokenizerOptions {
            parse_special: Some(false),
            ..Default::default()
        },
    );
    let document = model.encode_document(text, DocumentOptions::default()).unwrap();
    assert_eq!(document, model.encode_with(text, letters).unwrap());
}

#[test]
fn documents_are_rated_window_by_window() {
    let mut runner = Runner::new(&rater()).unwrap();
    let long: Vec<i32> = (0..70).collect();
    let rows: Rows = [&long[..], &long[..5]].iter().collect();
    let options = DocumentOptions {
        window_tokens: 32,
        ..Default::default()
    };
    let scores = runner.rate_documents(&rows, options).unwrap();
    let windows: Rows = [&long[..32], &long[32..64], &long[64..], &long[..5]].iter().collect();
    let alone = runner.rate(&windows).unwrap();
    assert_eq!(scores[0].windows, alone[..3]);
    assert_eq!((scores[1].mean, scores[1].coverage), (alone[3], 1.0));
    assert_eq!(
        scores[0].minimum,
        alone[..3].iter().copied().fold(f32::INFINITY, f32::min)
    );
    let few = DocumentOptions {
        max_windows: 1,
        ..options
    };
    let middle = runner.rate_documents(&rows, few).unwrap();
    assert_eq!(middle[0].windows, alone[1..2]);
    assert!(middle[0].coverage < 0.5);
    let wrong = DocumentOptions {
        window_tokens: usize::MAX,
        ..options
    };
    assert_eq!(
        runner.rate_documents(&rows, wrong).unwrap_err().code(),
        Code::InvalidArgument
    );
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

#[test]
fn raters_squash_and_give_up() {
    let model = rater();
    let mut runner = Runner::new(&model).unwrap();
    let rows: Rows = [[1, 2, 3], [7, 7, 7]].iter().collect();
    let raw = runner.rate(&rows).unwrap();
    let options = RateOptions {
        squash: true,
        ..Default::default()
    };
    // The shipped rater's file says that its scores are not squashed.
    assert_eq!(runner.rate_with(&rows, options).unwrap(), raw);
    let options = RateOptions {
        timeout: Some(Duration::ZERO),
        ..Default::default()
    };
    let late = runner.rate_with(&rows, options);
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
}

#[test]
fn a_timeout_ends_a_text() {
    let mut runner = Runner::new(&language_model()).unwrap();
    let options = GenerateOptions {
        timeout: Some(Duration::ZERO),
    };
    let cut = runner
        .generate_with(&[request(60)], options, |_| Flow::Continue)
        .unwrap();
    assert_eq!(cut[0].finish_reason, FinishReason::Cancelled);
    assert!(cut[0].tokens.len() < 60);
    let whole = runner.generate_one(&request(3)).unwrap();
    assert_eq!(whole.prompt_depths.len(), 3);
    assert!(whole.prompt_depths.iter().all(|&depth| depth >= 1));
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
fn wishes_change_a_text() {
    let model = language_model();
    let mut runner = Runner::new(&model).unwrap();
    let plain = runner.generate_one(&request(12)).unwrap();

    let banned = plain.tokens[0];
    let biased = Request {
        bias: vec![(banned, f32::NEG_INFINITY)],
        ..request(12)
    };
    assert!(!runner.generate_one(&biased).unwrap().tokens.contains(&banned));

    let forced = Request {
        bias: vec![(42, 1e9)],
        ..request(4)
    };
    assert_eq!(runner.generate_one(&forced).unwrap().tokens, [42; 4]);

    let penalised = Request {
        bias: vec![(42, 1e4), (43, 1e4 - 1.0)],
        frequency_penalty: 1e3,
        ..request(4)
    };
    assert_eq!(runner.generate_one(&penalised).unwrap().tokens, [42, 43, 42, 43]);

    let shallow = Request {
        target_depth: 1.0,
        ..request(12)
    };
    let nonsense = Request {
        target_depth: f64::NAN,
        ..request(12)
    };
    assert_eq!(runner.generate_one(&shallow).unwrap().tokens.len(), 12);
    assert_eq!(
        runner.generate_one(&nonsense).unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[test]
fn stop_strings_and_the_most_probable_tokens() {
    let model = language_model();
    let mut runner = Runner::new(&model).unwrap();
    let free = Request {
        tokens: model.encode("Once upon a time").unwrap(),
        ..request(20)
    };
    let text = String::from_utf8(model.decode(&runner.generate_one(&free).unwrap().tokens).unwrap()).unwrap();
    let word = text.split(' ').nth(3).expect("some words").to_string();
    let stopped = Request {
        stop_strings: vec!["no such text".into(), word.clone()],
        top_logprobs: 3,
        ..free.clone()
    };
    let mut events = Vec::new();
    let cut = runner
        .generate(std::slice::from_ref(&stopped), |event| {
            events.push(event);
            Flow::Continue
        })
        .unwrap();
    assert_eq!(cut[0].finish_reason, FinishReason::Stop);
    assert!(String::from_utf8(model.decode(&cut[0].tokens).unwrap())
        .unwrap()
        .contains(&word));
    let last = events.last().unwrap();
    assert_eq!(last.stop_string, Some(1));
    for event in &events {
        assert_eq!(event.top.len(), 3);
        assert!(event.top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        assert_eq!(event.top[0], (event.token.unwrap(), event.logprob));
    }
    let broken = Request {
        stop_strings: vec!["a\0b".into()],
        ..free
    };
    assert_eq!(runner.generate_one(&broken).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn lineage_is_seen_and_not_seen() {
    let options = LineageOptions::default();
    let lm = path("RALLY_TEST_LM", "rally-tiny.onnx");
    let report = lineage(&lm, &lm, &options).unwrap();
    assert_eq!((report.verdict, report.permutations), (Verdict::StrongExposure, 9999));
    assert!(report.p < 1e-3 && report.sets.len() > 1 && report.tensors.len() > report.sets.len());
    assert!(report
        .sets
        .iter()
        .all(|set| set.rho > 0.1 && set.units <= set.all_units));
    let rater = path("RALLY_TEST_RATER", "rally-rater-tiny.onnx");
    assert_eq!(lineage(&lm, rater, &options).unwrap_err().code(), Code::Mismatch);

    let random = |mut seed: u64| -> Vec<f32> {
        let mut next = || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..64 * 20).map(|_| next()).collect()
    };
    let (one, two) = (random(1), random(2));
    fn matrix<'a>(name: &'a str, data: &'a [f32]) -> UnitMatrix<'a> {
        UnitMatrix {
            name,
            set: Some("layer"),
            data,
            columns: 20,
        }
    }
    let a = [matrix("up", &one), matrix("gate", &two)];
    let b = [matrix("up", &two), matrix("gate", &one)];
    let other = lineage_matrices(&a, &b, &options).unwrap();
    assert_eq!(other.verdict, Verdict::NotSeen);
    assert!(other.verdict.text().contains("no proof") && other.head.is_none());
    assert_eq!(
        (other.sets[0].name.as_str(), other.tensors[1].name.as_str()),
        ("layer", "gate")
    );
    let same = lineage_matrices(&a, &a, &options).unwrap();
    assert!(same.sets[0].reached == 0 && same.sets[0].z > 20.0);
    let progress = Some(Progress::new(|_, _| ControlFlow::Break(())));
    let ended = lineage_matrices(
        &a,
        &a,
        &LineageOptions {
            progress,
            ..options.clone()
        },
    );
    assert_eq!(ended.unwrap_err().code(), Code::Cancelled);
    assert_eq!(
        lineage_matrices(&a, &b[..1], &options).unwrap_err().code(),
        Code::Mismatch
    );
    assert_eq!(
        lineage_matrices(&[], &[], &options).unwrap_err().code(),
        Code::EmptyInput
    );
}

#[test]
fn exposure_compares_two_models() {
    let options = ModelOptions {
        dtype: Some(Dtype::Int8),
        ..Default::default()
    };
    let coarse = Model::open_with(path("RALLY_TEST_LM", "rally-tiny.onnx"), &options).unwrap();
    let (mut teacher, mut base) = (Runner::new(&language_model()).unwrap(), Runner::new(&coarse).unwrap());
    let rows: Rows = [&[1, 2, 3, 4][..], &[5, 6, 7], &[8]].iter().collect();
    let found = teacher.exposure(&mut base, &rows, Some(&[1, 2, 1])).unwrap();
    assert_eq!(found.iter().map(|row| row.tokens).collect::<Vec<_>>(), [3, 1, 0]);
    assert!(found[0].jeffreys > 0.0 && found[0].log_ratio != 0.0 && found[2] == Exposure::default());
    let alone: Rows = [&[1, 2, 3, 4][..]].iter().collect();
    assert_eq!(teacher.exposure(&mut base, &alone, None).unwrap()[0], found[0]);
    let wrong = teacher.exposure(&mut base, &rows, Some(&[1])).unwrap_err();
    assert_eq!(wrong.code(), Code::InvalidArgument);
    let mut rating = Runner::new(&rater()).unwrap();
    assert_eq!(
        teacher.exposure(&mut rating, &rows, None).unwrap_err().code(),
        Code::WrongKind
    );
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

#[test]
fn documents_are_cut_as_was_said() {
    let model = rater();
    let mut runner = Runner::new(&model).unwrap();
    let rows = [&[4, 5][..], &[1, 2, 3]].into_iter().collect::<Rows>();
    let options = DocumentOptions {
        window_tokens: 2,
        ..Default::default()
    };
    assert_eq!(Runner::document_windows(&model, &rows, options).unwrap(), [0, 1, 3]);
    let scores = runner.rate_documents(&rows, options).unwrap();
    assert_eq!((scores[0].windows.len(), scores[1].windows.len()), (1, 2));
    assert_eq!((scores[0].int_score, scores[0].outputs.len()), (None, 0));
    assert_eq!(runner.rate_outputs(&rows, true).unwrap_err().code(), Code::Unsupported);
}
