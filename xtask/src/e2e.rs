//! The demo's report seen by a browser and a PDF reader, when they are installed; skipped loudly when not.
use crate::{root, run::have, target_dir};
use anyhow::{Context as _, Result, bail, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A browser that can run without a screen.
fn browser() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|p| have(p))
}

/// A browser with its own profile, no network, no first-run pages.
fn headless(browser: &str, profile: &Path, args: &[String]) -> Result<Vec<u8>> {
    let out = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(args)
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("run {browser}"))?;
    ensure!(out.status.success(), "run {browser}: {}", out.status);
    Ok(out.stdout)
}

/// Makes a small simulated case, investigates it, and looks at what a person would see.
/// `programs` is the folder Cargo left the binaries and examples of the workspace in.
pub fn run(programs: &Path) -> Result<bool> {
    let dir = target_dir().join("e2e");
    if dir.exists() {
        fs::remove_dir_all(&dir).context("empty the folder of the end-to-end run")?;
    }
    fs::create_dir_all(&dir).context("make the folder of the end-to-end run")?;
    let answer = make(programs, &dir)?;
    page(&answer, &dir)?;
    paper(&answer)?;
    let answer = demo(programs, &dir)?;
    page(&answer, &dir)?;
    paper(&answer)?;
    Ok(true)
}

/// The demo as a newcomer runs it, small; its answer must hold its truth.
fn demo(programs: &Path, dir: &Path) -> Result<PathBuf> {
    let out = dir.join("demo");
    let status = Command::new(programs.join("ampleur"))
        .args(["demo", "--scale", "0.002", "--out"])
        .arg(&out)
        .status()
        .context("run the demo")?;
    ensure!(status.success(), "hold the demo's answer against its truth");
    Ok(out.join("answer"))
}

/// The folder that holds report.html and report.pdf.
fn make(programs: &Path, dir: &Path) -> Result<PathBuf> {
    let out = dir.join("answer");
    let status = Command::new(programs.join("examples").join("render"))
        .arg(&out)
        .status()
        .context("run the example that renders a report")?;
    ensure!(status.success(), "render the sample report");
    fs::copy(out.join("report.fr.pdf"), out.join("report.pdf")).context("name the PDF")?;
    Ok(out)
}

fn page(answer: &Path, dir: &Path) -> Result<()> {
    let Some(browser) = browser() else {
        eprintln!("!!! SKIPPED: no Chromium; the report was not seen by a browser in this run");
        return Ok(());
    };
    let page = fs::canonicalize(answer.join("report.html")).context("find report.html")?;
    let url = format!("file://{}", page.display());
    let dom = headless(
        browser,
        &dir.join("profile"),
        &["--dump-dom".into(), url.clone()],
    )?;
    let dom = String::from_utf8_lossy(&dom);
    for wanted in [
        "<h1",
        "id=\"answer\"",
        "id=\"path\"",
        "id=\"coverage\"",
        "<svg",
        "</html>",
    ] {
        ensure!(
            dom.contains(wanted),
            "find {wanted} in the page the browser made"
        );
    }
    ensure!(!dom.contains("<script"), "keep script out of the page");
    let shot = dir.join("report.png");
    headless(
        browser,
        &dir.join("profile"),
        &[
            "--window-size=1180,1500".into(),
            format!("--screenshot={}", shot.display()),
            url,
        ],
    )?;
    let size = fs::metadata(&shot).context("take a screenshot")?.len();
    // A blank page of this size is about 10 kB.
    ensure!(
        size > 60_000,
        "show something: the screenshot has {size} bytes"
    );
    println!("the report was shown by {browser}: {}", shot.display());
    Ok(())
}

fn paper(answer: &Path) -> Result<()> {
    let pdf = answer.join("report.pdf");
    let out = Command::new("pdfinfo").arg(&pdf).output();
    let Ok(out) = out else {
        eprintln!("!!! SKIPPED: no pdfinfo (poppler-utils); the PDF was not read in this run");
        return Ok(());
    };
    let text = String::from_utf8_lossy(&out.stdout);
    let field = |name: &str| {
        text.lines()
            .find_map(|l| l.strip_prefix(name))
            .map(str::trim)
            .unwrap_or_default()
            .to_string()
    };
    ensure!(field("Tagged:") == "yes", "tag the PDF");
    ensure!(!field("Title:").is_empty(), "give the PDF a title");
    ensure!(field("Page size:").contains("A4"), "lay the PDF out on A4");
    let pages: u32 = field("Pages:").parse().unwrap_or(0);
    if !(2..=8).contains(&pages) {
        bail!("keep the PDF between 2 and 8 pages: it has {pages}");
    }
    println!(
        "the PDF was read: {pages} pages, tagged; checkout {}",
        root().display()
    );
    Ok(())
}
