//! The settings as words, so that they can be replaced while calls go on.
//!
//! Every setting stands in two copies. The version says which of them is in force; a change fills the other one
//! and publishes it with one store (`breaker::reconfigure`). Who reads takes the version, reads, and reads the version
//! again, so that what it has read is of one configuration. What the hot path reads, `start` and once more the slow
//! limit, are single words; the architecture page says why that is enough.

use crate::bits::Field;
use crate::breaker::rules::{
    Config, HalfOpenConfig, HalfOpenKind, Rules, WaitConfig, WindowConfig,
};
use crate::sync::{fence, AtomicU64, Ordering};

const FAILURE_PPM: Field = Field::first(20);
const SLOW_PPM: Field = FAILURE_PPM.then(20);
const JITTER_PPM: Field = SLOW_PPM.then(20);

const MIN_CALLS: Field = Field::first(32);
const FAILURE_COUNT: Field = MIN_CALLS.then(32);

const PLACES: Field = Field::first(10);
const DECIDE_AT: Field = PLACES.then(10);
const BY_RATE: Field = DECIDE_AT.then(1);
/// The minimum of calls as it was given, which no call reads; the one in use stands in `MIN_CALLS`.
const GIVEN_MIN: Field = BY_RATE.then(32);

/// In a `since` word: not known yet, and for which version. Generations have 61 bits.
const UNKNOWN: u64 = 1 << 63;

/// What a permit remembers as its start when nothing needs the time.
pub(crate) const UNTIMED: u64 = u64::MAX;
/// What it remembers when only the bucket needs the time.
pub(crate) const BUCKETED: u64 = u64::MAX - 1;
/// What it remembers when nothing needs the time and the breaker keeps totals. In `Head::start`: it keeps totals,
/// whatever needs the time.
pub(crate) const TALLIED: u64 = u64::MAX - 2;
/// In `Head::start`: calls are timed, so permits remember the clock's reading.
pub(crate) const TIMED: u64 = 0;

/// What warm calls and the steps of half-open read, to stand on the line of the state word.
#[repr(C)]
pub(crate) struct Head {
    /// What permits remember as their start: one of the constants above.
    start: AtomicU64,
    slow_limit_ns: AtomicU64,
    /// The number of changes so far; its lowest bit says which copy is in force.
    version: AtomicU64,
    probing: Probing,
}

/// Of one copy: what every step in half-open reads.
#[repr(C)]
struct Probing {
    half_open: AtomicU64,
    lease_ns: AtomicU64,
}

/// Of one copy: what every report reads that is not warm.
#[repr(C)]
struct Judging {
    rates: AtomicU64,
    numbers: AtomicU64,
    run: AtomicU64,
}

/// Of one copy: what an opening reads.
#[repr(C)]
struct Waiting {
    initial_ns: AtomicU64,
    factor: AtomicU64,
    max_ns: AtomicU64,
}

/// Of the first copy: what verdicts and transitions read, to stand on the line behind the state word's.
#[repr(C)]
pub(crate) struct Moving {
    judging: Judging,
    waiting: Waiting,
}

/// Of one copy: what hardly any call reads.
#[repr(C)]
struct Rest {
    wait_seed: AtomicU64,
    slow_limit_ns: AtomicU64,
    /// The first generation that these settings judge alone, of windows and of probes; or `UNKNOWN` with the version.
    since: [AtomicU64; 2],
}

/// What lies behind the state's pair of lines: the end of the first copy, and the second.
#[repr(C)]
pub(crate) struct Tail {
    rest: Rest,
    second: (Probing, Moving, Rest),
}

/// One copy.
#[derive(Clone, Copy)]
struct Words<'a> {
    probing: &'a Probing,
    judging: &'a Judging,
    waiting: &'a Waiting,
    rest: &'a Rest,
}

/// What a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    Window = 0,
    Probes = 1,
}

/// All of the words together, wherever they lie.
#[derive(Clone, Copy)]
pub(crate) struct Limits<'a> {
    pub(crate) head: &'a Head,
    pub(crate) moving: &'a Moving,
    pub(crate) tail: &'a Tail,
}

impl Head {
    pub(crate) fn new(config: &Config) -> Self {
        Head {
            start: AtomicU64::new(start_of(config)),
            slow_limit_ns: AtomicU64::new(config.rules.slow_limit_ns),
            version: AtomicU64::new(0),
            probing: Probing::new(config),
        }
    }

    /// What a permit remembers as its start; `TIMED` stands for the clock's reading.
    #[inline]
    pub(crate) fn start(&self) -> u64 {
        self.start.load(Ordering::Relaxed)
    }

