//! Counts instructions, which no noise touches, and looks at the compiled code of the hot paths.
//!
//! `cargo bench --bench instructions` runs every subject under callgrind and fails if one has grown by more than 2 % over
//! the figure that `pinned.txt` holds for this compiler (with another compiler it prints the figures and says so), if
//! a hot path executes a locked instruction or a fence, or if a healthy success calls anything but its other halves.
//! `-- listing` also prints what was executed; `-- pin` writes the figures down; `-- --test` runs every subject without
//! counting. Without valgrind and binutils it says so and does nothing.
//!
//! A figure is everything that the function of `subjects` executes for one call, its own entry and return included.

mod callgrind;
mod listing;
mod pinned;
mod subjects;

use std::process::ExitCode;

use self::listing::Listing;
use self::pinned::{Figures, Pinned, PLAY};
use self::subjects::{Path, SUBJECTS};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |argument: &str| arguments.iter().any(|given| given == argument);
    if let [flag, name] = &arguments[..] {
        if flag == "--count" {
            let subject = SUBJECTS.iter().find(|subject| subject.name == name);
            (subject.expect("a subject's name").run)(callgrind::TIMES);
            return ExitCode::SUCCESS;
        }
    }
    // Cargo passes `--bench` to a bench and nothing to a test.
    if given("--test") || !given("--bench") {
        for subject in &SUBJECTS {
            (subject.run)(1);
        }
        println!("{} subjects ran; nothing was counted", SUBJECTS.len());
        return ExitCode::SUCCESS;
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        println!("the checks read x86-64 code on Linux: no instructions were counted");
        return ExitCode::SUCCESS;
    }
    if let Some(tool) =
        ["valgrind", "objdump", "readelf"].into_iter().find(|tool| !callgrind::is_installed(tool))
    {
        println!("{tool} is not installed: no instructions were counted");
        return ExitCode::SUCCESS;
    }
    match check(given("listing"), given("pin")) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(faults) => {
            println!("{faults} faults");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Counts every subject and says how many faults were found.
fn check(with_listing: bool, pin: bool) -> Result<u32, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let compiler = pinned::compiler(&program)?;
    let listing = Listing::of(&program)?;
    let pinned = Pinned::read()?;
    let mut figures = Figures::new();
    let mut faults = 0;
    println!("instructions a call, {compiler}");
    println!("{:<38}{:>9}{:>9}", "", "counted", "pinned");
    for subject in &SUBJECTS {
        let profile = callgrind::count(&program, subject)?;
        let before = pinned.of(&compiler).and_then(|figures| figures.get(subject.name)).copied();
        let mut notes = Vec::new();
        match before {
            Some(before) if profile.each > before * (1.0 + PLAY) => notes.push("GREW".to_owned()),
            Some(before) if profile.each < before * (1.0 - PLAY) => {
                println!("{:<38}fewer than pinned: pin it", "");
            }
            _ => {}
        }
        if subject.path != Path::Other {
            notes.extend(listing.locked(&profile));
        }
        if subject.path == Path::Success {
            notes.extend(listing.strays(&profile));
        }
        let shown = before.map_or("-".to_owned(), |before| format!("{before:.2}"));
        println!("{:<38}{:>9.2}{shown:>9}", subject.name, profile.each);
        if with_listing {
            listing.print(&profile);
        }
        for note in &notes {
            println!("    fault: {note}");
        }
        faults += notes.len() as u32;
        figures.insert(subject.name.to_owned(), profile.each);
    }
    if pin {
        pinned.replace(&compiler, figures)?;
        println!("pinned");
        return Ok(0);
    }
    if pinned.of(&compiler).is_none() {
        println!("nothing is pinned for this compiler: the figures above are for reading only");
    }
    Ok(faults)
}
