//! The two texts that a scraper may ask for.

use core::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// How the metrics are written: the client writes OpenMetrics, and older scrapers and `promtool` read the classic text.
///
/// The two differ in the names of the families of counters, which in OpenMetrics are without `_total`, and in what is
/// left out of the older: exemplars, units, the end mark. Samples are the same.
///
/// ```
/// use failfast::prometheus::Format;
/// use prometheus_client::{metrics::counter::Counter, registry::Registry};
///
/// let mut metrics = Registry::default();
/// metrics.register("orders", "Orders taken", Counter::<u64>::default());
///
/// let curl = Format::asked_for("*/*");
/// assert_eq!(
///     curl.encode(&metrics)?,
///     "# HELP orders_total Orders taken.\n# TYPE orders_total counter\norders_total 0\n"
/// );
/// let server = Format::asked_for("application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1");
/// assert_eq!(
///     server.encode(&metrics)?,
///     "# HELP orders Orders taken.\n# TYPE orders counter\norders_total 0\n# EOF\n"
/// );
/// # Ok::<(), core::fmt::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text 0.0.4, which everything reads.
    Text,
}

impl Format {
    /// The one that fits a request's `Accept` header; pass `""` where there is none.
    ///
    /// OpenMetrics where it is named with no less weight than the plain text, otherwise the text.
    pub fn asked_for(accept: &str) -> Format {
        let openmetrics = weight(accept, "application/openmetrics-text");
        match openmetrics > 0.0 && openmetrics >= weight(accept, "text/plain") {
            true => Format::OpenMetrics,
            false => Format::Text,
        }
    }

    /// The answer's `Content-Type`, without which a scraper may take one text for the other.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// All metrics of the client's registry as text.
    ///
    /// # Errors
    ///
    /// Those of the collectors that are registered; the one here has none.
    pub fn encode(self, metrics: &Registry) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, metrics)?;
        Ok(match self {
            Format::OpenMetrics => text,
            Format::Text => classic(&text),
        })
    }
}

/// The highest weight that the header gives to a type by its name; 0 where it does not name it.
fn weight(accept: &str, wanted: &str) -> f32 {
    let weights = accept.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next().filter(|name| name.eq_ignore_ascii_case(wanted))?;
        let given = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        given.map_or(Some(1.0), |weight| weight.parse().ok())
    });
    weights.fold(0.0, f32::max)
}

/// The same in the classic text.
fn classic(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    // The help of a family comes before its type, which decides the family's name.
    let mut help = "";
    for line in openmetrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ').map_or("", |(_, words)| words);
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap_or((typed, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                _ => ("", kind),
            };
            text += &format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') {
            text.push_str(&line[..end_of_value(line)]);
            text.push('\n');
        }
    }
    text
}

/// Where a sample ends and its exemplar, if it has one, begins: at the first `#` outside the quotes.
fn end_of_value(line: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in line.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'#' if !quoted => return line[..at].trim_end().len(),
            _ => {}
        }
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::exemplar::CounterWithExemplar;
    use prometheus_client::metrics::histogram::Histogram;
    use prometheus_client::metrics::info::Info;

    use super::*;

    #[test]
    fn a_scraper_gets_what_it_prefers_and_otherwise_the_text() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,\
            application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.1";
        for accept in [prometheus_2, prometheus_3, "Application/OpenMetrics-Text ; q=0.1"] {
            assert_eq!(Format::asked_for(accept), Format::OpenMetrics, "{accept}");
        }
        let text = [
            "",
            "*/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/plain, application/openmetrics-text;q=0.5",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=much",
            ",;,q=1;=",
        ];
        for accept in text {
            assert_eq!(Format::asked_for(accept), Format::Text, "{accept}");
        }
        assert!(Format::OpenMetrics
            .content_type()
            .starts_with("application/openmetrics-text; version=1.0.0;"));
        assert!(Format::Text.content_type().starts_with("text/plain; version=0.0.4;"));
    }

    #[test]
    fn the_classic_text_keeps_every_sample_and_drops_what_it_has_no_words_for() {
        let mut metrics = Registry::default();
        let orders = CounterWithExemplar::<Vec<(String, String)>>::default();
        orders.inc_by(3, Some(vec![("trace".into(), "# 7".into())]), None);
        metrics.register("orders", "Orders taken", orders);
        let latency = Histogram::new([0.5]);
        latency.observe(0.25);
        metrics.register("latency", "Latency", latency);
        metrics.register("build", "Build", Info::new([("line", "odd \" # \\")]));

        let expected = concat!(
            "# HELP orders_total Orders taken.\n# TYPE orders_total counter\norders_total 3\n",
            "# HELP latency Latency.\n# TYPE latency histogram\n",
            "latency_sum 0.25\nlatency_count 1\n",
            "latency_bucket{le=\"0.5\"} 1\nlatency_bucket{le=\"+Inf\"} 1\n",
            "# HELP build_info Build.\n# TYPE build_info gauge\n",
            "build_info{line=\"odd \\\" # \\\\\"} 1\n",
        );
        assert_eq!(Format::Text.encode(&metrics).unwrap(), expected);
    }

    #[test]
    fn a_type_that_is_not_known_is_untyped() {
        let text = classic("# HELP load Load.\n# TYPE load unknown\nload 1\n# EOF\n");
        assert_eq!(text, "# HELP load Load.\n# TYPE load untyped\nload 1\n");
    }
}
