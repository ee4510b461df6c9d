//! Invariants of the sources that no compiler checks; the architecture page lists them as absences.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below a folder of the package, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a readable file");
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 5, "{folder} was not read");
    found
}

/// The lines of code that hold one of the words, but for the files that may.
fn lines_with(words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, text) in sources("src") {
        if allowed.iter().any(|end| path.ends_with(end)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.trim_start();
            if !code.starts_with("//") && words.iter().any(|word| code.contains(word)) {
                lines.push(format!("{}:{}: {code}", path.display(), number + 1));
            }
        }
    }
    lines
}

#[test]
fn only_the_sync_module_names_atomics() {
    let words = ["sync::atomic", "atomic::", "loom", "crossbeam_utils::atomic"];
    assert_eq!(lines_with(&words, &["src/sync.rs"]), [""; 0]);
}

#[test]
fn no_lock_stands_in_the_way_of_a_call() {
    // The coarse clock takes one when it is started; the oracle is the twin with the lock. A bulkhead's lock is waited
    // for by callers that wait anyway, a pool's by nobody. The registry's guard names and the turn of who applies a
    // configuration, the health checks' what they have said: calls go through handles and take none of them.
    let allowed = [
        "src/clock/coarse.rs",
        "src/oracle.rs",
        "src/sync.rs",
        "src/bulkhead/places.rs",
        "src/pool/job.rs",
        "src/pool/crew.rs",
        "src/registry/apply.rs",
        "src/registry/shelves.rs",
        "src/health/checks.rs",
        // Of those who change settings, which is no call's business.
        "src/breaker/reconfigure.rs",
    ];
    assert_eq!(
        lines_with(&["Mutex", "RwLock", "OnceLock", "LazyLock", "Condvar"], &allowed),
        [""; 0]
    );
}

#[test]
fn nothing_in_the_library_waits_or_prints() {
    let allowed = ["src/clock/coarse.rs", "src/sleep.rs"];
    let words = ["thread::sleep", "yield_now", "spin_loop", "println!", "eprintln!", "dbg!"];
    assert_eq!(lines_with(&words, &allowed), [""; 0]);
}

/// Section 4 of the contract: every public function of breaker and permits states both.
#[test]
fn every_call_states_its_progress_and_its_memory_ordering() {
    let mut silent = Vec::new();
    for (path, text) in sources("src/breaker") {
        if !(path.ends_with("breaker/mod.rs") || path.ends_with("permit.rs")) {
            continue;
        }
        let mut docs = String::new();
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("///") {
                docs.push_str(line);
            } else if line.starts_with("pub fn ") {
                if !(docs.contains("# Progress") && docs.contains("# Memory ordering")) {
                    silent.push(format!("{}: {line}", path.display()));
                }
                docs.clear();
            } else if !line.starts_with("#[") {
                docs.clear();
            }
        }
    }
    assert_eq!(silent, [""; 0]);
}

/// The edges of the orderings page: of the breaker, the bulkhead, the pool's jobs, the totals.
const EDGES: &[(char, u32)] = &[('E', 17), ('B', 3), ('J', 1), ('T', 3)];

#[test]
fn every_ordering_above_relaxed_names_its_edge() {
    let strong = ["Ordering::Acquire", "Ordering::Release", "Ordering::AcqRel", "Ordering::SeqCst"];
    let mut unnamed = Vec::new();
    for (path, text) in sources("src") {
        if path.ends_with("src/sync.rs") {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") || !strong.iter().any(|ordering| code.contains(ordering)) {
                continue;
            }
            // The comment stands above the statement or above the block that it speaks of.
            let above = &lines[number.saturating_sub(12)..number];
            let named = above.iter().any(|line| {
                let comment = line.trim_start();
                comment.starts_with("//")
                    && EDGES.iter().any(|(kind, last)| {
                        (1..=*last).any(|number| comment.contains(&format!("{kind}{number}")))
                    })
            });
            if !named {
                unnamed.push(format!("{}:{}: {code}", path.display(), number + 1));
            }
        }
    }
    assert_eq!(unnamed, [""; 0]);
}
