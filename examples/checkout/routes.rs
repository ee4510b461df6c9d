//! The service's face to the network: what it answers to whom.
//!
//! axum runs on a few threads that never block: what blocks is handed to threads for that, once there is a place for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{header, HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::Sse;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use failfast::prometheus::Format;
use futures_util::stream;
use serde_json::{json, Value};
use tokio::task::spawn_blocking;

use crate::books::Ended;
use crate::circuits;
use crate::dependency::Dial;
use crate::line::Line;
use crate::service::{App, STREAMS};
use crate::shop::{Refusal, Why};

const PAGE: &str = include_str!("page.html");
/// Longest body of a checkout.
const LONGEST_BODY: usize = 16 * 1024;
/// A body that is too long, but no longer than this, is read to its end: who is hung up on while sending may never see
/// the answer.
const LONGEST_READ: usize = 16 * LONGEST_BODY;

pub(crate) fn routes(app: Arc<App>) -> Router {
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
