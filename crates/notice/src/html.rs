//! `report.html`: one file without anything external and without script. Both languages are in the page; two radio buttons and style
//! rules show one, so that it also prints in the language shown. Semantics first: headings in order, tables with heads, pictures with a text.
use crate::{
    Lang, Options,
    picture::{self, Anchor, Ink, Picture, Shape, clip},
    view::{CategoryRow, Group, Place, Standing, Sureness, VERDICTS, View, is_established},
    words::{self, Both},
};
use ampleur_event::Interval;
use ampleur_extent::{
    findings::Findings,
    model::{Answer, PersonRow, SessionRow, Statement},
};
use std::fmt::Write as _;

/// Rows shown in the page; the files beside it hold all of them.
const SESSIONS_MAX: usize = 200;
const GAPS_MAX: usize = 120;
const SOURCES_MAX: usize = 200;
const PLACES_MAX: usize = 60;
const LIST_MAX: usize = 50;
/// Reasons of one session in the page, and those that are open.
const REASONS_MAX: usize = 12;
const REASONS_SHOWN: usize = 3;
/// Longest text of the evidence shown in one place; a user agent may be megabytes.
const TEXT_MAX: usize = 240;

/// The whole page, UTF-8.
pub fn report(answer: &Answer, persons: &[PersonRow], options: &Options) -> String {
    let view = View::new(answer, persons, options);
    let mut p = Page {
        out: String::with_capacity(256 * 1024),
    };
    p.head(&view);
    p.answer(&view);
    p.changes(&view);
    // What must be done tonight, then what must be told, then what it rests on.
    p.path(&view);
    p.containment(&view);
    p.data(&view);
    p.places(&view);
    p.statements(&view);
    p.people(&view);
    p.coverage(&view);
    p.sessions(&view);
    p.evidence(&view);
    p.method();
    p.glossary();
    p.foot(&view);
    p.out
}

/// Text made safe for HTML: the five special characters, control characters, and the bidirectional controls that could reorder a line.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {
                let _ = write!(out, "⟨U+{:04X}⟩", c as u32);
            }
            '\n' | '\t' => out.push(' '),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Text of the evidence: cut, then escaped.
fn raw(text: &str) -> String {
    escape(&clip(text, TEXT_MAX))
}

/// Both languages, each marked; once when they are equal.
fn both(b: &Both) -> String {
    if b.fr == b.en {
        return escape(&b.fr);
    }
    format!(
        "<span lang=\"fr\">{}</span><span lang=\"en\">{}</span>",
        escape(&words::french(&b.fr)),
        escape(&b.en)
    )
}

fn tr(fr: &str, en: &str) -> String {
    both(&Both::new(fr, en))
}

/// A part of a bar; nothing at all where there is nothing, however small a part may be drawn.
fn bar(class: &str, width: f64, there: bool) -> String {
    match there {
        true => format!("<span class=\"{class}\" style=\"width:{width:.2}%\"></span>"),
        false => String::new(),
    }
}

fn colon() -> String {
    both(&Both::of(|l| words::colon(l).into()))
}

fn num(n: u64) -> String {
    both(&Both::of(|l| words::number(n, l)))
}

fn span(i: Interval) -> String {
    both(&Both::of(|l| words::interval(i, l)))
}

fn tag(class: &str, label: &Both) -> String {
    format!(
        "<span class=\"tag t-{}\">{}</span>",
        escape(class),
        both(label)
    )
}

const MARK: &str = "<svg viewBox=\"0 0 26 26\" aria-hidden=\"true\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2.4\" stroke-linecap=\"round\"><circle cx=\"6\" cy=\"13\" r=\"2.4\" fill=\"currentColor\" stroke=\"none\"/><path d=\"M11.5 7.6a8 8 0 0 1 0 10.8M16 4.2a13 13 0 0 1 0 17.6M20.6 1.6a18 18 0 0 1 0 22.8\"/></svg>";
fn icon(s: Standing) -> &'static str {
    match s {
        Standing::Seen(_) => {
            "<svg viewBox=\"0 0 18 18\" aria-hidden=\"true\"><circle cx=\"9\" cy=\"9\" r=\"8\" fill=\"currentColor\"/></svg>"
        }
        Standing::Possible(_) => {
            "<svg viewBox=\"0 0 18 18\" aria-hidden=\"true\"><circle cx=\"9\" cy=\"9\" r=\"7\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/><path d=\"M9 2a7 7 0 0 1 0 14z\" fill=\"currentColor\"/></svg>"
        }
        Standing::Excluded => {
            "<svg viewBox=\"0 0 18 18\" aria-hidden=\"true\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\" stroke-linecap=\"round\" stroke-linejoin=\"round\"><circle cx=\"9\" cy=\"9\" r=\"7\"/><path d=\"M5.8 9.3 8.2 11.6 12.3 6.6\"/></svg>"
        }
        Standing::Untold | Standing::Unlogged => {
            "<svg viewBox=\"0 0 18 18\" aria-hidden=\"true\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"><circle cx=\"9\" cy=\"9\" r=\"7\" stroke-dasharray=\"3 2.5\"/></svg>"
        }
    }
}

fn class(s: Standing) -> &'static str {
    match s {
        Standing::Seen(_) => "seen",
        Standing::Possible(_) => "possible",
        Standing::Excluded => "excluded",
        Standing::Untold | Standing::Unlogged => "untold",
    }
}

/// What is said beside a group of categories.
pub(crate) fn standing(s: Standing) -> Both {
    match s {
        Standing::Seen(i) if i.is_exact() => Both::of(|l| match l {
            Lang::Fr => format!("vu : {}", words::number(i.at_least, l)),
            Lang::En => format!("seen: {}", words::number(i.at_least, l)),
        }),
        Standing::Seen(i) => Both::of(|l| match l {
            Lang::Fr => format!("vu : au moins {}", words::number(i.at_least, l)),
            Lang::En => format!("seen: at least {}", words::number(i.at_least, l)),
        }),
        Standing::Possible(n) => Both::of(|l| match l {
            Lang::Fr => format!("possible : au plus {}", words::number(n, l)),
            Lang::En => format!("possible: at most {}", words::number(n, l)),
        }),
        Standing::Excluded => ("non : exclu par les journaux", "no: ruled out by the logs").into(),
        Standing::Untold => ("on ne peut pas l’exclure", "cannot be ruled out").into(),
        Standing::Unlogged => ("aucun journal ne le dirait", "no log would tell").into(),
    }
}

struct Page {
    out: String,
}

impl Page {
    fn push(&mut self, html: &str) {
        self.out.push_str(html);
        self.out.push('\n');
    }

    fn open(&mut self, id: &str, title: (&str, &str)) {
        let _ = writeln!(
            self.out,
            "<section id=\"{id}\" aria-labelledby=\"h-{id}\">\n<h2 id=\"h-{id}\">{}</h2>",
            both(&title.into())
        );
    }

