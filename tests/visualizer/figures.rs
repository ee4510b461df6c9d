//! The model's arithmetic, and figures in words.

use std::time::Duration;

use failfast::{State, TransitionCause};

use crate::boards::{change, limits, reading, seconds};
use crate::model::{Board, Dial, Watched, What};
use crate::timeline::Timeline;
use crate::track::{Columns, Point, Track, SPAN};
use crate::words;

fn point(at: f64, permitted: u64, refused: u64) -> Point {
    Point { at: seconds(at), permitted, refused }
}

fn track(points: &[Point]) -> Track {
    let mut track = Track::default();
    points.iter().for_each(|&point| track.push(point));
    track
}

#[test]
fn nothing_read_and_one_reading_are_no_rate() {
    assert_eq!(track(&[]).rates(), (0.0, 0.0));
    assert_eq!(track(&[point(5.0, 1_000, 1_000)]).rates(), (0.0, 0.0));
    assert_eq!(track(&[point(5.0, 0, 0), point(5.0, 1_000, 1)]).rates(), (0.0, 0.0));
}

#[test]
fn a_rate_is_over_the_last_second_or_what_there_is_of_it() {
    let steady: Vec<Point> =
        (0..=100).map(|tenth| point(tenth as f64 / 10.0, tenth * 2, 0)).collect();
    let (permitted, refused) = track(&steady).rates();
    assert!((permitted - 20.0).abs() < 1e-9 && refused == 0.0, "{permitted} {refused}");
    let half = track(&[point(0.0, 0, 0), point(0.5, 10, 5)]).rates();
    assert_eq!(half, (20.0, 10.0));
    // A picture that was stopped for a minute: one reading, then the next.
    assert_eq!(track(&[point(0.0, 0, 0), point(50.0, 100, 0)]).rates(), (2.0, 0.0));
}

#[test]
fn a_counter_that_stands_still_is_a_rate_of_nothing() {
    let still = track(&[point(0.0, 7, 7), point(1.0, 7, 7), point(2.0, 7, 7)]);
    assert_eq!(still.rates(), (0.0, 0.0));
}

#[test]
fn counters_jump_and_fall_without_wrapping() {
    let jump = track(&[point(0.0, 0, 0), point(1.0, u64::MAX, u64::MAX)]);
    let (permitted, refused) = jump.rates();
    assert!(permitted > 1e19 && permitted == refused && permitted.is_finite());
    // A reading that is a moment old does not make the counter run backwards.
    let fall = track(&[point(0.0, 10, 10), point(1.0, 20, 20), point(2.0, 15, 0)]);
    assert_eq!(fall.rates(), (0.0, 0.0));
    let back = track(&[point(5.0, 0, 0), point(6.0, 10, 0), point(1.0, 20, 0)]);
    assert!(back.rates().0.is_finite() && back.rates().0 >= 0.0);
}

#[test]
fn a_track_keeps_a_minute_and_no_more() {
    let mut track = Track::default();
    for tenth in 0..20_000 {
        track.push(point(tenth as f64 / 10.0, tenth, 0));
    }
    let columns = Columns::until(seconds(1_999.9), 60);
    assert!(track.columns(&columns).iter().all(Option::is_some), "a whole minute is there");
    assert!(format!("{track:?}").len() < 100_000, "and not much else");
}

#[test]
fn columns_share_out_the_calls_between_their_readings() {
    let columns = Columns::until(seconds(59.9), 60);
    let rates = track(&[point(0.0, 0, 0), point(60.0, 600, 60)]).columns(&columns);
    assert_eq!(rates.len(), 60);
    for rate in rates {
        let (permitted, refused) = rate.expect("all are within the readings");
        assert!((permitted - 10.0).abs() < 1e-6 && (refused - 1.0).abs() < 1e-6);
    }
}

