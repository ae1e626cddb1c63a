//! Selection and distributions.

mod support;

use rally::{select, Code, Distribution, LabelOptions, Model, ModelOptions};
use support::{assert_send, assert_sync};

/// Of Python's hashlib: the first 53 bits of the digest of seed 0, "f" and "12" over 2^53.
const U_OF_12: f64 = 0.5211681631076633;

#[test]
fn the_best_stay() {
    assert_eq!(select::draw_count(1, 0.9).unwrap(), 10);
    assert_eq!(select::draw_count(1, 1.0).unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(select::top(&[1.0, 5.0, 5.0, 5.0], 2).unwrap(), [1, 2]);
    let expensive: Vec<f32> = (0..2000).map(|place| (place * 7919 % 2000) as f32 / 2000.0).collect();
    let cheap: Vec<f32> = (0..2000)
        .map(|place| expensive[place] + (place % 11) as f32 / 500.0 - 0.01)
        .collect();
    let cascade = select::Cascade::choose(&cheap, &expensive, 0.5, 0.98, 0.9).unwrap();
    assert!(cascade.lower < 0.5 && cascade.upper > 0.5 && cascade.agreement >= 0.98);
    assert!(cascade.reads(0.5) && !cascade.reads(0.0));
    assert_eq!(cascade.scores(&cheap, &expensive).unwrap()[0], cheap[0]);
    let error = cascade.scores(&cheap, &[1.0]).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(select::top(&[1.0], 2).unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(select::top(&[], 0).unwrap_err().code(), Code::EmptyInput);
    assert_eq!(select::top(&[f32::NAN], 1).unwrap_err().code(), Code::NotFinite);
    assert_eq!(select::softmax_weights(&[2.0, 2.0]).unwrap(), [0.5, 0.5]);
    assert!((select::rating_cost(50e6, 50e6, 0.75).unwrap() - 4.0 / 3.0).abs() < 1e-15);
}

#[test]
fn points_are_decided_by_their_names() {
    assert_eq!(select::acceptance(&[0.0, 0.25, 1.0], 2, 1).unwrap(), [0.0, 0.25, 1.0]);
    assert_eq!(
        select::acceptance(&[f64::NAN], 2, 1).unwrap_err().code(),
        Code::InvalidArgument
    );
    let names: Vec<String> = (0..1000).map(|number| format!("document {number}")).collect();
    let kept = select::decide(&names, &[0.5; 1000], "rater", 0).unwrap();
    assert!((400..600).contains(&kept.iter().filter(|keep| **keep).count()));
    assert_eq!(
        select::decide(&names[500..], &[0.5; 500], "rater", 0).unwrap(),
        kept[500..]
    );
    assert_eq!(select::decide(&["12"], &[U_OF_12], "f", 0).unwrap(), [false]);
    assert_eq!(select::decide(&["12"], &[U_OF_12 + 1e-12], "f", 0).unwrap(), [true]);
    assert_eq!(
        select::decide(&["12"], &[], "f", 0).unwrap_err().code(),
        Code::InvalidArgument
    );
    assert_eq!(
        select::decide(&["12"], &[0.5], "\0", 0).unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[test]
fn distributions_are_merged_and_saved() {
    let mut one = Distribution::new("rater:document").unwrap();
    let mut other = Distribution::new("rater:document").unwrap();
    assert_eq!(one.range().unwrap(), None);
    let scores: Vec<f32> = (0..20_000).map(|place| (place * 7919 % 20_000) as f32).collect();
    one.add(&scores[..10_000]).unwrap();
    other.add(&scores[10_000..]).unwrap();
    one.merge(&other).unwrap();
    assert_eq!(
        (one.count().unwrap(), one.label().unwrap().as_str()),
        (20_000, "rater:document")
    );
    assert_eq!(one.range().unwrap(), Some((0.0, 19_999.0)));
    let bound = one.rank_error().unwrap();
    assert!(bound > 0.0 && bound < 0.002);
    assert!((one.cdf(&[5000.0]).unwrap()[0] - 0.25).abs() <= bound + 1e-4);
    assert_eq!(one.quantile(&[0.0, 1.0]).unwrap(), [0.0, 19_999.0]);

    let bytes = one.to_bytes().unwrap();
    assert_eq!(Distribution::from_bytes(&bytes).unwrap().to_bytes().unwrap(), bytes);
    assert_eq!(
        Distribution::from_bytes(&bytes[1..]).unwrap_err().code(),
        Code::CorruptFile
    );
    let stranger = Distribution::with_capacity("rater:packed", 8).unwrap();
    assert_eq!(one.merge(&stranger).unwrap_err().code(), Code::Mismatch);
    assert_eq!(one.add(&[f32::NAN]).unwrap_err().code(), Code::NotFinite);
    assert_eq!(stranger.cdf(&[0.0]).unwrap_err().code(), Code::EmptyInput);
    assert_send(&one);
    assert_sync(&one);
}

#[test]
fn who_made_scores() {
    let rater = Model::open(support::path("RALLY_TEST_RATER", "rally-rater-tiny.onnx")).unwrap();
    let fingerprint = rater.score_fingerprint(false).unwrap();
    assert_eq!(fingerprint.len(), 64);
    assert_ne!(fingerprint, rater.score_fingerprint(true).unwrap());
    let mut options = LabelOptions {
        window_tokens: 40,
        ..Default::default()
    };
    assert_eq!(
        rater.score_label(&options).unwrap(),
        format!("version=1 model={fingerprint} measure=score reading=documents window=40 stride=40")
    );
    options.more = "a=b c".into();
    assert_eq!(rater.score_label(&options).unwrap_err().code(), Code::InvalidArgument);
    assert!(rater.reads_same_tokens(&rater).unwrap());
    assert_eq!(
        Model::from_bytes(
            &std::fs::read(support::path("RALLY_TEST_RATER", "rally-rater-tiny.onnx")).unwrap(),
            &ModelOptions::default()
        )
        .unwrap()
        .score_fingerprint(false)
        .unwrap_err()
        .code(),
        Code::Unsupported
    );
}
