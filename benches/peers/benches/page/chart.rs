//! A plot of nanoseconds an operation on a logarithmic axis: one line a subject, quartiles as whiskers.

use std::fmt::Write;

use crate::support::Spread;

pub(crate) struct Chart {
    pub(crate) title: String,
    /// What the ticks are.
    pub(crate) axis: String,
    /// Evenly spaced, whatever they stand for.
    pub(crate) ticks: Vec<String>,
    pub(crate) lines: Vec<Line>,
    /// Whether to believe it.
    pub(crate) doubt: Option<&'static str>,
}

#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// One for each tick.
    pub(crate) points: Vec<Spread>,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 480.0;
/// Edges of the plot; to the right of it stand the names.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 60.0;
const FOOT: f64 = 420.0;
/// Between two names.
const LEADING: f64 = 15.0;
/// What a net cost of nothing is drawn as.
const FLOOR: f64 = 0.1;

/// Okabe and Ito's palette, which colour-blind readers can tell apart; after that the lines are dashed.
const COLOURS: [&str; 8] =
    ["#009e73", "#000000", "#d55e00", "#0072b2", "#cc79a7", "#56b4e9", "#e69f00", "#999933"];

impl Chart {
    pub(crate) fn svg(&self) -> String {
        let mut svg = String::new();
        let _ = write!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#333">
<title>{title}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>
<text x="{LEFT}" y="28" font-size="18" fill="#111">{title}</text>
<text x="{LEFT}" y="47">ns an operation, net of an empty loop; lower is better; whiskers are quartiles</text>
<text x="{LEFT}" y="{:.0}" fill="#d55e00">{}</text>
<text x="{:.0}" y="{:.0}" text-anchor="middle">{}</text>
"##,
            HEIGHT - 4.0,
            self.doubt.unwrap_or_default(),
            (LEFT + RIGHT) / 2.0,
            FOOT + 42.0,
            self.axis,
            title = self.title,
        );
        let scale = self.scale();
        self.grid(&mut svg, scale);
        for (index, line) in self.lines.iter().enumerate() {
            self.line(&mut svg, scale, index, line);
        }
        self.names(&mut svg, scale);
        svg.push_str("</svg>\n");
        svg
    }

    /// The decades that hold every point.
    fn scale(&self) -> Scale {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let lowest = points().map(|point| point.lower.max(FLOOR)).fold(f64::MAX, f64::min);
        let highest = points().map(|point| point.upper).fold(1.0, f64::max);
        Scale { low: lowest.min(highest).log10().floor(), high: highest.log10().ceil() }
    }

    fn x(&self, tick: usize) -> f64 {
        let gaps = self.ticks.len().saturating_sub(1).max(1);
        LEFT + 25.0 + (RIGHT - LEFT - 50.0) * tick as f64 / gaps as f64
    }

    fn grid(&self, svg: &mut String, scale: Scale) {
        for decade in scale.low as i32..=scale.high as i32 {
            let value = 10_f64.powi(decade);
            let y = scale.y(value);
            let _ = writeln!(
                svg,
                r##"<path d="M{LEFT},{y:.1}H{RIGHT}" stroke="#ccc" stroke-width="0.8"/><text x="{}" y="{:.1}" text-anchor="end">{value} ns</text>"##,
                LEFT - 6.0,
                y + 4.0
            );
        }
        for (tick, label) in self.ticks.iter().enumerate() {
            let _ = writeln!(
                svg,
                r##"<text x="{:.1}" y="{}" text-anchor="middle">{label}</text>"##,
                self.x(tick),
                FOOT + 20.0
            );
        }
    }

    fn line(&self, svg: &mut String, scale: Scale, index: usize, line: &Line) {
        let (mut path, mut marks) = (String::new(), String::new());
        for (tick, point) in line.points.iter().enumerate() {
            let (x, y) = (self.x(tick), scale.y(point.median));
            let _ = write!(path, "{}{x:.1},{y:.1}", if tick == 0 { 'M' } else { 'L' });
            let (lower, upper) = (scale.y(point.lower), scale.y(point.upper));
            let _ = write!(marks, "M{x:.1},{lower:.1}V{upper:.1}");
            let _ = write!(marks, "M{:.1},{y:.1}h5", x - 2.5);
        }
        let _ = writeln!(
            svg,
            r##"<g fill="none" stroke="{}"><path d="{path}" stroke-width="2"{}/><path d="{marks}" stroke-width="1"/><title>{}</title></g>"##,
            colour(index),
            dashes(index),
            line.name
        );
    }

    /// Each name as near to the end of its line as the others let it.
    fn names(&self, svg: &mut String, scale: Scale) {
        let mut ends: Vec<(f64, usize)> = self
            .lines
            .iter()
            .enumerate()
            .filter_map(|(index, line)| Some((scale.y(line.points.last()?.median), index)))
            .collect();
        ends.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut places: Vec<f64> = ends.iter().map(|end| end.0).collect();
        for index in 1..places.len() {
            places[index] = places[index].max(places[index - 1] + LEADING);
        }
        // What hangs over the foot moves up and pushes the others before it.
        let mut limit = FOOT + LEADING;
        for place in places.iter_mut().rev() {
            *place = place.min(limit - LEADING);
            limit = *place;
        }
        for ((end, index), place) in ends.into_iter().zip(places) {
            let _ = writeln!(
                svg,
                r##"<path d="M{:.1},{end:.1}L{:.1},{place:.1}" stroke="{colour}" stroke-width="0.6" fill="none"/><path d="M{:.1},{place:.1}h18" stroke="{colour}" stroke-width="2"{}/><text x="{:.1}" y="{:.1}">{}</text>"##,
                self.x(self.ticks.len() - 1) + 4.0,
                RIGHT + 8.0,
                RIGHT + 8.0,
                dashes(index),
                RIGHT + 31.0,
                place + 4.0,
                self.lines[index].name,
                colour = colour(index),
            );
        }
    }
}

/// Powers of ten at the foot and at the top.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn y(self, nanos: f64) -> f64 {
        let share = (nanos.max(FLOOR).log10() - self.low) / (self.high - self.low).max(1.0);
        FOOT - share.clamp(0.0, 1.0) * (FOOT - TOP)
    }
}

fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

fn dashes(index: usize) -> &'static str {
    match index / COLOURS.len() {
        0 => "",
        _ => r#" stroke-dasharray="5 3""#,
    }
}
