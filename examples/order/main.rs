//! An order, and what becomes of it when its dependencies fall ill: `cargo run --release --example order --all-features`.
//!
//! A real HTTP server on loopback plays inventory, payment and mail. The shop places orders with several threads while
//! one service after another fails; a table says what became of them, and each row is checked.
//! `shop.rs` is the part to read: what stands around each call, and what is done without it.
//!
//! Exit status: 0 if every degradation showed, 1 if one did not (and which), 2 if the run could not be made, 3 if one did
//! not and the machine was so busy that nothing follows.

#![forbid(unsafe_code)]

#[path = "../outage/pulse.rs"]
mod pulse;
mod server;
mod shop;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use failfast::policy::Layer;
use failfast::State;

use crate::pulse::Pulse;
use crate::server::{Health, Server, Service};
use crate::shop::{Ended, NotPaid, Payment, Shop};

const SERVICES: [Service; 3] = [Service::Inventory, Service::Payment, Service::Mail];
/// Orders that are pending before the queue is filled up.
const HUNG: u32 = 20;

/// A service falls ill, and orders are placed.
struct Phase {
    name: &'static str,
    ill: Option<(Service, Health)>,
    orders: u32,
    threads: u32,
    /// What must have shown.
    expect: &'static str,
    shown: fn(&Seen) -> bool,
}

/// In the order of the run: the rush comes before the breakers have opened for the first time, the sale when there is
/// no other use for the tokens of the mail.
const PHASES: [Phase; 10] = [
    Phase {
        name: "all well",
        ill: None,
        orders: 20,
        threads: 4,
        expect: "all are paid and announced",
        shown: |seen| seen.paid == 20 && seen.mails() == 20,
    },
    Phase {
        name: "inventory flaky",
        ill: Some((Service::Inventory, Health::Flaky)),
        orders: 40,
        threads: 4,
        expect: "retries carry nearly all through a third of errors",
        shown: |seen| seen.paid >= 34 && seen.asked[0] > 40 && seen.is_closed(0),
    },
    Phase {
        name: "inventory slow, a rush",
        ill: Some((Service::Inventory, Health::Slow)),
        orders: 24,
        threads: 12,
        expect: "the bulkhead turns some away and lets no more than its places through",
        shown: |seen| {
            seen.refused_by(Layer::Bulkhead) > 0
                && seen.most_at_once <= shop::PLACES
                && seen.is_closed(0)
        },
    },
    Phase {
        name: "inventory down",
        ill: Some((Service::Inventory, Health::Down)),
        orders: 40,
        threads: 4,
        expect: "the breaker refuses most, and retries of the rest keep to their budget",
        shown: |seen| {
            seen.refused() == 40
                && seen.refused_by(Layer::Breaker) >= 20
                && seen.asked[0] <= seen.reached() * 3 / 2 + shop::RETRIES + 1
                && seen.asked[1] == 0
        },
    },
    Phase {
        name: "payment hangs",
        ill: Some((Service::Payment, Health::Hanging)),
        orders: HUNG,
        threads: 4,
        expect: "all are pending, none waits for the hang, the breaker spares the service",
        shown: |seen| seen.pending == HUNG && seen.slowest < server::HANG && seen.asked[1] < HUNG,
    },
    Phase {
        name: "cards declined",
        ill: Some((Service::Payment, Health::Declining)),
        orders: 10,
        threads: 4,
        expect: "the goods are released, and the breaker does not mind",
        shown: |seen| seen.declined == 10 && seen.asked[0] == 20 && seen.is_closed(1),
    },
    Phase {
        name: "payment down, queue fills",
        ill: Some((Service::Payment, Health::Down)),
        orders: 20,
        threads: 4,
        expect: "the queue takes what it has room for, the goods of the others are released",
        shown: |seen| seen.pending == shop::QUEUE as u32 - HUNG && seen.queue_full == 15,
    },
    Phase {
        name: "mail down",
        ill: Some((Service::Mail, Health::Down)),
        orders: 20,
        threads: 4,
        expect: "all are paid, none is announced, the breaker spares the service",
        shown: |seen| seen.paid == 20 && seen.mails() == 0 && seen.asked[2] < 20,
    },
    Phase {
        name: "drill: 3 of 10 mails fail",
        ill: None,
        orders: 30,
        threads: 4,
        expect: "all are paid, and some mails fail that the service never saw",
        shown: |seen| seen.paid == 30 && seen.mails() < 30 && seen.asked[2] == seen.mails(),
    },
    Phase {
        name: "a sale",
        ill: None,
        orders: 250,
        threads: 4,
        expect: "all are paid, and the mails keep to their rate",
        shown: |seen| seen.paid == 250 && seen.unsent.get("rate limit").is_some_and(|&n| n >= 50),
    },
];

