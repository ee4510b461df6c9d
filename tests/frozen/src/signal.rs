//! A signal whose handler waits: stops a thread at whatever instruction it has reached, until it is thawed.
//!
//! The one file with unsafe code. The handler does only what a handler may: it reads its own thread's number, touches
//! atomics, and waits on a futex by a bare system call.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use core::{hint, mem, ptr};

/// Threads that can be frozen.
pub(crate) const PLACES: usize = 3;

/// What the handler of one thread and the controller say to each other.
struct Ice {
    /// The futex: while it is 1 the signal freezes.
    hold: AtomicU32,
    /// 1 from when the handler has begun to wait until it leaves.
    frozen: AtomicU32,
    /// The instruction that was about to be executed.
    at: AtomicUsize,
    /// Whether the thread is between the first and the last instruction of a call of the breaker.
    inside: AtomicBool,
}

static ICE: [Ice; PLACES] = [const {
    Ice {
        hold: AtomicU32::new(0),
        frozen: AtomicU32::new(0),
        at: AtomicUsize::new(0),
        inside: AtomicBool::new(false),
    }
}; PLACES];

thread_local! {
    /// Without a destructor and without lazy initialisation, so that the handler may read it.
    static PLACE: Cell<usize> = const { Cell::new(PLACES) };
}

/// A thread that can be frozen; sent to the controller by the thread itself.
#[derive(Clone, Copy)]
pub(crate) struct Victim {
    place: usize,
    thread: libc::pthread_t,
}

/// Where a thread stands frozen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frozen {
    pub(crate) inside: bool,
    pub(crate) at: usize,
}

/// Makes every later `SIGUSR1` of this process freeze the thread that it is sent to.
pub(crate) fn install() {
    // SAFETY: an all-zero `sigaction` is a valid one; the handler has the signature that `SA_SIGINFO` asks for and does
    // async-signal-safe things only.
    let result = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = wait_in_handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut())
    };
    assert_eq!(result, 0, "the handler can be installed");
}

/// Makes the running thread one that can be frozen.
pub(crate) fn enlist(place: usize) -> Victim {
    PLACE.set(place);
    // SAFETY: has no precondition.
    Victim { place, thread: unsafe { libc::pthread_self() } }
}

/// Runs a call of the breaker, noted as such for the handler.
#[inline(always)]
pub(crate) fn inside<T>(place: usize, call: impl FnOnce() -> T) -> T {
    let note = &ICE[place].inside;
    note.store(true, Ordering::Relaxed);
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    let result = call();
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    note.store(false, Ordering::Relaxed);
    result
}

impl Victim {
    /// Freezes the thread where it is, and says where that is.
    ///
    /// The thread must be alive; it is, since whoever enlists it joins it only at the end.
    pub(crate) fn freeze(self) -> Frozen {
        let ice = &ICE[self.place];
        ice.hold.store(1, Ordering::Release);
        // SAFETY: the thread lives, see above.
        let result = unsafe { libc::pthread_kill(self.thread, libc::SIGUSR1) };
        assert_eq!(result, 0, "a living thread takes a signal");
        wait_for(&ice.frozen, 1);
        Frozen { inside: ice.inside.load(Ordering::Relaxed), at: ice.at.load(Ordering::Relaxed) }
    }

    /// Lets it go on.
    pub(crate) fn thaw(self) {
        let ice = &ICE[self.place];
        ice.hold.store(0, Ordering::Release);
        futex(&ice.hold, libc::FUTEX_WAKE, 1);
        wait_for(&ice.frozen, 0);
    }
}

fn wait_for(word: &AtomicU32, value: u32) {
    for turn in 0_u32.. {
        if word.load(Ordering::Acquire) == value {
            return;
        }
        match turn % 256 {
            255 => std::thread::yield_now(),
            _ => hint::spin_loop(),
        }
    }
}

extern "C" fn wait_in_handler(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(ice) = ICE.get(PLACE.get()) else {
        return;
    };
    // SAFETY: `errno` is this thread's own; the interrupted code finds it as it left it.
    let errno = unsafe { *libc::__errno_location() };
    ice.at.store(instruction(context), Ordering::Relaxed);
    ice.frozen.store(1, Ordering::Release);
    while ice.hold.load(Ordering::Acquire) == 1 {
        futex(&ice.hold, libc::FUTEX_WAIT, 1);
    }
    ice.frozen.store(0, Ordering::Release);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

fn futex(word: &AtomicU32, operation: c_int, value: u32) {
    // SAFETY: the word is a static, aligned, and an atomic of the size that a futex has; no timeout is given.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation | libc::FUTEX_PRIVATE_FLAG,
            value,
            ptr::null::<libc::timespec>(),
        );
    }
}

/// The instruction at which the signal arrived; 0 where this file does not know the machine.
fn instruction(context: *mut c_void) -> usize {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel passes a valid context to a handler installed with `SA_SIGINFO`.
    #[cfg(target_arch = "x86_64")]
    return unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] as usize };
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    return unsafe { (*context).uc_mcontext.pc as usize };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return {
        let _ = context;
        0
    };
}
