//! Bars: a window of outcomes, a rate against its limit, a wait that runs out.

use super::paper::{Ink, Pen};

/// What became of the calls in a window: each is in one of the three.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) well: u64,
    /// Slow, and succeeded.
    pub(crate) slow: u64,
    /// Slow or not.
    pub(crate) failed: u64,
}

impl Outcomes {
    pub(crate) fn calls(&self) -> u64 {
        self.well.saturating_add(self.slow).saturating_add(self.failed)
    }
}

/// The signs of the outcomes, as the timeline's: the taller, the worse.
pub(crate) fn signs(pen: &Pen<'_>) -> [(&'static str, Ink); 4] {
    let paper = pen.paper;
    [
        (paper.sign("▂", "o"), Ink::Good),
        (paper.sign("▅", "s"), Ink::Warning),
        (paper.sign("█", "x"), Ink::Bad),
        (paper.sign("·", "."), Ink::Faint),
    ]
}

/// Draws a window with room for `size` calls: a cell a call where they fit, and in proportion where not.
pub(crate) fn window(outcomes: Outcomes, size: u64, x: u16, y: u16, width: u16, pen: &mut Pen<'_>) {
    let empty = size.saturating_sub(outcomes.calls());
    let parts = [outcomes.well, outcomes.slow, outcomes.failed, empty];
    let width = u16::try_from(size).map_or(width, |size| size.min(width));
    let mut x = x;
    for (cells, (sign, ink)) in shares(parts, width).into_iter().zip(signs(pen)) {
        x = pen.put(x, y, &sign.repeat(usize::from(cells)), ink);
    }
}

/// Shares out `width` cells among parts, as evenly as can be, such that no part that is there goes without a cell.
pub(crate) fn shares<const N: usize>(parts: [u64; N], width: u16) -> [u16; N] {
    let total: u128 = parts.iter().map(|&part| u128::from(part)).sum();
    let mut cells = [0; N];
    if total == 0 {
        return cells;
    }
    let of_width = |part: u64| u128::from(part) * u128::from(width);
    for (cell, &part) in cells.iter_mut().zip(&parts) {
        let whole = u16::try_from(of_width(part) / total).unwrap_or(width);
        *cell = whole.max(u16::from(part > 0));
    }
    // What rounding has left goes to the parts that lost most by it; what the small ones were given, the largest pay.
    let mut by_loss: Vec<usize> = (0..N).filter(|&index| parts[index] > 0).collect();
    by_loss.sort_by_key(|&index| std::cmp::Reverse(of_width(parts[index]) % total));
    let mut turn = by_loss.iter().cycle();
    loop {
        let sum: u16 = cells.iter().sum();
        if sum == width {
            return cells;
        }
        let index = match sum < width {
            true => turn.next().copied(),
            false => (0..N).max_by_key(|&index| cells[index]),
        };
        match index {
            Some(index) if sum < width => cells[index] += 1,
            Some(index) => cells[index] -= 1,
            None => return cells,
        }
    }
}

/// Draws a rate from 0 to 1 and the mark of its limit. `None` is a rate that cannot be told yet.
pub(crate) fn gauge(rate: Option<f64>, limit: f64, x: u16, y: u16, width: u16, pen: &mut Pen<'_>) {
    let paper = pen.paper;
    let cells = |share: f64| (share.clamp(0.0, 1.0) * f64::from(width)) as u16;
    let mark = cells(limit).min(width.saturating_sub(1));
    let filled = match rate {
        Some(rate) if rate > 0.0 => cells(rate).max(1),
        _ => 0,
    };
    let ink = against(rate, limit);
    for cell in 0..width {
        let (sign, ink) = match cell {
            _ if cell == mark => (paper.sign("┃", "|"), Ink::Strong),
            _ if cell < filled => (paper.sign("━", "="), ink),
            _ => (paper.sign("─", "-"), Ink::Faint),
        };
        pen.put(x + cell, y, sign, ink);
    }
}

/// The ink of a rate: a warning from two thirds of the limit on.
pub(crate) fn against(rate: Option<f64>, limit: f64) -> Ink {
    match rate {
        Some(rate) if rate >= limit => Ink::Bad,
        Some(rate) if rate * 1.5 >= limit => Ink::Warning,
        Some(_) => Ink::Good,
        None => Ink::Faint,
    }
}

/// Draws what is left of a wait, in eighths of a cell where the letters have them.
pub(crate) fn wait(left: f64, x: u16, y: u16, width: u16, pen: &mut Pen<'_>) {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (left.clamp(0.0, 1.0) * f64::from(width) * 8.0).ceil() as u16;
    let (whole, part) = (eighths / 8, usize::from(eighths % 8));
    let full = pen.paper.sign("█", "#").repeat(usize::from(whole));
    let end = pen.put(x, y, &full, Ink::Bad);
    let end =
        pen.put(end, y, pen.paper.sign(EIGHTHS[part], if part > 0 { "#" } else { "" }), Ink::Bad);
    let rest = usize::from((x + width).saturating_sub(end));
    pen.put(end, y, &pen.paper.sign("·", ".").repeat(rest), Ink::Faint);
}
