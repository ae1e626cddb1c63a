//! Scores of rows and of documents.

mod support;

use rally::*;
use std::time::Duration;
use support::*;

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