#[test]
fn columns_stand_still_in_time() {
    let early = Columns::until(seconds(100.01), 60);
    let late = Columns::until(seconds(100.99), 60);
    assert_eq!(early.bounds(59), late.bounds(59));
    assert_eq!(early.bounds(0), Some((seconds(41.0), seconds(42.0))));
    assert_eq!(Columns::until(seconds(3.0), 60).bounds(0), None, "before the beginning");
    assert_eq!(Columns::until(Duration::MAX, 0).bounds(0), None);
    assert!(Columns::until(Duration::MAX, 7).bounds(6).is_some());
}

#[test]
fn a_column_shows_the_state_that_tells_most() {
    use State::{Closed, HalfOpen, Open};
    let mut timeline = Timeline::default();
    timeline.begin(seconds(0.0), Closed);
    timeline.begin(seconds(2.5), Open);
    timeline.begin(seconds(7.5), HalfOpen);
    timeline.begin(seconds(7.501), Closed);
    let shown = timeline.columns(&Columns::until(seconds(9.9), 60));
    let shown: Vec<State> = shown.into_iter().flatten().collect();
    assert_eq!(shown, [Closed, Closed, Open, Open, Open, Open, Open, HalfOpen, Closed, Closed]);
    assert_eq!(timeline.last(), Some((seconds(7.501), Closed)));
}

#[test]
fn a_timeline_bears_changes_out_of_order_and_by_the_thousand() {
    let mut timeline = Timeline::default();
    timeline.begin(seconds(5.0), State::Open);
    timeline.begin(seconds(4.0), State::Closed);
    assert_eq!(timeline.last(), Some((seconds(5.0), State::Closed)));
    for change in 0..100_000 {
        let state = if change % 2 == 0 { State::Open } else { State::Closed };
        timeline.begin(seconds(5.0 + change as f64 / 1e4), state);
    }
    assert_eq!(timeline.columns(&Columns::until(seconds(15.0), 10)).len(), 10);
    assert!(format!("{timeline:?}").len() < 200_000, "what is too old or too much is dropped");
    // After a quiet hour the state that lasts is still known.
    let shown = timeline.columns(&Columns::until(seconds(3_600.0), 3));
    assert_eq!(shown, [Some(State::Closed); 3]);
    assert!(SPAN < seconds(3_600.0));
}

#[test]
fn events_lie_in_the_order_of_their_times_and_the_dial_before_what_it_caused() {
    let mut board =
        Board::new(vec![Watched::new("a", 1, limits()), Watched::new("b", 2, limits())]);
    let run = TransitionCause::ConsecutiveFailures { failures: 3 };
    board.read(0, seconds(0.0), reading(State::Closed, 0, 0));
    let mut opened = reading(State::Open, 3, 0);
    opened.dial = Dial { well: false, word: "fail".into() };
    opened.changes = vec![change(1.05, 1, (State::Closed, State::Open), run)];
    assert_eq!(board.read(0, seconds(1.1), opened.clone()).len(), 2);
    let mut other = reading(State::Open, 3, 0);
    other.changes = vec![change(1.01, 1, (State::Closed, State::Open), run)];
    other.missed = 4;
    board.read(1, seconds(1.1), other);
    opened.changes.clear();
    assert!(board.read(0, seconds(1.2), opened).is_empty(), "nothing is told twice");

    let told: Vec<String> = board
        .newest()
        .map(|event| match &event.what {
            What::Changed(change) => format!("{} {}", event.index, change.to),
            What::Turned(dial) => format!("{} {}", event.index, dial.word),
            What::Missed(number) => format!("{} {number}", event.index),
        })
        .collect();
    assert_eq!(told, ["0 open", "0 fail", "1 open", "1 4"]);
    assert!(
        board.read(9, seconds(2.0), reading(State::Closed, 0, 0)).is_empty(),
        "no such breaker"
    );
}

