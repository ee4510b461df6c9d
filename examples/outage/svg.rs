//! The same plot as a picture: two panels over one axis of time, the outage shaded, the breaker's states below.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use failfast::State;

use crate::guard;
use crate::load::{Answer, Record};
use crate::measure::Run;
use crate::plot::{decade_labels, height};
use crate::scenario::{self, Health};

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 660.0;
/// Left and right edges of the panels.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 975.0;
/// Top edge of each panel.
const TOPS: [f64; 2] = [100.0, 355.0];
const PANEL: f64 = 210.0;
/// Top edge and height of the strip of states.
const STRIP: (f64, f64) = (585.0, 22.0);

/// The answers with their names and colours: Okabe and Ito's palette, which colour-blind readers can tell apart.
const LEGEND: [(Answer, &str, &str); 6] = [
    (Answer::Served, "served", "#009e73"),
    (Answer::Refused, "refused by the breaker", "#0072b2"),
    (Answer::GivenUp, "given up in the queue", "#56b4e9"),
    (Answer::Late, "answered too late", "#e69f00"),
    (Answer::Failed, "failed", "#d55e00"),
    (Answer::TimedOut, "timed out", "#cc79a7"),
];

/// Writes the picture to `path`, making its folder.
///
/// # Errors
///
/// When the folder or the file cannot be written.
pub(crate) fn write(run: &Run, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, picture(run))
}

fn picture(run: &Run) -> String {
    let mut svg = String::new();
    let _ = write!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#333">
<title>Latency over time, without and with a circuit breaker</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
<text x="{LEFT}" y="28" font-size="18" fill="#111">One outage, the same load: latency from the scheduled arrival</text>
"##
    );
    legend(&mut svg);
    for (index, title) in ["no breaker", "guarded by failfast"].into_iter().enumerate() {
        panel(&mut svg, title, TOPS[index], &run.sides[index].records);
    }
    strip(&mut svg, run);
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String) {
    let mut x = LEFT + 6.0;
    for (_, name, colour) in LEGEND {
        let _ = writeln!(
            svg,
            r##"<circle cx="{x:.0}" cy="52" r="5" fill="{colour}"/><text x="{:.0}" y="56">{name}</text>"##,
            x + 10.0
        );
        // Letters of this size are about six and a half wide.
        x += 34.0 + 6.5 * name.len() as f64;
    }
}

fn panel(svg: &mut String, title: &str, top: f64, records: &[Record]) {
    let foot = top + PANEL;
    for (begin, phase) in scenario::schedule() {
        let (from, to) = (x(begin), x(begin + phase.length));
        let shade = match phase.health {
            Health::Healthy => "#f4faf7",
            Health::Failing => "#fdf6e3",
            Health::Hanging | Health::Down => "#fbe9e4",
        };
        let _ = writeln!(
            svg,
            r##"<rect x="{from:.1}" y="{top}" width="{:.1}" height="{PANEL}" fill="{shade}"/><text x="{:.1}" y="{}" fill="#777">{}</text>"##,
            to - from,
            from + 5.0,
            // At the foot, where fewer dots lie than at the top.
            foot - 6.0,
            phase.name
        );
    }
    for (share, label) in decade_labels() {
        let y = foot - share * PANEL;
        let _ = writeln!(
            svg,
            r##"<path d="M{LEFT},{y:.1}H{RIGHT}" stroke="#ccc" stroke-width="0.6"/><text x="{}" y="{:.1}" text-anchor="end">{label}</text>"##,
            LEFT - 6.0,
            y + 4.0
        );
    }
    let _ = writeln!(
        svg,
        r##"<text x="{LEFT}" y="{}" font-size="14" font-weight="bold" fill="#111">{title}</text>"##,
        top - 7.0
    );
    // One path for each kind of answer, a dot for each place: some ten thousand requests stay a small file.
    for (answer, _, colour) in LEGEND {
        let mut dots: Vec<(i64, i64)> = records
            .iter()
            .filter(|record| record.answer == answer)
            .map(|record| {
                let y = foot - height(record.latency) * PANEL;
                (x(record.arrival).round() as i64, y.round() as i64)
            })
            .collect();
        dots.sort_unstable();
        dots.dedup();
        if dots.is_empty() {
            continue;
        }
        let path: String = dots.iter().map(|(x, y)| format!("M{x},{y}h0")).collect();
        let _ = writeln!(
            svg,
            r##"<path d="{path}" stroke="{colour}" stroke-width="3" stroke-linecap="round" stroke-opacity="0.75"/>"##
        );
    }
}

fn strip(svg: &mut String, run: &Run) {
    let (top, tall) = STRIP;
    let _ = writeln!(
        svg,
        r##"<text x="{}" y="{}" text-anchor="end">breaker</text>"##,
        LEFT - 6.0,
        top + 15.0
    );
    for (begin, end, state) in guard::spans(&run.diary, scenario::length()) {
        let colour = match state {
            State::Closed => "#009e73",
            State::HalfOpen => "#e69f00",
            _ => "#d55e00",
        };
        let (from, to) = (x(begin), x(end));
        let _ = writeln!(
            svg,
            r##"<rect x="{from:.2}" y="{top}" width="{:.2}" height="{tall}" fill="{colour}"><title>{state} from {:.3} s to {:.3} s</title></rect>"##,
            // A state of a millisecond is still to be seen.
            (to - from).max(0.8),
            begin.as_secs_f64(),
            end.as_secs_f64()
        );
    }
    let mut at = LEFT + 6.0;
    let row = top + tall + 40.0;
    for (name, colour) in [("closed", "#009e73"), ("open", "#d55e00"), ("half-open", "#e69f00")] {
        let _ = writeln!(
            svg,
            r##"<rect x="{:.0}" y="{:.0}" width="10" height="10" fill="{colour}"/><text x="{:.0}" y="{row:.0}">{name}</text>"##,
            at - 5.0,
            row - 9.0,
            at + 10.0
        );
        at += 34.0 + 6.5 * name.len() as f64;
    }
    for second in (0..=scenario::length().as_secs()).step_by(2) {
        let _ = writeln!(
            svg,
            r##"<text x="{:.1}" y="{}" text-anchor="middle">{second} s</text>"##,
            x(Duration::from_secs(second)),
            top + tall + 16.0
        );
    }
}

fn x(at: Duration) -> f64 {
    let share = at.as_secs_f64() / scenario::length().as_secs_f64();
    LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
}
