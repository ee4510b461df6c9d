//! Real threads frozen at arbitrary instructions inside the breaker, while the others go on.
//!
//! A signal whose handler waits stops a thread wherever it is, for as long as the controller likes. Meanwhile others
//! acquire and report; at rest the books are held against what every thread has counted. What wait-free means to a
//! user is the column of blocked rounds; the mutex baseline shows what stands there otherwise. The README says more.

#[cfg(target_os = "linux")]
mod baseline;
#[cfg(target_os = "linux")]
mod changing;
#[cfg(target_os = "linux")]
mod crew;
#[cfg(target_os = "linux")]
mod signal;
#[cfg(target_os = "linux")]
mod steady;
#[cfg(target_os = "linux")]
mod story;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    table::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("frozen threads: skipped, the harness knows Linux signals and futexes only");
}
