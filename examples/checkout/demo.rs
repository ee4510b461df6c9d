//! Three phases of a load: all is well, payment hangs, payment has recovered; and what must have shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use failfast::clock::Clock;
use failfast::{State, Transition};

use crate::books::{milliseconds, percentile};
use crate::dependency::{Dial, Position};
use crate::line::TIMEOUT;
use crate::load::{self, Answer, Record};
use crate::picture::in_words;
use crate::service::Service;
use crate::shop::PAYMENT;

/// Checkouts a second: far below what the service can do on two cores, so that what shows is the outage.
const PER_SECOND: u32 = 200;
/// Long enough for the circuit to open, to probe in vain, and to be open again when payment recovers.
const PHASES: [(&str, Duration); 3] = [
    ("all is well", Duration::from_secs(5)),
    ("payment hangs", Duration::from_secs(8)),
    ("recovered", Duration::from_secs(9)),
];
/// How soon the circuit must have opened: the first calls are given up after their timeout.
const OPENS_WITHIN: Duration = Duration::from_secs(1);
/// What a checkout may take at the 99th percentile once it has: a quarter of what each would wait without a circuit. On a
/// machine with nothing else to do it takes a hundredth of this.
const REFUSED_WITHIN: Duration = Duration::from_millis(TIMEOUT.as_millis() as u64 / 4);
/// At the end of the last phase all must have been well for that long.
const WELL_FOR: Duration = Duration::from_secs(2);
/// Calls to payment while it hangs: those that came before the circuit opened, and a probe now and then.
const CALLS_WHILE_HANGING: u64 = 25;

/// Lives through the phases, prints what became of the checkouts, and gives the claims that did not hold.
pub(crate) fn run(service: &Service) -> Vec<String> {
    let shop = &service.app.shop;
    let payment = &shop.lines[PAYMENT];
    let records = Mutex::new(Vec::new());
    let (start, clock_start) = (Instant::now(), service.app.registry.clock().now());
    let [well, hung, end] = ends();
    let mut asked = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            load::send(
                service.address(),
                PER_SECOND,
                start,
                |at| at < end,
                |record| {
                    records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
                },
            );
        });
        sleep_until(start + well);
        let before = payment.dependency.asked();
        payment.dependency.turn(Dial::at(Position::Hang));
        sleep_until(start + hung);
        asked = payment.dependency.asked() - before;
        payment.dependency.turn(Dial::WELL);
    });
    let mut records = records.into_inner().unwrap_or_else(PoisonError::into_inner);
    records.sort_by_key(|record| record.arrival);

    // By the demo's own time.
    let changes: Vec<_> = payment
        .breaker
        .history()
        .into_iter()
        .map(|change| Transition { at: change.at.saturating_sub(clock_start), ..change })
        .collect();
    let mut report = table(&records) + &timeline(service, clock_start);

    let opened = changes.iter().find(|change| change.to == State::Open).map(|change| change.at);
    let closed = changes.iter().rfind(|change| change.to == State::Closed).map(|change| change.at);
    let told = between(&records, opened.unwrap_or(hung), hung);
    let told_p99 = percentile(&latencies(&told), 0.99).unwrap_or_default();
    let last = between(&records, end - WELL_FOR, end);
    let _ = writeln!(report, "\nWhile payment hung it was called {asked} times.");
    if opened.is_some() {
        let p99 = milliseconds(told_p99);
        let _ = writeln!(
            report,
            "Once its circuit was open, 99 of 100 checkouts took at most {p99:.2} ms."
        );
    }
    let later = shop.later.tally();
    let _ = writeln!(
        report,
        "{} errands were put off and done later, {} wait, {} are lost.",
        later.sent, later.waiting, later.lost
    );
    crate::print(&report);
    let claims = [
        ("all checkouts were answered", count(&records, Answer::Lost) == 0),
        ("while all was well, they were served", served(&between(&records, Duration::ZERO, well))),
        (
            "the circuit opened within a second of the hang",
            opened.is_some_and(|at| (well..well + OPENS_WITHIN).contains(&at)),
        ),
        (
            "from then on 99 of 100 checkouts were answered within a quarter of the timeout",
            !told.is_empty() && told_p99 <= REFUSED_WITHIN,
        ),
        ("payment was spared", asked <= CALLS_WHILE_HANGING),
        (
            "the circuit closed by itself",
            closed.is_some_and(|at| (hung..end - WELL_FOR).contains(&at)),
        ),
        ("from then on they were served", served(&last)),
        ("what was put off has been done", later.waiting == 0 && later.lost == 0),
    ];
    claims.iter().filter(|(_, holds)| !holds).map(|(claim, _)| (*claim).to_owned()).collect()
}

fn ends() -> [Duration; 3] {
    let mut end = Duration::ZERO;
    PHASES.map(|(_, length)| {
        end += length;
        end
    })
}

fn sleep_until(at: Instant) {
    thread::sleep(at.saturating_duration_since(Instant::now()));
}

fn between(records: &[Record], from: Duration, to: Duration) -> Vec<Record> {
    records.iter().filter(|record| (from..to).contains(&record.arrival)).copied().collect()
}

fn count(records: &[Record], answer: Answer) -> usize {
    records.iter().filter(|record| record.answer == answer).count()
}

/// 99 of 100, warnings or not: a machine that stands still for a moment makes a crowd, of which some are turned away.
fn served(records: &[Record]) -> bool {
    let served = count(records, Answer::Served) + count(records, Answer::Degraded);
    !records.is_empty() && served * 100 >= records.len() * 99
}

fn latencies(records: &[Record]) -> Vec<Duration> {
    let mut latencies: Vec<_> = records.iter().map(|record| record.latency).collect();
    latencies.sort_unstable();
    latencies
}

fn table(records: &[Record]) -> String {
    let mut table = format!(
        "{:<14} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9}\n",
        "phase",
        "offered",
        "served",
        "degraded",
        "refused",
        "failed",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms"
    );
    let mut begin = Duration::ZERO;
    for ((name, _), end) in PHASES.iter().zip(ends()) {
        let records = between(records, begin, end);
        let latencies = latencies(&records);
        let at = |share| percentile(&latencies, share).map_or(0.0, milliseconds);
        let _ = writeln!(
            table,
            "{name:<14} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
            records.len(),
            count(&records, Answer::Served),
            count(&records, Answer::Degraded),
            count(&records, Answer::Refused),
            count(&records, Answer::Failed) + count(&records, Answer::Lost),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0),
        );
        begin = end;
    }
    let _ = writeln!(
        table,
        "(open loop, {PER_SECOND} a second, from the scheduled arrival; a call is given up after {} ms)",
        TIMEOUT.as_millis()
    );
    table
}

/// All changes of state of all circuits, in the order of time.
fn timeline(service: &Service, clock_start: Duration) -> String {
    let mut changes = BTreeMap::new();
    for line in service.app.shop.lines.iter() {
        for change in line.breaker.history() {
            changes.insert((change.at, change.generation, line.name()), change);
        }
    }
    let mut text = String::from("\n");
    for ((at, _, name), change) in changes {
        let (from, to, cause) = (change.from, change.to, in_words(&change.cause));
        let at = at.saturating_sub(clock_start).as_secs_f64();
        let _ = writeln!(text, "{at:>7.2} s  {name}: {from} -> {to} ({cause})");
    }
    text
}
