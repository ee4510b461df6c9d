//! The entries that a breaker's settings come from: its own, its template's, that one's template's, and `default`'s.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::BreakerConfig;
use super::error::Refusal;
use super::Config;

/// The template that everybody has.
pub(super) const DEFAULT: &str = "default";
pub(super) const BREAKERS: &str = "breakers";
pub(super) const TEMPLATES: &str = "templates";

/// An entry among those that a breaker's settings come from.
#[derive(Clone, Copy)]
pub(super) struct Link<'c> {
    pub(super) section: &'static str,
    pub(super) name: &'c str,
    /// Only a breaker can do without one.
    pub(super) entry: Option<&'c BreakerConfig>,
}

impl<'c> Link<'c> {
    pub(super) fn template(name: &'c str, entry: &'c BreakerConfig) -> Self {
        Link { section: TEMPLATES, name, entry: Some(entry) }
    }

    fn named(&self) -> Option<&'c str> {
        self.entry.and_then(|entry| entry.template.as_deref())
    }
}

impl Config {
    pub(super) fn breaker_link<'c>(&'c self, name: &'c str) -> Link<'c> {
        Link { section: BREAKERS, name, entry: self.breakers.get(name) }
    }

    /// The entries that the settings come from, those that win first.
    pub(super) fn chain<'c>(&'c self, first: Link<'c>) -> Result<Vec<Link<'c>>, Refusal> {
        Ok(self.chain_up_to(first, |_| false)?.0)
    }

    /// As far as a template that is known, which is given beside it.
    fn chain_up_to<'c>(
        &'c self,
        first: Link<'c>,
        is_known: impl Fn(&str) -> bool,
    ) -> Result<(Vec<Link<'c>>, Option<&'c str>), Refusal> {
        let mut chain = vec![first];
        let mut seen = BTreeSet::new();
        let mut link = first;
        loop {
            let named = link.named();
            let refuse = |allowed: String| {
                let given = format!("{:?}", named.unwrap_or_default());
                Err(Refusal::new(&[link.section, link.name, "template"], given, allowed))
            };
            if link.section == TEMPLATES {
                seen.insert(link.name);
                if link.name == DEFAULT {
                    return match named {
                        None => Ok((chain, None)),
                        Some(_) => refuse("none: default is everybody's last".to_owned()),
                    };
                }
            }
            let name = named.unwrap_or(DEFAULT);
            if is_known(name) {
                return Ok((chain, Some(name)));
            }
            if seen.contains(name) {
                return refuse("a template that does not lead back to this one".to_owned());
            }
            link = match self.templates.get_key_value(name) {
                Some((name, entry)) => Link::template(name, entry),
                // It exists even where nothing is said of it.
                None if name == DEFAULT => return Ok((chain, None)),
                None => return refuse(self.names_of_templates()),
            };
            chain.push(link);
        }
    }

    fn names_of_templates(&self) -> String {
        let names: BTreeSet<_> =
            self.templates.keys().map(String::as_str).chain([DEFAULT]).collect();
        let names: Vec<_> = names.into_iter().map(|name| format!("{name:?}")).collect();
        super::error::shortened(&format!("one of {}", names.join(", ")))
    }
}

/// What breakers come to, with each template resolved once, however many lead there and from how far.
pub(crate) struct Resolver<'c> {
    pub(super) config: &'c Config,
    /// What these templates come to.
    templates: BTreeMap<&'c str, BreakerConfig>,
}

impl<'c> Resolver<'c> {
    pub(crate) fn new(config: &'c Config) -> Self {
        Resolver { config, templates: BTreeMap::new() }
    }

    /// What a chain comes to; whether that is allowed is not asked.
    pub(super) fn whole(&mut self, first: Link<'c>) -> Result<BreakerConfig, Refusal> {
        let (chain, known) =
            self.config.chain_up_to(first, |name| self.templates.contains_key(name))?;
        let mut whole = known.map(|name| self.templates[name].clone()).unwrap_or_default();
        for link in chain.into_iter().rev() {
            if let Some(entry) = link.entry {
                whole = BreakerConfig { template: None, ..entry.over(&whole) };
            }
            if link.section == TEMPLATES {
                self.templates.insert(link.name, whole.clone());
            }
        }
        Ok(whole)
    }
}