    fn head(&mut self, v: &View<'_>) {
        let lang = v.options.lang;
        let checked = |l: Lang| if l == lang { " checked" } else { "" };
        let title = format!("{} · Ampleur", v.headline().get(lang));
        let _ = writeln!(
            self.out,
            "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>",
            lang.tag(),
            escape(&title),
            include_str!("report.css")
        );
        let _ = writeln!(
            self.out,
            "<input class=\"vh\" type=\"radio\" name=\"lang\" id=\"l-fr\" aria-label=\"Français\"{}>\n<input class=\"vh\" type=\"radio\" name=\"lang\" id=\"l-en\" aria-label=\"English\"{}>",
            checked(Lang::Fr),
            checked(Lang::En)
        );
        let sim = if v.options.simulated {
            format!(
                "<span class=\"sim\">{}</span>",
                tr("données simulées", "simulated data")
            )
        } else {
            String::new()
        };
        let _ = writeln!(
            self.out,
            "<header class=\"bar\"><span class=\"brand\">{MARK}Ampleur</span><span class=\"where\">{}{sim}</span><span class=\"lang\"><label for=\"l-fr\" lang=\"fr-FR\">Français</label><label for=\"l-en\" lang=\"en-GB\">English</label></span></header>\n<main>",
            raw(&v.answer.incident)
        );
        // Shared patterns, defined once; `url(#…)` finds them in every picture of the page.
        self.push("<svg width=\"0\" height=\"0\" aria-hidden=\"true\" style=\"position:absolute\"><defs><pattern id=\"p-doubt\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect class=\"pb\" width=\"6\" height=\"6\"/><path class=\"ps ps-doubt\" d=\"M0 0V6\"/></pattern><pattern id=\"p-gap\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect class=\"pb\" width=\"6\" height=\"6\"/><path class=\"ps ps-gap\" d=\"M0 0V6\"/></pattern><pattern id=\"p-closed\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(-45)\"><rect class=\"pb\" width=\"7\" height=\"7\"/><path class=\"ps ps-closed\" d=\"M0 0V7\"/></pattern><pattern id=\"p-unknown\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\"><rect class=\"pb\" width=\"5\" height=\"5\"/><circle class=\"pf-unknown\" cx=\"2.5\" cy=\"2.5\" r=\"1.1\"/></pattern></defs></svg>");
    }

    fn answer(&mut self, v: &View<'_>) {
        self.push("<section class=\"answer\" id=\"answer\" aria-labelledby=\"h-answer\">");
        let window = v.window();
        let _ = writeln!(
            self.out,
            "<p class=\"over\">{}</p>\n<h1 id=\"h-answer\">{}</h1>",
            both(&window),
            both(&v.headline())
        );
        if let Some(asked) = v.asked() {
            let _ = writeln!(
                self.out,
                "<p class=\"lead asked\"><strong>{}</strong></p>",
                both(&asked)
            );
        }
        if let Some(lead) = v.lead() {
            let _ = writeln!(self.out, "<p class=\"lead\">{}</p>", both(&lead));
        }
        if v.answer.extent.subjects.at_most > 0 {
            self.range(v);
        }
        let spared = match v.spared() {
            Some(un) if v.answer.extent.subjects.at_most == 0 => format!(
                " {}{} <b>{}</b>.",
                tr("Patients non concernés", "Patients not affected"),
                colon(),
                span(un)
            ),
            _ => String::new(),
        };
        let _ = writeln!(
            self.out,
            "<p class=\"sub\"><strong>{}</strong> {}{spared}</p>",
            tr("Certitude.", "How sure."),
            both(&v.how_sure())
        );
        self.push("<div class=\"two\"><div>");
        let _ = writeln!(
            self.out,
            "<h2>{}</h2>\n<ul class=\"plain groups\">",
            tr("Quelles données", "Which data")
        );
        for Group {
            label, standing: s, ..
        } in &v.groups
        {
            let _ = writeln!(
                self.out,
                "<li class=\"{}\">{}<b>{}</b><span class=\"st\">{}</span></li>",
                class(*s),
                icon(*s),
                both(label),
                both(&standing(*s))
            );
        }
        self.push("</ul></div><div>");
        let _ = writeln!(
            self.out,
            "<h2>{}</h2>\n<ul class=\"plain hosp\">",
            tr("Quels hôpitaux", "Which hospitals")
        );
        let touched: Vec<&Place> = v.places.iter().filter(|p| p.subjects.at_most > 0).collect();
        let most = touched
            .iter()
            .map(|p| p.subjects.at_most)
            .max()
            .unwrap_or(1)
            .max(1) as f64;
        for p in touched.iter().take(8) {
            let low = p.subjects.at_least as f64 * 100.0 / most;
            let mid = (p.subjects.at_most - p.subjects.at_least) as f64 * 100.0 / most;
            let _ = writeln!(
                self.out,
                "<li><span class=\"n\">{}</span><span class=\"v\">{}</span><span class=\"mini range\" style=\"margin:0\" aria-hidden=\"true\">{}{}</span></li>",
                raw(&p.name),
                span(p.subjects),
                bar("low", low, p.subjects.at_least > 0),
                bar("mid", mid, !p.subjects.is_exact())
            );
        }
        self.push("</ul>");
        let spared = v.places.len() - touched.len();
        if touched.is_empty() {
            let _ = writeln!(
                self.out,
                "<p class=\"note\">{}</p>",
                tr(
                    "Aucun établissement atteint n’est établi.",
                    "No establishment is known to be reached."
                )
            );
        } else if touched.len() > 8 || spared > 0 {
            let note = Both::of(|l| {
                let mut parts = Vec::new();
                if touched.len() > 8 {
                    parts.push(match l {
                        Lang::Fr => format!(
                            "et {}, détaillés plus bas",
                            words::count(
                                (touched.len() - 8) as u64,
                                l,
                                ("autre", "autres"),
                                ("", "")
                            )
                        ),
                        Lang::En => format!("and {} more, detailed below", touched.len() - 8),
                    });
                }
                if spared > 0 {
                    parts.push(words::count(
                        spared as u64,
                        l,
                        (
                            "établissement sans accès établi",
                            "établissements sans accès établi",
                        ),
                        (
                            "establishment with no established access",
                            "establishments with no established access",
                        ),
                    ));
                }
                let mut s = parts.join(" ; ");
                s.push('.');
                s
            });
            let _ = writeln!(self.out, "<p class=\"note\">{}</p>", both(&note));
        }
        self.push("</div></div>");
        if touched.len() > 1 {
            let _ = writeln!(
                self.out,
                "<p class=\"note\">{}</p>",
                tr(
                    "Par hôpital, une personne connue de deux hôpitaux compte une fois dans chacun.",
                    "By hospital, a person known at two hospitals counts once at each."
                )
            );
        }
        self.contents(v);
        self.push("</section>");
    }

