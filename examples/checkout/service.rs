//! The service's face to the network: routes, event streams, and its life from the port to the last answer.
//!
//! axum runs on a few threads that never block: what blocks is handed to threads for that, once there is a place for it.

use std::convert::Infallible;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{header, HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use failfast::prometheus::{Collector, Format};
use failfast::{CheckRunner, Registry, Transition};
use futures_util::stream;
use prometheus_client::registry::Registry as Metrics;
use serde_json::{json, Value};
use tokio::runtime::{self, Runtime};
use tokio::sync::{watch, Semaphore};
use tokio::task::{spawn_blocking, JoinHandle};
use tokio::time::{interval, timeout, MissedTickBehavior};

use crate::books::{Books, Ended};
use crate::circuits;
use crate::dependency::Dial;
use crate::later::Tally;
use crate::line::{Line, Patience};
use crate::listener::Listener;
use crate::log::Log;
use crate::picture::{in_words, Painter, EVERY};
use crate::shop::{Refusal, Shop, Why};

const PAGE: &str = include_str!("page.html");
/// Read anew at each start, and by `POST /reload`.
const CIRCUITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/checkout/circuits.toml");
/// Longest body of a checkout.
const LONGEST_BODY: usize = 16 * 1024;
/// A body that is too long, but no longer than this, is read to its end: who is hung up on while sending may never see
/// the answer.
const LONGEST_READ: usize = 16 * LONGEST_BODY;
/// Event streams at once; each takes a connection.
pub(crate) const STREAMS: usize = 256;
/// Longer than any request and its answer take: one who moves no byte for that long, or asks so slowly, is hung up on.
const STALL: Duration = Duration::from_secs(10);
/// How long the service waits for answers that are under way when it stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// And then for what was put off: as long as a circuit is open, so that what is well again is asked once more. Both are
/// over before supervisors lose their patience, the quickest after ten seconds.
pub(crate) const ERRANDS: Duration = Duration::from_secs(5);

/// What a service is told at its start.
pub(crate) struct Settings {
    /// `None`: the system picks one.
    pub(crate) port: Option<u16>,
    /// The circuits' settings.
    pub(crate) config: PathBuf,
    /// How long a connection may be silent, and a request may take.
    pub(crate) stall: Duration,
    pub(crate) patience: Patience,
    /// Where each change of a circuit is noted.
    pub(crate) log: Option<Log>,
}

impl Default for Settings {
    fn default() -> Self {
        let patience = Patience::default();
        Settings { port: None, config: CIRCUITS.into(), stall: STALL, patience, log: None }
    }
}

/// What the routes share.
pub(crate) struct App {
    pub(crate) shop: Shop,
    pub(crate) books: Books,
    pub(crate) registry: Arc<Registry>,
    config: PathBuf,
    metrics: Metrics,
    /// The latest picture: who is slow misses some.
    events: watch::Receiver<Event>,
    streams: Arc<Semaphore>,
    _checks: CheckRunner,
}

/// The running service and its dependencies; dropping it stops them.
pub(crate) struct Service {
    address: SocketAddr,
    pub(crate) app: Arc<App>,
    runtime: Option<Runtime>,
    stop: watch::Sender<bool>,
    served: Option<JoinHandle<()>>,
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
        Ok(Service { address, app, runtime: Some(runtime), stop, served: Some(served) })
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
        self.app.shop.later.finish(ERRANDS)
    }

    fn hang_up(&mut self) {
        self.stop.send_replace(true);
        let (Some(runtime), Some(served)) = (self.runtime.take(), self.served.take()) else {
            return;
        };
        // Event streams end with the pictures; who does not read is not waited for.
        let _ = runtime.block_on(async { timeout(FAREWELL, served).await });
        runtime.shutdown_timeout(FAREWELL);
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

// ===== routes =====

fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/checkout", post(checkout))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/reload", post(reload))
        .route("/events", get(events))
        .route("/dependencies/{name}/{dial}", post(turn))
        .fallback(nowhere)
        .layer(DefaultBodyLimit::max(LONGEST_READ))
        .with_state(app)
}

async fn page() -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Html(PAGE)).into_response()
}

/// The body may be empty, or say how much: `{"quantity": 2}`.
async fn checkout(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let begun = Instant::now();
    if body.len() > LONGEST_BODY {
        let complaint = format!("the body is longer than {LONGEST_BODY} bytes");
        return error(StatusCode::PAYLOAD_TOO_LARGE, complaint);
    }
    let quantity = match quantity(&body) {
        Ok(quantity) => quantity,
        Err(complaint) => return error(StatusCode::BAD_REQUEST, complaint),
    };
    let result = match app.shop.refusal_at_the_door() {
        Some(refusal) => Err(refusal),
        None => match app.shop.places.try_acquire_owned() {
            Err(_) => Err(Refusal::crowded()),
            Ok(place) => {
                let app = Arc::clone(&app);
                // Goes on to its end when the client has gone, and keeps its place so long.
                let work = spawn_blocking(move || {
                    let result = app.shop.checkout(quantity);
                    drop(place);
                    result
                });
                match work.await {
                    Ok(result) => result,
                    Err(broken) => {
                        return error(StatusCode::INTERNAL_SERVER_ERROR, broken.to_string());
                    }
                }
            }
        },
    };
    let (ended, response) = match &result {
        Ok(receipt) => {
            let ended = if receipt.is_degraded() { Ended::Degraded } else { Ended::Confirmed };
            (ended, Json(receipt.to_json()).into_response())
        }
        Err(refusal) => {
            let ended = if refusal.why == Why::Refused { Ended::Refused } else { Ended::Failed };
            (ended, refused(refusal))
        }
    };
    app.books.enter(ended, begun.elapsed());
    response
}