    /// Lets permits know that they are counted; only before the breaker is shared.
    pub(crate) fn keep_totals(&self) {
        self.start.store(TALLIED, Ordering::Relaxed);
    }

    /// The limit beyond which a call is slow, if there is one.
    ///
    /// Who leaves a trace of a slow call reads other settings first; that reading's fence acquires the version that this
    /// limit came with (E17).
    #[inline]
    pub(crate) fn slow_limit_ns(&self) -> Option<u64> {
        match self.slow_limit_ns.load(Ordering::Relaxed) {
            u64::MAX => None,
            limit => Some(limit),
        }
    }
}

impl Judging {
    fn new(config: &Config) -> Self {
        let [rates, numbers, run] = judging_words(config).map(AtomicU64::new);
        Judging { rates, numbers, run }
    }

    fn all(&self) -> [&AtomicU64; 3] {
        [&self.rates, &self.numbers, &self.run]
    }

    fn rules(&self, slow_limit_ns: u64) -> Rules {
        let rates = self.rates.load(Ordering::Relaxed);
        let numbers = self.numbers.load(Ordering::Relaxed);
        Rules {
            failure_ppm: FAILURE_PPM.get(rates) as u32,
            slow_ppm: SLOW_PPM.get(rates) as u32,
            slow_limit_ns,
            failure_count: FAILURE_COUNT.get(numbers) as u32,
            run: self.run.load(Ordering::Relaxed) as u32,
            min_calls: MIN_CALLS.get(numbers) as u32,
        }
    }
}

impl Probing {
    fn new(config: &Config) -> Self {
        let [half_open, lease_ns] = probing_words(config).map(AtomicU64::new);
        Probing { half_open, lease_ns }
    }

    fn all(&self) -> [&AtomicU64; 2] {
        [&self.half_open, &self.lease_ns]
    }
}

impl Waiting {
    fn new(config: &Config) -> Self {
        let [initial_ns, factor, max_ns] = waiting_words(config).map(AtomicU64::new);
        Waiting { initial_ns, factor, max_ns }
    }

    fn all(&self) -> [&AtomicU64; 3] {
        [&self.initial_ns, &self.factor, &self.max_ns]
    }
}

impl Moving {
    pub(crate) fn new(config: &Config) -> Self {
        Moving { judging: Judging::new(config), waiting: Waiting::new(config) }
    }
}

impl Rest {
    fn new(config: &Config) -> Self {
        let [wait_seed, slow_limit_ns] = rest_words(config).map(AtomicU64::new);
        Rest { wait_seed, slow_limit_ns, since: [0; 2].map(AtomicU64::new) }
    }
}

impl Tail {
    pub(crate) fn new(config: &Config) -> Self {
        let second = (Probing::new(config), Moving::new(config), Rest::new(config));
        Tail { rest: Rest::new(config), second }
    }
}

