//! A checkout service.

#![forbid(unsafe_code)]

mod books;
mod circuits;
mod dependency;
mod later;
mod line;
mod listener;
mod picture;
mod service;
mod shop;

use std::process::ExitCode;

use crate::service::{Service, Settings};

fn main() -> ExitCode {
    let port = std::env::args().skip_while(|a| a != "--port").nth(1).and_then(|p| p.parse().ok());
    match Service::start(Settings { port, ..Settings::default() }) {
        Ok(service) => {
            println!("http://{}/", service.address());
            service.wait_for_ctrl_c();
            ExitCode::SUCCESS
        }
        Err(complaint) => {
            eprintln!("checkout: {complaint}");
            ExitCode::from(2)
        }
    }
}
