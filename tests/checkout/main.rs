//! The checkout service of the examples, started in this process on ports of its own, and driven over HTTP.

#[path = "../../examples/checkout/books.rs"]
mod books;
#[path = "../../examples/checkout/circuits.rs"]
mod circuits;
#[allow(dead_code)]
#[path = "../../examples/checkout/dependency.rs"]
mod dependency;
#[path = "../../examples/checkout/later.rs"]
mod later;
#[path = "../../examples/checkout/line.rs"]
mod line;
#[path = "../../examples/checkout/listener.rs"]
mod listener;
#[allow(dead_code)]
#[path = "../../examples/checkout/load.rs"]
mod load;
#[path = "../../examples/checkout/log.rs"]
mod log;
#[allow(dead_code)]
#[path = "../../examples/checkout/options.rs"]
mod options;
#[path = "../../examples/checkout/picture.rs"]
mod picture;
#[path = "../../examples/checkout/routes.rs"]
mod routes;
#[allow(dead_code)]
#[path = "../../examples/checkout/service.rs"]
mod service;
#[path = "../../examples/checkout/shop.rs"]
mod shop;

mod arguments;
mod dials;
mod fallbacks;
mod farewell;
mod guests;
mod logging;
mod outage;
mod settings;
#[cfg(target_os = "linux")]
mod signals;
mod stand;
mod streams;
