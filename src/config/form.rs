//! How settings are written in a file: serde's side of the data types.
//!
//! Whatever is expected here is said in the words of an error's `allowed`. A key that is there has a value: `null` is
//! refused, so that a setting is left out in one way only.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::entry::{Rule, SlowCall};
use super::time;
use crate::breaker::choices::Span;
use crate::breaker::config::HalfOpenKind;
use crate::breaker::{HalfOpen, OpenWait, Window};

const COUNT: &str = "a whole number from 1 to 4294967295";
const RATE: &str = "a rate above 0 to 1";
const NUMBER: &str = "a number";
const OFF: &str = "off";

// ===== plain values =====

/// A whole number.
struct Count;

impl Visitor<'_> for Count {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(COUNT)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u32, E> {
        let unexpected = Unexpected::Unsigned(value);
        u32::try_from(value).map_err(|_| E::invalid_value(unexpected, &self))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u32, E> {
        let unexpected = Unexpected::Signed(value);
        u32::try_from(value).map_err(|_| E::invalid_value(unexpected, &self))
    }
}

/// A number, and what is said of it.
struct Number(&'static str);

impl Visitor<'_> for Number {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }
}

pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    deserializer.deserialize_u32(Count)
}

pub(super) fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    deserializer.deserialize_f64(Number(RATE))
}

pub(super) fn some_count<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    count(deserializer).map(Some)
}

fn some_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    deserializer.deserialize_f64(Number(NUMBER)).map(Some)
}

pub(super) fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

pub(super) fn some_flag<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<bool>, D::Error> {
    struct Flag;

    impl Visitor<'_> for Flag {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true or false")
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }
    }

    deserializer.deserialize_bool(Flag).map(Some)
}

pub(super) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Name;

    impl Visitor<'_> for Name {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of a template")
        }

        fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
            Ok(name.to_owned())
        }
    }

    deserializer.deserialize_str(Name).map(Some)
}

/// For `#[serde(with = "some_time")]`.
pub(super) mod some_time {
    use super::*;

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        time::deserialize(deserializer).map(Some)
    }

    pub(in crate::config) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => time::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }
}

/// What is allowed where a key that must be there is missing.
#[cfg(any(feature = "toml", feature = "json", feature = "yaml"))]
pub(super) fn allowed(key: &str) -> &'static str {
    match key {
        "calls" | "max_concurrent" => COUNT,
        "rate" => RATE,
        _ => time::ALLOWED,
    }
}

// ===== rules =====

/// What a rule has for a limit.
trait Limit: Sized {
    const ALLOWED: &'static str;

    fn of_number<E: Error>(number: f64) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Float(number), &Self::ALLOWED))
    }

    fn of_count<E: Error>(number: u64) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Unsigned(number), &Self::ALLOWED))
    }

    fn of_map<'de, A: MapAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Map, &Self::ALLOWED))
    }
}

impl Limit for f64 {
    const ALLOWED: &'static str = r#"a rate above 0 to 1, or "off""#;

    fn of_number<E: Error>(number: f64) -> Result<Self, E> {
        Ok(number)
    }

    fn of_count<E: Error>(number: u64) -> Result<Self, E> {
        Ok(number as f64)
    }
}

impl Limit for u32 {
    const ALLOWED: &'static str = r#"a whole number from 1 to 4294967295, or "off""#;

    fn of_count<E: Error>(number: u64) -> Result<Self, E> {
        let unexpected = Unexpected::Unsigned(number);
        u32::try_from(number).map_err(|_| E::invalid_value(unexpected, &Self::ALLOWED))
    }
}

impl Limit for SlowCall {
    const ALLOWED: &'static str = r#"a table such as { limit = "2s", rate = 0.8 }, or "off""#;

    fn of_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        SlowCall::deserialize(MapAccessDeserializer::new(map))
    }
}

struct RuleVisitor<T>(PhantomData<T>);

impl<'de, T: Limit> Visitor<'de> for RuleVisitor<T> {
    type Value = Rule<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::ALLOWED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Rule<T>, E> {
        match text {
            OFF => Ok(Rule::Off),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Rule<T>, E> {
        T::of_count(number).map(Rule::At)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Rule<T>, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => self.visit_f64(number as f64),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Rule<T>, E> {
        T::of_number(number).map(Rule::At)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule<T>, A::Error> {
        T::of_map(map).map(Rule::At)
    }
}

macro_rules! deserialize_rule {
    ($($limit:ty),*) => {$(
        impl<'de> Deserialize<'de> for Rule<$limit> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(RuleVisitor(PhantomData))
            }
        }
    )*};
}

// One by one: what can be a limit is nobody else's business.
deserialize_rule!(f64, u32, SlowCall);

impl<T: Serialize> Serialize for Rule<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Rule::Off => serializer.serialize_str(OFF),
            Rule::At(limit) => limit.serialize(serializer),
        }
    }
}

// ===== the three larger settings =====

