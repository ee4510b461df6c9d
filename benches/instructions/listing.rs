//! The compiled code of this very program, and what the hot paths must not hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::callgrind::{Profile, TIMES};

/// One machine instruction.
struct Instruction {
    address: u64,
    text: String,
}

/// The program's functions, by the address of their first instruction.
pub(crate) struct Listing {
    functions: BTreeMap<u64, Function>,
}

struct Function {
    name: String,
    body: Vec<Instruction>,
}

impl Listing {
    pub(crate) fn of(program: &Path) -> Result<Listing, String> {
        let output = Command::new("objdump")
            .args(["--disassemble", "--demangle", "--no-show-raw-insn"])
            .arg(program)
            .output()
            .map_err(|error| format!("objdump: {error}"))?;
        let mut functions = BTreeMap::new();
        let mut current = 0;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Some((address, name)) = head_of(line) {
                current = address;
                functions.insert(address, Function { name: name.to_owned(), body: Vec::new() });
            } else if let (Some(instruction), Some(function)) =
                (instruction(line), functions.get_mut(&current))
            {
                function.body.push(instruction);
            }
        }
        Ok(Listing { functions })
    }

    /// The functions that a profile has been in, with the instructions that it has executed.
    fn visited<'a>(&'a self, profile: &'a Profile) -> Vec<(&'a Function, Vec<&'a Instruction>)> {
        let mut visited = Vec::new();
        for function in self.functions.values() {
            let executed: Vec<_> = function
                .body
                .iter()
                .filter(|step| profile.executed.contains_key(&step.address))
                .collect();
            if !executed.is_empty() {
                visited.push((function, executed));
            }
        }
        visited
    }

    /// The executed instructions, in the order of their addresses, as often as one call executes them.
    pub(crate) fn print(&self, profile: &Profile) {
        for (function, executed) in self.visited(profile) {
            println!("  {}:", function.name);
            for step in executed {
                let times = profile.executed[&step.address] as f64 / f64::from(TIMES);
                println!("    {times:>7.2} {:>8x}  {}", step.address, step.text);
            }
        }
    }

    /// What a hot path has executed and must not: locked instructions and fences.
    pub(crate) fn locked(&self, profile: &Profile) -> Vec<String> {
        let mut found = Vec::new();
        for (function, executed) in self.visited(profile) {
            for step in executed.into_iter().filter(|step| synchronises(&step.text)) {
                found.push(format!("{}: {}", function.name, step.text));
            }
        }
        found
    }

    /// What the functions of a hot path call besides each other and their other halves: `_slow`, `_timed`, and `_counted` where
    /// totals are kept.
    ///
    /// A panic, a bounds check or an inlined cold part would show here, or in `locked`.
    pub(crate) fn strays(&self, profile: &Profile) -> Vec<String> {
        let visited = self.visited(profile);
        let names: BTreeSet<&str> =
            visited.iter().map(|(function, _)| function.name.as_str()).collect();
        let mut strays = Vec::new();
        for (function, _) in &visited {
            for step in &function.body {
                let Some(target) = target_of(&step.text) else {
                    continue;
                };
                let halves = ["_slow", "_timed", "_counted"];
                let half = halves.iter().any(|end| target.ends_with(end));
                if !half && !names.contains(target) {
                    strays.push(format!("{}: {}", function.name, step.text));
                }
            }
        }
        strays
    }
}

/// `0000000000029730 <path::of::function>:`
fn head_of(line: &str) -> Option<(u64, &str)> {
    let (address, name) = line.strip_suffix(">:")?.split_once(" <")?;
    Some((u64::from_str_radix(address, 16).ok()?, name))
}

/// `   29738:\tmov    0x60(%rdi),%rdx`
fn instruction(line: &str) -> Option<Instruction> {
    let (address, text) = line.trim_start().split_once(":\t")?;
    let address = u64::from_str_radix(address, 16).ok()?;
    Some(Instruction { address, text: text.trim_end().to_owned() })
}

/// Whether an instruction locks or fences: a `lock` prefix, an exchange with memory (which locks by itself), a fence.
fn synchronises(text: &str) -> bool {
    let mut words = text.split_whitespace();
    match words.next().unwrap_or_default() {
        "lock" | "mfence" | "lfence" | "sfence" => true,
        "xchg" => text.contains('('),
        _ => words.any(|word| word == "lock"),
    }
}

/// The function that a call or jump leaves for; `None` for anything else, and for jumps within a function.
fn target_of(text: &str) -> Option<&str> {
    let mnemonic = text.split_whitespace().next()?;
    if mnemonic != "call" && !mnemonic.starts_with('j') {
        return None;
    }
    let Some((_, target)) = text.split_once('<') else {
        return Some(text); // Through a pointer.
    };
    let target = target.strip_suffix('>')?;
    // An offset says that the jump stays inside: nothing is entered in the middle.
    if target.rsplit_once("+0x").is_some() {
        return None;
    }
    Some(target)
}
