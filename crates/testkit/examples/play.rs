//! Plays one recipe: `play FAMILY SEED SCALE DIR [BACKGROUND]`.
#![allow(clippy::print_stdout, clippy::print_stderr)]
use ampleur_testkit::{Family, Recipe, simulate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a: Vec<String> = std::env::args().collect();
    let [_, family, seed, scale, dir, rest @ ..] = a.as_slice() else {
        return Err("usage: play FAMILY SEED SCALE DIR [BACKGROUND]".into());
    };
    let family = Family::by_name(family).ok_or("no such family")?;
    let start = std::time::Instant::now();
    let mut recipe = Recipe::new(family, seed.parse()?, scale.parse()?);
    if let [background] = rest {
        recipe.background = background.parse()?;
    }
    let s = simulate(&recipe, dir.as_ref())?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} records, {} affected, {seconds:.1} s, {:.0} records/s",
        s.records,
        s.affected,
        s.records as f64 / seconds
    );
    Ok(())
}
