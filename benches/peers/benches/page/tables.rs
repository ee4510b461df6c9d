//! The page: a table over threads for each family of subjects, and how far it can be believed.

use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::{cores, cpu_model, factor, trips, Spread, Table};

/// Above this share of disturbed batches, figures of several threads are not worth believing: threads that should run
/// at once may have run one after the other.
const NOISY: f64 = 0.1;

pub(crate) fn page(shared: &[Table], sizes: &[Table], took: Duration) -> String {
    let mut page = String::from("# Contention\n\n");
    let model = cpu_model().unwrap_or_else(|| "unknown processor".to_owned());
    let _ = writeln!(page, "- Machine: {} cores of {model}, {}", cores(), std::env::consts::OS);
    let _ = writeln!(page, "- Compiler: {}", compiler());
    let _ = writeln!(page, "- Date: {}", date());
    let _ = writeln!(page, "- Command: `cargo bench -p failfast-peers --bench report`");
    let _ = writeln!(page, "- Took: {took:.0?}\n");
    let _ = writeln!(page, "{}", noise(shared, sizes));
    page.push_str(
        "Nanoseconds an operation, net of an empty loop: the median of interleaved rounds and, in brackets, the \
         quartiles.\n\
         *Ratio* is to the subject that does the same on the mutex baseline (a clock's subject: to the bare readings), \
         formed within each round, with its quartiles.\n\
         *Scaling* is the share of perfect: of the time on one thread, and beyond the cores of its multiple.\n\n\
         ![success over threads](threads.svg)\n\
         ![1 % failures over threads](failing.svg)\n\
         ![refusal over threads](open.svg)\n\
         ![cost over window size](windows.svg)\n\
         ![cost over failure rate](failures.svg)\n",
    );
    section(&mut page, "Breakers, states and calls", shared);
    section(&mut page, "Windows, failures and clocks", sizes);
    page
}

/// How noisy the machine was, number of threads by number of threads.
pub(crate) fn noise(shared: &[Table], sizes: &[Table]) -> String {
    let mut text = String::from("Noise:\n\n");
    for (what, tables) in [("breakers", shared), ("windows", sizes)] {
        for table in tables {
            let share = disturbed(table);
            let verdict = match table.threads {
                threads if threads > cores() => {
                    "threads wait for cores by design, so every figure is rough"
                }
                1 if share > NOISY => "noisy, but each batch stands for itself",
                _ if share > NOISY => "NOISY: do not believe these figures",
                _ => "quiet",
            };
            let _ = writeln!(
                text,
                "- {what} on {}: other programs disturbed {} of {} batches ({:.0} %); {verdict}",
                on_threads(table.threads),
                table.disturbed,
                table.batches,
                share * 100.0
            );
        }
    }
    if trips() > 0 {
        let _ = writeln!(text, "- loads next to a trip did trip, {} times", trips());
    }
    text
}

/// What a plot of these tables must say of itself.
pub(crate) fn doubt(tables: &[Table]) -> Option<&'static str> {
    let shared = tables.iter().filter(|table| (2..=cores()).contains(&table.threads));
    shared
        .map(disturbed)
        .any(|share| share > NOISY)
        .then_some("A noisy run: figures of several threads are not to be believed, see report.md.")
}

fn disturbed(table: &Table) -> f64 {
    table.disturbed as f64 / table.batches.max(1) as f64
}

pub(crate) fn on_threads(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}

fn section(page: &mut String, title: &str, tables: &[Table]) {
    let _ = write!(page, "\n## {title}\n\n| subject |");
    for table in tables {
        let _ = write!(page, " {} | ratio |", on_threads(table.threads));
        if table.threads > 1 {
            page.push_str(" scaling |");
        }
    }
    page.push_str("\n|---|");
    for table in tables {
        page.push_str(if table.threads > 1 { "--:|--:|--:|" } else { "--:|--:|" });
    }
    page.push('\n');
    let Some(alone) = tables.first() else {
        return;
    };
    for figure in &alone.figures {
        let _ = write!(page, "| {} |", figure.name);
        for table in tables {
            let here = table.figure(&figure.name);
            let ratio = here.ratio.map_or(String::new(), |Spread { lower, median, upper }| {
                format!("{} ({} to {})", factor(median), factor(lower), factor(upper))
            });
            let _ = write!(page, " {} | {ratio} |", here.cost.to_string().trim());
            if table.threads > 1 {
                let waits = (table.threads as f64 / cores() as f64).max(1.0);
                let _ = write!(page, " {:.2} |", figure.cost.median * waits / here.cost.median);
            }
        }
        page.push('\n');
    }
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or("unknown".to_owned(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    })
}

/// Today in the proleptic Gregorian calendar, by Universal Time.
fn date() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Days from 1 March of the year 0, in cycles of 400 years: the leap day is then the last of its year.
    let days = since.as_secs() / 86_400 + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", cycle * 400 + year + next)
}
