//! See `schedules` in the library: this file only starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    failfast_histories::schedules::run_all()
}
