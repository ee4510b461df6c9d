//! The service's life, from the port to the last answer and the last errand. Its routes are in `routes`.

use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::response::sse::Event;
use failfast::prometheus::Collector;
use failfast::{CheckRunner, Registry, Transition};
use prometheus_client::registry::Registry as Metrics;
use tokio::runtime::{self, Runtime};
use tokio::sync::{watch, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout, MissedTickBehavior};

use crate::books::Books;
use crate::circuits;
use crate::later::Tally;
use crate::line::Patience;
use crate::listener::Listener;
use crate::log::Log;
use crate::picture::{in_words, Painter, EVERY};
use crate::routes::routes;
use crate::shop::Shop;

/// Read anew at each start, and by `POST /reload`.
const CIRCUITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/checkout/circuits.toml");
/// Event streams at once; each takes a connection.
pub(crate) const STREAMS: usize = 256;
/// Longer than any request and its answer take: one who moves no byte for that long, or asks so slowly, is hung up on.
const STALL: Duration = Duration::from_secs(10);
/// How long the service waits for answers that are under way when it stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// And then for threads whose customers have gone.
const STRAGGLERS: Duration = Duration::from_secs(1);
/// And then for what was put off: as long as a circuit is open, so that what is well again is asked once more. All of it
/// is over before supervisors lose their patience, the quickest after ten seconds.
const ERRANDS: Duration = Duration::from_secs(5);

/// The exit status of who was asked twice to end, as shells have it for Ctrl-C.
pub(crate) const ASKED_AGAIN: i32 = 130;

/// What a service is told at its start.
pub(crate) struct Settings {
    /// `None`: the system picks one.
    pub(crate) port: Option<u16>,
    /// The circuits' settings.
    pub(crate) config: PathBuf,
    /// How long a connection may be silent, and a request may take.
    pub(crate) stall: Duration,
    pub(crate) patience: Patience,
    /// How long what was put off may take when it ends.
    pub(crate) errands: Duration,
    /// Where each change of a circuit is noted.
    pub(crate) log: Option<Log>,
}

impl Default for Settings {
    fn default() -> Self {
        let patience = Patience::default();
        Settings {
            port: None,
            config: CIRCUITS.into(),
            stall: STALL,
            patience,
            errands: ERRANDS,
            log: None,
        }
    }
}

/// What the routes share.
pub(crate) struct App {
    pub(crate) shop: Shop,
    pub(crate) books: Books,
    pub(crate) registry: Arc<Registry>,
    pub(crate) config: PathBuf,
    pub(crate) metrics: Metrics,
    /// The latest picture: who is slow misses some.
    pub(crate) events: watch::Receiver<Event>,
    pub(crate) streams: Arc<Semaphore>,
    _checks: CheckRunner,
}

/// The running service and its dependencies; dropping it stops them.
pub(crate) struct Service {
    address: SocketAddr,
    pub(crate) app: Arc<App>,
    runtime: Option<Runtime>,
    stop: watch::Sender<bool>,
    served: Option<JoinHandle<()>>,
    pub(crate) errands: Duration,
}