    /// Where to go from the answer: the page is long, and each reader wants another part of it.
    fn contents(&mut self, v: &View<'_>) {
        let c = &v.answer.containment;
        let shown: [(&str, bool, (&str, &str)); 8] = [
            (
                "changes",
                !v.answer.changes.is_empty(),
                ("Ce qui a changé", "What changed"),
            ),
            (
                "containment",
                !(c.cut.is_empty() && c.rotate.is_empty()),
                ("Que couper", "What to cut"),
            ),
            (
                "hospitals",
                !v.places.is_empty(),
                ("Hôpital par hôpital", "Hospital by hospital"),
            ),
            (
                "statements",
                true,
                ("Ce qu’on peut dire", "What can be said"),
            ),
            (
                "internal",
                !v.answer.extent.internal.is_empty(),
                ("Accès internes", "Internal access"),
            ),
            (
                "coverage",
                true,
                ("Ce que les journaux couvrent", "What the logs cover"),
            ),
            (
                "sessions",
                true,
                ("Sessions et raisons", "Sessions, reasons"),
            ),
            ("evidence", true, ("Preuves", "Evidence")),
        ];
        let links: Vec<String> = shown
            .iter()
            .filter(|(_, there, _)| *there)
            .map(|(id, _, title)| format!("<a href=\"#{id}\">{}</a>", both(&(*title).into())))
            .collect();
        let _ = writeln!(
            self.out,
            "<nav class=\"toc\"><span class=\"vh\">{}</span>{}</nav>",
            tr("Dans ce rapport :", "In this report:"),
            links.concat()
        );
    }

    /// The interval as a bar over everybody there is; a part too small to be seen is drawn as a sliver.
    fn range(&mut self, v: &View<'_>) {
        let s = v.answer.extent.subjects;
        let whole = v.whole() as f64;
        let low = s.at_least as f64 * 100.0 / whole;
        let mid = (s.at_most - s.at_least) as f64 * 100.0 / whole;
        let _ = writeln!(
            self.out,
            "<div class=\"range\"><div class=\"track\" aria-hidden=\"true\">{}{}</div>\n<dl>",
            bar("low", low, s.at_least > 0),
            bar("mid", mid, s.at_most > s.at_least)
        );
        let exact = match s.at_least {
            1 => ("Établie", "Established"),
            _ => ("Établies", "Established"),
        };
        let rows: &[(&str, (&str, &str), u64)] = if s.is_exact() {
            &[("low", exact, s.at_least)]
        } else {
            &[
                (
                    "low",
                    ("Au moins, établies", "At least, established"),
                    s.at_least,
                ),
                ("mid", ("Au plus", "At most"), s.at_most),
            ]
        };
        for (class, title, n) in rows {
            let _ = write!(
                self.out,
                "<div><span class=\"key {class}\"></span><dt>{}</dt><dd>{}</dd></div>",
                both(&(*title).into()),
                num(*n)
            );
        }
        if let Some(un) = v.spared() {
            let _ = writeln!(
                self.out,
                "<div><span class=\"key rest\"></span><dt>{}</dt><dd>{}</dd></div>",
                tr("Patients non concernés", "Patients not affected"),
                span(un)
            );
        }
        self.push("</dl></div>");
    }

    fn path(&mut self, v: &View<'_>) {
        if v.sureness == Sureness::NoIntrusion && v.doubtful.is_empty() {
            return;
        }
        self.open("path", ("Le chemin de l’intrus", "The intruder’s path"));
        let _ = writeln!(self.out, "<p class=\"sub\">{}</p>", both(&v.story()));
        if let Some(p) = picture::path(v) {
            self.figure("path", &p);
            let _ = writeln!(
                self.out,
                "<p class=\"note\">{} {}.</p>",
                tr(
                    "Une ligne par compte ; les tirets relient les sessions d’une même chaîne. Heures :",
                    "One lane per account; dashes link the sessions of one chain. Times:"
                ),
                escape(&v.options.zone_name)
            );
        }
        self.push("</section>");
    }

    fn figure(&mut self, id: &str, p: &Picture) {
        let _ = write!(
            self.out,
            "<figure tabindex=\"0\"><svg viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-labelledby=\"pt-{id} pd-{id}\"><title id=\"pt-{id}\">{}</title><desc id=\"pd-{id}\">{}</desc>",
            p.w,
            p.h,
            escape(&format!("{} / {}", p.title.fr, p.title.en)),
            escape(&format!("{} / {}", p.text.fr, p.text.en))
        );
        for s in &p.shapes {
            self.shape(s);
        }
        self.push("</svg></figure>");
    }

    fn shape(&mut self, s: &Shape) {
        match s {
            Shape::Rect {
                x,
                y,
                w,
                h,
                ink,
                title,
            } => {
                let _ = write!(
                    self.out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" class=\"{}\"",
                    ink_class(*ink)
                );
                match title {
                    Some(t) => {
                        let text = if t.fr == t.en {
                            t.fr.clone()
                        } else {
                            format!("{} / {}", t.fr, t.en)
                        };
                        let _ = write!(self.out, "><title>{}</title></rect>", escape(&text));
                    }
                    None => self.out.push_str("/>"),
                }
            }
            Shape::Line {
                x1,
                y1,
                x2,
                y2,
                width,
                ink,
                dashed,
            } => {
                let dash = if *dashed {
                    " stroke-dasharray=\"4 3\""
                } else {
                    ""
                };
                let class = if *ink == Ink::Link {
                    "s-link"
                } else {
                    "s-grid"
                };
                let _ = write!(
                    self.out,
                    "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" class=\"{class}\" stroke-width=\"{width}\" fill=\"none\"{dash}/>"
                );
            }
            Shape::Text {
                x,
                y,
                size,
                bold,
                anchor,
                ink,
                text,
            } => {
                let a = match anchor {
                    Anchor::Start => "start",
                    Anchor::Middle => "middle",
                    Anchor::End => "end",
                };
                let b = if *bold { " font-weight=\"650\"" } else { "" };
                let mut one = |lang: &str, t: &str| {
                    let l = if lang.is_empty() {
                        String::new()
                    } else {
                        format!(" lang=\"{lang}\"")
                    };
                    let _ = write!(
                        self.out,
                        "<text{l} x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" text-anchor=\"{a}\" class=\"{}\"{b}>{}</text>",
                        ink_class(*ink),
                        escape(t)
                    );
                };
                if text.fr == text.en {
                    one("", &text.fr);
                } else {
                    one("fr", &text.fr);
                    one("en", &text.en);
                }
            }
        }
    }

    fn data(&mut self, v: &View<'_>) {
        if v.categories.is_empty() && v.answer.extent.subjects.at_most == 0 {
            return;
        }
        self.open(
            "data",
            ("Quelles données, et comment", "Which data, and how"),
        );
        let _ = writeln!(
            self.out,
            "<p class=\"sub\">{}</p>",
            tr(
                "Nombre de personnes par catégorie, chacune sous son verdict le plus fort. Deux nombres sont un intervalle : au moins, au plus.",
                "Number of people by category, each under its strongest verdict. Two numbers are an interval: at least, at most."
            )
        );
        if v.categories.is_empty() {
            let _ = writeln!(
                self.out,
                "<p>{}</p>",
                tr("Aucune catégorie atteinte.", "No category reached.")
            );
        } else {
            self.matrix(&v.categories);
            let _ = writeln!(
                self.out,
                "<p class=\"note\">{}</p>",
                tr(
                    "« Exposées » : la session pouvait les atteindre, aucune trace ne dit si elle l’a fait. Une personne connue de deux hôpitaux compte une fois dans chacun. * Catégorie déduite d’une autre. § Données sensibles au sens du RGPD, art. 9 ou 10.",
                    "“Exposed”: the session could reach them and no trace says whether it did. A person known at two hospitals counts once at each. * Category derived from another. § Special category under GDPR art. 9 or 10."
                )
            );
        }
        self.push("</section>");
    }