/// What a phase did.
#[derive(Default)]
struct Seen {
    paid: u32,
    pending: u32,
    declined: u32,
    queue_full: u32,
    /// By layer.
    refusals: BTreeMap<String, u32>,
    unsent: BTreeMap<String, u32>,
    slowest: Duration,
    asked: [u32; 3],
    most_at_once: u32,
    states: [Option<State>; 3],
}

impl Seen {
    fn add(&mut self, ended: Ended, took: Duration) {
        self.slowest = self.slowest.max(took);
        match ended {
            Ended::Placed { payment, mail } => {
                match payment {
                    Payment::Paid => self.paid += 1,
                    Payment::Pending => self.pending += 1,
                }
                if let Some(layer) = mail {
                    *self.unsent.entry(layer.to_string()).or_default() += 1;
                }
            }
            Ended::Refused(layer) => *self.refusals.entry(layer.to_string()).or_default() += 1,
            Ended::Released(NotPaid::Declined) => self.declined += 1,
            Ended::Released(NotPaid::QueueFull) => self.queue_full += 1,
        }
    }

    fn refused(&self) -> u32 {
        self.refusals.values().sum()
    }

    fn refused_by(&self, layer: Layer) -> u32 {
        self.refusals.get(&layer.to_string()).copied().unwrap_or(0)
    }

    /// Refused orders that the breaker had let through.
    fn reached(&self) -> u32 {
        self.refused() - self.refused_by(Layer::Breaker)
    }

    fn is_closed(&self, service: usize) -> bool {
        self.states[service] == Some(State::Closed)
    }

    fn mails(&self) -> u32 {
        self.paid + self.pending - self.unsent.values().sum::<u32>()
    }

    fn row(&self, phase: &Phase) -> String {
        let [inventory, payment, mail] = self.asked;
        let asked = format!("{inventory}/{payment}/{mail}");
        let released = self.declined + self.queue_full;
        let mut row = format!(
            "{:<29} {:>6} {:>5} {:>8} {:>8} {:>9} {:>6} {asked:>12} {:>5} ms",
            phase.name,
            phase.orders,
            self.paid,
            self.pending,
            self.refused(),
            released,
            self.mails(),
            self.slowest.as_millis(),
        );
        for (what, layers) in [("refused", &self.refusals), ("no mail", &self.unsent)] {
            for (layer, count) in layers {
                row += &format!("\n    {what} by the {layer}: {count}");
            }
        }
        for (service, state) in SERVICES.iter().zip(self.states) {
            if let Some(state) = state.filter(|&state| state != State::Closed) {
                row += &format!("\n    breaker of {service:?}: {state}");
            }
        }
        row
    }
}

fn main() -> ExitCode {
    let pulse = Pulse::feel();
    match run() {
        Ok(missing) if missing.is_empty() => {
            say("\nEvery degradation showed, and the books balance.");
            ExitCode::SUCCESS
        }
        Ok(missing) => {
            for expected in missing {
                tell(&format!("did not show: {expected}"));
            }
            let beats = pulse.read();
            if beats.are_steady() {
                return ExitCode::from(1);
            }
            tell(&format!("no verdict, the machine is too busy: {beats}"));
            ExitCode::from(3)
        }
        Err(error) => {
            tell(&error.to_string());
            ExitCode::from(2)
        }
    }
}

