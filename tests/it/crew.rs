//! A few threads that live as long as the process and do one errand at a time.
//!
//! A breaker keeps what threads report in words of their own; a sequence of operations that hops from thread to thread
//! must answer as if one thread had done it all, because each errand is waited for.

use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::mpsc::{channel, Sender};
use std::sync::OnceLock;
use std::thread;

/// Two more than the fewest stripes that the tests ask for, so that some threads must share.
const CREW: usize = 3;

/// Who does an errand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane {
    /// The calling thread.
    Here,
    /// A thread of the crew; numbers wrap.
    There(u8),
}

type Errand = Box<dyn FnOnce() + Send>;

fn crew() -> &'static [Sender<Errand>] {
    static THREADS: OnceLock<Vec<Sender<Errand>>> = OnceLock::new();
    THREADS.get_or_init(|| {
        let hire = |_| {
            let (sender, errands) = channel::<Errand>();
            thread::spawn(move || errands.into_iter().for_each(|errand| errand()));
            sender
        };
        (0..CREW).map(hire).collect()
    })
}

/// Does an errand on a lane and waits for it; a panic there goes on here.
pub(crate) fn on_lane<T: Send + 'static>(
    lane: Lane,
    errand: impl FnOnce() -> T + Send + 'static,
) -> T {
    let Lane::There(number) = lane else {
        return errand();
    };
    let (sender, answer) = channel();
    let errand = move || {
        let result = catch_unwind(AssertUnwindSafe(errand));
        // The receiver waits below, so the send can't fail.
        let _ = sender.send(result);
    };
    crew()[usize::from(number) % CREW]
        .send(Box::new(errand))
        .expect("the crew waits for errands for ever");
    match answer.recv().expect("an errand always answers") {
        Ok(value) => value,
        Err(panic) => resume_unwind(panic),
    }
}
