//! The table of cases of stop strings that every host runs.

use rally::{Engine, Event, FinishReason, Flow, Model, Request, Runner};
use std::path::Path;

struct Case<'a> {
    name: &'a str,
    request: Request,
    pieces: Vec<&'a str>,
    stop_string: Option<usize>,
    cut_length: usize,
    finish_reason: FinishReason,
}

fn case<'a>(model: &Model, line: &'a str) -> Case<'a> {
    let field: Vec<&str> = line.split('\t').collect();
    let [name, prompt, include, skip, count, stops, pieces, stop, cut, reason] = field[..] else {
        panic!("ten columns: {line}");
    };
    Case {
        name,
        request: Request {
            tokens: model.encode(prompt).unwrap(),
            max_tokens: count.parse().unwrap(),
            stop_strings: stops
                .split(',')
                .filter(|stop| !stop.is_empty())
                .map(String::from)
                .collect(),
            include_stop: include == "1",
            skip_special: skip == "1",
            ..Default::default()
        },
        pieces: pieces.split('/').collect(),
        stop_string: stop.parse().ok(),
        cut_length: cut.parse().unwrap(),
        finish_reason: if reason == "stop" {
            FinishReason::Stop
        } else {
            FinishReason::Limit
        },
    }
}

fn check(case: &Case, events: &[Event]) {
    let name = case.name;
    let pieces: Vec<&str> = events.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(pieces, case.pieces, "{name}");
    let last = events.last().unwrap();
    assert_eq!(last.stop_string, case.stop_string, "{name}");
    assert_eq!(last.cut_length, case.cut_length, "{name}");
    assert_eq!(last.finish_reason, case.finish_reason, "{name}");
}

#[test]
fn every_case_of_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../Tests/Fixtures/stops");
    let model = Model::open(folder.join("stops.onnx")).unwrap();
    let table = std::fs::read_to_string(folder.join("cases.tsv")).unwrap();
    let mut runner = Runner::new(&model).unwrap();
    for line in table.lines().skip(1) {
        let case = case(&model, line);
        let mut events = Vec::new();
        let all = runner
            .generate(std::slice::from_ref(&case.request), |event| {
                events.push(event);
                Flow::Continue
            })
            .unwrap();
        check(&case, &events);
        assert_eq!(all[0].text, case.pieces.concat(), "{}", case.name);
        assert_eq!(all[0].stop_string, case.stop_string, "{}", case.name);

        let mut engine = Engine::new(&model).unwrap();
        engine.submit(&case.request).unwrap();
        let events: Vec<Event> = engine.events().map(Result::unwrap).collect();
        check(&case, &events);
    }
    assert!(table.lines().count() >= 20);
}
