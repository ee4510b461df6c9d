//! From records and samples to figures.

use std::time::Duration;

use failfast::{State, Transition};

use crate::load::{Answer, Record, Side};
use crate::scenario::{self, Health, CLIENT_TIMEOUT, RECOVERED_RUN, WORKERS};
use crate::server::Backend;

/// A look at both sides at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Since the start.
    pub(crate) at: Duration,
    /// Workers in a call, by side.
    pub(crate) busy: [usize; 2],
    /// Requests waiting for a worker, by side.
    pub(crate) waiting: [usize; 2],
}

/// Everything measured in a run.
pub(crate) struct Run {
    /// Unguarded, guarded.
    pub(crate) sides: [Figures; 2],
    /// The guarded side's changes of state, times since the start.
    pub(crate) diary: Vec<Transition>,
    /// The breaker's state when all was over.
    pub(crate) last_state: State,
    /// What a refusal at the door cost: median, 99th percentile, worst.
    pub(crate) refusal_cost: Option<(Duration, Duration, Duration)>,
    /// When the last request ended, or the waiting for it.
    pub(crate) end: Duration,
}

/// One side's figures.
pub(crate) struct Figures {
    /// In the order of arrival.
    pub(crate) records: Vec<Record>,
    /// Requests that arrived, ended or not.
    pub(crate) requests: usize,
    /// Requests that were still somewhere in the pool at the end.
    pub(crate) unanswered: usize,
    /// Mean latency of all that ended.
    pub(crate) mean: Duration,
    /// 99th percentile of the latency of all that ended.
    pub(crate) p99: Duration,
    /// The same of those that were served: refusals, which are quick, do not flatter this one.
    pub(crate) p99_served: Duration,
    /// Calls that reached the backend while it hung.
    pub(crate) hits_hanging: u64,
    /// Calls that reached the backend while it was down.
    pub(crate) hits_down: u64,
    /// Most workers in a call at once.
    pub(crate) most_busy: usize,
    /// The same, only from [`told_of_hanging`] until its end.
    pub(crate) most_busy_told: usize,
    /// How long every worker was in a call.
    pub(crate) exhausted: Duration,
    /// Longest queue before the pool.
    pub(crate) longest_queue: usize,
    /// For each repair, in their order: how long after it requests were served again; `None` if not in that phase.
    pub(crate) recoveries: Vec<Option<Duration>>,
}

impl Figures {
    /// Requests that ended so.
    pub(crate) fn count(&self, answer: Answer) -> usize {
        self.records.iter().filter(|record| record.answer == answer).count()
    }
}

/// Takes the figures of side `index`.
pub(crate) fn figures(side: &Side, index: usize, backend: &Backend, samples: &[Sample]) -> Figures {
    let records = side.records();
    let requests = scenario::arrivals() as usize;
    let latencies = sorted_latencies(&records, |_| true);
    let served = sorted_latencies(&records, |answer| answer == Answer::Served);
    let count = u32::try_from(latencies.len()).unwrap_or(u32::MAX).max(1);
    let told = told_of_hanging();
    Figures {
        requests,
        unanswered: requests.saturating_sub(records.len()),
        mean: latencies.iter().sum::<Duration>() / count,
        p99: percentile(&latencies, 0.99).unwrap_or_default(),
        p99_served: percentile(&served, 0.99).unwrap_or_default(),
        hits_hanging: backend.hits(index, Health::Hanging),
        hits_down: backend.hits(index, Health::Down),
        most_busy: most(samples, |sample| sample.busy[index]),
        most_busy_told: most(samples, |sample| {
            if (told.0..told.1).contains(&sample.at) {
                sample.busy[index]
            } else {
                0
            }
        }),
        // Each sample speaks for the time until the next.
        exhausted: samples
            .windows(2)
            .filter(|pair| pair[0].busy[index] >= WORKERS)
            .map(|pair| pair[1].at.saturating_sub(pair[0].at))
            .sum(),
        longest_queue: most(samples, |sample| sample.waiting[index]),
        recoveries: repairs().map(|(begin, end)| recovery(&records, begin, end)).collect(),
        records,
    }
}

fn sorted_latencies(records: &[Record], of: impl Fn(Answer) -> bool) -> Vec<Duration> {
    let mut latencies: Vec<Duration> =
        records.iter().filter(|record| of(record.answer)).map(|record| record.latency).collect();
    latencies.sort_unstable();
    latencies
}

fn most(samples: &[Sample], of: impl Fn(&Sample) -> usize) -> usize {
    samples.iter().map(of).max().unwrap_or(0)
}

/// How long after its beginning the hanging has been noticed and what noticed it is over: one time-out until the first
/// calls tell of it, one more for the calls that workers took up before the tenth had told, and half a one to spare.
pub(crate) fn told_after() -> Duration {
    CLIENT_TIMEOUT * 5 / 2
}

/// The part of the hanging after that.
fn told_of_hanging() -> (Duration, Duration) {
    scenario::schedule()
        .find(|(_, phase)| phase.health == Health::Hanging)
        .map_or((Duration::MAX, Duration::MAX), |(begin, phase)| {
            (begin + told_after(), begin + phase.length)
        })
}

/// The phases that begin with a repair: healthy ones but for the first.
pub(crate) fn repairs() -> impl Iterator<Item = (Duration, Duration)> {
    scenario::schedule()
        .skip(1)
        .filter(|(_, phase)| phase.health == Health::Healthy)
        .map(|(begin, phase)| (begin, begin + phase.length))
}

/// How long after `begin` the first request arrived that opens a run of served ones.
fn recovery(records: &[Record], begin: Duration, end: Duration) -> Option<Duration> {
    let phase: Vec<&Record> =
        records.iter().filter(|record| (begin..end).contains(&record.arrival)).collect();
    phase
        .windows(RECOVERED_RUN)
        .find(|run| run.iter().all(|record| record.answer == Answer::Served))
        .map(|run| run[0].arrival - begin)
}

/// The smallest value that at least `share` of the sorted values do not exceed.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

/// Median, 99th percentile and worst.
pub(crate) fn spread(mut values: Vec<Duration>) -> Option<(Duration, Duration, Duration)> {
    values.sort_unstable();
    Some((percentile(&values, 0.5)?, percentile(&values, 0.99)?, *values.last()?))
}
