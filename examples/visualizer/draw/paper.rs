//! What the picture is drawn with: signs that a terminal has, inks where it has colours, and a pen that stays inside.

use failfast::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paper {
    pub(crate) colours: Colours,
    pub(crate) letters: Letters,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colours {
    Ansi,
    None,
}

/// Which signs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letters {
    Unicode,
    Ascii,
}

/// What a text is for, which decides how it looks. Nothing is said by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Strong,
    Faint,
    Good,
    Warning,
    Bad,
    /// What is chosen.
    Chosen,
}

impl Paper {
    /// The sixteen colours of the terminal's own palette, which its owner has chosen to be readable.
    pub(crate) fn style(self, ink: Ink) -> Style {
        let plain = Style::new();
        let coloured = |colour| match self.colours {
            Colours::Ansi => plain.fg(colour),
            Colours::None => plain,
        };
        match ink {
            Ink::Plain => plain,
            Ink::Strong => plain.add_modifier(Modifier::BOLD),
            Ink::Faint => plain.add_modifier(Modifier::DIM),
            Ink::Good => coloured(Color::Green),
            Ink::Warning => coloured(Color::Yellow),
            Ink::Bad => coloured(Color::Red),
            Ink::Chosen => coloured(Color::Cyan).add_modifier(Modifier::BOLD),
        }
    }

    /// The sign that the letters have.
    pub(crate) fn sign(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.letters {
            Letters::Unicode => unicode,
            Letters::Ascii => ascii,
        }
    }

    /// The sign of a state, on the timeline and beside its name: the taller, the fewer calls get through.
    pub(crate) fn state(self, state: State) -> (&'static str, Ink) {
        match state {
            State::Closed => (self.sign("▁", "_"), Ink::Good),
            State::HalfOpen => (self.sign("▄", "?"), Ink::Warning),
            State::Open => (self.sign("█", "#"), Ink::Bad),
            State::ForcedOpen => (self.sign("▓", "X"), Ink::Bad),
            State::Disabled => (self.sign("╌", "-"), Ink::Faint),
            State::MetricsOnly => (self.sign("░", "m"), Ink::Chosen),
        }
    }

    /// A level from 0 to 1, in eighths of a cell or in signs that look as tall. Anything above 0 is to be seen.
    pub(crate) fn level(self, level: f64) -> &'static str {
        const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
        const LETTERS: [&str; 9] = [" ", "_", "_", ".", ".", "-", "=", "#", "#"];
        let eighths = match (level.clamp(0.0, 1.0) * 8.0).round() as usize {
            0 if level > 0.0 => 1,
            eighths => eighths.min(8),
        };
        self.sign(EIGHTHS[eighths], LETTERS[eighths])
    }
}

/// Writes into an area and never beyond it, wherever it is told to.
pub(crate) struct Pen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    pub(crate) paper: Paper,
}

impl<'a> Pen<'a> {
    pub(crate) fn new(buffer: &'a mut Buffer, area: Rect, paper: Paper) -> Pen<'a> {
        let area = area.intersection(buffer.area);
        Pen { buffer, area, paper }
    }

    /// A pen for a part of this one's area, given as from its corner.
    pub(crate) fn part(&mut self, x: u16, y: u16, width: u16, height: u16) -> Pen<'_> {
        let part = Rect {
            x: self.area.x.saturating_add(x),
            y: self.area.y.saturating_add(y),
            width,
            height,
        };
        let area = part.intersection(self.area);
        Pen { buffer: self.buffer, area, paper: self.paper }
    }

    pub(crate) fn width(&self) -> u16 {
        self.area.width
    }

    pub(crate) fn height(&self) -> u16 {
        self.area.height
    }

    /// Writes as much of `text` as there is room for; gives the column after it.
    pub(crate) fn put(&mut self, x: u16, y: u16, text: &str, ink: Ink) -> u16 {
        if x >= self.area.width || y >= self.area.height {
            return x;
        }
        let room = usize::from(self.area.width - x);
        let (x, y) = (self.area.x + x, self.area.y + y);
        let style = self.paper.style(ink);
        let (end, _) = self.buffer.set_stringn(x, y, text, room, style);
        end - self.area.x
    }

    /// Writes pieces one after another; gives the column after them.
    pub(crate) fn row(&mut self, x: u16, y: u16, pieces: &[(&str, Ink)]) -> u16 {
        pieces.iter().fold(x, |x, (text, ink)| self.put(x, y, text, *ink))
    }

    /// Writes `text` so that it ends before column `end`.
    pub(crate) fn put_before(&mut self, end: u16, y: u16, text: &str, ink: Ink) {
        let width = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
        self.put(end.saturating_sub(width), y, text, ink);
    }

    /// Blanks the area.
    pub(crate) fn clear(&mut self) {
        for position in self.area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// A frame around the area.
    pub(crate) fn frame(&mut self, title: &str) {
        let (width, height) = (self.area.width, self.area.height);
        let (right, bottom) = (width.saturating_sub(1), height.saturating_sub(1));
        let (across, down) = (self.paper.sign("─", "-"), self.paper.sign("│", "|"));
        for y in 0..height {
            self.put(0, y, down, Ink::Faint);
            self.put(right, y, down, Ink::Faint);
        }
        for (y, corners) in [(0, ["╭", "╮"]), (bottom, ["╰", "╯"])] {
            self.put(0, y, &across.repeat(usize::from(width)), Ink::Faint);
            self.put(0, y, self.paper.sign(corners[0], "+"), Ink::Faint);
            self.put(right, y, self.paper.sign(corners[1], "+"), Ink::Faint);
        }
        self.put(2, 0, &format!(" {title} "), Ink::Strong);
    }
}