    fn matrix(&mut self, rows: &[CategoryRow]) {
        self.push("<div class=\"scroll\" tabindex=\"0\"><table class=\"matrix\"><thead><tr>");
        let _ = write!(
            self.out,
            "<th scope=\"col\">{}</th>",
            tr("Catégorie", "Category")
        );
        // On a phone a verdict that nobody has makes room for those somebody has.
        let bare: Vec<&str> = (0..VERDICTS.len())
            .map(
                |i| match rows.iter().all(|r| r.cells[i] == Interval::ZERO) {
                    true => " none",
                    false => "",
                },
            )
            .collect();
        for (i, verdict) in VERDICTS.iter().enumerate() {
            let _ = write!(
                self.out,
                "<th scope=\"col\" class=\"n v{i}{}\"><span class=\"sw\"></span>{}</th>",
                bare[i],
                both(&words::verdict(verdict))
            );
        }
        self.push("</tr></thead><tbody>");
        let most = rows
            .iter()
            .flat_map(|r| r.cells.iter().map(|c| c.at_most))
            .max()
            .unwrap_or(1)
            .max(1) as f64;
        for r in rows {
            let marks = format!(
                "{}{}",
                if r.derived { "*" } else { "" },
                if r.special { "§" } else { "" }
            );
            let _ = write!(
                self.out,
                "<tr><th scope=\"row\">{}{} <span class=\"code\">{}</span></th>",
                both(&r.label),
                marks,
                escape(&r.code)
            );
            for (i, c) in r.cells.iter().enumerate() {
                if *c == Interval::ZERO {
                    let _ = write!(self.out, "<td class=\"n zero{}\">0</td>", bare[i]);
                } else {
                    let width = c.at_most as f64 * 100.0 / most;
                    let _ = write!(
                        self.out,
                        "<td class=\"n v{i}\">{}<i aria-hidden=\"true\"><b style=\"width:{width:.1}%\"></b></i></td>",
                        span(*c)
                    );
                }
            }
            self.push("</tr>");
        }
        self.push("</tbody></table></div>");
    }

    fn places(&mut self, v: &View<'_>) {
        if v.places.is_empty() {
            return;
        }
        self.open("hospitals", ("Hôpital par hôpital", "Hospital by hospital"));
        let _ = writeln!(
            self.out,
            "<p class=\"sub\">{}</p>",
            tr(
                "Chaque responsable de traitement notifie pour ses propres patients et agents.",
                "Each controller notifies for its own patients and staff."
            )
        );
        self.push("<div class=\"scroll\" tabindex=\"0\"><table class=\"stack places\"><thead><tr>");
        let lab =
            |fr: &str, en: &str| format!("<span class=\"lab\">{}{} </span>", tr(fr, en), colon());
        for (fr, en, n) in [
            ("Établissement", "Establishment", false),
            ("Personnes", "People", true),
            ("Données établies", "Data established", false),
            ("Données possibles", "Data possible", false),
        ] {
            let _ = write!(
                self.out,
                "<th scope=\"col\"{}>{}</th>",
                if n { " class=\"n\"" } else { "" },
                tr(fr, en)
            );
        }
        self.push("</tr></thead><tbody>");
        for p in v.places.iter().take(PLACES_MAX) {
            let _ = write!(
                self.out,
                "<tr><th scope=\"row\">{}{}</th><td class=\"n\">{}{}</td><td>{}{}</td><td{}>{}{}</td></tr>",
                raw(&p.name),
                if p.name == p.id {
                    String::new()
                } else {
                    format!("<br><span class=\"code\">{}</span>", raw(&p.id))
                },
                lab("Personnes", "People"),
                span(p.subjects),
                lab("Établies", "Established"),
                category_list(&p.seen),
                match p.possible.is_empty() {
                    true => " class=\"none\"",
                    false => "",
                },
                lab("Possibles", "Possible"),
                category_list(&p.possible)
            );
            self.out.push('\n');
        }
        self.push("</tbody></table></div>");
        self.more(v.places.len(), PLACES_MAX, "extent.json");
        for p in v
            .places
            .iter()
            .take(PLACES_MAX)
            .filter(|p| !p.rows.is_empty() || !p.statements.is_empty())
        {
            let _ = writeln!(
                self.out,
                "<details><summary><b>{}</b>{} {}</summary>",
                raw(&p.name),
                colon(),
                span(p.subjects)
            );
            if !p.rows.is_empty() {
                self.matrix(&p.rows);
            }
            if !p.statements.is_empty() {
                self.push("<div class=\"say\">");
                let (yes, no): (Vec<&Statement>, Vec<&Statement>) =
                    p.statements.iter().partition(|s| is_established(s));
                self.said(&yes, true);
                self.said(&no, false);
                self.push("</div>");
            }
            self.push("</details>");
        }
        self.push("</section>");
    }

    /// What rules found, and that it judges nobody.
    fn findings(&mut self, v: &View<'_>, found: &Findings) {
        if found.findings.is_empty() {
            return;
        }
        self.open(
            "findings",
            (
                "À regarder : constats des règles",
                "Worth a look: findings of rules",
            ),
        );
        let _ = writeln!(
            self.out,
            "<p class=\"sub\">{}</p><ul class=\"plain\">",
            tr(&found.note.fr, &found.note.en)
        );
        let list = &found.findings;
        for f in list.iter().take(LIST_MAX) {
            let when = Both::of(|l| {
                let times = words::count(f.times, l, ("fois", "fois"), ("time", "times"));
                let at = |t: &str| words::moment_text(t, &v.options.zone, l);
                match (f.first == f.last, l) {
                    (true, _) if f.first.is_empty() => times,
                    (true, _) => format!("{times}, {}", at(&f.first)),
                    (_, Lang::Fr) => format!("{times}, du {} au {}", at(&f.first), at(&f.last)),
                    (_, Lang::En) => format!("{times}, {} to {}", at(&f.first), at(&f.last)),
                }
            });
            let by: Vec<String> = f.by.iter().map(|b| raw(&b.value)).collect();
            let title = Both::new(&*clip(&f.title.fr, TEXT_MAX), &*clip(&f.title.en, TEXT_MAX));
            let why = Both::new(
                &*clip(&f.reason.fr, TEXT_MAX),
                &*clip(&f.reason.en, TEXT_MAX),
            );
            let _ = writeln!(
                self.out,
                "<li>{} <span class=\"mono\">{}</span>{} {} <span class=\"why\">{}</span></li>",
                both(&title),
                by.join(" · "),
                colon(),
                both(&when),
                both(&why)
            );
        }
        self.push("</ul>");
        self.more(list.len(), LIST_MAX, "findings.json");
        self.push("</section>");
    }

