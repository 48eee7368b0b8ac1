//! Renders the sample answer of the tests into a folder: `cargo run -p ampleur-notice --example render -- OUT`.
#[path = "../tests/sample/mod.rs"]
mod sample;
use ampleur_notice::{Lang, html, pdf, tables, terminal};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::path::PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "out/sample".into()),
    );
    std::fs::create_dir_all(&out)?;
    let (answer, persons, mut options) = (sample::answer(), sample::persons(), sample::options());
    std::fs::write(
        out.join("report.html"),
        html::report(&answer, &persons, &options),
    )?;
    for lang in [Lang::Fr, Lang::En] {
        options.lang = lang;
        std::fs::write(
            out.join(format!("report.{}.pdf", lang.tag())),
            pdf::report(&answer, &persons, &options)?,
        )?;
        std::fs::write(
            out.join(format!("summary.{}.txt", lang.tag())),
            terminal::summary(&answer, &persons, &options, false),
        )?;
    }
    tables::json(&answer, std::fs::File::create(out.join("extent.json"))?)?;
    tables::sessions(&answer, std::fs::File::create(out.join("sessions.csv"))?)?;
    tables::timeline(&answer, std::fs::File::create(out.join("timeline.csv"))?)?;
    tables::persons(&persons, std::fs::File::create(out.join("persons.csv"))?)?;
    Ok(())
}
