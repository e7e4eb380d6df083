//! Cards as one device: batches are dealt to whichever card is free.

use crate::batch::{Batch, batches, is_taken};
use crate::card::{Card, GpuError, adapters, info};
use crate::slot::Slot;
use heirloom_core::delta::{Cpu, Device, DiffError, Total, Work};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One card or several.
pub struct Gpu {
    cards: Vec<Card>,
}

impl Gpu {
    /// Opens every real card. A processor that plays a GPU is taken where `allow_software`, and no real one is there.
    pub fn open(allow_software: bool) -> Result<Self, GpuError> {
        let (software, real): (Vec<_>, Vec<_>) = adapters()
            .into_iter()
            .partition(|adapter| info(adapter).is_software);
        let chosen = match real.is_empty() && allow_software {
            true => software.into_iter().take(1).collect(),
            false => real,
        };
        if chosen.is_empty() {
            return Err(GpuError::None);
        }
        let cards = chosen.iter().map(Card::open).collect::<Result<_, _>>()?;
        Ok(Self { cards })
    }

    pub(crate) fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// The pairs that the kernel takes, added up. Those it does not take stay empty.
    fn sum_taken(&self, work: &Work<'_>) -> Result<Vec<Total>, DiffError> {
        let batches = batches(work);
        let next = AtomicUsize::new(0);
        let done = Mutex::new(vec![None; batches.len()]);
        std::thread::scope(|scope| {
            let drivers: Vec<_> = self
                .cards
                .iter()
                .map(|card| scope.spawn(|| drive(card, work, &batches, &next, &done)))
                .collect();
            drivers
                .into_iter()
                .zip(&self.cards)
                .try_for_each(|(driver, card)| match driver.join() {
                    Ok(driven) => driven,
                    Err(_) => Err(card.failure("its driver stopped unexpectedly".to_owned())),
                })
        })?;
        let mut totals = vec![Total::default(); work.pairs.len()];
        let done = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        for (batch, parts) in batches.iter().zip(done) {
            for (run, part) in batch.runs.iter().zip(parts.iter().flatten()) {
                totals[run.pair].add(part);
            }
        }
        Ok(totals)
    }
}

impl Device for Gpu {
    fn name(&self) -> String {
        let names: Vec<String> = self.cards.iter().map(|card| card.info.to_string()).collect();
        names.join(", ")
    }

    fn sum(&self, work: &Work<'_>) -> Result<Vec<Total>, DiffError> {
        let mut totals = self.sum_taken(work)?;
        let others: Vec<usize> = (0..work.pairs.len())
            .filter(|place| !is_taken(&work.pairs[*place]))
            .collect();
        for (place, total) in others.iter().zip(Cpu.sum(&work.only(&others))?) {
            totals[*place] = total;
        }
        Ok(totals)
    }
}

/// Keeps two batches in flight on one card until none is left.
fn drive(
    card: &Card,
    work: &Work<'_>,
    batches: &[Batch],
    next: &AtomicUsize,
    done: &Mutex<Vec<Option<Vec<Total>>>>,
) -> Result<(), DiffError> {
    let mut idle = VecDeque::from([Slot::new(card), Slot::new(card)]);
    let mut busy: VecDeque<(Slot<'_>, usize)> = VecDeque::new();
    loop {
        // A slot that finds no batch is not needed any more.
        while let Some(mut slot) = idle.pop_front() {
            let taken = next.fetch_add(1, Ordering::Relaxed);
            if let Some(batch) = batches.get(taken) {
                slot.send(work, batch)?;
                busy.push_back((slot, taken));
            }
        }
        let Some((mut slot, sent)) = busy.pop_front() else {
            return Ok(());
        };
        let totals = slot.receive(work, &batches[sent])?;
        if let Ok(mut done) = done.lock() {
            done[sent] = Some(totals);
        }
        idle.push_back(slot);
    }
}