    fn more(&mut self, all: usize, shown: usize, file: &str) {
        if all > shown {
            let text = Both::of(|l| match l {
                Lang::Fr => format!(
                    "{} autres lignes : voir {file}.",
                    words::number((all - shown) as u64, l)
                ),
                Lang::En => format!(
                    "{} more rows: see {file}.",
                    words::number((all - shown) as u64, l)
                ),
            });
            let _ = writeln!(self.out, "<p class=\"note\">{}</p>", both(&text));
        }
    }

    fn statements(&mut self, v: &View<'_>) {
        self.open(
            "statements",
            (
                "Ce qu’on peut dire, ce qu’on ne peut pas dire",
                "What can be said, and what cannot",
            ),
        );
        self.push("<div class=\"say\">");
        self.said(&v.established, true);
        self.said(&v.open, false);
        self.push("</div></section>");
    }

    /// What is established (that nothing was seen: a tick; that something was: a full dot), or what cannot be said.
    fn said(&mut self, list: &[&Statement], established: bool) {
        let title = if established {
            tr("Établi", "Established")
        } else {
            tr("Pas établi, et pourquoi", "Not established, and why")
        };
        let _ = writeln!(self.out, "<div><h3>{title}</h3><ul class=\"plain\">");
        for s in list {
            let because: Vec<String> = s
                .because
                .iter()
                .take(6)
                .map(|b| format!("<span class=\"mono\">{}</span>", both(&words::reason(b))))
                .collect();
            let why = if because.is_empty() {
                String::new()
            } else {
                let more = if s.because.len() > 6 {
                    format!(" +{}", s.because.len() - 6)
                } else {
                    String::new()
                };
                // The sentence is read; what stands behind it is looked up.
                format!(
                    "<details class=\"why\"><summary>{} ({})</summary>{}{more}</details>",
                    tr("Pièces", "Evidence"),
                    s.because.len(),
                    because.join(" · ")
                )
            };
            let words = Both::new(clip(&s.fr, 600), clip(&s.en, 600));
            let standing = match (established, s.holds) {
                (true, true) => Standing::Excluded,
                (true, false) => Standing::Seen(Interval::ZERO),
                _ => Standing::Untold,
            };
            let _ = writeln!(
                self.out,
                "<li class=\"{}\">{}<div>{}{why}</div></li>",
                class(standing),
                icon(standing),
                both(&words)
            );
        }
        if list.is_empty() {
            let none = if established {
                tr(
                    "Aucune phrase ne peut encore être affirmée.",
                    "No sentence can be affirmed yet.",
                )
            } else {
                tr("Aucune.", "None.")
            };
            let _ = writeln!(self.out, "<li><span></span><div>{none}</div></li>");
        }
        self.push("</ul></div>");
    }

    fn coverage(&mut self, v: &View<'_>) {
        self.open(
            "coverage",
            ("Ce que les journaux couvrent", "What the logs cover"),
        );
        let _ = writeln!(
            self.out,
            "<p class=\"sub\">{}</p>",
            tr(
                "Une absence de trace ne prouve rien là où le journal manque : ces périodes élargissent le « au plus », jamais le « au moins ».",
                "Where the log is missing, finding no trace proves nothing: such periods widen “at most”, never “at least”."
            )
        );
        if let Some(p) = picture::coverage(v) {
            self.figure("coverage", &p);
        }
        if v.gaps.is_empty() {
            let none = if v.answer.coverage.is_empty() {
                tr(
                    "Aucune période n’est couverte : rien n’y a été lu.",
                    "No period is covered: nothing was read of it.",
                )
            } else {
                tr("Aucun trou connu.", "No known gap.")
            };
            let _ = writeln!(self.out, "<p>{none}</p>");
        } else {
            let _ = writeln!(
                self.out,
                "<h3>{}</h3>\n<div class=\"scroll\" tabindex=\"0\"><table class=\"stack gaps\"><thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\" class=\"n\">{}</th></tr></thead><tbody>",
                tr("Périodes incomplètes", "Incomplete periods"),
                tr("Source", "Source"),
                tr("De", "From"),
                tr("À", "To"),
                tr("Raison", "Reason"),
                tr("Lignes manquantes", "Missing lines")
            );
            let mut gaps = v.gaps.clone();
            gaps.sort_by_key(|g| {
                (
                    g.closed_by.is_some(),
                    g.state != "gap",
                    g.source.clone(),
                    g.from.clone(),
                    g.to.clone(),
                )
            });
            for g in gaps.iter().take(GAPS_MAX) {
                let time = |t: &str| both(&Both::of(|l| words::moment_text(t, &v.options.zone, l)));
                let mut reason = format!(
                    "{} {}",
                    tag(&g.state, &words::state(&g.state)),
                    both(&words::gap_kind(&g.kind))
                );
                if let Some(by) = &g.closed_by {
                    let _ = write!(
                        reason,
                        "<br>{} <span class=\"mono\">{}</span>",
                        tr("comblé par", "closed by"),
                        raw(by)
                    );
                }
                if let Some(b) = words::gap_because(g) {
                    let _ = write!(
                        reason,
                        "<span class=\"why\">{}</span>",
                        both(&Both::new(clip(&b.fr, TEXT_MAX), clip(&b.en, TEXT_MAX)))
                    );
                }
                let missing = match g.missing {
                    Some(n) => format!(
                        "<td class=\"n\"><span class=\"lab\">{}{} </span>{}</td>",
                        tr("Lignes manquantes", "Missing lines"),
                        colon(),
                        num(n)
                    ),
                    None => "<td class=\"n none\">—</td>".into(),
                };
                let _ = writeln!(
                    self.out,
                    "<tr><th scope=\"row\" class=\"mono\">{}</th><td class=\"from\">{}</td><td>{}</td><td>{reason}</td>{missing}</tr>",
                    raw(&g.source),
                    time(&g.from),
                    time(&g.to)
                );
            }
            self.push("</tbody></table></div>");
            self.more(gaps.len(), GAPS_MAX, "extent.json");
        }
        self.push("</section>");
    }