const WINDOW: &str =
    r#"one of { count = 100 }, { time = "10s", buckets = 10 } and { consecutive = 5 }"#;

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[serde(
    expecting = "one of { count = 100 }, { time = \"10s\", buckets = 10 } and { consecutive = 5 }"
)]
struct WindowForm {
    #[serde(deserialize_with = "some_count", skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(with = "some_time", skip_serializing_if = "Option::is_none")]
    time: Option<Duration>,
    #[serde(deserialize_with = "some_count", skip_serializing_if = "Option::is_none")]
    consecutive: Option<u32>,
    #[serde(deserialize_with = "some_count", skip_serializing_if = "Option::is_none")]
    buckets: Option<u32>,
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = WindowForm::deserialize(deserializer)?;
        let window = match (form.count, form.time, form.consecutive) {
            (Some(size), None, None) => Window::count(size),
            (None, Some(length), None) => Window::time(length),
            (None, None, Some(limit)) => Window::consecutive(limit),
            _ => return Err(D::Error::invalid_value(Unexpected::Map, &WINDOW)),
        };
        Ok(match form.buckets {
            Some(buckets) => window.buckets(buckets),
            None => window,
        })
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = WindowForm { buckets: self.buckets, ..WindowForm::default() };
        match self.span {
            Span::Count(size) => form.count = Some(size),
            Span::Time(length) => form.time = Some(length),
            Span::Consecutive(limit) => form.consecutive = Some(limit),
        }
        form.serialize(serializer)
    }
}

const HALF_OPEN: &str = "one of { probes = 3 } and { rate = 10 }";

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "one of { probes = 3 } and { rate = 10 }")]
struct HalfOpenForm {
    #[serde(deserialize_with = "some_count", skip_serializing_if = "Option::is_none")]
    probes: Option<u32>,
    #[serde(deserialize_with = "some_count", skip_serializing_if = "Option::is_none")]
    rate: Option<u32>,
}

impl<'de> Deserialize<'de> for HalfOpen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let form = HalfOpenForm::deserialize(deserializer)?;
        match (form.probes, form.rate) {
            (Some(places), None) => Ok(HalfOpen::probes(places)),
            (None, Some(places)) => Ok(HalfOpen::rate(places)),
            _ => Err(D::Error::invalid_value(Unexpected::Map, &HALF_OPEN)),
        }
    }
}

impl Serialize for HalfOpen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut form = HalfOpenForm::default();
        match self.kind {
            HalfOpenKind::Probes => form.probes = Some(self.places),
            HalfOpenKind::Rate => form.rate = Some(self.places),
        }
        form.serialize(serializer)
    }
}

const OPEN_WAIT: &str = "one of \"30s\", { fixed = \"30s\", jitter = 0.1 } and \
    { initial = \"1s\", factor = 2.0, max = \"1m\", jitter = 0.1 }";

#[derive(Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct OpenWaitForm {
    #[serde(with = "some_time", skip_serializing_if = "Option::is_none")]
    fixed: Option<Duration>,
    #[serde(with = "some_time", skip_serializing_if = "Option::is_none")]
    initial: Option<Duration>,
    #[serde(deserialize_with = "some_number", skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(with = "some_time", skip_serializing_if = "Option::is_none")]
    max: Option<Duration>,
    #[serde(deserialize_with = "some_number", skip_serializing_if = "Option::is_none")]
    jitter: Option<f64>,
}

struct OpenWaitVisitor;

impl<'de> Visitor<'de> for OpenWaitVisitor {
    type Value = OpenWait;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(OPEN_WAIT)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OpenWait, E> {
        let unexpected = Unexpected::Str(text);
        let wait = time::parse(text).ok_or_else(|| E::invalid_value(unexpected, &time::ALLOWED))?;
        Ok(OpenWait::fixed(wait))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OpenWait, A::Error> {
        let form = OpenWaitForm::deserialize(MapAccessDeserializer::new(map))?;
        let wait = match (form.fixed, form.initial, form.factor, form.max) {
            (Some(wait), None, None, None) => OpenWait::fixed(wait),
            (None, Some(initial), Some(factor), Some(max)) => {
                OpenWait::exponential(initial, factor, max)
            }
            _ => return Err(A::Error::invalid_value(Unexpected::Map, &self)),
        };
        Ok(match form.jitter {
            Some(ratio) => wait.jitter(ratio),
            None => wait,
        })
    }
}

impl<'de> Deserialize<'de> for OpenWait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OpenWaitVisitor)
    }
}

impl Serialize for OpenWait {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let jitter = (self.jitter != 0.0).then_some(self.jitter);
        let form = match (self.growth, jitter) {
            (None, None) => return time::serialize(&self.initial, serializer),
            (None, jitter) => {
                OpenWaitForm { fixed: Some(self.initial), jitter, ..OpenWaitForm::default() }
            }
            (Some((factor, max)), jitter) => OpenWaitForm {
                fixed: None,
                initial: Some(self.initial),
                factor: Some(factor),
                max: Some(max),
                jitter,
            },
        };
        form.serialize(serializer)
    }
}
