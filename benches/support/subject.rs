//! What is timed: a loop, the loop that it is net of, and the subject that it is compared with.

use std::hint::black_box;
use std::sync::Arc;

/// A timed loop: runs its body so many times.
pub(crate) type Batch = Arc<dyn Fn(u64) + Send + Sync>;

/// Something to measure.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(super) batch: Batch,
    /// What all threads but the first do meanwhile, untimed, where it is not the same.
    pub(super) load: Option<Batch>,
    /// The subject that is the same loop without a body.
    pub(super) empty: &'static str,
    pub(super) beside: Option<Beside>,
}

const EMPTY: &str = "empty loop";
const EMPTY_SHARE: &str = "empty loop, a share apart";
const EMPTY_NUMBERED: &str = "empty loop, numbered";

/// The empty loops that these subjects need.
pub(super) fn empty_loops(subjects: &[Subject]) -> Vec<Subject> {
    let body = || {
        // Bodies show their result to the optimiser in the same way.
        black_box(0_u8);
    };
    let mut loops = vec![
        Subject::new(EMPTY, body),
        Subject::with_share(EMPTY_SHARE, PER_CENT, body, body),
        Subject::numbered(EMPTY_NUMBERED, |number| {
            black_box(number);
        }),
    ];
    loops.retain(|empty| subjects.iter().any(|subject| subject.empty == empty.name));
    loops
}

/// What a subject is compared with, by name, net to net, and what the contract allows.
#[derive(Clone)]
pub(super) enum Beside {
    /// As a multiple of the other; the bounds are for one thread and for more, up to the cores.
    Ratio { to: String, bounds: Option<(f64, f64)> },
    /// As nanoseconds above the other.
    Excess { over: String, bound: f64 },
}

impl Beside {
    pub(super) fn other(&self) -> &str {
        match self {
            Beside::Ratio { to, .. } => to,
            Beside::Excess { over, .. } => over,
        }
    }
}

/// The unit of [`Subject::with_share`] is a thousandth.
pub(crate) const PER_CENT: u32 = 10;

impl Subject {
    /// Measures `body`, called over and over.
    pub(crate) fn new(name: impl Into<String>, body: impl Fn() + Send + Sync + 'static) -> Self {
        // A body stands at one place of its loop, so that it is compiled into it; the dynamic call is paid once a
        // batch.
        Subject::of_batches(name, move |calls| {
            for _ in 0..calls {
                body();
            }
        })
    }

    /// Measures a loop of the caller's own: what must be set up once a batch, or is no loop at all.
    pub(crate) fn of_batches(
        name: impl Into<String>,
        batch: impl Fn(u64) + Send + Sync + 'static,
    ) -> Self {
        Subject {
            name: name.into(),
            batch: Arc::new(batch),
            load: None,
            empty: EMPTY,
            beside: None,
        }
    }

    /// Measures `body` with `rare` in the place of so many of a thousand calls, evenly spread.
    pub(crate) fn with_share(
        name: impl Into<String>,
        per_mille: u32,
        body: impl Fn() + Send + Sync + 'static,
        rare: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let batch = move |calls| {
            let mut due = 0;
            for _ in 0..calls {
                due += per_mille;
                if due >= 1_000 {
                    due -= 1_000;
                    rare();
                } else {
                    body();
                }
            }
        };
        Subject { empty: EMPTY_SHARE, ..Subject::of_batches(name, batch) }
    }

    /// Measures `body`, which is told the number of each call.
    pub(crate) fn numbered(
        name: impl Into<String>,
        body: impl Fn(u64) + Send + Sync + 'static,
    ) -> Self {
        let batch = move |calls| (0..calls).for_each(&body);
        Subject { empty: EMPTY_NUMBERED, ..Subject::of_batches(name, batch) }
    }

    /// Has all threads but the first do this meanwhile; the figure is then the first one's.
    pub(crate) fn under(mut self, load: impl Fn() + Send + Sync + 'static) -> Self {
        self.load = Some(Subject::new("", load).batch);
        self
    }

    /// Shows the ratio to another subject.
    pub(crate) fn against(mut self, to: impl Into<String>) -> Self {
        self.beside = Some(Beside::Ratio { to: to.into(), bounds: None });
        self
    }

    /// Shows the ratio to another subject, and whether it keeps its bound: `alone` on one thread, `shared` on more.
    pub(crate) fn at_most(mut self, to: impl Into<String>, alone: f64, shared: f64) -> Self {
        self.beside = Some(Beside::Ratio { to: to.into(), bounds: Some((alone, shared)) });
        self
    }

    /// Shows the nanoseconds above another subject, and whether they keep their bound.
    pub(crate) fn at_most_beyond(mut self, over: impl Into<String>, bound: f64) -> Self {
        self.beside = Some(Beside::Excess { over: over.into(), bound });
        self
    }

    pub(crate) fn is_empty_loop(&self) -> bool {
        self.name == self.empty
    }
}