    fn sessions(&mut self, v: &View<'_>) {
        self.open(
            "sessions",
            (
                "Les sessions et leurs raisons",
                "The sessions, and the reasons",
            ),
        );
        let tally = Both::of(|l| match l {
            Lang::Fr => format!(
                "{} attribuées à l’intrus, {} douteuses, {} légitimes.",
                words::number(v.intruder.len() as u64, l),
                words::number(v.doubtful.len() as u64, l),
                words::number(v.legitimate, l)
            ),
            Lang::En => format!(
                "{} attributed to the intruder, {} doubtful, {} legitimate.",
                words::number(v.intruder.len() as u64, l),
                words::number(v.doubtful.len() as u64, l),
                words::number(v.legitimate, l)
            ),
        });
        let _ = writeln!(self.out, "<p class=\"sub\">{}</p>", both(&tally));
        let shown: Vec<&SessionRow> = v
            .intruder
            .iter()
            .chain(v.doubtful.iter())
            .copied()
            .collect();
        if !shown.is_empty() {
            let _ = writeln!(
                self.out,
                "<div class=\"scroll\" tabindex=\"0\"><table class=\"stack sess\"><thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\" class=\"n\">{}</th><th scope=\"col\">{}</th></tr></thead><tbody>",
                tr("Session", "Session"),
                tr("Origine", "Origin"),
                tr("Quand", "When"),
                tr("Volume", "Volume"),
                tr("Raisons", "Reasons")
            );
            for s in shown.iter().take(SESSIONS_MAX) {
                let mut origin = format!(
                    "<span class=\"mono\">{}</span>",
                    raw(s.origin.address.as_deref().unwrap_or("—"))
                );
                if let Some(c) = s.origin.country.as_deref().filter(|c| !c.is_empty()) {
                    let _ = write!(origin, " ({})", raw(c));
                }
                if let Some(asn) = s.origin.asn {
                    let _ = write!(origin, "<br><span class=\"code\">AS{asn}</span>");
                }
                if let Some(d) = s.origin.device.as_deref().filter(|d| !d.is_empty()) {
                    let _ = write!(
                        origin,
                        "<br><span class=\"code\">{}</span>",
                        escape(&clip(d, 60))
                    );
                }
                let when = Both::of(|l| {
                    let from = words::instant(&s.from);
                    let to = words::instant(&s.to);
                    match (from, to) {
                        (Some(a), Some(b)) => format!(
                            "{} ({})",
                            words::moment(a, &v.options.zone, l),
                            words::duration(b.as_second() - a.as_second(), l)
                        ),
                        (Some(a), None) => words::moment(a, &v.options.zone, l),
                        _ => "—".into(),
                    }
                });
                let volume = Both::of(|l| {
                    words::count(s.events, l, ("évén.", "évén."), ("event", "events"))
                });
                let bytes = if s.bytes_out > 0 {
                    format!(
                        "<br><span class=\"code\">{}</span>",
                        both(&Both::of(|l| words::bytes(s.bytes_out, l)))
                    )
                } else {
                    String::new()
                };
                let reasons: Vec<String> = s
                    .reasons
                    .iter()
                    .take(REASONS_MAX)
                    .map(|r| {
                        let w = Both::new(clip(&r.fr, TEXT_MAX), clip(&r.en, TEXT_MAX));
                        format!("<li>{}</li>", both(&w))
                    })
                    .collect();
                // The strongest say enough for most readers; the others are one click away, on paper they are counted.
                let (first, rest) = reasons.split_at(reasons.len().min(REASONS_SHOWN));
                let mut why = format!("<ul class=\"plain reasons\">{}</ul>", first.concat());
                if !rest.is_empty() {
                    let _ = write!(
                        why,
                        "<details class=\"why\"><summary>{}</summary><ul class=\"plain reasons\">{}</ul></details>",
                        both(&Both::of(|l| words::count(
                            rest.len() as u64,
                            l,
                            ("autre raison", "autres raisons"),
                            ("more reason", "more reasons")
                        ))),
                        rest.concat()
                    );
                }
                let mut id = format!(
                    "{} <b>{}</b><br><span class=\"code\">{}</span>",
                    tag(&s.verdict, &words::session_verdict(&s.verdict)),
                    s.account
                        .as_deref()
                        .map_or_else(|| tr("sans compte", "no account"), raw),
                    raw(&s.id)
                );
                if let Some(i) = s.intrusion.as_deref() {
                    let _ = write!(id, " <span class=\"code\">· {}</span>", raw(i));
                }
                let _ = writeln!(
                    self.out,
                    "<tr><th scope=\"row\">{id}</th><td>{origin}</td><td>{}</td><td class=\"n\">{}{bytes}</td><td>{why}</td></tr>",
                    both(&when),
                    both(&volume)
                );
            }
            self.push("</tbody></table></div>");
            self.more(shown.len(), SESSIONS_MAX, "sessions.csv");
        }
        self.push("</section>");
    }

    fn containment(&mut self, v: &View<'_>) {
        let c = &v.answer.containment;
        let accounts: Vec<_> = v
            .answer
            .accounts
            .iter()
            .filter(|a| a.verdict != "clean")
            .collect();
        // What is to be kept is said beside what is to be cut: where nothing is, it would only alarm.
        if c.cut.is_empty() && c.rotate.is_empty() && accounts.is_empty() {
            return;
        }
        self.open(
            "containment",
            ("Que couper, que garder", "What to cut, what to keep"),
        );
        self.push("<div class=\"cards\">");
        for (class, title, note, list) in [
            (
                "cut",
                ("Couper", "Cut"),
                (
                    "Arrête l’intrus, pas le service.",
                    "Stops the intruder, not the service.",
                ),
                &c.cut,
            ),
            (
                "rotate",
                ("Changer le secret", "Rotate"),
                ("Utilisé aussi légitimement.", "Also used lawfully."),
                &c.rotate,
            ),
            (
                "keep",
                ("Garder", "Keep"),
                ("Nécessaire aux soins.", "Needed for care."),
                &c.keep,
            ),
        ] {
            let _ = writeln!(
                self.out,
                "<div class=\"c-{class}\"><h3>{}</h3><p class=\"note\" style=\"margin:0 0 .4rem\">{}</p><ul class=\"plain\">",
                both(&title.into()),
                both(&note.into())
            );
            for x in list.iter().take(LIST_MAX) {
                let _ = writeln!(self.out, "<li class=\"mono\">{}</li>", raw(x));
            }
            if list.is_empty() {
                self.push("<li>—</li>");
            }
            self.push("</ul>");
            self.more(list.len(), LIST_MAX, "extent.json");
            self.push("</div>");
        }
        self.push("</div>");
        if !accounts.is_empty() {
            let _ = writeln!(
                self.out,
                "<h3>{}</h3><div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\" class=\"n\">{}</th><th scope=\"col\" class=\"n\">{}</th><th scope=\"col\" class=\"n\">{}</th></tr></thead><tbody>",
                tr("Comptes en cause", "Accounts involved"),
                tr("Compte", "Account"),
                tr("Verdict", "Verdict"),
                tr("Sessions de l’intrus", "Intruder sessions"),
                tr("Douteuses", "Doubtful"),
                tr("Légitimes", "Legitimate")
            );
            for a in accounts.iter().take(SESSIONS_MAX) {
                let _ = writeln!(
                    self.out,
                    "<tr><th scope=\"row\" class=\"mono\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                    raw(&a.account),
                    tag(&a.verdict, &words::account_verdict(&a.verdict)),
                    num(a.sessions.intruder),
                    num(a.sessions.doubtful),
                    num(a.sessions.legitimate)
                );
            }
            self.push("</tbody></table></div>");
            self.more(accounts.len(), SESSIONS_MAX, "extent.json");
        }
        self.push("</section>");
    }