#[test]
fn the_log_is_bounded() {
    let mut board = Board::new(vec![Watched::new("a", 1, limits())]);
    for number in 0..1_000_u64 {
        let mut turned = reading(State::Closed, 0, 0);
        turned.dial = Dial { well: number % 2 == 0, word: number.to_string() };
        board.read(0, Duration::from_millis(number), turned);
    }
    assert_eq!(board.newest().count(), 256);
}

#[test]
fn counts_fit_their_place_and_are_never_rounded_up() {
    for (value, text) in [
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (9_999, "9,999"),
        (10_000, "10.0k"),
        (99_999, "99.9k"),
        (999_999, "999k"),
        (1_000_000, "1.00M"),
        (1_239_999, "1.23M"),
        (u64::MAX, "18.4E"),
    ] {
        assert_eq!(words::count(value), text);
    }
    for power in 0..64 {
        assert!(words::count(1 << power).len() <= 5, "{}", words::count(1 << power));
    }
}

#[test]
fn rates_and_shares_say_no_more_than_is_so() {
    for (rate, text) in [
        (0.0, "0.0"),
        (-1.0, "0.0"),
        (f64::NAN, "0.0"),
        (f64::INFINITY, "0.0"),
        (999.94, "999.9"),
        (999.96, "1,000"),
        (1e300, "18.4E"),
    ] {
        assert_eq!(words::per_second(rate), text);
    }
    for (share, percent) in
        [(0.0, 0), (1e-9, 1), (0.5, 50), (0.999_9, 99), (1.0, 100), (7.0, 100), (f64::NAN, 0)]
    {
        assert_eq!(words::percent(share), percent, "{share}");
    }
}

#[test]
fn times_in_words() {
    assert_eq!(words::clock(seconds(42.9)), "0:42");
    assert_eq!(words::clock(seconds(3_723.0)), "1:02:03");
    assert_eq!(words::instant(seconds(42.19)), "0:42.1");
    assert_eq!(words::left(seconds(0.001)), "0.1 s", "not over yet");
    assert_eq!(words::left(seconds(3.2)), "3.2 s");
    assert_eq!(words::left(seconds(99.95)), "1:39");
    assert_eq!(words::whole(Duration::from_micros(5_000_600)), "5.0 s", "a breaker's tick more");
    assert_eq!(words::limit(Duration::from_millis(150)), "150 ms");
    assert_eq!(words::limit(seconds(2.0)), "2 s");
    assert_eq!(words::limit(seconds(2.5)), "2.5 s");
    assert_eq!(words::limit(Duration::from_nanos(7)), "7 ns");
    for time in [Duration::MAX, Duration::from_nanos(u64::MAX)] {
        assert!(words::clock(time).len() <= 6 && words::left(time).len() <= 6);
    }
}

#[test]
fn every_cause_has_words_of_its_own() {
    let causes = [
        TransitionCause::FailureRate { failures: 10, calls: 20 },
        TransitionCause::SlowRate { slow_calls: 10, calls: 20 },
        TransitionCause::FailureCount { failures: 1 },
        TransitionCause::ConsecutiveFailures { failures: 3 },
        TransitionCause::OpenTimeOver,
        TransitionCause::ProbeFailed,
        TransitionCause::ProbeSlow,
        TransitionCause::ProbesSucceeded { calls: 1, failures: 0 },
        TransitionCause::ProbesSucceeded { calls: 10, failures: 2 },
        TransitionCause::ProbesLost { outstanding: 2 },
        TransitionCause::Control,
        TransitionCause::Reconfigured,
    ];
    let words: Vec<String> = causes.iter().map(words::cause).collect();
    assert_eq!(
        words,
        [
            "10 of 20 calls failed",
            "10 of 20 calls were slow",
            "1 failure",
            "3 failures in a row",
            "the open time is over",
            "a probe failed",
            "a probe was slow",
            "1 probe succeeded",
            "2 of 10 probes failed",
            "2 probes never reported",
            "by hand",
            "new settings",
        ]
    );
}
