//! The face of the library's `threads` module: shuttle's threads share one thread of the system, so a thread-local of the
//! standard library would give them all one seat.

use std::cell::Cell;

shuttle::thread_local! {
    static SEAT: Cell<usize> = Cell::new(NONE);
}

/// No seat: the shared words.
const NONE: usize = usize::MAX;

/// Gives the running thread a seat; the caller sees to it that no two living threads have the same.
pub(crate) fn take_seat(seat: usize) {
    SEAT.with(|mine| mine.set(seat));
}

pub(crate) fn seat_if_known() -> usize {
    SEAT.with(Cell::get)
}

pub(crate) fn seat() -> usize {
    seat_if_known()
}
