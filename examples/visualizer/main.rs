//! Four breakers at work, live in the terminal: `cargo run --release --example visualizer --all-features`.
//!
//! Four dependencies on loopback, a breaker before each, and callers that never stop. Keys break and heal what is
//! selected, and so does `curl -X POST http://127.0.0.1:PORT/fail`: three failures open the breaker, and five seconds
//! later one success closes it.
//! Everything that is shown comes from the breakers' public face: `snapshot`, `totals`, `history`,
//! `open_for` and `settings`.
//! Where there is no terminal it prints lines instead.
//!
//! Exit status: 0; 1 if a claim of the demo was not kept; 2 if the picture could not be shown; 3 if a claim was not kept
//! and the machine was so busy that nothing follows.

#![forbid(unsafe_code)]

// The checkout example asks it more than this one does.
#[allow(dead_code)]
#[path = "../checkout/dependency.rs"]
mod dependency;
mod draw;
mod keys;
mod lines;
mod model;
mod options;
mod picture;
mod plant;
#[path = "../outage/pulse.rs"]
mod pulse;
mod screen;
mod script;
mod timeline;
mod track;
mod watch;
mod words;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::draw::{Colours, Letters, Paper};
use crate::keys::Wish;
use crate::model::View;
use crate::options::{Options, USAGE};
use crate::plant::Plant;
use crate::pulse::Pulse;
use crate::screen::Screen;
use crate::script::{Claim, Script};
use crate::watch::Watch;

/// How often the breakers are read and the picture is drawn.
const EVERY: Duration = Duration::from_millis(100);
/// Columns and rows of a picture that is written to a file.
const PICTURE: (u16, u16) = (100, 33);

