//! A strict reader of the two texts that Prometheus scrapes: it accepts what the formats demand, and nothing that they merely tolerate.

use std::collections::BTreeSet;

/// A family, as its description and its samples say.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) unit: Option<String>,
    pub(crate) help: String,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) value: f64,
}

/// Everything that a scrape answered.
#[derive(Debug)]
pub(crate) struct Exposition {
    pub(crate) families: Vec<Family>,
}

impl Exposition {
    /// Reads OpenMetrics.
    pub(crate) fn openmetrics(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix("# EOF\n").ok_or("does not end in an end mark")?;
        let families = read(body)?;
        for family in &families {
            let suffix = if family.kind == "counter" { "_total" } else { "" };
            check(family, suffix)?;
            if family.name.ends_with("_total") {
                return Err(format!("{}: the family's name has the samples' suffix", family.name));
            }
        }
        Ok(Exposition { families })
    }

    /// Reads the classic text.
    pub(crate) fn classic(text: &str) -> Result<Self, String> {
        let families = read(text)?;
        for family in &families {
            check(family, "")?;
            if (family.kind == "counter") != family.name.ends_with("_total") {
                return Err(format!("{}: _total is for counters", family.name));
            }
            if family.unit.is_some() {
                return Err(format!("{}: no units in this format", family.name));
            }
        }
        Ok(Exposition { families })
    }

    /// The value of the sample that has exactly these labels, in any order.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let wanted: BTreeSet<(&str, &str)> = labels.iter().copied().collect();
        self.samples().find_map(|sample| {
            let found = sample.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            (sample.name == name && found.collect::<BTreeSet<_>>() == wanted)
                .then_some(sample.value)
        })
    }

    pub(crate) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.families.iter().flat_map(|family| &family.samples)
    }
}

/// Reads families and their samples; what is wrong in either format is refused here.
fn read(text: &str) -> Result<Vec<Family>, String> {
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines() {
        let wrong = |why: &str| format!("{why}: {line:?}");
        if let Some(described) = line.strip_prefix("# HELP ") {
            let (name, help) = described.split_once(' ').ok_or_else(|| wrong("no help"))?;
            if families.iter().any(|family| family.name == name) {
                return Err(wrong("a family twice"));
            }
            families.push(Family {
                name: metric_name(name)?,
                kind: String::new(),
                unit: None,
                help: help.into(),
                samples: Vec::new(),
            });
            continue;
        }
        let family = families.last_mut().ok_or_else(|| wrong("nothing described yet"))?;
        if let Some(described) = line.strip_prefix("# ") {
            let words: Vec<&str> = described.split(' ').collect();
            if !family.samples.is_empty() {
                return Err(wrong("described after its samples"));
            }
            match words[..] {
                ["TYPE", name, kind] if name == family.name && family.kind.is_empty() => {
                    family.kind = kind.into();
                }
                ["UNIT", name, unit] if name == family.name && family.unit.is_none() => {
                    family.unit = Some(unit.into());
                }
                _ => return Err(wrong("no such description here")),
            }
        } else {
            let sample = sample(line).map_err(|why| wrong(&why))?;
            family.samples.push(sample);
        }
    }
    Ok(families)
}

fn check(family: &Family, suffix: &str) -> Result<(), String> {
    let name = &family.name;
    let wrong = |why: &str| Err(format!("{name}: {why}"));
    if !["counter", "gauge"].contains(&family.kind.as_str()) {
        return wrong("neither counter nor gauge");
    }
    if family.help.is_empty() || !family.help.ends_with('.') {
        return wrong("its help is no sentence");
    }
    if family.unit.as_ref().is_some_and(|unit| !name.ends_with(&format!("_{unit}"))) {
        return wrong("its unit is not in its name");
    }
    if family.samples.is_empty() {
        return wrong("no samples");
    }
    let mut seen = BTreeSet::new();
    for sample in &family.samples {
        if sample.name != format!("{name}{suffix}") {
            return wrong(&format!("has a sample of {}", sample.name));
        }
        let mut labels = sample.labels.clone();
        labels.sort();
        if !seen.insert(labels) {
            return wrong(&format!("a series twice: {sample:?}"));
        }
        if family.kind == "counter" && !(sample.value >= 0.0 && sample.value.is_finite()) {
            return wrong(&format!("no count: {sample:?}"));
        }
    }
    Ok(())
}

fn metric_name(name: &str) -> Result<String, String> {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let goes_on = name.chars().all(|next| next.is_ascii_alphanumeric() || next == '_');
    match starts && goes_on {
        true => Ok(name.into()),
        false => Err(format!("no name of a metric or label: {name:?}")),
    }
}

/// `name{key="value",..} number`, with exactly these spaces.
fn sample(line: &str) -> Result<Sample, String> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (key, after) = rest.split_once("=\"").ok_or("a label without a value")?;
            let (value, after) = quoted(after)?;
            if labels.iter().any(|(known, _)| known == key) {
                return Err(format!("the label {key} twice"));
            }
            labels.push((metric_name(key)?, value));
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => {
                    rest = after.strip_prefix('}').ok_or("labels without an end")?;
                    break;
                }
            }
        }
    }
    let number = rest.strip_prefix(' ').ok_or("no space before the value")?;
    let value = number.parse().map_err(|_| format!("no number: {number:?}"))?;
    Ok(Sample { name: metric_name(name)?, labels, value })
}

/// A label's value up to its closing quote, and what follows.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, same @ ('\\' | '"'))) => value.push(same),
                other => return Err(format!("no such escape: {other:?}")),
            },
            _ => value.push(character),
        }
    }
    Err("a label's value without an end".into())
}

#[test]
fn the_reader_refuses_what_the_formats_do_not_allow() {
    let good = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"\\\\ \\\" \\n\"} 1\n";
    let read = Exposition::classic(good).expect("a good text");
    assert_eq!(read.value("a_total", &[("x", "\\ \" \n")]), Some(1.0));
    let head = "# HELP a A.\n# TYPE a gauge\n";
    let bad = [
        "a 1\n".to_owned(),
        head.to_owned(),
        format!("{head}a 1"),
        format!("{head}a one\n"),
        format!("{head}b 1\n"),
        format!("{head}a 1\na 1\n"),
        format!("{head}a 1\n{head}a 2\n"),
        format!("{head}a{{x=\"1\",x=\"2\"}} 1\n"),
        format!("{head}a{{x=\"1}} 1\n"),
        format!("{head}a{{x=\"\\t\"}} 1\n"),
        format!("{head}a{{x=\"a\"b\"}} 1\n"),
        format!("{head}a{{1x=\"1\"}} 1\n"),
        format!("{head}a{{}} 1\n"),
        format!("{head}a 1\n# TYPE a gauge\n"),
        good.replace("a_total", "a"),
        good.replace("A.", "A"),
        good.replace("} 1", "} -1"),
        good.replace("} 1", "} NaN"),
        format!("{good}# EOF\n"),
    ];
    for text in bad {
        assert!(Exposition::classic(&text).is_err(), "{text}");
    }
    assert!(Exposition::openmetrics(&format!("{good}# EOF\n")).is_err(), "the family has _total");
    assert!(Exposition::openmetrics(&format!("{head}a 1\n")).is_err(), "no end mark");
}
