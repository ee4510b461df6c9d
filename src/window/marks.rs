//! The ring of marked outcomes: where failures (and slow calls) stand among all calls.
//!
//! A marked outcome takes a ticket, reads how many plain successes were counted before it, and leaves both in the slot
//! of its ticket. Plain successes leave nothing here. `window::verdict` reads positions out of it; the protocol and
//! its proof are on the architecture page.

use crossbeam_utils::CachePadded;

use crate::bits::{widen, Field};
use crate::breaker::state::Word;
use crate::sync::{AtomicU64, Ordering};
use crate::window::counts::Kind;

/// An entry: what it marks, whose it is, and how many plain successes stand before it.
///
/// `KIND` is never zero in a written entry. `ERA` holds the generation's low bits: entries below the generation's base
/// ticket are void anyway, and only the generation before can have tickets above it, so one bit would do. `LAP` tells
/// this ticket from one that had the same slot a whole number of laps ago. `BEFORE` is compared by difference: 2^47
/// successes between two marks of one window (16 days at one hundred million a second) would be mistaken.
const KIND: Field = Field::first(2);
const ERA: Field = KIND.then(2);
const LAP: Field = ERA.then(12);
const BEFORE: Field = LAP.last(48);
/// In the skip word: the ticket of the mark that found that no trip is possible, for how many tickets from there on, and
/// the low bits of its generation. The ticket says of itself whether it is void, as an entry's does.
const SKIP_FROM: Field = Field::first(44);
const SKIP_COUNT: Field = SKIP_FROM.then(18);
const SKIP_ERA: Field = SKIP_COUNT.last(2);
/// A written entry, read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) kind: Kind,
    /// Plain successes counted before it, as its own thread read them.
    pub(crate) before: u64,
}

/// What stands in the slot of a ticket that has no mark of a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    Unwritten,
    /// This very ticket's mark, of another generation: of the one before, for the base keeps older ones out of sight. All
    /// tickets of the generation that was asked about are later ones.
    OtherGeneration,
}

pub(crate) struct Marks {
    /// The next ticket. Never reset: a ticket names one attempt for ever. A line of its own: every mark changes it.
    next: CachePadded<AtomicU64>,
    notes: CachePadded<Notes>,
    ring: Box<[AtomicU64]>,
    /// Slots beyond the entries asked for: room for tickets that were never written.
    spare: u64,
    /// Entries that leave as many slots to such tickets as were asked for.
    room: u64,
}

/// What every mark reads and hardly any writes.
struct Notes {
    /// The first ticket that may be of a generation, for the current one and the next, by the generation's low bit.
    base: [AtomicU64; 2],
    /// One more than the name of the latest generation whose window that ends at the minimum has been judged.
    crossed: AtomicU64,
    /// The first ticket of that generation that stands behind the minimum whatever its own sum says.
    crossed_at: AtomicU64,
    /// For how long no trip is possible.
    skip: AtomicU64,
}

