//! Runs the models; arguments are parts of the names of those to run.

fn main() -> std::process::ExitCode {
    failfast_loom_tests::run()
}