    /// Claims, targeted persons, writes, canaries, employees' own curiosity: each only when there is something to say.
    fn people(&mut self, v: &View<'_>) {
        let a = v.answer;
        if !a.claims.is_empty() {
            self.open(
                "claims",
                ("Ce que l’intrus affirme", "What the intruder claims"),
            );
            self.push("<ul class=\"plain\">");
            for c in a.claims.iter().take(LIST_MAX) {
                let because: Vec<String> = (c.because.iter().take(6))
                    .map(|b| both(&words::reason(b)))
                    .collect();
                let _ = writeln!(
                    self.out,
                    "<li style=\"padding:.35rem 0\">{} {}{}{}<span class=\"why\">{}</span></li>",
                    tag(&c.verdict, &words::claim_verdict(&c.verdict)),
                    tr("« ", "“"),
                    raw(&c.text),
                    tr(" »", "”"),
                    because.join(" · ")
                );
            }
            self.push("</ul></section>");
        }
        let e = &a.extent;
        if !e.targeted.is_empty() || !e.canaries.is_empty() {
            self.open("targeted", ("Personnes visées", "People targeted"));
            let _ = writeln!(
                self.out,
                "<p class=\"sub\">{}</p><ul class=\"plain\">",
                tr(
                    "Cherchées par leur identifiant ou leur identité complète, au milieu de demandes en masse.",
                    "Asked for by identifier or full identity, amid bulk requests."
                )
            );
            for (t, canary) in e
                .targeted
                .iter()
                .map(|t| (t, false))
                .chain(e.canaries.iter().map(|t| (t, true)))
                .take(LIST_MAX)
            {
                let times: Vec<String> = t
                    .times
                    .iter()
                    .take(3)
                    .map(|x| both(&Both::of(|l| words::moment_text(x, &v.options.zone, l))))
                    .collect();
                let mark = if canary {
                    format!(" ({})", tr("leurre, non compté", "canary, not counted"))
                } else {
                    String::new()
                };
                let _ = writeln!(
                    self.out,
                    "<li><span class=\"mono\">{}</span>{mark} <span class=\"why\">{}</span></li>",
                    raw(&t.subject),
                    times.join(" · ")
                );
            }
            self.push("</ul>");
            self.more(e.targeted.len() + e.canaries.len(), LIST_MAX, "extent.json");
            self.push("</section>");
        }
        if !e.writes.is_empty() {
            self.open(
                "writes",
                ("Ce que l’intrus a modifié", "What the intruder changed"),
            );
            let _ = writeln!(
                self.out,
                "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\">{}</th></tr></thead><tbody>",
                tr("Personne", "Person"),
                tr("Champ", "Field"),
                tr("Avant", "Before"),
                tr("Après", "After")
            );
            for w in e.writes.iter().take(SESSIONS_MAX) {
                let _ = writeln!(
                    self.out,
                    "<tr><th scope=\"row\" class=\"mono\">{}</th><td class=\"mono\">{}</td><td>{}</td><td>{}</td></tr>",
                    raw(&w.subject),
                    raw(&w.field),
                    raw(w.before.as_deref().unwrap_or("—")),
                    raw(w.after.as_deref().unwrap_or("—"))
                );
            }
            self.push("</tbody></table></div>");
            self.more(e.writes.len(), SESSIONS_MAX, "extent.json");
            self.push("</section>");
        }
        if let Some(found) = &v.options.findings {
            self.findings(v, found);
        }
        if !e.internal.is_empty() {
            self.open(
                "internal",
                (
                    "Dossier séparé : accès internes",
                    "Separate file: internal access",
                ),
            );
            let _ = writeln!(
                self.out,
                "<p class=\"sub\">{}</p><div class=\"scroll\" tabindex=\"0\"><table class=\"slim\"><thead><tr><th scope=\"col\">{}</th><th scope=\"col\" class=\"n\">{}</th><th scope=\"col\">{}</th></tr></thead><tbody>",
                tr(
                    "Des accès d’agents qui paraissent personnels. Ils ne comptent pas dans cette intrusion.",
                    "Employees’ accesses that look personal. They do not count in this intrusion."
                ),
                tr("Compte", "Account"),
                tr("Personnes", "People"),
                tr("Ce qui se voit", "What is seen")
            );
            for i in e.internal.iter().take(LIST_MAX) {
                let _ = writeln!(
                    self.out,
                    "<tr><th scope=\"row\" class=\"mono\">{}</th><td class=\"n\">{}</td><td>{}</td></tr>",
                    raw(&i.account),
                    num(i.subjects),
                    both(&words::internal(&i.reason))
                );
            }
            self.push("</tbody></table></div>");
            self.more(e.internal.len(), LIST_MAX, "extent.json");
            self.push("</section>");
        }
    }

    fn changes(&mut self, v: &View<'_>) {
        if v.answer.changes.is_empty() {
            return;
        }
        self.open(
            "changes",
            (
                "Ce qui a changé depuis la version précédente",
                "What changed since the previous version",
            ),
        );
        self.push("<ul class=\"plain\">");
        for c in v.answer.changes.iter().take(LIST_MAX) {
            let arrow = match (c.before, c.after) {
                (Some(b), Some(a)) => format!(" <b>{} → {}</b>", span(b), span(a)),
                _ => String::new(),
            };
            let parts: Vec<&str> = c.what.split(' ').collect();
            let text = match parts[..] {
                ["cell", place, category, verdict] => {
                    let (category, verdict) = (words::category(category), words::verdict(verdict));
                    let place = v.place_name(place);
                    Both::of(|l| {
                        let sign = if l == Lang::Fr { " :" } else { ":" };
                        format!("{place}, {}, {}{sign}", category.get(l), verdict.get(l))
                    })
                }
                _ => Both::new(clip(&c.fr, 600), clip(&c.en, 600)),
            };
            let _ = writeln!(self.out, "<li>{}{arrow}</li>", both(&text));
        }
        self.push("</ul>");
        self.more(v.answer.changes.len(), LIST_MAX, "extent.json");
        self.push("</section>");
    }