/// A reader that has gone (`| head`) is no reason to end.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Where it can't be said, the exit status still tells.
fn tell(complaint: &str) {
    let _ = writeln!(io::stderr(), "order: {complaint}");
}

/// Gives what did not show.
fn run() -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let server = Server::start()?;
    let shop = Shop::open(server.address())?;
    let street = Street { server, shop, next: AtomicU32::new(0), placed: Mutex::default() };
    say(&format!(
        "{:<29} {:>6} {:>5} {:>8} {:>8} {:>9} {:>6} {:>12} {:>8}",
        "phase",
        "orders",
        "paid",
        "pending",
        "refused",
        "released",
        "mails",
        "asked i/p/m",
        "slowest"
    ));
    let mut missing = Vec::new();
    for phase in &PHASES {
        let seen = street.live_through(phase)?;
        say(&seen.row(phase));
        if !(phase.shown)(&seen) {
            missing.push(format!("{}: {}", phase.name, phase.expect));
        }
        if !street.recover() {
            missing.push(format!("{}: afterwards all breakers close by themselves", phase.name));
        }
    }
    let settled = street.shop.settle().map_err(|broken| format!("settling: {broken:?}"))?;
    say(&format!("\n{settled} pending payments were made in the end."));
    let placed = street.placed.into_inner()?;
    for (service, what) in [(Service::Inventory, "reserved"), (Service::Payment, "paid")] {
        if street.server.done(service) != placed {
            missing.push(format!("what is {what} is what was placed"));
        }
    }
    Ok(missing)
}

/// The shop, the services, and the customers' numbers.
struct Street {
    server: Server,
    shop: Shop,
    next: AtomicU32,
    placed: Mutex<BTreeSet<u32>>,
}

impl Street {
    fn live_through(&self, phase: &Phase) -> Result<Seen, Box<dyn std::error::Error>> {
        let before = SERVICES.map(|service| self.server.asked(service));
        if let Some((service, health)) = phase.ill {
            self.server.turn(service, health);
        }
        if phase.name.starts_with("drill") {
            self.shop.faults.set_errors(0.3)?;
        }
        let (left, seen) = (AtomicU32::new(phase.orders), Mutex::new(Seen::default()));
        let customer = || {
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
            {
                let begun = Instant::now();
                let ended = self.place();
                let took = begun.elapsed();
                seen.lock().expect("no customer panics").add(ended, took);
            }
        };
        thread::scope(|scope| {
            for _ in 0..phase.threads {
                scope.spawn(customer);
            }
        });
        let mut seen = seen.into_inner()?;
        for (asked, service) in SERVICES.into_iter().enumerate() {
            seen.asked[asked] = self.server.asked(service) - before[asked];
        }
        seen.most_at_once = self.server.most_at_once(Service::Inventory);
        seen.states = [0, 1, 2].map(|service| Some(self.shop.breakers[service].state()));
        Ok(seen)
    }

    fn place(&self) -> Ended {
        let order = self.next.fetch_add(1, Ordering::Relaxed);
        let ended = self.shop.order(order);
        if matches!(ended, Ended::Placed { .. }) {
            self.placed.lock().expect("no customer panics").insert(order);
        }
        ended
    }

    /// Heals everything, and places orders until the breakers have noticed.
    fn recover(&self) -> bool {
        for service in SERVICES {
            self.server.turn(service, Health::Well);
        }
        self.shop.faults.heal();
        self.shop.await_stragglers();
        let all_closed =
            || self.shop.breakers.iter().all(|breaker| breaker.state() == State::Closed);
        let end = Instant::now() + 5 * shop::OPEN;
        while !all_closed() && Instant::now() < end {
            thread::sleep(shop::OPEN / 4);
            // An order that comes before the breaker lets it through is refused, or fills the queue.
            if self.shop.breakers.iter().all(|breaker| breaker.state() != State::Open) {
                self.place();
            }
        }
        all_closed()
    }
}
