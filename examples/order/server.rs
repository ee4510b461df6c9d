//! The three dependencies: an HTTP/1.1 server on loopback, each service of it with a health of its own, and a ledger.
//!
//! One thread a connection, keep-alive. What a request asks for is done at most once for each order, however often it is
//! asked: that is what allows the shop to ask again.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What a healthy answer takes, what a slow one does, and how long nothing is said while a service hangs.
const WORK: Duration = Duration::from_millis(2);
const SLOW: Duration = Duration::from_millis(150);
pub(crate) const HANG: Duration = Duration::from_millis(1_500);

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Inventory,
    Payment,
    Mail,
}

/// How a service does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Health {
    #[default]
    Well,
    /// Three of ten requests get a 503.
    Flaky,
    Slow,
    Hanging,
    /// Closes the connection without a word.
    Down,
    /// Works, and says no: 402.
    Declining,
}

/// The running server; its threads end with the process.
pub(crate) struct Server {
    address: SocketAddr,
    desks: Arc<[Desk; 3]>,
}

#[derive(Default)]
struct Desk {
    health: Mutex<Health>,
    asked: AtomicU32,
    at_once: AtomicU32,
    most_at_once: AtomicU32,
    done: Mutex<BTreeSet<u32>>,
}

impl Server {
    /// Listens on a port of loopback that the system picks.
    pub(crate) fn start() -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let desks = Arc::new([Desk::default(), Desk::default(), Desk::default()]);
        let shared = Arc::clone(&desks);
        thread::Builder::new().name("accept".into()).spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                // An error on a connection (its client has gone) ends that connection and nothing else.
                let _ = thread::Builder::new().spawn(move || serve(stream, &shared));
            }
        })?;
        Ok(Server { address, desks })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn turn(&self, service: Service, health: Health) {
        *lock(&self.desk(service).health) = health;
    }

    /// Requests so far, answered or not.
    pub(crate) fn asked(&self, service: Service) -> u32 {
        self.desk(service).asked.load(Ordering::Relaxed)
    }

    /// The most requests that were ever under way at once.
    pub(crate) fn most_at_once(&self, service: Service) -> u32 {
        self.desk(service).most_at_once.load(Ordering::Relaxed)
    }

    /// The orders whose goods are reserved, or that are paid, or were written about.
    pub(crate) fn done(&self, service: Service) -> BTreeSet<u32> {
        lock(&self.desk(service).done).clone()
    }

    fn desk(&self, service: Service) -> &Desk {
        &self.desks[service as usize]
    }
}

/// Serves one connection until either side closes it.
fn serve(stream: TcpStream, desks: &[Desk; 3]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut answer_to = stream;
    while let Some(first) = lines.next().transpose()? {
        // The heads say nothing of interest, and there are no bodies.
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let Some((service, action, order)) = parse(&first) else {
            return Ok(());
        };
        let Some(status) = desks[service as usize].answer(action, order) else {
            return Ok(());
        };
        write!(answer_to, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")?;
    }
    Ok(())
}

/// `POST /payment/pay/17 HTTP/1.1`
fn parse(line: &str) -> Option<(Service, &str, u32)> {
    let mut parts = line.split(' ').nth(1)?.split('/').skip(1);
    let service = match parts.next()? {
        "inventory" => Service::Inventory,
        "payment" => Service::Payment,
        "mail" => Service::Mail,
        _ => return None,
    };
    Some((service, parts.next()?, parts.next()?.parse().ok()?))
}

impl Desk {
    fn answer(&self, action: &str, order: u32) -> Option<&'static str> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let health = *lock(&self.health);
        self.most_at_once
            .fetch_max(self.at_once.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        thread::sleep(match health {
            Health::Slow => SLOW,
            Health::Hanging => HANG,
            _ => WORK,
        });
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        match health {
            Health::Down => return None,
            Health::Flaky if matches!(number % 10, 0 | 3 | 6) => {
                return Some("503 Service Unavailable")
            }
            Health::Declining if action == "pay" => return Some("402 Payment Required"),
            _ => {}
        }
        let mut done = lock(&self.done);
        match action {
            "release" | "cancel" => done.remove(&order),
            _ => done.insert(order),
        };
        Some("200 OK")
    }
}

/// No holder of these locks can leave what they hold half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
