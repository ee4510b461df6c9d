//! A quick version of every bench, side by side: a page with tables, and plots, in `target/contention/`.
//!
//! `cargo bench -p failfast-peers --bench report`, about a minute. What it shows in short, the other benches
//! measure at length; its page says how noisy the machine was, and which figures are not worth believing.

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs, io};

use self::page::chart::{Chart, Line};
use self::page::tables;
use self::support::windows::{self, count_name, percent, thousands, SHARES, SIZES};
use self::support::{calls, cores, storm, sweep, Bench, Effort, Table};

mod page;
mod rivals;
#[path = "../../support/mod.rs"]
mod support;

/// The lines of the plots over threads, by the names of the subjects.
const HEALTHY: [&str; 10] = [
    "failfast",
    "mutex",
    "recloser",
    "failsafe, consecutive",
    "failsafe, both policies",
    "circuitbreaker-rs",
    "nobreak",
    "reliakit, rolling",
    "tower-resilience",
    "governor's check",
];

/// Count window of the plot over shares of failures.
const PLOTTED_SIZE: u32 = 100;

fn main() -> io::Result<()> {
    let begin = Instant::now();
    let effort = if env::args().any(|arg| arg == "--test") { Effort::Once } else { Effort::Brief };
    let mut shared = rivals::subjects();
    shared.extend(storm::subjects());
    shared.extend(calls::subjects());
    let shared = measure("breakers over threads", &Bench::new(shared), effort, &sweep());
    let sizes = Bench::new(windows::subjects());
    let sizes = measure("windows, failures and clocks", &sizes, effort, &[1, cores()]);

    let folder = folder();
    fs::create_dir_all(&folder)?;
    let took = begin.elapsed();
    fs::write(folder.join("report.md"), tables::page(&shared, &sizes, took))?;
    for (file, chart) in charts(&shared, &sizes) {
        fs::write(folder.join(file), chart.svg())?;
    }
    println!("{}", tables::noise(&shared, &sizes));
    println!("took {took:.0?}; see {}", folder.join("report.md").display());
    Ok(())
}

fn measure(what: &str, bench: &Bench, effort: Effort, sweep: &[usize]) -> Vec<Table> {
    let mut sweep = sweep.to_vec();
    sweep.dedup();
    let measure = |threads: &usize| {
        println!("{what}: {} subjects on {threads} threads", bench.subjects.len());
        bench.measure(effort, *threads)
    };
    sweep.iter().map(measure).collect()
}

/// `contention` in Cargo's target folder.
fn folder() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    target.unwrap_or(Path::new("target")).join("contention")
}

fn charts(shared: &[Table], sizes: &[Table]) -> Vec<(&'static str, Chart)> {
    let threads: Vec<String> = shared.iter().map(|table| table.threads.to_string()).collect();
    let over_threads = |title: &str, suffix: &str| Chart {
        title: title.to_owned(),
        axis: format!("threads on {} cores", cores()),
        ticks: threads.clone(),
        doubt: tables::doubt(shared),
        lines: HEALTHY
            .iter()
            .filter_map(|name| {
                let subject = format!("{name}{suffix}");
                // Not every rival has every load: a policy has no refusal of its own.
                let points = shared.iter().map(|table| table.find(&subject).map(|it| it.cost));
                Some(Line { name: (*name).to_owned(), points: points.collect::<Option<_>>()? })
            })
            .collect(),
    };
    let over = |title: &str, axis: &str, ticks: Vec<String>, names: &[NamesOf]| Chart {
        title: title.to_owned(),
        axis: axis.to_owned(),
        ticks,
        doubt: tables::doubt(sizes),
        lines: names
            .iter()
            .flat_map(|(label, names)| {
                sizes.iter().map(move |table| Line {
                    name: format!("{label}, {}", tables::on_threads(table.threads)),
                    points: names.iter().map(|name| table.figure(name).cost).collect(),
                })
            })
            .collect(),
    };
    let by_size = |who: &str, load: &str| {
        let names = SIZES.iter().map(|size| count_name(who, *size, load)).collect();
        (format!("{who}, {load}"), names)
    };
    let by_share = |who: &str| {
        let loads = std::iter::once("success".to_owned()).chain(SHARES.map(percent));
        (who.to_owned(), loads.map(|load| count_name(who, PLOTTED_SIZE, &load)).collect())
    };
    let size_ticks = SIZES.iter().map(|size| thousands(*size)).collect();
    let share_ticks = std::iter::once("none".to_owned()).chain(SHARES.map(percent)).collect();
    let size_lines = ["success", "1 %", "failures alone"]
        .map(|load| ["failfast", "mutex"].map(|who| by_size(who, load)));
    vec![
        ("threads.svg", over_threads("Acquire and success, closed and healthy", "")),
        ("failing.svg", over_threads("The same with 1 % failures", ", 1 % failures")),
        ("open.svg", over_threads("Refusal while open", ", open")),
        (
            "windows.svg",
            over("Cost over window size", "count window", size_ticks, &size_lines.concat()),
        ),
        (
            "failures.svg",
            over(
                "Cost over failure rate, count window of 100",
                "failures among the calls",
                share_ticks,
                &["failfast", "mutex"].map(by_share),
            ),
        ),
    ]
}

/// A label, and the subjects that make up its line.
type NamesOf = (String, Vec<String>);
