//! The ground-truth zoo: every technique at least three times, over unrelated families, with chains, siblings, hard negatives and
//! wrong declarations. What a seed changes: parameters, strengths, directions, names, dates and declarations.

mod bases;
mod builder;
mod combined;
mod derived;
mod histories;
mod naming;
mod parts;

use builder::Zoo;
use std::path::Path;

/// Writes the zoo of `seed` and its truth below `folder`.
pub fn write(folder: &Path, seed: u64) -> anyhow::Result<()> {
    let mut zoo = Zoo::new(folder, seed);
    let bases = bases::add(&mut zoo)?;
    for base in &bases {
        derived::add(&mut zoo, base)?;
        parts::add(&mut zoo, base)?;
        combined::add(&mut zoo, base)?;
    }
    combined::compositions(&mut zoo, &bases)?;
    histories::add(&mut zoo, &bases)?;
    zoo.truth.names = naming::cut_names();
    zoo.finish(&bases)
}
