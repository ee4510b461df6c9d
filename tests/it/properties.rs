//! Properties of the breaker, over random settings and random sequences of operations.
//!
//! 1. Whatever is done to it, from whichever threads one after another, and however its limits are changed meanwhile,
//!    the breaker answers as its oracle does: the same grants, refusals (with the same wait) and reports, the same state and snapshot, and its observers hear the
//!    same transitions with the same causes and instants. Reading changes nothing.
//!    Where it keeps totals, they are what was answered, and its history is the last transitions that were heard.
//! 2. Transitions join up, number the generations without gaps, and have a cause that may lead from the one state to
//!    the other. (The driver checks it, in every run of 1.)
//! 3. An open time lies between the wait asked for, with its jitter, and 1.1 ms more; it is over exactly when the
//!    refusal said.
//! 4. At most n probes are out or have reported in one half-open generation, however places are given back.
//! 5. No builder input panics. `build` accepts exactly what the table of settings allows, and its error names a
//!    setting that is at fault. (The table is in `inputs.rs`.)
//! 6. The driver notices a subject that lies. (A harness that could not fail would prove nothing.)

use std::time::Duration;

use failfast::clock::ManualClock;
use failfast::oracle::{Oracle, OraclePermit};
use failfast::{
    Builder, CallError, CircuitBreaker, ConfigError, HalfOpen, OpenWait, Outcome, Recorded,
    Rejected, Snapshot, State, Transition,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::crew::{on_lane, Lane};
use crate::drive::drive;
use crate::inputs::check_builder;
use crate::plan::{Kind, Op, Settings, Watch};
use crate::strategies::{inputs, proptest_config, sequences, settings, short_times, watches};
use crate::subject::{Breaker, Control, Finish, Hold, Subject};

// ===== 1, 2: the breaker and its oracle =====

proptest! {
    #![proptest_config(proptest_config(4))]

    #[test]
    fn the_breaker_answers_as_its_oracle_does(
        settings in settings(),
        ops in sequences(),
        watch in watches(),
    ) {
        drive::<Breaker, Oracle<ManualClock>>(&settings, &ops, watch);
    }

    /// Of three threads at least two are beyond the first stripe, so they share words where it is the only one.
    ///
    /// In a time window each kind of outcome turns its shared word to a new bucket by itself, so what shows after a
    /// step back is not what one set of slots would show: there the clock only moves on.
    #[test]
    fn the_breaker_answers_so_to_a_thread_that_shares_its_words(
        settings in settings(),
        ops in sequences(),
        watch in watches(),
        home in any::<u8>().prop_map(Lane::There),
    ) {
        let settings = Settings { stripes: 1, ..settings };
        let steady = settings.is_timed();
        let ops = ops.into_iter().filter(|op| !(steady && op.may_step_back()));
        let ops: Vec<Op> = ops.map(Op::on_this_thread).collect();
        on_lane(home, move || {
            drive::<Breaker, Oracle<ManualClock>>(&settings, &ops, watch);
        });
    }

    /// The harness against itself: what fails here is the driver or the oracle.
    #[test]
    fn the_oracle_answers_as_it_does_itself_and_keeps_the_laws_of_transitions(
        settings in settings(),
        ops in sequences(),
        watch in watches(),
    ) {
        drive::<Oracle<ManualClock>, Oracle<ManualClock>>(&settings, &ops, watch);
    }
}

// ===== 3, 4: laws that need no oracle =====

/// Deadlines are kept in coarser units than a nanosecond; this is what the contract allows for it.
const ROUNDING: Duration = Duration::from_micros(1_100);

proptest! {
    #![proptest_config(proptest_config(1))]

    #[test]
    fn an_open_time_is_the_wait_asked_for_and_ends_when_the_refusal_said(
        initial in short_times(),
        factor in 1.0..3.0_f64,
        headroom in short_times(),
        jitter in prop_oneof![Just(0.0), 0.0..1.0_f64],
        seed in any::<u64>(),
        start in prop_oneof![Just(0), Just(7_u64), 0..=1_u64 << 59],
        attempts in 1..8_i32,
    ) {
        let clock = ManualClock::new();
        clock.set(Duration::from_nanos(start));
        let max = initial + headroom;
        let breaker = CircuitBreaker::builder()
            .clock(clock.clone())
            .open_wait(OpenWait::exponential(initial, factor, max).jitter(jitter))
            .jitter_seed(seed)
            .build()?;
        for attempt in 0..attempts {
            breaker.trip();
            let refusal = breaker.try_acquire().unwrap_err();
            let waits = refusal.retry_after().expect("open");
            let grown = initial.as_nanos() as f64 * factor.powi(attempt);
            let base = grown.min(max.as_nanos() as f64);
            // A nanosecond of play either way for the floats of this test.
            let least = Duration::from_nanos((base * (1.0 - jitter)) as u64);
            let most = Duration::from_nanos((base * (1.0 + jitter)) as u64).min(max);
            let play = Duration::from_nanos(1);
            prop_assert!(waits + play >= least, "{waits:?} is under {least:?}");
            prop_assert!(waits <= most + play + ROUNDING, "{waits:?} is over {most:?}");
            clock.advance(waits.saturating_sub(play));
            prop_assert_eq!(breaker.state(), State::Open);
            clock.advance(play);
            prop_assert_eq!(breaker.state(), State::HalfOpen);
        }
        prop_assert!(breaker.try_acquire().is_ok());
    }

    #[test]
    fn no_more_probes_are_granted_than_there_are_places(
        places in 1..=20_usize,
        ignored in vec((any::<usize>(), 0..3_usize), 0..60),
    ) {
        let breaker = CircuitBreaker::builder()
            .clock(ManualClock::new())
            .half_open(HalfOpen::probes(places as u32))
            .build()?;
        breaker.half_open();
        let mut held = Vec::new();
        let mut succeeded = 0;
        for (which, kind) in ignored {
            if kind < 2 {
                match breaker.try_acquire() {
                    Ok(permit) => held.push(permit),
                    Err(refusal) => {
                        prop_assert_eq!(refusal.state(), State::HalfOpen);
                        prop_assert_eq!(held.len() + succeeded, places, "a place was free");
                    }
                }
            } else if !held.is_empty() {
                let permit = held.swap_remove(which % held.len());
                if which % 5 == 0 && succeeded + 1 < places {
                    prop_assert_eq!(permit.success(), Recorded::Counted);
                    succeeded += 1;
                } else {
                    drop(permit);
                }
            }
            prop_assert!(held.len() + succeeded <= places, "more probes than places");
        }
    }
}

// ===== 5: the builder =====

proptest! {
    #![proptest_config(proptest_config(4))]

    #[test]
    fn the_builder_accepts_what_the_table_allows_and_names_what_it_does_not(input in inputs()) {
        check_builder(&input);
    }
}

// ===== 6: the driver =====

/// An oracle that says `Counted` to every report.
struct Flatterer(Oracle<ManualClock>);

impl Subject for Flatterer {
    type Permit<'a> = OraclePermit;

    fn build(builder: Builder<ManualClock>) -> Result<Self, ConfigError> {
        Subject::build(builder).map(Flatterer)
    }

    fn acquire(&self, hold: Hold, lane: Lane) -> Result<OraclePermit, Rejected> {
        self.0.acquire(hold, lane)
    }

    fn finish(&self, permit: OraclePermit, how: Finish, lane: Lane) -> Option<Recorded> {
        let answer = self.0.finish(permit, how, lane);
        answer.map(|_| Recorded::Counted)
    }

    fn call(&self, outcome: Outcome) -> Result<(), CallError<()>> {
        self.0.call(outcome)
    }

    fn control(&self, control: Control) {
        self.0.control(control);
    }

    fn reconfigure(&self, builder: &Builder<ManualClock>) -> Result<(), ConfigError> {
        Subject::reconfigure(&self.0, builder)
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn snapshot(&self) -> Snapshot {
        self.0.snapshot()
    }

    fn take_transitions(&self) -> Vec<Transition> {
        self.0.take_transitions()
    }
}

#[test]
#[should_panic(expected = "the report differs in step 2")]
fn the_driver_notices_a_subject_that_counts_a_stale_report() {
    let settings = Settings {
        window: Kind::Count(10),
        failure_rate: Some(0.5),
        failure_count: None,
        consecutive_failures: None,
        slow_call: None,
        min_calls: 1,
        open_wait: OpenWait::fixed(Duration::from_secs(1)),
        half_open: HalfOpen::probes(1),
        probe_timeout: Duration::from_secs(1),
        jitter_seed: 0,
        stripes: 1,
        clock_start: Duration::ZERO,
        totals: false,
    };
    let ops = [
        Op::Acquire(Hold::Borrowed, Lane::Here),
        Op::Control(Control::Reset),
        Op::Finish { which: 0, how: Finish::Report(Outcome::Success), lane: Lane::Here },
    ];
    drive::<Flatterer, Oracle<ManualClock>>(&settings, &ops, Watch::EveryStep);
}
