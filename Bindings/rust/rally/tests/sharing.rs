//! Threads that runners and engines share, and limits of what they take together.

mod support;

use rally::*;
use support::*;

fn rows() -> Rows {
    Rows::from_iter([vec![5, 6, 7], (1..200).collect(), vec![9]])
}

#[test]
fn a_pool_changes_no_bit_and_may_go_first() {
    let model = rater();
    let alone = Runner::new(&model).unwrap().rate(&rows()).unwrap();
    let pool = Pool::new(3).unwrap();
    let runners: Vec<Runner> = (0..3)
        .map(|_| {
            let pool = Some(pool.clone());
            Runner::with(
                &model,
                RunnerOptions {
                    pool,
                    ..Default::default()
                },
            )
            .unwrap()
        })
        .collect();
    drop(pool);
    std::thread::scope(|scope| {
        for mut runner in runners {
            let alone = &alone;
            scope.spawn(move || {
                for _ in 0..5 {
                    assert_eq!(&runner.rate(&rows()).unwrap(), alone);
                }
            });
        }
    });
    let options = ModelOptions {
        threads: 2,
        pool: Some(Pool::new(1).unwrap()),
        ..Default::default()
    };
    let refused = Model::open_with(path("RALLY_TEST_RATER", "rally-rater-tiny.onnx"), &options);
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(Pool::new(257).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn a_limit_refuses_what_is_beyond_and_nothing_else() {
    let model = rater();
    let options = RunnerOptions {
        threads: 2,
        max_memory_bytes: 6 << 20,
        ..Default::default()
    };
    let mut runner = Runner::with(&model, options).unwrap();
    let long = Rows::from_iter((0..8).map(|_| (0..500).collect::<Vec<i32>>()));
    let scores = runner.rate(&rows()).unwrap();
    for _ in 0..2 {
        let error = runner.rate(&long).unwrap_err();
        assert_eq!(error.code(), Code::OutOfMemory);
        assert!(error.to_string().contains("max_memory_bytes"), "{error}");
        assert_eq!(runner.rate(&rows()).unwrap(), scores);
    }
    let lm = language_model();
    let tiny = EngineOptions {
        max_memory_bytes: 1 << 16,
        ..Default::default()
    };
    assert_eq!(Engine::with(&lm, &tiny).unwrap_err().code(), Code::OutOfMemory);
    let tiny = ModelOptions {
        max_memory_bytes: 1 << 20,
        ..Default::default()
    };
    let refused = Model::open_with(path("RALLY_TEST_LM", "rally-tiny.onnx"), &tiny);
    assert_eq!(refused.unwrap_err().code(), Code::OutOfMemory);
}