impl<'a> Limits<'a> {
    fn words(self, version: u64) -> Words<'a> {
        let (probing, moving, rest) = match version & 1 {
            0 => (&self.head.probing, self.moving, &self.tail.rest),
            _ => {
                let (probing, moving, rest) = &self.tail.second;
                (probing, moving, rest)
            }
        };
        Words { probing, judging: &moving.judging, waiting: &moving.waiting, rest }
    }

    /// Reads words of the configuration in force, and its version.
    ///
    /// Lock-free: it reads again only if another change was published meanwhile. A change that is under way, or whose
    /// thread has stopped, fills the copy that nobody is sent to.
    fn read<T>(self, of: impl Fn(Words<'a>) -> T) -> (T, u64) {
        loop {
            // E15: acquires the words that were stored before this version.
            let version = self.head.version.load(Ordering::Acquire);
            let read = of(self.words(version));
            // E16: if any of it was stored for a later version, the one before that has been published, which is later
            // than this one. E17: and if the slow limit was read before, its version is seen below.
            fence(Ordering::Acquire);
            if self.head.version.load(Ordering::Relaxed) == version {
                return (read, version);
            }
        }
    }

    /// What judges a window; the slow limit is not read, since outcomes come with their kind.
    pub(crate) fn rules(self) -> Rules {
        self.read(|words| words.judging.rules(u64::MAX)).0
    }

    /// What a snapshot needs, of one configuration.
    pub(crate) fn rules_and_half_open(self) -> (Rules, HalfOpenConfig) {
        let read = |words: Words<'a>| {
            let half_open = words.probing.half_open.load(Ordering::Relaxed);
            (words.judging.rules(u64::MAX), half_open_of(half_open))
        };
        self.read(read).0
    }

    pub(crate) fn lease_ns(self) -> u64 {
        self.read(|words| words.probing.lease_ns.load(Ordering::Relaxed)).0
    }

    /// Reads a state word, and what half-open goes by in settings that were in force after that.
    ///
    /// The word comes last, so that little happens between reading and exchanging it, and before the second look at the
    /// version, so that the settings are no older.
    pub(crate) fn around<W>(self, word: impl Fn() -> W) -> (W, HalfOpenConfig, u64) {
        let read = |words: Words<'a>| {
            let half_open = words.probing.half_open.load(Ordering::Relaxed);
            let lease_ns = words.probing.lease_ns.load(Ordering::Relaxed);
            (word(), half_open_of(half_open), lease_ns)
        };
        self.read(read).0
    }

    /// The wait of open period `attempt`, which is generation `generation`, in nanoseconds.
    pub(crate) fn wait_ns(self, attempt: u32, generation: u64) -> u64 {
        self.read(|words| words.wait()).0.nanos(attempt, generation)
    }

    /// All settings, for a breaker of this window and so many stripes.
    pub(crate) fn in_force(self, window: WindowConfig, stripes: u32) -> Config {
        let read = |words: Words<'a>| {
            let half_open = words.probing.half_open.load(Ordering::Relaxed);
            Config {
                window,
                rules: words.judging.rules(words.rest.slow_limit_ns.load(Ordering::Relaxed)),
                min_calls: GIVEN_MIN.get(half_open) as u32,
                half_open: half_open_of(half_open),
                wait: WaitConfig {
                    seed: words.rest.wait_seed.load(Ordering::Relaxed),
                    ..words.wait()
                },
                lease_ns: words.probing.lease_ns.load(Ordering::Relaxed),
                stripes,
            }
        };
        self.read(read).0
    }

    // ===== which generations they judge =====

    /// The version in force, if it does not judge this generation alone: the generation began before everybody could
    /// know of it.
    pub(crate) fn overtaking(self, judged: Judged, generation: u64) -> Option<u64> {
        let read = |words: Words<'a>| words.rest.since[judged as usize].load(Ordering::Relaxed);
        let (since, version) = self.read(read);
        (since > generation).then_some(version)
    }

    /// Notes that from a generation on all threads know of a version, if nobody has noted one yet.
    pub(crate) fn note_since(self, version: u64, generation: u64) {
        for since in &self.words(version).rest.since {
            // Relaxed: the number says all. A later version's word is another one: this changes nothing there.
            let unknown = UNKNOWN | version;
            let _ =
                since.compare_exchange(unknown, generation, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    // ===== changing =====

    /// Puts settings in force; returns their version. One thread at a time calls this.
    ///
    /// `changes` says of window and probes whether other settings judge them from now on.
    pub(crate) fn publish(self, next: &Config, changes: [bool; 2]) -> u64 {
        let version = self.head.version.load(Ordering::Relaxed);
        let (old, idle) = (self.words(version), self.words(version + 1));
        // E16: who reads one of the words below finds the version that was read above, or a later one.
        fence(Ordering::Release);
        let store = |words: &[&AtomicU64], values: &[u64]| {
            for (word, value) in words.iter().zip(values) {
                word.store(*value, Ordering::Relaxed);
            }
        };
        store(&idle.probing.all(), &probing_words(next));
        store(&idle.judging.all(), &judging_words(next));
        store(&idle.waiting.all(), &waiting_words(next));
        store(&[&idle.rest.wait_seed, &idle.rest.slow_limit_ns], &rest_words(next));
        for (index, changes) in changes.into_iter().enumerate() {
            let since = match changes {
                true => UNKNOWN | (version + 1),
                false => old.rest.since[index].load(Ordering::Relaxed),
            };
            idle.rest.since[index].store(since, Ordering::Relaxed);
        }
        // E15: publishes the words above.
        self.head.version.store(version + 1, Ordering::Release);
        // E17: behind the version, so that nobody leaves a trace by this limit to whom the version is news.
        self.head.slow_limit_ns.store(next.rules.slow_limit_ns, Ordering::Release);
        if self.head.start() != TALLIED {
            self.head.start.store(start_of(next), Ordering::Relaxed);
        }
        version + 1
    }
}

impl Words<'_> {
    fn wait(self) -> WaitConfig {
        let Waiting { initial_ns, factor, max_ns } = self.waiting;
        let jitter_ppm = JITTER_PPM.get(self.judging.rates.load(Ordering::Relaxed)) as u32;
        WaitConfig {
            initial_ns: initial_ns.load(Ordering::Relaxed),
            factor: f64::from_bits(factor.load(Ordering::Relaxed)),
            max_ns: max_ns.load(Ordering::Relaxed),
            jitter_ppm,
            // Far away, and idle without jitter.
            seed: match jitter_ppm {
                0 => 0,
                _ => self.rest.wait_seed.load(Ordering::Relaxed),
            },
        }
    }
}

// ===== values as words =====

fn start_of(config: &Config) -> u64 {
    match (config.rules.slow_limit_ns, config.window) {
        (u64::MAX, WindowConfig::Time { .. }) => BUCKETED,
        (u64::MAX, _) => UNTIMED,
        _ => TIMED,
    }
}

fn judging_words(config: &Config) -> [u64; 3] {
    let Rules { failure_ppm, slow_ppm, failure_count, run, min_calls, .. } = config.rules;
    [
        FAILURE_PPM.put(failure_ppm.into())
            | SLOW_PPM.put(slow_ppm.into())
            | JITTER_PPM.put(config.wait.jitter_ppm.into()),
        MIN_CALLS.put(min_calls.into()) | FAILURE_COUNT.put(failure_count.into()),
        run.into(),
    ]
}

fn probing_words(config: &Config) -> [u64; 2] {
    let Config { half_open, lease_ns, min_calls, .. } = config;
    let by_rate = half_open.kind == HalfOpenKind::Rate;
    [
        PLACES.put(half_open.places.into())
            | DECIDE_AT.put(half_open.decide_at.into())
            | BY_RATE.put(by_rate.into())
            | GIVEN_MIN.put((*min_calls).into()),
        *lease_ns,
    ]
}

fn waiting_words(Config { wait, .. }: &Config) -> [u64; 3] {
    [wait.initial_ns, wait.factor.to_bits(), wait.max_ns]
}

fn rest_words(config: &Config) -> [u64; 2] {
    [config.wait.seed, config.rules.slow_limit_ns]
}

fn half_open_of(word: u64) -> HalfOpenConfig {
    HalfOpenConfig {
        kind: match BY_RATE.get(word) {
            0 => HalfOpenKind::Probes,
            _ => HalfOpenKind::Rate,
        },
        places: PLACES.get(word) as u32,
        decide_at: DECIDE_AT.get(word) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::packing::prove;
    use crate::breaker::rules::PPM;

    struct Parts {
        head: Head,
        moving: Moving,
        tail: Tail,
    }

    impl Parts {
        fn new(config: &Config) -> Self {
            let (head, moving) = (Head::new(config), Moving::new(config));
            Parts { head, moving, tail: Tail::new(config) }
        }

        fn limits(&self) -> Limits<'_> {
            Limits { head: &self.head, moving: &self.moving, tail: &self.tail }
        }
    }

    /// Every field at another value, the large ones at their ends.
    fn config() -> Config {
        Config {
            window: WindowConfig::Consecutive,
            rules: Rules {
                failure_ppm: 1_000_000,
                slow_ppm: 999_999,
                slow_limit_ns: 5,
                failure_count: u32::MAX,
                run: u32::MAX - 1,
                min_calls: u32::MAX - 2,
            },
            min_calls: u32::MAX - 3,
            half_open: HalfOpenConfig { kind: HalfOpenKind::Rate, places: 1_000, decide_at: 999 },
            wait: JITTERED,
            lease_ns: 11,
            stripes: 1,
        }
    }

    const JITTERED: WaitConfig = WaitConfig {
        initial_ns: 1_000,
        factor: 2.0,
        max_ns: u64::MAX,
        jitter_ppm: 999_998,
        seed: 5,
    };

    fn other() -> Config {
        Config {
            rules: Rules { slow_limit_ns: u64::MAX, run: 7, ..Rules::default() },
            min_calls: 1,
            half_open: HalfOpenConfig { kind: HalfOpenKind::Probes, places: 2, decide_at: 1 },
            wait: WaitConfig { initial_ns: 7, factor: 1.5, max_ns: 9, jitter_ppm: 0, seed: 3 },
            lease_ns: 12,
            ..config()
        }
    }

    fn agree(limits: Limits<'_>, config: &Config) {
        assert_eq!(&limits.in_force(config.window, config.stripes), config);
        // Outcomes come with their kind.
        assert_eq!(limits.rules(), Rules { slow_limit_ns: u64::MAX, ..config.rules });
        assert_eq!(limits.rules_and_half_open(), (limits.rules(), config.half_open));
        assert_eq!(limits.lease_ns(), config.lease_ns);
        assert_eq!(limits.around(|| 7), (7, config.half_open, config.lease_ns));
        assert_eq!(limits.wait_ns(3, 8), config.wait.nanos(3, 8));
        let slow_limit = config.rules.slow_limit_ns;
        assert_eq!(limits.head.slow_limit_ns(), (slow_limit < u64::MAX).then_some(slow_limit));
    }

    #[test]
    fn settings_come_back_from_their_words_in_either_copy() {
        let parts = Parts::new(&config());
        agree(parts.limits(), &config());
        for version in 1..6 {
            let next = if version % 3 == 0 { config() } else { other() };
            assert_eq!(parts.limits().publish(&next, [true; 2]), version);
            agree(parts.limits(), &next);
        }
    }

    #[test]
    fn who_fills_the_idle_copy_disturbs_nobody() {
        let parts = Parts::new(&config());
        let idle = parts.limits().words(1);
        let idle = [&idle.probing.all()[..], &idle.judging.all(), &idle.waiting.all()];
        for word in idle.concat() {
            word.store(77, Ordering::Relaxed);
        }
        agree(parts.limits(), &config());
    }

    #[test]
    fn a_copy_says_since_when_it_judges_alone() {
        let parts = Parts::new(&config());
        let overtaking = |generation| {
            [Judged::Window, Judged::Probes]
                .map(|judged| parts.limits().overtaking(judged, generation))
        };
        assert_eq!(overtaking(0), [None; 2]);
        let first = parts.limits().publish(&other(), [true, false]);
        assert_eq!(overtaking(1 << 61), [Some(first), None]);
        parts.limits().note_since(first + 2, 3);
        assert_eq!(overtaking(7), [Some(first), None], "another version's");
        parts.limits().note_since(first, 7);
        parts.limits().note_since(first, 8);
        assert_eq!([6, 7].map(overtaking), [[Some(first), None], [None; 2]]);
        // What does not change is taken over, what does is open again.
        let second = parts.limits().publish(&config(), [false, true]);
        assert_eq!([6, 7].map(overtaking), [[Some(second); 2], [None, Some(second)]]);
        // Two versions on, the word is the same.
        parts.limits().note_since(second, 9);
        let third = parts.limits().publish(&other(), [true; 2]);
        parts.limits().note_since(first, 1);
        assert_eq!(overtaking(9), [Some(third); 2], "who slept notes nothing for later settings");
    }

    #[test]
    fn permits_remember_only_what_the_settings_need() {
        let time = WindowConfig::Time { length_ns: 10, buckets: 2 };
        let count = WindowConfig::Count { size: 9 };
        let with = |window, slow_limit_ns| {
            let rules = Rules { slow_limit_ns, ..Rules::default() };
            Config { window, rules, ..config() }
        };
        for window in [time, count, WindowConfig::Consecutive] {
            let untimed = if window == time { BUCKETED } else { UNTIMED };
            let parts = Parts::new(&with(window, u64::MAX));
            assert_eq!(parts.head.start(), untimed);
            parts.limits().publish(&with(window, 7), [true; 2]);
            assert_eq!(parts.head.start(), TIMED);
            parts.limits().publish(&with(window, u64::MAX), [true; 2]);
            assert_eq!(parts.head.start(), untimed);
            // Totals are kept for good.
            parts.head.keep_totals();
            parts.limits().publish(&with(window, 7), [true; 2]);
            assert_eq!(parts.head.start(), TALLIED);
        }
        const { assert!(UNTIMED != BUCKETED && BUCKETED != TALLIED && TALLIED != TIMED) };
    }

    #[test]
    fn the_packing_of_the_settings_is_proved_for_all_values() {
        prove(&[FAILURE_PPM, SLOW_PPM, JITTER_PPM], 4);
        prove(&[MIN_CALLS, FAILURE_COUNT], 0);
        prove(&[PLACES, DECIDE_AT, BY_RATE, GIVEN_MIN], 11);
        // The largest values that `build` lets through are not cut off.
        assert!([FAILURE_PPM, SLOW_PPM, JITTER_PPM].iter().all(|field| field.max() >= PPM));
        assert!([PLACES, DECIDE_AT].iter().all(|field| field.max() >= 1_000));
        let counts = [MIN_CALLS, FAILURE_COUNT, GIVEN_MIN];
        assert!(counts.iter().all(|field| field.max() == u64::from(u32::MAX)));
    }
}
