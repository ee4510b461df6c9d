//! What the run says when it is over: the diary of states, the table, and the verdict.

use std::fmt::Write;
use std::time::Duration;

use failfast::State;

use crate::guard::{explain, LONGEST_WAIT};
use crate::load::Answer;
use crate::measure::{repairs, told_after, Figures, Run};
use crate::scenario::{self, Health, CLIENT_TIMEOUT, PATIENCE, WORKERS};
use crate::terminal::{short, wrap, Page};

/// The dial and the breaker, in the order of time.
pub(crate) fn timeline(run: &Run, page: Page) -> String {
    let dial = scenario::schedule()
        .map(|(begin, phase)| (begin, format!("-- the backend is {} --", describe(phase))));
    let breaker = run.diary.iter().map(|transition| {
        let change = format!("{} -> {}", transition.from, transition.to);
        (transition.at, format!("{change:<21} {}", explain(transition.cause)))
    });
    let mut entries: Vec<(Duration, String)> = dial.chain(breaker).collect();
    // Stable, so that the dial comes first where the instants are the same.
    entries.sort_by_key(|(at, _)| *at);
    let mut text = String::from("Timeline of states\n");
    for (at, what) in entries {
        let line = format!("{:7.3} s  {what}", at.as_secs_f64());
        if line.chars().count() <= page.width {
            let _ = writeln!(text, "{line}");
        } else {
            let _ = writeln!(text, "{}", wrap(&line, page.width, 4));
        }
    }
    text
}

fn describe(phase: scenario::Phase) -> &'static str {
    match phase.health {
        Health::Healthy => phase.name,
        Health::Failing => "failing 30 % of its calls",
        Health::Hanging => "hanging for 2 s on each call",
        Health::Down => "down",
    }
}

// ===== the table =====

/// The two sides side by side.
pub(crate) fn table(run: &Run, page: Page) -> String {
    let rows = rows(run);
    let label = rows.iter().map(|row| row.0.len()).max().unwrap_or(0);
    let value = rows.iter().flat_map(|row| [row.1.len(), row.2.len()]).max().unwrap_or(0);
    let mut text = String::new();
    for (index, (name, left, right)) in rows.iter().enumerate() {
        if label + 2 * (value + 2) <= page.width {
            let _ = writeln!(text, "{name:<label$}  {left:>value$}  {right:>value$}");
            if index == 0 {
                let _ = writeln!(text, "{}", "-".repeat(label + 2 * (value + 2)));
            }
        } else {
            // Too narrow for three columns: the name on its own line, the values below it.
            let _ = writeln!(text, "{name}\n    {left:>value$}  {right:>value$}");
        }
    }
    if let Some((median, p99, worst)) = run.refusal_cost {
        let line = format!(
            "A refusal took {} at the median, {} at the 99th percentile, {} at worst (two clock readings included).",
            short(median),
            short(p99),
            short(worst)
        );
        let _ = writeln!(text, "\n{}", wrap(&line, page.width, 0));
    }
    let price = format!(
        "The price: the breaker learns of a repair only when its open time is over, after at most {} here. Where the backend was down, not hanging, an unguarded pool has no backlog left (it failed it all) and is back at once.",
        short(LONGEST_WAIT)
    );
    let _ = writeln!(text, "{}", wrap(&price, page.width, 0));
    text
}

fn rows(run: &Run) -> Vec<(String, String, String)> {
    let [left, right] = &run.sides;
    let mut rows = vec![(String::new(), "no breaker".into(), "failfast".into())];
    let mut row = |name: String, of: &dyn Fn(&Figures) -> String| {
        rows.push((name, of(left), of(right)));
    };
    row("requests".into(), &|f| f.requests.to_string());
    row(format!("served within {}", short_whole(PATIENCE)), &|f| {
        f.count(Answer::Served).to_string()
    });
    row("answered too late".into(), &|f| f.count(Answer::Late).to_string());
    row("failed".into(), &|f| f.count(Answer::Failed).to_string());
    row("timed out".into(), &|f| f.count(Answer::TimedOut).to_string());
    row("refused fast".into(), &|f| f.count(Answer::Refused).to_string());
    row("given up in the queue".into(), &|f| f.count(Answer::GivenUp).to_string());
    if left.unanswered + right.unanswered > 0 {
        row("unanswered at the end".into(), &|f| f.unanswered.to_string());
    }
    row("mean latency".into(), &|f| short(f.mean));
    row("p99 latency".into(), &|f| short(f.p99));
    row("  of the served alone".into(), &|f| short(f.p99_served));
    row("reached backend while hanging".into(), &|f| f.hits_hanging.to_string());
    row("reached backend while down".into(), &|f| f.hits_down.to_string());
    row("most busy workers".into(), &|f| of_workers(f.most_busy));
    row(format!("  after {} of hanging", short(told_after())), &|f| of_workers(f.most_busy_told));
    row("every worker busy for".into(), &|f| short(f.exhausted));
    row("longest queue".into(), &|f| f.longest_queue.to_string());
    let repairs = ["hanging", "down"].into_iter().zip(repairs());
    for (index, (after, (begin, end))) in repairs.enumerate() {
        row(format!("time to recover from {after}"), &|f| match f
            .recoveries
            .get(index)
            .copied()
            .flatten()
        {
            Some(time) if time.is_zero() => "at once".into(),
            Some(time) => short(time),
            None => format!("not in {:.0} s", (end - begin).as_secs_f64()),
        });
    }
    rows
}

