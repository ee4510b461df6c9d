//! Bytes a breaker: the table of the performance page, and the bound that the defaults keep.

use std::time::Duration;

use failfast::{CircuitBreaker, Window};

const PAGE: &str = include_str!("../../src/docs/performance.md");

/// Stripes that 1, 2 to 4, 16, 64 and 256 cores get by default; the first column is `stripes(1)`.
const STRIPES: [u32; 5] = [1, 8, 32, 128, 512];

fn footprint(window: Window, stripes: u32) -> usize {
    let builder = CircuitBreaker::builder().window(window).stripes(stripes);
    builder.build().expect("the settings are allowed").memory_footprint()
}

#[test]
fn the_defaults_on_two_cores_take_less_than_four_kibibytes() {
    assert!(footprint(Window::count(100), 8) < 4 * 1024);
}

#[test]
fn totals_take_two_lines_a_stripe_and_a_history() {
    let totals = |stripes| {
        let lean = CircuitBreaker::builder().stripes(stripes);
        let full = CircuitBreaker::builder().stripes(stripes).totals(true);
        let [lean, full] = [lean, full].map(|b| b.build().unwrap().memory_footprint());
        full - lean
    };
    assert_eq!(totals(16) - totals(8), 8 * 128);
    // Sixteen slots of five words, and the words that transitions add to.
    assert!((16 * 40 + 8 * 128..3 * 1024).contains(&totals(8)), "{}", totals(8));
}

#[test]
fn the_table_of_the_performance_page_is_true() {
    let time = Window::time(Duration::from_secs(10));
    let rows = [
        ("count 10", Window::count(10)),
        ("count 100", Window::count(100)),
        ("count 1,000", Window::count(1_000)),
        ("count 10,000", Window::count(10_000)),
        ("count 100,000", Window::count(100_000)),
        ("count 1,048,576", Window::count(1_048_576)),
        ("consecutive 5", Window::consecutive(5)),
        ("time, 10 buckets", time),
        ("time, 100 buckets", time.buckets(100)),
    ];
    let mut missing = Vec::new();
    for (name, window) in rows {
        let cells = STRIPES.map(|stripes| {
            let kib = footprint(window, stripes) as f64 / 1024.0;
            if kib < 100.0 {
                format!("{kib:.1}")
            } else {
                format!("{kib:.0}")
            }
        });
        let row = format!("| {name} | {} |", cells.join(" | "));
        if !PAGE.contains(&row) {
            missing.push(row);
        }
    }
    assert!(missing.is_empty(), "the page should say:\n{}", missing.join("\n"));
}
