//! What the threads of a history are to do: drawn from a seed, by subject.
//!
//! Windows, places and waits are tiny, so that few calls fill them and every edge is met often. Each [`Family`] is one
//! group of loom's models, at more threads and longer.

use std::time::Duration;

use failfast::Outcome;

use crate::history::Control;

/// One tick of the open deadline.
pub const TICK: Duration = Duration::from_nanos(1 << 20);
/// A call is slow if it takes longer.
pub const SLOW: Duration = Duration::from_nanos(50);

/// A breaker's settings as plain data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub window: Window,
    pub failure_rate: Option<f64>,
    pub failure_count: Option<u32>,
    pub consecutive_failures: Option<u32>,
    /// The rate of calls slower than [`SLOW`].
    pub slow_rate: Option<f64>,
    pub min_calls: u32,
    pub wait: Duration,
    pub half_open: HalfOpen,
    pub lease: Duration,
    pub stripes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    Count(u32),
    Time(Duration, u32),
    Consecutive(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfOpen {
    Probes(u32),
    Rate(u32),
}

impl Default for Settings {
    /// Half of the last four calls, judged from two on; two probes; a tick of open time; a lease that does not end.
    fn default() -> Self {
        Settings {
            window: Window::Count(4),
            failure_rate: Some(0.5),
            failure_count: None,
            consecutive_failures: None,
            slow_rate: None,
            min_calls: 2,
            wait: TICK,
            half_open: HalfOpen::Probes(2),
            lease: Duration::from_secs(3_600),
            stripes: 8,
        }
    }
}

/// One step of a thread. Numbers choose among what the thread holds, and wrap; where it holds none, nothing is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    Acquire,
    Report {
        which: usize,
        outcome: Outcome,
        elapsed: Option<Duration>,
    },
    Control(Control),
    State,
    Snapshot,
    Advance(Duration),
    /// Hands a permit to another thread, if there is one to hand; the message is sent all the same.
    Send {
        to: usize,
    },
    /// Takes what has been sent so far.
    Receive,
}

/// What happens between two meetings of all threads.
#[derive(Clone, Debug)]
pub struct Phase {
    /// What the first thread does before the others begin.
    pub first: Vec<Step>,
    pub threads: Vec<Vec<Step>>,
}

/// What the threads are to do.
#[derive(Clone, Debug)]
pub struct Plan {
    pub settings: Settings,
    pub phases: Vec<Phase>,
}

/// What a plan is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Count windows: trips by rates and counts, the minimum.
    Trips,
    /// Runs of failures, alone and beside windows.
    Runs,
    /// Time windows, with a clock that moves meanwhile.
    Buckets,
    /// Slow calls beside failures.
    Slow,
    /// Places, give-backs, verdicts of probes.
    Probes,
    /// The end of the open time, against control calls.
    Deadline,
    /// The end of the lease, against late reports.
    Lease,
    /// Permits that outlive their generations, control calls of all kinds.
    Generations,
    /// More threads than stripes.
    Shared,
}

impl Family {
    pub const ALL: [Family; 9] = [
        Family::Trips,
        Family::Runs,
        Family::Buckets,
        Family::Slow,
        Family::Probes,
        Family::Deadline,
        Family::Lease,
        Family::Generations,
        Family::Shared,
    ];

    /// Draws a plan for so many threads of so many steps each.
    pub fn plan(self, threads: usize, steps: usize, seed: u64) -> Plan {
        let mut draw = Draw(seed);
        let settings = self.settings(&mut draw);
        let weights = self.weights();
        let mut phases = match self {
            Family::Probes => vec![vec![Step::Control(Control::HalfOpen)]],
            Family::Deadline => vec![vec![Step::Control(Control::Trip)]],
            Family::Lease => vec![
                vec![Step::Control(Control::HalfOpen)],
                vec![Step::Advance(settings.lease)],
                vec![Step::Advance(TICK * draw.below(3) as u32)],
            ],
            _ => vec![vec![]],
        };
        if draw.one_in(3) {
            phases.push(vec![Step::Advance(TICK)]);
        }
        let each = (steps / phases.len()).max(1);
        let mut phases: Vec<Phase> = phases
            .into_iter()
            .map(|first| Phase {
                first,
                threads: (0..threads)
                    .map(|thread| weights.steps(&mut draw, each, Place { thread, threads }))
                    .collect(),
            })
            .collect();
        for phase in &mut phases {
            self.move_clock(phase, settings, &mut draw);
        }
        // At rest: what is left must be exact.
        let first = vec![Step::Snapshot, Step::State];
        phases.push(Phase { first, threads: vec![Vec::new(); threads] });
        Plan { settings, phases }
    }

    /// Lets the first thread move the clock between its steps, where the family is about that.
    ///
    /// By less than a window within a phase: further apart, what is left of two threads' buckets is not promised.
    fn move_clock(self, phase: &mut Phase, settings: Settings, draw: &mut Draw) {
        let moves = match (self, settings.window) {
            (_, Window::Time(length, buckets)) => {
                let bucket = length / buckets;
                (1..buckets).map(|_| bucket).collect::<Vec<_>>()
            }
            (Family::Deadline, _) => vec![TICK, TICK],
            _ => Vec::new(),
        };
        for by in moves {
            let at = draw.below(phase.threads[0].len() as u64 + 1) as usize;
            phase.threads[0].insert(at, Step::Advance(by));
        }
    }

