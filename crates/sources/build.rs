//! Lists `mappings/*.toml`, so that a new mapping needs no line anywhere.
use std::{env, fmt::Write, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=mappings");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let mut files: Vec<_> = fs::read_dir(Path::new(&root).join("mappings"))
        .expect("a folder of mappings")
        .map(|e| e.expect("an entry").path())
        .filter(|p| p.extension().is_some_and(|x| x == "toml"))
        .collect();
    files.sort();
    let n = files.len();
    let mut out = format!(
        "const MAPPINGS: usize = {n};\npub(crate) static MAPPED: [mapped::Mapped; MAPPINGS] = [\n"
    );
    for f in &files {
        let name = f
            .file_stem()
            .and_then(|s| s.to_str())
            .expect("a plain name");
        println!("cargo:rerun-if-changed={}", f.display());
        writeln!(
            out,
            "    mapped::Mapped::embedded({name:?}, include_str!({:?})),",
            f.display().to_string()
        )
        .expect("writing to a text");
    }
    out.push_str("];\n");
    let to = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("mapped.rs");
    fs::write(to, out).expect("write the list");
}