    fn evidence(&mut self, v: &View<'_>) {
        let e = &v.answer.evidence;
        self.open("evidence", ("Preuves", "Evidence"));
        let _ = writeln!(
            self.out,
            "<p class=\"sub\">{}</p><span class=\"hash mono\">{}<br>{} {}</span>",
            tr(
                "Cette réponse repose sur des journaux scellés à leur arrivée. Empreinte de l’arbre (SHA-256, RFC 6962) et nombre de feuilles :",
                "This answer rests on logs sealed on arrival. Tree root (SHA-256, RFC 6962) and number of leaves:"
            ),
            if e.root_hash.is_empty() {
                "—".into()
            } else {
                raw(&e.root_hash)
            },
            num(e.tree_size),
            tr("feuilles", "leaves")
        );
        let sums = Both::of(|l| {
            let n = |x| words::number(x, l);
            match l {
                Lang::Fr => format!(
                    "{} enregistrements = {} événements + {} illisibles + {} lignes vides ou commentaires. Chaque chiffre remonte à ses lignes : « ampleur explain ». Pour vérifier sans nous croire : « ampleur verify ».",
                    n(e.records),
                    n(e.events),
                    n(e.rejects),
                    n(e.skipped)
                ),
                Lang::En => format!(
                    "{} records = {} events + {} unreadable + {} blank lines or comments. Every figure leads back to its lines: “ampleur explain”. To check without trusting us: “ampleur verify”.",
                    n(e.records),
                    n(e.events),
                    n(e.rejects),
                    n(e.skipped)
                ),
            }
        });
        let _ = writeln!(self.out, "<p>{}</p>", both(&sums));
        if !e.by_source.is_empty() {
            let _ = writeln!(
                self.out,
                "<details class=\"files\"><summary>{}</summary><div class=\"scroll\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th><th scope=\"col\" class=\"n\">{}</th><th scope=\"col\" class=\"n\">{}</th><th scope=\"col\" class=\"n\">{}</th><th scope=\"col\" class=\"n\">{}</th></tr></thead><tbody>",
                both(&Both::of(|l| words::count(
                    e.by_source.len() as u64,
                    l,
                    ("fichier lu", "fichiers lus"),
                    ("file read", "files read")
                ))),
                tr("Fichier", "File"),
                tr("Format", "Format"),
                tr("Enregistrements", "Records"),
                tr("Événements", "Events"),
                tr("Illisibles", "Unreadable"),
                tr("Vides", "Blank")
            );
            let mut rows: Vec<_> = e.by_source.iter().collect();
            rows.sort_by_key(|r| (std::cmp::Reverse(r.rejects), r.source.clone()));
            for r in rows.iter().take(SOURCES_MAX) {
                let _ = writeln!(
                    self.out,
                    "<tr><th scope=\"row\" class=\"mono\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                    raw(&r.source),
                    raw(&r.format),
                    num(r.records),
                    num(r.events),
                    num(r.rejects),
                    num(r.skipped)
                );
            }
            self.push("</tbody></table></div>");
            self.more(rows.len(), SOURCES_MAX, "extent.json");
            self.push("</details>");
        }
        self.push("</section>");
    }

    fn method(&mut self) {
        self.open("method", ("Méthode", "Method"));
        for (fr, en) in METHOD {
            let _ = writeln!(self.out, "<p>{}</p>", tr(fr, en));
        }
        self.push("</section>");
    }

    fn glossary(&mut self) {
        self.open("glossary", ("Les mots", "The words"));
        self.push("<dl class=\"gloss\">");
        for (term, text) in GLOSSARY {
            let _ = writeln!(
                self.out,
                "<dt>{}</dt><dd>{}</dd>",
                both(&(*term).into()),
                both(&(*text).into())
            );
        }
        self.push("</dl></section>");
    }

    fn foot(&mut self, v: &View<'_>) {
        let _ = writeln!(
            self.out,
            "</main>\n<footer>{} {}</footer>\n</body>\n</html>",
            tr(
                "Rapport d’Ampleur, logiciel libre. Les listes complètes sont à côté : persons.csv, sessions.csv, timeline.csv, extent.json. Heures :",
                "Report by Ampleur, free software. The complete lists are beside it: persons.csv, sessions.csv, timeline.csv, extent.json. Times:"
            ),
            escape(&v.options.zone_name)
        );
    }
}

fn ink_class(ink: Ink) -> &'static str {
    match ink {
        Ink::Text => "i-text",
        Ink::Muted => "i-muted",
        Ink::Grid => "s-grid",
        Ink::Band => "i-band",
        Ink::Pause => "i-pause",
        Ink::Intruder => "i-intruder",
        Ink::Doubtful => "i-doubtful",
        Ink::Legitimate => "i-legit",
        Ink::Bytes => "i-bytes",
        Ink::Link => "s-link",
        Ink::Complete => "i-complete",
        Ink::Gap => "i-gap",
        Ink::Closed => "i-closed",
        Ink::Unknown => "i-unknown",
    }
}

fn category_list(codes: &[String]) -> String {
    if codes.is_empty() {
        return "—".into();
    }
    let text = Both::of(|l| {
        codes
            .iter()
            .map(|c| words::category(c).get(l).to_string())
            .collect::<Vec<_>>()
            .join(", ")
    });
    both(&text)
}

/// How the answer is made, in plain words.
pub(crate) const METHOD: &[(&str, &str)] = &[
    (
        "Chaque ligne reçue est scellée, puis lue. Les lignes d’une même utilisation d’un compte forment une session ; les sessions sont reliées par des preuves (adresse du tunnel, identifiant de connexion, jeton).",
        "Every line received is sealed, then read. The lines of one use of an account form a session; sessions are linked by evidence (tunnel address, logon id, token).",
    ),
    (
        "Une session est attribuée à l’intrus par une somme de raisons écrites, jamais par le seul nom du compte : le titulaire peut travailler à la même minute, ses accès ne comptent pas.",
        "A session is attributed to the intruder by a sum of written reasons, never by the account name alone: the owner may work in the same minute, and those accesses do not count.",
    ),
    (
        "Quand un journal garde la question sans la réponse, la question est reposée à la base d’identités du jour. Les personnes sont comptées une fois, identités fusionnées comprises.",
        "When a log keeps the question but not the answer, the question is asked again of that day’s identity base. People are counted once, merged identities included.",
    ),
    (
        "« Au moins » ne contient que ce qui est établi. « Au plus » ajoute les sessions douteuses, les personnes atteignables sans trace et tout ce qu’un trou de journaux peut cacher.",
        "“At least” holds only what is established. “At most” adds doubtful sessions, people reachable without trace, and everything a log gap may hide.",
    ),
];

/// A word and its meaning, each in French and English.
type Entry = ((&'static str, &'static str), (&'static str, &'static str));

/// The words of the report; the full list is in the project's glossary.
pub(crate) const GLOSSARY: &[Entry] = &[
    (
        ("session", "session"),
        (
            "une utilisation d’un compte depuis une origine, sur un système",
            "one use of one account from one origin, on one system",
        ),
    ),
    (
        ("chaîne", "chain"),
        (
            "des sessions reliées par des preuves, de la porte d’entrée à la donnée",
            "sessions linked by evidence, from the way in to the record",
        ),
    ),
    (("publiées", "leaked"), ("vues publiées", "seen published")),
    (
        ("copiées hors de l’hôpital", "exfiltrated"),
        (
            "une copie est sortie, ou la fonction est un export ou un téléchargement",
            "a copy left, or the function is an export or a download",
        ),
    ),
    (
        ("consultées", "consulted"),
        (
            "servies ou affichées à la session",
            "served or shown to the session",
        ),
    ),
    (
        ("exposées", "exposed"),
        (
            "la session pouvait les atteindre ; aucune trace ne tranche",
            "the session could reach them; no evidence says either way",
        ),
    ),
    (
        ("exclues", "ruled out"),
        (
            "les journaux sont complets et ne montrent aucun accès",
            "the logs are complete and show no access",
        ),
    ),
    (
        ("trou", "gap"),
        (
            "une période où la source aurait dû parler et manque",
            "a period when the source should have spoken and is missing",
        ),
    ),
    (
        ("usurpé", "usurped"),
        (
            "compte utilisé par l’intrus, et parfois aussi par son titulaire",
            "account used by the intruder, and perhaps by its owner too",
        ),
    ),
];