fn quantity(body: &[u8]) -> Result<u64, String> {
    if body.is_empty() {
        return Ok(1);
    }
    let body: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
    match body.get("quantity") {
        None => Ok(1),
        Some(given) => match given.as_u64() {
            Some(quantity @ 1..=1_000) => Ok(quantity),
            _ => Err(format!("quantity: given {given}, allowed is 1 to 1000")),
        },
    }
}

fn refused(refusal: &Refusal) -> Response {
    let status = match refusal.why {
        Why::Refused => StatusCode::SERVICE_UNAVAILABLE,
        Why::SoldOut => StatusCode::CONFLICT,
        Why::Failed => StatusCode::BAD_GATEWAY,
        Why::TimedOut => StatusCode::GATEWAY_TIMEOUT,
    };
    let mut response = (status, Json(refusal.to_json())).into_response();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // In whole seconds, so that who keeps to it is not refused once more.
        let wait = refusal.retry_after.map_or(1, |wait| wait.as_secs_f64().ceil().max(1.0) as u64);
        response.headers_mut().insert(header::RETRY_AFTER, wait.into());
    }
    response
}

async fn health(State(app): State<Arc<App>>) -> Response {
    let health = app.registry.health();
    let status = StatusCode::from_u16(health.http_status()).unwrap_or_default();
    (status, Json(health)).into_response()
}

async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::asked_for(accepted.unwrap_or(""));
    match format.encode(&app.metrics) {
        Ok(text) => ([(header::CONTENT_TYPE, format.content_type())], text).into_response(),
        Err(broken) => error(StatusCode::INTERNAL_SERVER_ERROR, broken.to_string()),
    }
}

/// On a thread that may wait: it reads a file.
async fn reload(State(app): State<Arc<App>>) -> Response {
    let work = move || {
        circuits::reload(&app.registry, &app.config).map_err(|unfit| unfit.to_json(&app.config))
    };
    match spawn_blocking(work).await {
        Ok(Ok(changed)) => Json(changed).into_response(),
        Ok(Err(unfit)) => (StatusCode::BAD_REQUEST, Json(unfit)).into_response(),
        Err(broken) => error(StatusCode::INTERNAL_SERVER_ERROR, broken.to_string()),
    }
}

/// All readers get the same picture; one that is slow gets the latest when it is ready for it.
pub(crate) async fn events(State(app): State<Arc<App>>) -> Response {
    let Ok(place) = Arc::clone(&app.streams).try_acquire_owned() else {
        let mut response =
            error(StatusCode::SERVICE_UNAVAILABLE, format!("{STREAMS} event streams are open"));
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        return response;
    };
    let readings = stream::unfold((app.events.clone(), place), |(mut events, place)| async move {
        events.changed().await.ok()?;
        let event = events.borrow_and_update().clone();
        Some((Ok::<_, Infallible>(event), (events, place)))
    });
    Sse::new(readings).into_response()
}

async fn turn(
    State(app): State<Arc<App>>,
    Path((name, dial)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(line) = app.shop.line(&name) else {
        let names: Vec<_> = app.shop.lines.iter().map(Line::name).collect();
        let body = json!({ "error": format!("no dependency {name:?}"), "dependencies": names });
        return (StatusCode::NOT_FOUND, Json(body)).into_response();
    };
    match Dial::parse(&dial, query.as_deref().unwrap_or("")) {
        None => {
            let body = json!({ "error": format!("no dial {dial:?}"), "dials": Dial::NAMES });
            (StatusCode::NOT_FOUND, Json(body)).into_response()
        }
        Some(Err(complaint)) => error(StatusCode::BAD_REQUEST, complaint),
        Some(Ok(dial)) => {
            line.dependency.turn(dial);
            let body = format!(r#"{{"dependency":"{name}","dial":{dial}}}"#);
            ([(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
    }
}

async fn nowhere() -> Response {
    let routes = [
        "GET /",
        "POST /checkout",
        "GET /health",
        "GET /metrics",
        "GET /events",
        "POST /reload",
        "POST /dependencies/{name}/{dial}",
    ];
    let body = json!({ "error": "there is nothing here", "routes": routes });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

fn error(status: StatusCode, text: impl Into<String>) -> Response {
    (status, Json(json!({ "error": text.into() }))).into_response()
}
