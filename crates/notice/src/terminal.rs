//! The summary for a terminal: at most 80 columns, one language, colours only when asked.
use crate::{
    Lang, Options,
    html::standing,
    view::{Standing, Sureness, View},
    words,
};
use ampleur_extent::model::{Answer, PersonRow};
use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

/// Accounts and addresses named one by one: somebody cuts them by hand, from this screen.
const NAMED_MAX: usize = 60;

/// Widest line, in characters.
pub const WIDTH: usize = 80;

struct Ink {
    on: bool,
}

impl Ink {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.on {
            format!("{}{text}{}", style.render(), style.render_reset())
        } else {
            text.to_string()
        }
    }
}

/// The summary, ending with a line feed. No line is longer than [`WIDTH`] characters (styling aside).
pub fn summary(answer: &Answer, persons: &[PersonRow], options: &Options, colour: bool) -> String {
    let v = View::new(answer, persons, options);
    let l = options.lang;
    let ink = Ink { on: colour };
    let bold = Style::new().bold();
    let dim = Style::new().dimmed();
    let red = AnsiColor::Red.on_default().bold();
    let yellow = AnsiColor::Yellow.on_default();
    let green = AnsiColor::Green.on_default();
    let t = |fr: &'static str, en: &'static str| if l == Lang::Fr { fr } else { en };
    let mut out = String::new();

    let title = plain(&clip_width(&answer.incident, WIDTH - 10));
    let _ = writeln!(
        out,
        "{} {}",
        ink.paint(bold, "Ampleur"),
        ink.paint(dim, &format!("· {title}"))
    );
    out.push('\n');
    let style = match v.sureness {
        Sureness::NoIntrusion => green.bold(),
        Sureness::NothingFound | Sureness::Unread => yellow.bold(),
        _ => red,
    };
    let _ = writeln!(out, "  {}", ink.paint(style, &plain(v.headline().get(l))));
    if let Some(asked) = v.asked() {
        for line in wrap(&plain(asked.get(l)), WIDTH - 2) {
            let _ = writeln!(out, "  {}", ink.paint(yellow, &line));
        }
    }
    for line in wrap(&plain(v.how_sure().get(l)), WIDTH - 2) {
        let _ = writeln!(out, "  {line}");
    }
    if let Some(un) = v.spared() {
        let _ = writeln!(
            out,
            "  {} {}",
            t("Patients non concernés :", "Patients not affected:"),
            plain(&words::interval(un, l))
        );
    }
    // What a later version moved.
    let moved = answer.changes.iter().find(|c| c.what == "subjects");
    if let Some((b, a)) = moved.and_then(|c| c.before.zip(c.after)) {
        let line = format!(
            "{} {}{} {} → {}",
            t("Version", "Version"),
            answer.version,
            words::colon(l),
            words::interval(b, l),
            words::interval(a, l)
        );
        let _ = writeln!(out, "  {}", ink.paint(bold, &plain(&line)));
    }
    heading(&mut out, &ink, bold, t("Données", "Data"));
    for g in &v.groups {
        let (sign, style) = match g.standing {
            Standing::Seen(_) => ("●", red),
            Standing::Possible(_) => ("◐", yellow),
            Standing::Excluded => ("✓", green),
            Standing::Untold => ("?", yellow),
            Standing::Unlogged => ("?", dim),
        };
        let _ = writeln!(
            out,
            "  {} {} {}",
            ink.paint(style, sign),
            pad(g.label.get(l), 30),
            plain(standing(g.standing).get(l))
        );
    }
    let touched: Vec<_> = v.places.iter().filter(|p| p.subjects.at_most > 0).collect();
    if !touched.is_empty() {
        heading(&mut out, &ink, bold, t("Hôpitaux", "Hospitals"));
        for p in touched.iter().take(8) {
            let n = plain(&words::interval(p.subjects, l));
            let name = clip_width(&p.name, 74 - n.chars().count());
            let _ = writeln!(out, "  {} {n}", pad(&plain(&name), 75 - n.chars().count()));
        }
        if touched.len() > 8 {
            let _ = writeln!(
                out,
                "  {}",
                ink.paint(
                    dim,
                    &format!(
                        "{} {}",
                        touched.len() - 8,
                        t("autres : voir le rapport", "more: see the report")
                    )
                )
            );
        }
    }
    heading(&mut out, &ink, bold, t("Intrus", "Intruder"));
    for line in wrap(&plain(v.story().get(l)), WIDTH - 2) {
        let _ = writeln!(out, "  {line}");
    }
    for (list, what) in [
        (&answer.containment.cut, t("À couper :", "To cut:")),
        (
            &answer.containment.rotate,
            t(
                "Secret à changer sans couper :",
                "New secret, without cutting:",
            ),
        ),
        (
            &answer.containment.keep,
            t(
                "À garder, le service en dépend :",
                "To keep, care rests on it:",
            ),
        ),
    ] {
        // What is to be kept is said beside what is to be cut: alone it would only alarm.
        let nothing = answer.containment.cut.is_empty() && answer.containment.rotate.is_empty();
        if list.is_empty() || nothing {
            continue;
        }
        let named: Vec<String> = list.iter().take(NAMED_MAX).map(|c| plain(c)).collect();
        let more = match list.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            n => format!(
                ", {} {}",
                t("et, dans le rapport,", "and, in the report,"),
                plain(&words::count(
                    n as u64,
                    l,
                    ("autre", "autres"),
                    ("more", "more")
                ))
            ),
        };
        for line in wrap(&format!("{what} {}{more}", named.join(", ")), WIDTH - 2) {
            let _ = writeln!(out, "  {line}");
        }
    }
    if !answer.claims.is_empty() {
        let title = t("Ce que l’intrus affirme", "What the intruder claims");
        heading(&mut out, &ink, bold, title);
        for (text, verdict) in v.claims(l).into_iter().take(5) {
            let line = format!("{text}{} {}", words::colon(l), verdict.get(l));
            for line in wrap(&plain(&line), WIDTH - 2) {
                let _ = writeln!(out, "  {line}");
            }
        }
    }
    let internal = answer.extent.internal.len() as u64;
    if internal > 0 {
        let title = t("À part, hors intrusion", "Apart, no part of the intrusion");
        heading(&mut out, &ink, bold, title);
        let line = match l {
            Lang::Fr => format!(
                "{} des accès qui paraissent personnels : voir le rapport.",
                words::count(
                    internal,
                    l,
                    ("compte d’agent a", "comptes d’agents ont"),
                    ("", "")
                )
            ),
            Lang::En => format!(
                "{} that look personal: see the report.",
                words::count(
                    internal,
                    l,
                    ("", ""),
                    (
                        "employee’s account has accesses",
                        "employees’ accounts have accesses"
                    )
                )
            ),
        };
        for line in wrap(&plain(&line), WIDTH - 2) {
            let _ = writeln!(out, "  {line}");
        }
    }
    heading(&mut out, &ink, bold, t("Limites", "Limits"));
    let none = |n: u64, fr: (&str, &str), en: (&str, &str), no: &'static str| match n {
        0 => no.to_string(),
        n => words::count(n, l, fr, en),
    };
    let mut gaps = none(
        v.gaps.len() as u64,
        ("période incomplète", "périodes incomplètes"),
        ("incomplete period", "incomplete periods"),
        match answer.coverage.is_empty() {
            true => t("aucune période couverte", "no period covered"),
            false => t("aucune période incomplète", "no incomplete period"),
        },
    );
    if !v.gaps.is_empty() {
        let open = match (v.open_gaps as u64, l) {
            (0, _) => t("toutes comblées", "all closed").to_string(),
            (n, Lang::Fr) => words::count(n, l, ("non comblée", "non comblées"), ("", "")),
            (n, Lang::En) => format!("{} open", words::number(n, l)),
        };
        gaps = format!("{gaps} ({open})");
    }
    let limits = [
        gaps,
        none(
            v.doubtful.len() as u64,
            ("session douteuse", "sessions douteuses"),
            ("doubtful session", "doubtful sessions"),
            t("aucune session douteuse", "no doubtful session"),
        ),
        none(
            answer.evidence.rejects,
            ("ligne illisible", "lignes illisibles"),
            ("unreadable line", "unreadable lines"),
            t("aucune ligne illisible", "no unreadable line"),
        ),
    ]
    .join(t("\u{202f}; ", "; "));
    let limits = format!("{}{}.", limits[..1].to_uppercase(), &limits[1..]);
    for line in wrap(&plain(&limits), WIDTH - 2) {
        let _ = writeln!(out, "  {line}");
    }
    let e = &answer.evidence;
    let n = |x| plain(&words::number(x, l));
    let sums = format!(
        "{} {} = {} {} + {} {} + {} {}",
        n(e.records),
        t("enregistrements", "records"),
        n(e.events),
        t("événements", "events"),
        n(e.rejects),
        t("illisibles", "unreadable"),
        n(e.skipped),
        t("vides", "blank")
    );
    for line in wrap(&sums, WIDTH - 2) {
        let _ = writeln!(out, "  {}", ink.paint(dim, &line));
    }
    out
}

fn heading(out: &mut String, ink: &Ink, style: Style, text: &str) {
    let _ = writeln!(out, "\n{}", ink.paint(style, text));
}

/// No control characters (a log can hold escape sequences), plain blanks instead of the typographic ones.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{a0}' | '\u{202f}' | '\t' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {
                '\u{fffd}'
            }
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

fn clip_width(text: &str, max: usize) -> String {
    crate::picture::clip(text, max)
}

fn pad(text: &str, width: usize) -> String {
    let n = text.chars().count();
    format!("{text}{}", " ".repeat(width.saturating_sub(n)))
}

/// Lines of at most `width` characters; a word longer than that is cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut len = 0;
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if len > 0 && len + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
            len = 0;
        }
        while word.len() > width {
            lines.push(word.drain(..width).collect());
        }
        if len > 0 {
            line.push(' ');
            len += 1;
        }
        len += word.len();
        line.extend(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
