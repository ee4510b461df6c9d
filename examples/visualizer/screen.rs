//! The terminal: taken over for the picture, and given back however the program ends.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;
use std::{panic, process, thread};

use ratatui::crossterm::event::{self, Event};
use ratatui::{DefaultTerminal, Frame};

/// How soon a signal is seen by who ends a program that is held up, and how long that one then has to end by itself.
const LOOK: Duration = Duration::from_millis(250);
const GRACE: Duration = Duration::from_secs(1);

/// A screen of its own, without echo. Dropping it gives the old one back.
pub(crate) struct Screen {
    terminal: DefaultTerminal,
    ended: Arc<AtomicBool>,
    panicked: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// A panic on whatever thread gives it back before it speaks, and so does a signal that asks to end.
    ///
    /// # Errors
    ///
    /// As the terminal says; it is then as it was.
    pub(crate) fn take() -> io::Result<Screen> {
        let ended = Arc::new(AtomicBool::new(false));
        for signal in signals() {
            signal_hook::flag::register(signal, Arc::clone(&ended))?;
        }
        end_in_time(Arc::clone(&ended))?;
        let panicked = Arc::new(AtomicBool::new(false));
        let before = panic::take_hook();
        let noted = Arc::clone(&panicked);
        panic::set_hook(Box::new(move |info| {
            noted.store(true, Ordering::Relaxed);
            before(info);
        }));
        // Its hook gives the terminal back and then calls the one above.
        match ratatui::try_init() {
            Ok(terminal) => Ok(Screen { terminal, ended, panicked }),
            Err(error) => {
                let _ = ratatui::try_restore();
                Err(error)
            }
        }
    }

    /// Whether a signal has asked to end.
    ///
    /// # Errors
    ///
    /// When a thread has panicked: the terminal is no longer ours to draw on.
    pub(crate) fn is_ended(&self) -> io::Result<bool> {
        if self.panicked.load(Ordering::Relaxed) {
            return Err(io::Error::other("a thread has panicked"));
        }
        Ok(self.ended.load(Ordering::Relaxed))
    }

    /// Draws; only cells that have changed are sent.
    pub(crate) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(picture).map(drop)
    }

    /// The next key or change of size, if one comes within `patience`.
    pub(crate) fn event(&self, patience: Duration) -> io::Result<Option<Event>> {
        match event::poll(patience) {
            Ok(true) => event::read().map(Some),
            Ok(false) => Ok(None),
            // A signal has come; whoever asks next sees what it wanted.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = self.terminal.show_cursor();
        // After a panic the terminal has been given back; doing so again would put the cursor over what was said of it.
        if !self.panicked.load(Ordering::Relaxed) {
            let _ = ratatui::try_restore();
        }
    }
}

/// Ends the program a while after a signal has asked for it, wherever it is then.
///
/// A terminal that takes no more holds up who draws on it. One that has gone (its window was closed) holds up who asks for
/// its keys: crossterm reads the end of file again and again, and would take a core for ever.
fn end_in_time(ended: Arc<AtomicBool>) -> io::Result<()> {
    let end = move || {
        while !ended.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
        }
        thread::sleep(GRACE);
        process::exit(2);
    };
    thread::Builder::new().name("end".into()).spawn(end).map(drop)
}

/// Signals that ask to end. Ctrl-C is a key while the terminal is taken, but the signal can still be sent.
fn signals() -> Vec<i32> {
    let mut signals = vec![signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT];
    #[cfg(unix)]
    signals.push(signal_hook::consts::SIGHUP);
    signals
}
