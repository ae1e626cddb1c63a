//! Which model another one came from, and what it has read.

mod support;

use rally::*;
use std::ops::ControlFlow;
use support::*;

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