    fn settings(self, draw: &mut Draw) -> Settings {
        let mut settings = Settings {
            window: Window::Count(2 + draw.below(4) as u32),
            failure_rate: Some([0.3, 0.4, 0.5, 0.6, 1.0][draw.below(5) as usize]),
            min_calls: 1 + draw.below(4) as u32,
            half_open: match draw.below(2) {
                0 => HalfOpen::Probes(1 + draw.below(3) as u32),
                _ => HalfOpen::Rate(1 + draw.below(4) as u32),
            },
            stripes: [1, 2, 8, 8][draw.below(4) as usize],
            ..Settings::default()
        };
        let limit = 2 + draw.below(3) as u32;
        match self {
            Family::Trips if draw.one_in(3) => settings.failure_count = Some(2),
            Family::Runs => match draw.below(3) {
                0 => settings.window = Window::Consecutive(limit),
                1 => settings.window = Window::Time(Duration::from_secs(1), 2),
                _ => {}
            },
            Family::Buckets => {
                let buckets = 2 + draw.below(3) as u32;
                settings.window = Window::Time(Duration::from_nanos(10) * buckets, buckets);
                settings.failure_count = draw.one_in(3).then_some(limit);
                if draw.one_in(4) {
                    // As in `Runs`: not beside a rate.
                    settings.consecutive_failures = Some(limit);
                    settings.failure_rate = None;
                    settings.failure_count = None;
                }
            }
            Family::Slow => {
                settings.slow_rate = Some([0.4, 0.6, 1.0][draw.below(3) as usize]);
                settings.failure_count = draw.one_in(3).then_some(2);
            }
            Family::Shared => {
                settings.stripes = 1;
                if draw.one_in(2) {
                    settings.window = Window::Time(Duration::from_nanos(40), 4);
                }
            }
            _ => {}
        }
        if self == Family::Runs {
            if !matches!(settings.window, Window::Consecutive(_)) {
                settings.consecutive_failures = Some(limit);
                // In a time window run and rate are judged by themselves, each for its own mildest order: see the README.
                let both = matches!(settings.window, Window::Count(_)) && draw.one_in(3);
                settings.failure_rate = both.then_some(1.0);
            } else {
                settings.failure_rate = None;
            }
        }
        if self == Family::Lease {
            settings.lease = TICK;
        }
        settings
    }

    fn weights(self) -> Weights {
        let base = Weights { acquire: 40, success: 20, failure: 20, ..Weights::default() };
        match self {
            Family::Trips | Family::Runs | Family::Shared => {
                Weights { control: 1, read: 3, message: 3, ignore: 2, ..base }
            }
            Family::Buckets => Weights { read: 3, message: 3, ..base },
            Family::Slow => Weights { slow: 15, read: 3, message: 2, ..base },
            Family::Probes | Family::Lease => Weights {
                success: 24,
                failure: 6,
                ignore: 12,
                control: 2,
                read: 4,
                message: 4,
                ..base
            },
            Family::Deadline => Weights { success: 24, failure: 6, control: 8, read: 6, ..base },
            Family::Generations => Weights { control: 14, read: 6, message: 8, ignore: 3, ..base },
        }
    }
}

// ===== drawing =====

/// How often each step is drawn.
#[derive(Clone, Copy, Debug, Default)]
struct Weights {
    acquire: u64,
    success: u64,
    failure: u64,
    slow: u64,
    ignore: u64,
    control: u64,
    read: u64,
    message: u64,
}

struct Place {
    thread: usize,
    threads: usize,
}

impl Weights {
    fn steps(&self, draw: &mut Draw, count: usize, place: Place) -> Vec<Step> {
        (0..count).map(|_| self.step(draw, &place)).collect()
    }

    fn step(&self, draw: &mut Draw, place: &Place) -> Step {
        let kinds = [
            self.acquire,
            self.success,
            self.failure,
            self.slow,
            self.ignore,
            self.control,
            self.read,
            self.message,
        ];
        let mut left = draw.below(kinds.iter().sum());
        let mut kind = 0;
        while left >= kinds[kind] {
            left -= kinds[kind];
            kind += 1;
        }
        let which = draw.below(4) as usize;
        // Where nothing is slow this changes nothing; where something is, most calls are not.
        let elapsed = Some(Duration::ZERO);
        match kind {
            0 => Step::Acquire,
            1 => Step::Report { which, outcome: Outcome::Success, elapsed: None },
            2 => Step::Report { which, outcome: Outcome::Failure, elapsed },
            3 => {
                let outcome = [Outcome::Success, Outcome::Failure][draw.below(2) as usize];
                Step::Report { which, outcome, elapsed: Some(SLOW * 2) }
            }
            4 => Step::Report { which, outcome: Outcome::Ignored, elapsed: None },
            5 => Step::Control(draw.control()),
            6 if draw.one_in(2) => Step::State,
            6 => Step::Snapshot,
            _ if draw.one_in(2) && place.threads > 1 => {
                let step = 1 + draw.below(place.threads as u64 - 1) as usize;
                Step::Send { to: (place.thread + step) % place.threads }
            }
            _ => Step::Receive,
        }
    }
}

/// A stream of draws: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
pub struct Draw(pub u64);

impl Draw {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.draw() % limit
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Mostly those after which there is something to see.
    fn control(&mut self) -> Control {
        match self.below(10) {
            0..4 => Control::Reset,
            4..6 => Control::Trip,
            6..8 => Control::HalfOpen,
            8 => [Control::ForceOpen, Control::Disable][self.below(2) as usize],
            _ => Control::MetricsOnly,
        }
    }
}