impl Marks {
    /// A ring that holds `entries` written entries and as many holes as `spare` says.
    pub(crate) fn new(entries: usize, spare: usize) -> Self {
        let slots = (entries + spare).next_power_of_two();
        Marks {
            // One lap is skipped, so that no ticket has the lap of an empty slot.
            next: CachePadded::new(AtomicU64::new(slots as u64)),
            notes: CachePadded::new(Notes {
                base: [AtomicU64::new(slots as u64), AtomicU64::new(slots as u64)],
                crossed: AtomicU64::new(0),
                crossed_at: AtomicU64::new(0),
                skip: AtomicU64::new(0),
            }),
            ring: (0..slots).map(|_| AtomicU64::new(0)).collect(),
            spare: (slots - entries) as u64,
            room: (slots - spare) as u64,
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap(&self) -> usize {
        size_of_val(&*self.ring)
    }

    /// Slots beyond the entries that the windows need.
    pub(crate) fn spare(&self) -> u64 {
        self.spare
    }

    /// The longest run that the ring can hold beside its holes.
    pub(crate) fn room(&self) -> u64 {
        self.room
    }

    /// Tickets that the ring can hold.
    pub(crate) fn slots(&self) -> u64 {
        self.ring.len() as u64
    }

    fn lap(&self, ticket: u64) -> u64 {
        ticket >> self.ring.len().trailing_zeros()
    }

    fn slot(&self, ticket: u64) -> &AtomicU64 {
        &self.ring[ticket as usize & (self.ring.len() - 1)]
    }

    // ===== writing =====

    /// Takes a ticket. What is read on its account is read behind a `SeqCst` fence.
    pub(crate) fn take_ticket(&self) -> u64 {
        // E3: the chain of tickets: what happened before an earlier ticket was taken is visible to every later one,
        // so the sum that a later ticket reads counts it. The fence that follows (E12) acquires.
        self.next.fetch_add(1, Ordering::Release)
    }

    /// Leaves a mark in the slot of its ticket, unless the ring has gone round since.
    pub(crate) fn write(&self, ticket: u64, name: Word, mark: Mark) {
        let entry = KIND.put(mark.kind.code())
            | ERA.put(name.named_generation())
            | LAP.put(self.lap(ticket))
            | BEFORE.put(mark.before);
        let slot = self.slot(ticket);
        // The first exchange supposes an empty slot. Where that is wrong it has fetched the line for writing at least: a
        // load would have fetched it for reading, and the exchange again.
        let mut seen = 0;
        // At most three exchanges: what the slot held is of an earlier lap (the next lap's ticket was not taken when it
        // was read); the second exchange can lose to one thread with an older ticket of the slot that had looked at it
        // before our ticket was taken, the third only to a newer ticket, and then the ring has gone round.
        while self.next_ticket() - ticket <= self.slots() {
            // E4: publishes the ticket to the next writer of the slot, who fails first and so acquires it: `next_ticket` is
            // beyond it.
            match slot.compare_exchange(seen, entry, Ordering::Release, Ordering::Acquire) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
        // A whole lap of later marks is in the ring: this one is in no window any more.
    }

    // ===== reading =====

    /// The ticket that will be taken next.
    pub(crate) fn next_ticket(&self) -> u64 {
        // E3, reading end: the marks that happen before a ticket below this one are visible in the ring.
        self.next.load(Ordering::Acquire)
    }

    /// The mark of a ticket, if it is written and of this generation. `near` is a number of successes of about now.
    ///
    /// The ticket is one below what `next_ticket` has told this thread.
    pub(crate) fn read(&self, ticket: u64, name: Word, near: u64) -> Result<Mark, Gap> {
        // Relaxed: the entry is all that is read through it. The marks that happen before this one happen before its
        // ticket, so whoever has read the ticket counter sees them (E3).
        let entry = self.slot(ticket).load(Ordering::Relaxed);
        let kind = Kind::ALL[KIND.get(entry) as usize];
        let written = kind != Kind::Plain && LAP.get(entry) == self.lap(ticket) & LAP.max();
        if written && ERA.get(entry) == name.named_generation() & ERA.max() {
            Ok(Mark { kind, before: widen(BEFORE.get(entry), BEFORE.width(), near) })
        } else if written {
            Err(Gap::OtherGeneration)
        } else {
            Err(Gap::Unwritten)
        }
    }

    /// The first ticket that may be of this generation.
    pub(crate) fn base(&self, name: Word) -> u64 {
        // Relaxed: whoever has read the state word that named this generation has acquired the note before it (E2).
        self.notes.base[name.named_generation() as usize & 1].load(Ordering::Relaxed)
    }

    /// Notes the first ticket that may be of a generation that is about to begin.
    ///
    /// `ticket` was read while the generation before it was the current one.
    pub(crate) fn note_base(&self, generation: u64, ticket: u64) {
        // Only ever forwards, so that a thread that slept here takes nothing back. E2: the exchange of the state word
        // publishes it.
        self.notes.base[generation as usize & 1].fetch_max(ticket, Ordering::Relaxed);
    }

    // ===== the minimum =====

    /// Whether somebody has judged this generation's window that ends at the minimum.
    pub(crate) fn crossed(&self, name: Word) -> bool {
        // Relaxed: who sees it set skips a judgement that others have made; it reads nothing that they wrote.
        self.notes.crossed.load(Ordering::Relaxed) == name.bits() + 1
    }

    /// The first ticket of this generation that is known to stand behind the minimum; none if nobody has judged it yet.
    pub(crate) fn crossed_at(&self, name: Word) -> u64 {
        // E8: acquires the ticket that belongs to the name, or a later one. That no mark behind it has a smaller sum than
        // the judge, or misses what the judge has seen, is E14.
        if self.notes.crossed.load(Ordering::Acquire) == name.bits() + 1 {
            // If it is of a later generation this one is over.
            self.notes.crossed_at.load(Ordering::Relaxed)
        } else {
            u64::MAX
        }
    }

    /// Notes that the minimum is reached and judged, with every mark below ticket `newest` taken into account.
    pub(crate) fn set_crossed(&self, name: Word, newest: u64) {
        // Tickets and names of closed generations only grow, so a thread that slept takes nothing back.
        self.notes.crossed_at.fetch_max(newest, Ordering::Relaxed);
        // E8: publishes the ticket: none of an earlier generation is seen under this name.
        self.notes.crossed.fetch_max(name.bits() + 1, Ordering::Release);
    }

    // ===== the skip =====

    /// Whether a recount of this generation has found that no trip is possible at `ticket`, which this thread has taken.
    pub(crate) fn skips(&self, name: Word, ticket: u64) -> bool {
        // Relaxed: the word says all that is needed. What the sums have to do with it is E14: whoever notes a skip has
        // found, behind the fence that follows its sum, that no later ticket was taken. So the fence behind a later
        // ticket (E12) is the later one of the two, and the sum behind it is no older.
        let skip = self.notes.skip.load(Ordering::Relaxed);
        let from = widen(SKIP_FROM.get(skip), SKIP_FROM.width(), ticket);
        SKIP_ERA.get(skip) == name.named_generation() & SKIP_ERA.max()
            && from >= self.base(name)
            && (1..SKIP_COUNT.get(skip)).contains(&ticket.wrapping_sub(from))
    }

    /// Notes that the mark of `ticket` has found that fewer than `more` marks behind it can't trip.
    ///
    /// No later ticket was taken when its thread looked, behind the fence that followed its sum.
    pub(crate) fn set_skip(&self, name: Word, ticket: u64, more: u64) {
        let skip = SKIP_FROM.put(ticket)
            | SKIP_COUNT.put(more.min(SKIP_COUNT.max()))
            | SKIP_ERA.put(name.named_generation());
        // Relaxed: see `skips`.
        self.notes.skip.store(skip, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::packing::prove;
    use crate::phase::State;

    fn name(generation: u64) -> Word {
        Word::name(State::Closed, generation)
    }

    #[test]
    fn a_mark_is_read_back_by_its_own_ticket_and_generation_only() {
        let marks = Marks::new(3, 1);
        let first = marks.take_ticket();
        assert_eq!(first, 4, "the first lap is skipped");
        let mark = Mark { kind: Kind::SlowFailure, before: u64::MAX - 3 };
        marks.write(first, name(5), mark);
        assert_eq!(marks.read(first, name(5), u64::MAX), Ok(mark));
        assert_eq!(marks.read(first, name(4), u64::MAX), Err(Gap::OtherGeneration));
        assert_eq!(
            marks.read(first + 4, name(5), u64::MAX),
            Err(Gap::Unwritten),
            "a lap later it is another ticket"
        );
        assert_eq!(marks.read(first + 1, name(5), u64::MAX), Err(Gap::Unwritten), "never written");
    }

    #[test]
    fn a_late_writer_replaces_an_older_lap_and_leaves_a_newer_one() {
        let marks = Marks::new(3, 1);
        let mark = |before| Mark { kind: Kind::Failure, before };
        let late = marks.take_ticket();
        for _ in 0..4 {
            let ticket = marks.take_ticket();
            marks.write(ticket, name(0), mark(ticket));
        }
        marks.write(late, name(0), mark(1));
        assert_eq!(marks.read(late, name(0), 1), Err(Gap::Unwritten));
        assert_eq!(marks.read(late + 4, name(0), 1), Ok(mark(late + 4)));
    }

    #[test]
    fn a_skip_holds_for_its_tickets_and_dies_with_its_generation() {
        let marks = Marks::new(1, 0);
        marks.set_skip(name(3), 70, 4);
        let skipped: Vec<u64> = (60..90).filter(|ticket| marks.skips(name(3), *ticket)).collect();
        assert_eq!(skipped, [71, 72, 73]);
        assert!(!marks.skips(name(4), 71));
        marks.note_base(3 + 4, 71);
        assert!(
            !marks.skips(name(3 + 4), 71),
            "four generations on its bits meet, but its ticket is void"
        );
    }

    #[test]
    fn the_minimum_is_crossed_once_a_generation() {
        let marks = Marks::new(1, 0);
        assert!(!marks.crossed(name(0)), "generation 0 begins uncrossed");
        assert_eq!(marks.crossed_at(name(0)), u64::MAX);
        marks.set_crossed(name(0), 9);
        assert!(marks.crossed(name(0)) && !marks.crossed(name(1)));
        assert_eq!((marks.crossed_at(name(0)), marks.crossed_at(name(1))), (9, u64::MAX));
    }

    #[test]
    fn a_ring_has_a_power_of_two_of_slots_and_says_how_many_are_spare() {
        for (entries, spare, slots) in [(1, 0, 1), (3, 1, 4), (3, 2, 8), (100, 16, 128)] {
            let marks = Marks::new(entries, spare);
            assert_eq!((marks.slots(), marks.spare()), (slots, slots - entries as u64));
            assert_eq!(marks.room(), slots - spare as u64);
            assert_eq!(marks.heap() as u64, 8 * slots);
            assert_eq!(marks.next_ticket(), slots);
        }
    }

    #[test]
    fn bases_are_kept_for_two_generations_and_only_move_on() {
        let marks = Marks::new(1, 0);
        marks.note_base(6, 50);
        marks.note_base(7, 60);
        assert_eq!([6, 7, 8, 9].map(|g| marks.base(name(g))), [50, 60, 50, 60]);
        marks.note_base(8, 70);
        marks.note_base(6, 40);
        assert_eq!([7, 8].map(|g| marks.base(name(g))), [60, 70]);
    }

    #[test]
    fn a_slot_tells_4096_laps_apart_whatever_the_size_of_the_ring() {
        for slots in [1, 4, 256, 4_096, 65_536] {
            let marks = Marks::new(slots, 0);
            let ticket = marks.take_ticket();
            marks.write(ticket, name(0), Mark { kind: Kind::Failure, before: 0 });
            let read = |lap| marks.read(ticket + lap * slots as u64, name(0), 0).is_ok();
            let read: Vec<u64> = (0..=4_096).filter(|lap| read(*lap)).collect();
            assert_eq!(read, [0, 4_096], "{slots} slots");
        }
    }

    #[test]
    fn the_packing_of_a_mark_and_of_the_skip_is_proved_for_all_values() {
        prove(&[KIND, ERA, LAP, BEFORE], 0);
        prove(&[SKIP_FROM, SKIP_COUNT, SKIP_ERA], 0);
        // Every kind has a code that fits, and the one of an empty slot is no mark's.
        assert!(Kind::ALL.iter().all(|kind| kind.code() <= KIND.max()));
        assert_eq!(KIND.get(0), Kind::Plain.code());
        // A skip that is too long for its field is cut to the longest one.
        let marks = Marks::new(1, 0);
        marks.set_skip(name(3), 70, u64::MAX);
        let word = marks.notes.skip.load(Ordering::Relaxed);
        assert_eq!((SKIP_FROM.get(word), SKIP_COUNT.get(word)), (70, SKIP_COUNT.max()));
        assert_eq!(SKIP_ERA.get(word), 3);
    }
}