impl Service {
    /// Starts the dependencies and listens.
    ///
    /// # Errors
    ///
    /// In words: the port is in use, a setting is not allowed, the system gives no threads.
    pub(crate) fn start(settings: Settings) -> Result<Service, String> {
        let config = circuits::read(&settings.config).map_err(|unfit| unfit.to_string())?;
        let registry = Registry::from_config(config).map_err(|error| error.to_string())?;
        let registry = Arc::new(registry);
        if let Some(log) = settings.log {
            registry.on_transition(move |name, change| log.say(line_of(name, change)));
        }
        let places = registry
            .bulkhead(circuits::BULKHEAD)
            .map_err(|error| format!("{}: {error}", settings.config.display()))?;
        let mut metrics = Metrics::default();
        let books = Books::open(&mut metrics);
        metrics.register_collector(Box::new(Collector::new(Arc::clone(&registry))));
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("checkout")
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start threads: {error}"))?;
        let tcp = runtime
            .block_on(tokio::net::TcpListener::bind((
                Ipv4Addr::LOCALHOST,
                settings.port.unwrap_or(0),
            )))
            .map_err(|error| explain_bind(settings.port, &error))?;
        let address = tcp.local_addr().map_err(|error| error.to_string())?;
        let lines = circuits::open(&registry, settings.patience.call)?;
        let checks = circuits::check(&registry, &lines)
            .map_err(|error| format!("cannot start the checks: {error}"))?;
        let (draws, events) = watch::channel(Event::default());
        let app = Arc::new(App {
            shop: Shop::open(lines, places, settings.patience.checkout),
            books,
            registry,
            config: settings.config,
            metrics,
            events,
            streams: Arc::new(Semaphore::new(STREAMS)),
            _checks: checks,
        });
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(draw(Painter::new(Arc::clone(&app)), draws, stopped.clone()));
        let served = {
            let router = routes(Arc::clone(&app));
            let listener = Listener::new(tcp, settings.stall);
            runtime.spawn(async move {
                let stopped = over(stopped);
                let _ = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
            })
        };
        let (runtime, served, errands) = (Some(runtime), Some(served), settings.errands);
        Ok(Service { address, app, runtime, stop, served, errands })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Blocks until somebody presses Ctrl-C, or asks by SIGTERM as supervisors do.
    pub(crate) fn wait_until_asked_to_end(&self) {
        if let Some(runtime) = &self.runtime {
            runtime.block_on(asked_to_end());
        }
    }

    /// Waits for the answers that are under way, and then for what was put off; says what has become of that.
    pub(crate) fn end(&mut self) -> Tally {
        self.hang_up();
        self.app.shop.later.finish(self.errands)
    }

    /// Waits for the answers that are under way, and gives no more.
    pub(crate) fn hang_up(&mut self) {
        self.stop.send_replace(true);
        let (Some(runtime), Some(served)) = (self.runtime.take(), self.served.take()) else {
            return;
        };
        // Event streams end with the pictures; who does not read is not waited for.
        let _ = runtime.block_on(async { timeout(FAREWELL, served).await });
        runtime.shutdown_timeout(STRAGGLERS);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.hang_up();
    }
}

fn line_of(name: &str, change: &Transition) -> String {
    format!("{name}: {} -> {} ({})", change.from, change.to, in_words(&change.cause))
}

/// Ends the process at once when it is asked to end once more: whoever asks twice does not want to wait.
pub(crate) fn do_not_wait_if_asked_again() {
    thread::spawn(|| {
        let runtime = runtime::Builder::new_current_thread().enable_io().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(asked_to_end());
            process::exit(ASKED_AGAIN);
        }
    });
}

/// Where the system gives no signals it runs until it is killed.
async fn asked_to_end() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{signal, SignalKind};
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

async fn over(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|&stop| stop).await;
}

/// Draws a picture now and then, until it is over; then the sender goes, and the event streams end.
async fn draw(mut painter: Painter, draws: watch::Sender<Event>, stopped: watch::Receiver<bool>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let draw = async {
        loop {
            ticks.tick().await;
            let _ = draws.send_replace(Event::default().data(painter.draw().to_string()));
        }
    };
    tokio::select! {
        () = draw => {}
        () = over(stopped) => {}
    }
}

fn explain_bind(port: Option<u16>, error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match (port, error.kind()) {
        (Some(port), ErrorKind::AddrInUse) => {
            format!("port {port} on 127.0.0.1 is in use; give another one, or 0 for a free one")
        }
        (Some(port), ErrorKind::PermissionDenied) => {
            format!("port {port} needs privileges; give one from 1024, or 0 for a free one")
        }
        (port, _) => format!("cannot listen on 127.0.0.1:{}: {error}", port.unwrap_or(0)),
    }
}
