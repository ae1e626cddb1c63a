//! Texts that are continued.

mod support;

use rally::*;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::Duration;
use support::*;

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
fn options_change_a_text() {
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