fn main() -> ExitCode {
    // What is no text is refused as what it looks like, instead of with a panic.
    let arguments = std::env::args_os().skip(1).map(|given| given.to_string_lossy().into_owned());
    let options = match Options::parse(arguments) {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = io::stdout().write_all(USAGE.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            tell(&format!("visualizer: {complaint}\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let pulse = options.demo.then(Pulse::feel);
    match show(&options) {
        Ok(claims) if claims.iter().all(|claim| claim.kept) => ExitCode::SUCCESS,
        Ok(_) => match pulse.map(Pulse::read).filter(|beats| !beats.are_steady()) {
            None => ExitCode::from(1),
            Some(beats) => {
                tell(&format!("visualizer: no verdict, the machine is too busy: {beats}"));
                ExitCode::from(3)
            }
        },
        Err(complaint) => {
            tell(&format!("visualizer: {complaint}"));
            ExitCode::from(2)
        }
    }
}

/// Where it can't be said, the exit status still tells.
fn tell(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Shows the picture until it is over; gives the claims of a demo.
fn show(options: &Options) -> Result<Vec<Claim>, String> {
    let environment = |name: &str| std::env::var(name).ok();
    let paper = options::paper(options, environment);
    let watch = Watch::begin(Plant::start(options.port, options.rate)?);
    if !options.pictures.is_empty() {
        return take_pictures(watch, options).map(|()| Vec::new());
    }
    let mut run = Run {
        watch,
        script: options.demo.then(Script::demo),
        length: options.length,
        next: Instant::now(),
    };
    let lines = options.plain || !io::stdout().is_terminal() || options::is_dumb(environment);
    let shown = if lines { run.print() } else { run.watch(paper) };
    match shown {
        // Whoever read the lines has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Vec::new()),
        Err(error) => return Err(format!("the output: {error}")),
        Ok(()) => {}
    }
    let Some(script) = run.script else { return Ok(Vec::new()) };
    if !script.is_over(run.watch.board.now) {
        return Err("ended before the demo's claims could be checked".into());
    }
    let claims = script.claims();
    let mut text = String::new();
    for claim in &claims {
        text.push_str(if claim.kept { "ok      " } else { "BROKEN  " });
        text.push_str(&claim.text);
        text.push('\n');
    }
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(claims)
}

/// A picture in progress.
struct Run {
    watch: Watch,
    script: Option<Script>,
    length: Option<Duration>,
    next: Instant,
}

impl Run {
    /// Does what the script says now and reads the breakers; gives what has happened, and whether it is all over.
    fn tick(&mut self, view: &mut View) -> (Vec<model::Event>, bool) {
        let now = self.watch.board.now;
        while let Some(step) = self.script.as_mut().and_then(|script| script.due(now)) {
            self.watch.post(step.index, step.what);
            view.note = step.note;
        }
        let events = self.watch.read();
        let now = self.watch.board.now;
        let mut over = self.length.is_some_and(|length| now >= length);
        if let Some(script) = &mut self.script {
            script.look(&self.watch.board, &events);
            over |= script.is_over(now);
        }
        (events, over)
    }

    /// Time until the next tick. A tick that comes late is not made up for.
    fn patience(&mut self) -> Duration {
        let now = Instant::now();
        if self.next <= now {
            self.next = now + EVERY;
        }
        self.next - now
    }

    /// Draws in the terminal until a key, a signal, the script or the time ends it.
    fn watch(&mut self, paper: Paper) -> io::Result<()> {
        let mut screen = Screen::take()?;
        let mut view = View::default();
        // What was there when the picture was stopped.
        let mut stopped = None;
        while !screen.is_ended()? {
            let (_, over) = self.tick(&mut view);
            if over {
                return Ok(());
            }
            if !view.paused {
                stopped = None;
            } else if stopped.is_none() {
                stopped = Some(self.watch.board.clone());
            }
            let board = stopped.as_ref().unwrap_or(&self.watch.board);
            screen
                .draw(|frame| draw::draw(board, &view, paper, frame.area(), frame.buffer_mut()))?;

            let mut patience = self.patience();
            while let Some(event) = screen.event(patience)? {
                let breakers = self.watch.board.watched.len();
                match keys::take(&event, &mut view, breakers) {
                    None => {}
                    Some(Wish::Quit) => return Ok(()),
                    Some(Wish::Turn(index, position)) => self.watch.turn(index, position),
                    Some(Wish::Heal) => {
                        (0..breakers)
                            .for_each(|index| self.watch.turn(index, dependency::Position::Well));
                    }
                    Some(Wish::Draw) => {}
                }
                // A key is answered at once, after those that have come with it.
                patience = Duration::ZERO;
            }
        }
        Ok(())
    }

    /// Prints lines until the script or the time ends it, or the reader goes away.
    fn print(&mut self) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(lines::opening(&self.watch.board).as_bytes())?;
        let mut said = Duration::ZERO;
        loop {
            let (events, over) = self.tick(&mut View::default());
            let board = &self.watch.board;
            for event in &events {
                output.write_all(lines::event(board, event).as_bytes())?;
            }
            if board.now.as_secs() > said.as_secs() {
                said = board.now;
                output.write_all(lines::second(board).as_bytes())?;
            }
            if over {
                return output.flush();
            }
            thread::sleep(self.patience());
        }
    }
}

/// Watches a minute by script and writes what is then seen.
fn take_pictures(watch: Watch, options: &Options) -> Result<(), String> {
    tell("A minute passes before the picture is taken.");
    let mut run = Run { watch, script: Some(Script::minute()), length: None, next: Instant::now() };
    let mut view = View::default();
    while !run.tick(&mut view).1 {
        thread::sleep(run.patience());
    }
    let area = Rect::new(0, 0, PICTURE.0, PICTURE.1);
    let mut buffer = Buffer::empty(area);
    let paper = Paper { colours: Colours::Ansi, letters: Letters::Unicode };
    draw::draw(&run.watch.board, &view, paper, area, &mut buffer);
    for path in &options.pictures {
        let content = match path.extension().is_some_and(|end| end == "svg") {
            true => picture::svg(&buffer),
            false => picture::text(&buffer),
        };
        fs::write(path, content)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
