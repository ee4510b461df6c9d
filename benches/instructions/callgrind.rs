//! Runs this very program under callgrind, and reads what it counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::subjects::Subject;

/// How often each run calls the function that is counted; arbitrary.
pub(crate) const TIMES: u32 = 1_000;

/// What one subject executed.
pub(crate) struct Profile {
    /// Instructions for one call.
    pub(crate) each: f64,
    /// How often each instruction of this program was executed, by its address in the file.
    pub(crate) executed: BTreeMap<u64, u64>,
}

/// Whether a tool can be run here.
pub(crate) fn is_installed(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Counts what is executed inside the subject's function and below it.
pub(crate) fn count(program: &Path, subject: &Subject) -> Result<Profile, String> {
    let file = program.with_extension("callgrind");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--dump-instr=yes", "--compress-pos=no"])
        .args(["--compress-strings=no", "--combine-dumps=yes"])
        .arg(format!("--toggle-collect=*::{}", subject.function))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args(["--count", subject.name])
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !output.status.success() {
        return Err(format!("valgrind: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let counted = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let _ = std::fs::remove_file(&file);
    let program = program.to_string_lossy();
    let (total, executed) =
        read(&counted, &program).ok_or("callgrind's file is not as expected")?;
    if total == 0 {
        return Err(format!("{} was inlined or renamed: nothing was counted", subject.function));
    }
    Ok(Profile { each: total as f64 / f64::from(TIMES), executed })
}

/// Reads the total, and the counts of the addresses that lie in one object file.
fn read(counted: &str, object: &str) -> Option<(u64, BTreeMap<u64, u64>)> {
    let mut total = None;
    let mut executed = BTreeMap::new();
    let mut here = false;
    let mut lines = counted.lines();
    while let Some(line) = lines.next() {
        if let Some(sum) = line.strip_prefix("summary: ") {
            total = sum.trim().parse().ok();
        } else if let Some(name) = line.strip_prefix("ob=") {
            here = name == object;
        } else if line.starts_with("calls=") {
            // The line behind it says what the call cost, all of which is also told where it was spent.
            lines.next();
        } else if let (true, Some(cost)) = (here, line.strip_prefix("0x")) {
            let mut fields = cost.split_whitespace();
            let address = u64::from_str_radix(fields.next()?, 16).ok()?;
            let times: u64 = fields.nth(1)?.parse().ok()?;
            *executed.entry(address).or_default() += times;
        }
    }
    Some((total?, executed))
}
