//! What stands on the shelves, behind the registry's one lock.
//!
//! The protocol of "same name, same thing": look under the lock; where there is nothing, note what to build from, build
//! without the lock, and put it up under the lock, unless somebody else was quicker or the plan has changed meanwhile.
//! So nobody waits while a thing is built, no foreign code runs under the lock, and nothing is seen that was built from a
//! plan that had already been replaced. The model in `loom-tests` attacks it.

use std::sync::{Arc, PoisonError};

use crate::sync::RwLock;

pub(crate) struct Shelves<S> {
    stock: RwLock<Stock<S>>,
}

struct Stock<S> {
    /// How often the plan has been replaced.
    plans: u64,
    shelves: S,
}

impl<S> Shelves<S> {
    pub(crate) fn new(shelves: S) -> Self {
        Shelves { stock: RwLock::new(Stock { plans: 0, shelves }) }
    }

    /// Reads under the lock; `read` must call no foreign code.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&S) -> R) -> R {
        // No step under the lock can panic half done, so a poisoned lock holds good shelves.
        read(&self.stock.read().unwrap_or_else(PoisonError::into_inner).shelves)
    }

    /// Changes what stands there; `change` must call no foreign code, nor drop a thing.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut S) -> R) -> R {
        change(&mut self.stock.write().unwrap_or_else(PoisonError::into_inner).shelves)
    }

    /// Changes what things are built from. Whoever is building one builds it again.
    pub(crate) fn replan<R>(&self, change: impl FnOnce(&mut S) -> R) -> R {
        let mut stock = self.stock.write().unwrap_or_else(PoisonError::into_inner);
        stock.plans += 1;
        change(&mut stock.shelves)
    }

    /// What `find` finds, or else what `build` makes of the present plan, put up by `put`.
    ///
    /// Lock-free but for the lock: it builds again only when another thread has replaced the plan meanwhile.
    pub(crate) fn find_or_build<T, P, E>(
        &self,
        find: impl Fn(&S) -> Option<Arc<T>>,
        plan: impl Fn(&S) -> P,
        build: impl Fn(&P) -> Result<T, E>,
        put: impl FnOnce(&mut S, &P, Arc<T>),
    ) -> Result<Arc<T>, E> {
        loop {
            let (plans, plan) = {
                let stock = self.stock.read().unwrap_or_else(PoisonError::into_inner);
                match find(&stock.shelves) {
                    Some(found) => return Ok(found),
                    None => (stock.plans, plan(&stock.shelves)),
                }
            };
            // Outlives the guard below: a thing that came too late is dropped without the lock.
            let built = Arc::new(build(&plan)?);
            let mut stock = self.stock.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = find(&stock.shelves) {
                return Ok(found);
            }
            if stock.plans == plans {
                put(&mut stock.shelves, &plan, Arc::clone(&built));
                return Ok(built);
            }
        }
    }
}