fn of_workers(busy: usize) -> String {
    format!("{busy} of {WORKERS}")
}

fn short_whole(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

// ===== the verdict =====

/// A refusal's median and 99th percentile must stay below these. The refusal itself is tens of nanoseconds; the room
/// is for a machine that is busy with something else.
const REFUSAL_LIMITS: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(1));
/// Recovery needs the rest of an open time, a probe that still times out, another open time, and some slack.
const RECOVERY_LIMIT: Duration = Duration::from_millis(
    2 * LONGEST_WAIT.as_millis() as u64 * 11 / 10 + CLIENT_TIMEOUT.as_millis() as u64 + 1000,
);

/// Whether the breaker protected: what it did not keep, in words; nothing if it kept all.
///
/// The limits leave room for a noisy machine of two cores; the figures of a quiet one are several times better.
pub(crate) fn broken_promises(run: &Run) -> Vec<String> {
    let [left, right] = &run.sides;
    let mut broken = Vec::new();
    let mut promise = |kept: bool, otherwise: String| {
        if !kept {
            broken.push(otherwise);
        }
    };

    // The comparison itself: without an outage that hurts there is nothing to protect from.
    promise(
        left.most_busy == WORKERS && left.exhausted >= Duration::from_secs(2),
        format!(
            "the outage did not exhaust the unguarded pool (all workers busy for {}), so this run shows nothing",
            short(left.exhausted)
        ),
    );

    for (begin, phase) in scenario::schedule() {
        if matches!(phase.health, Health::Hanging | Health::Down) {
            let during = begin..begin + phase.length;
            promise(
                run.diary.iter().any(|t| t.to == State::Open && during.contains(&t.at)),
                format!("the breaker did not open while the backend was {}", describe(phase)),
            );
        }
    }
    match run.refusal_cost {
        None => promise(false, "no call was refused".into()),
        Some((median, p99, _)) => promise(
            median <= REFUSAL_LIMITS.0 && p99 <= REFUSAL_LIMITS.1,
            format!(
                "refusals were not fast: median {} (limit {}), p99 {} (limit {})",
                short(median),
                short(REFUSAL_LIMITS.0),
                short(p99),
                short(REFUSAL_LIMITS.1)
            ),
        ),
    }
    promise(
        right.hits_down * 5 <= left.hits_down,
        format!(
            "{} guarded calls reached the backend while it was down, more than a fifth of the {} unguarded ones",
            right.hits_down, left.hits_down
        ),
    );
    promise(
        right.hits_hanging * 2 <= left.hits_hanging,
        format!(
            "{} guarded calls reached the backend while it hung, more than half of the {} unguarded ones",
            right.hits_hanging, left.hits_hanging
        ),
    );
    promise(
        right.most_busy_told * 2 <= WORKERS,
        format!(
            "{} of {WORKERS} guarded workers were busy with a backend known to hang",
            right.most_busy_told
        ),
    );
    promise(
        right.exhausted * 2 <= left.exhausted,
        format!(
            "the guarded pool was exhausted for {}, more than half of the unguarded one's {}",
            short(right.exhausted),
            short(left.exhausted)
        ),
    );
    let served = (left.count(Answer::Served), right.count(Answer::Served));
    promise(
        served.1 * 20 >= served.0 * 21,
        format!(
            "{} requests were served behind the breaker, not 5 % more than the {} without",
            served.1, served.0
        ),
    );
    promise(
        right.p99 * 2 <= left.p99,
        format!(
            "the guarded p99 latency of {} is more than half of the unguarded {}",
            short(right.p99),
            short(left.p99)
        ),
    );
    for (index, recovery) in right.recoveries.iter().enumerate() {
        promise(
            recovery.is_some_and(|time| time <= RECOVERY_LIMIT),
            format!(
                "service behind the breaker had not resumed {} after repair {}",
                short(RECOVERY_LIMIT),
                index + 1
            ),
        );
    }
    promise(
        run.last_state == State::Closed,
        format!("the breaker ended {}, not closed", run.last_state),
    );
    promise(right.unanswered == 0, format!("{} guarded requests never ended", right.unanswered));
    broken
}
