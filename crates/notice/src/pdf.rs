//! `report.pdf`: the answer in brief, on A4, tagged for assistive technology (PDF/UA-1, ISO 14289-1), fonts embedded, no date inside,
//! so that equal answers give equal bytes. Layout first (a list of marks and a tree of what they are), then one pass writes both.
use crate::{
    Lang, NoticeError, Options,
    html::{GLOSSARY, METHOD, standing},
    picture::{self, Anchor, Ink, Picture, Shape, clip},
    view::{Standing, Sureness, VERDICTS, View},
    words,
};
use ampleur_extent::model::{Answer, PersonRow};
use krilla::{
    Document, SerializeSettings,
    color::rgb,
    configure::{Accessibility, ConfigurationBuilder},
    geom::{PathBuilder, Point},
    metadata::Metadata,
    num::NormalizedF32,
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::{Fill, Stroke, StrokeDash},
    surface::Surface,
    tagging::{
        Artifact, ArtifactType, ContentTag, Identifier, ListNumbering, SpanTag, TableHeaderScope,
        Tag, TagGroup, TagKind, TagTree,
    },
    text::{Font, GlyphId, KrillaGlyph},
};
use skrifa::{FontRef, MetadataProvider, instance::LocationRef, instance::Size};
use std::{collections::BTreeMap, num::NonZeroU16};

const PAGE_W: f32 = 595.28;
const PAGE_H: f32 = 841.89;
const MARGIN: f32 = 48.0;
const BOTTOM: f32 = PAGE_H - 52.0;
const WIDTH: f32 = PAGE_W - 2.0 * MARGIN;

const SESSIONS_MAX: usize = 24;
const PLACES_MAX: usize = 40;
const GAPS_MAX: usize = 16;
/// What is to be cut is worked off from the paper: all of it, short of what nobody does by hand.
const CUT_MAX: usize = 400;

type Rgb = (u8, u8, u8);
const INK: Rgb = (16, 24, 32);
const MUTED: Rgb = (64, 74, 84);
const LINE: Rgb = (201, 197, 187);
const SOFT: Rgb = (236, 234, 228);
const INTRUDER: Rgb = (163, 44, 20);
const DOUBT: Rgb = (139, 90, 0);
const OK: Rgb = (28, 106, 88);

/// The report in the language of `options`.
pub fn report(
    answer: &Answer,
    persons: &[PersonRow],
    options: &Options,
) -> Result<Vec<u8>, NoticeError> {
    write(answer, persons, options, &[options.lang])
}

/// The report in both languages, the one of `options` first.
pub fn bilingual(
    answer: &Answer,
    persons: &[PersonRow],
    options: &Options,
) -> Result<Vec<u8>, NoticeError> {
    let other = match options.lang {
        Lang::Fr => Lang::En,
        Lang::En => Lang::Fr,
    };
    write(answer, persons, options, &[options.lang, other])
}

fn write(
    answer: &Answer,
    persons: &[PersonRow],
    options: &Options,
    langs: &[Lang],
) -> Result<Vec<u8>, NoticeError> {
    let view = View::new(answer, persons, options);
    let faces = Faces::load()?;
    let mut sheet = Sheet::new(&faces);
    for lang in langs {
        if !sheet.pages.is_empty() {
            sheet.new_page();
        }
        let from = sheet.tree.len();
        body(&mut sheet, &view, *lang);
        let part = sheet.tree.split_off(from);
        sheet.tree.push(Node::Group(Kind::Part(*lang), part));
    }
    let title = format!("{} · Ampleur", view.headline().get(options.lang));
    sheet.finish(&title, options.lang, &answer.incident)
}

// ---- what is said ----

fn body(s: &mut Sheet<'_>, v: &View<'_>, l: Lang) {
    let t = |fr: &str, en: &str| {
        if l == Lang::Fr {
            fr.to_string()
        } else {
            en.to_string()
        }
    };
    let a = v.answer;
    s.begin();
    let mut over = clip(&a.incident, 160);
    if v.options.simulated {
        over.push_str(&t(" · données simulées", " · simulated data"));
    }
    over.push_str(&format!(" · {}", v.window().get(l)));
    s.paragraph(&over, 9.0, false, MUTED, 4.0);
    s.heading(1, v.headline().get(l), 27.0);
    if let Some(asked) = v.asked() {
        s.paragraph(asked.get(l), 11.5, false, INK, 8.0);
    }
    if let Some(lead) = v.lead() {
        s.paragraph(lead.get(l), 11.5, false, INK, 8.0);
    }
    if a.extent.subjects.at_most > 0 {
        range_bar(s, v, l);
    }
    let mut sure = v.how_sure().get(l).to_string();
    if a.extent.subjects.at_most == 0
        && let Some(un) = v.spared()
    {
        sure.push_str(&format!(
            " {}{} {}.",
            t("Patients non concernés", "Patients not affected"),
            words::colon(l),
            words::interval(un, l)
        ));
    }
    s.paragraph(&sure, 9.5, false, INK, 10.0);
    // What a later version moved.
    let moved = a.changes.iter().find(|c| c.what == "subjects");
    if let Some((b, a)) = moved.and_then(|c| c.before.zip(c.after)) {
        s.paragraph(
            &format!(
                "{}{} {} → {}",
                t("Version précédente, celle-ci", "Version before, this one"),
                words::colon(l),
                words::interval(b, l),
                words::interval(a, l)
            ),
            9.5,
            true,
            INK,
            10.0,
        );
    }

    if !v.groups.is_empty() {
        s.heading(2, &t("Quelles données", "Which data"), 13.0);
    }
    let rows: Vec<Vec<Cell>> = v
        .groups
        .iter()
        .map(|g| {
            let (sign, colour) = match g.standing {
                Standing::Seen(_) => ("●", INTRUDER),
                Standing::Possible(_) => ("◐", DOUBT),
                Standing::Excluded => ("✓", OK),
                Standing::Untold => ("?", DOUBT),
                Standing::Unlogged => ("?", MUTED),
            };
            vec![
                Cell::new(format!("{sign}  {}", g.label.get(l))).bold(),
                Cell::new(standing(g.standing).get(l)).colour(colour),
            ]
        })
        .collect();
    s.table(
        &[
            Column::left(t("Données", "Data"), 0.5),
            Column::left(t("Ce qu’on sait", "What is known"), 0.5),
        ],
        rows,
        9.5,
    );

    let touched: Vec<_> = v.places.iter().filter(|p| p.subjects.at_most > 0).collect();
    if !touched.is_empty() {
        s.heading(2, &t("Quels hôpitaux", "Which hospitals"), 13.0);
        let rows = touched
            .iter()
            .take(PLACES_MAX)
            .map(|p| {
                let seen: Vec<String> = p
                    .seen
                    .iter()
                    .map(|c| words::category(c).get(l).to_string())
                    .collect();
                let name = if p.name == p.id {
                    clip(&p.name, 60)
                } else {
                    format!("{} ({})", clip(&p.name, 60), clip(&p.id, 40))
                };
                vec![
                    Cell::new(name).bold(),
                    Cell::new(words::interval(p.subjects, l)),
                    Cell::new(if seen.is_empty() {
                        "—".into()
                    } else {
                        seen.join(", ")
                    })
                    .small(),
                ]
            })
            .collect();
        s.table(
            &[
                Column::left(t("Établissement", "Establishment"), 0.34),
                Column::right(t("Personnes", "People"), 0.17),
                Column::left(t("Données établies", "Data established"), 0.49),
            ],
            rows,
            9.0,
        );
        s.more(touched.len(), PLACES_MAX, l);
    }

    let path = picture::path(v);
    if let Some(p) = &path {
        // The heading and the story stay on the page of the picture.
        s.need((p.h * WIDTH / p.w + 70.0).min(BOTTOM - MARGIN));
    }
    if v.sureness != Sureness::NoIntrusion || path.is_some() {
        s.heading(2, &t("Le chemin de l’intrus", "The intruder’s path"), 13.0);
        s.paragraph(v.story().get(l), 9.5, false, INK, 4.0);
    }
    if let Some(p) = path {
        s.picture(&p, l);
        s.paragraph(
            &format!("{} {}.", t("Heures :", "Times:"), v.options.zone_name),
            8.0,
            false,
            MUTED,
            6.0,
        );
    }

    let c = &a.containment;
    if !(c.cut.is_empty() && c.rotate.is_empty()) {
        s.heading(
            2,
            &t("Que couper, que garder", "What to cut, what to keep"),
            13.0,
        );
        let mut items = Vec::new();
        for (label, list) in [
            (t("À couper", "Cut"), &c.cut),
            (t("Secret à changer", "Rotate"), &c.rotate),
            (t("À garder", "Keep"), &c.keep),
        ] {
            if !list.is_empty() {
                let names: Vec<String> = list.iter().take(CUT_MAX).map(|x| clip(x, 60)).collect();
                let more = match list.len().saturating_sub(CUT_MAX) {
                    0 => String::new(),
                    n => format!(", +{n} (report.html)"),
                };
                items.push(format!(
                    "{label}{} {}{more}",
                    words::colon(l),
                    names.join(", ")
                ));
            }
        }
        s.bullets(&items, 9.0);
    }

    if !v.categories.is_empty() {
        s.heading(
            2,
            &t("Quelles données, et comment", "Which data, and how"),
            13.0,
        );
        let mut columns = vec![Column::left(t("Catégorie", "Category"), 0.36)];
        columns.extend(
            VERDICTS
                .iter()
                .map(|w| Column::right(words::verdict(w).get(l).to_string(), 0.16)),
        );
        let rows = v
            .categories
            .iter()
            .map(|r| {
                let mut row = vec![Cell::new(format!(
                    "{}{}{}",
                    r.label.get(l),
                    if r.derived { " *" } else { "" },
                    if r.special { " §" } else { "" }
                ))];
                row.extend(r.cells.iter().map(|c| {
                    let cell = Cell::new(words::interval(*c, l));
                    if c.at_most == 0 {
                        cell.colour(MUTED)
                    } else {
                        cell.bold()
                    }
                }));
                row
            })
            .collect();
        s.table(&columns, rows, 8.5);
        s.paragraph(
            &t(
                "Deux nombres : au moins, au plus. * déduite d’une autre catégorie. § données sensibles (RGPD art. 9 ou 10). Une personne connue de deux hôpitaux compte une fois dans chacun.",
                "Two numbers: at least, at most. * derived from another category. § special category (GDPR art. 9 or 10). A person known at two hospitals counts once at each.",
            ),
            8.0,
            false,
            MUTED,
            8.0,
        );
    }

    for (list, title) in [
        (
            &v.established,
            t("Ce qui est établi", "What is established"),
        ),
        (
            &v.open,
            t("Ce qui n’est pas établi", "What is not established"),
        ),
    ] {
        if list.is_empty() {
            continue;
        }
        s.heading(2, &title, 13.0);
        let items = list
            .iter()
            .map(|st| {
                let text = if l == Lang::Fr { &st.fr } else { &st.en };
                clip(text, 400)
            })
            .collect::<Vec<_>>();
        s.bullets(&items, 9.0);
    }

    if !a.claims.is_empty() {
        s.heading(
            2,
            &t("Ce que l’intrus affirme", "What the intruder claims"),
            13.0,
        );
        let items: Vec<String> = v
            .claims(l)
            .into_iter()
            .take(10)
            .map(|(text, verdict)| format!("{text} — {}", verdict.get(l)))
            .collect();
        s.bullets(&items, 9.0);
    }

    if let Some(p) = picture::coverage(v) {
        s.need((p.h * WIDTH / p.w + 40.0).min(BOTTOM - MARGIN));
        s.heading(
            2,
            &t("Ce que les journaux couvrent", "What the logs cover"),
            13.0,
        );
        s.picture(&p, l);
    }
    if !v.gaps.is_empty() {
        let mut gaps = v.gaps.clone();
        gaps.sort_by_key(|g| (g.closed_by.is_some(), g.source.clone(), g.from.clone()));
        let rows = gaps
            .iter()
            .take(GAPS_MAX)
            .map(|g| {
                let mut why = words::gap_kind(&g.kind).get(l).to_string();
                if let Some(b) = words::gap_because(g) {
                    why = format!("{why}{} {}", words::colon(l), clip(b.get(l), 160));
                }
                if let Some(by) = &g.closed_by {
                    why = format!("{why}; {} {}", t("comblé par", "closed by"), clip(by, 50));
                }
                vec![
                    Cell::new(clip(&g.source, 60)),
                    Cell::new(words::moment_text(&g.from, &v.options.zone, l)),
                    Cell::new(words::moment_text(&g.to, &v.options.zone, l)),
                    Cell::new(why),
                ]
            })
            .collect();
        s.table(
            &[
                Column::left(t("Source", "Source"), 0.27),
                Column::left(t("De", "From"), 0.17),
                Column::left(t("À", "To"), 0.17),
                Column::left(t("Raison", "Reason"), 0.39),
            ],
            rows,
            8.0,
        );
        s.more(gaps.len(), GAPS_MAX, l);
    }

    let shown: Vec<_> = v.intruder.iter().chain(v.doubtful.iter()).collect();
    if !shown.is_empty() {
        s.heading(
            2,
            &t(
                "Les sessions et leurs raisons",
                "The sessions, and the reasons",
            ),
            13.0,
        );
        let rows = shown
            .iter()
            .take(SESSIONS_MAX)
            .map(|x| {
                let reasons: Vec<String> = x
                    .reasons
                    .iter()
                    .take(4)
                    .map(|r| clip(if l == Lang::Fr { &r.fr } else { &r.en }, 140))
                    .collect();
                let origin = match &x.origin.country {
                    Some(c) if !c.is_empty() => format!(
                        "{} ({})",
                        clip(x.origin.address.as_deref().unwrap_or("—"), 45),
                        clip(c, 4)
                    ),
                    _ => clip(x.origin.address.as_deref().unwrap_or("—"), 45),
                };
                vec![
                    Cell::new(format!(
                        "{} · {}",
                        clip(
                            x.account.as_deref().unwrap_or(if l == Lang::Fr {
                                "sans compte"
                            } else {
                                "no account"
                            }),
                            50
                        ),
                        words::session_verdict(&x.verdict).get(l)
                    )),
                    Cell::new(origin),
                    Cell::new(words::moment_text(&x.from, &v.options.zone, l)),
                    Cell::new(reasons.join("; ")).small(),
                ]
            })
            .collect();
        s.table(
            &[
                Column::left(t("Session", "Session"), 0.24),
                Column::left(t("Origine", "Origin"), 0.17),
                Column::left(t("Début", "Start"), 0.17),
                Column::left(t("Raisons", "Reasons"), 0.42),
            ],
            rows,
            8.0,
        );
        s.more(shown.len(), SESSIONS_MAX, l);
    }

    s.heading(2, &t("Preuves et méthode", "Evidence and method"), 13.0);
    let e = &a.evidence;
    s.paragraph(
        &format!(
            "{} {} · {} {}",
            t(
                "Racine de l’arbre des preuves (RFC 6962, SHA-256) :",
                "Root of the evidence tree (RFC 6962, SHA-256):"
            ),
            if e.root_hash.is_empty() {
                "—"
            } else {
                &e.root_hash
            },
            words::number(e.tree_size, l),
            t("feuilles", "leaves")
        ),
        8.0,
        false,
        INK,
        4.0,
    );
    let n = |x| words::number(x, l);
    s.paragraph(
        &match l {
            Lang::Fr => format!(
                "{} enregistrements = {} événements + {} illisibles + {} lignes vides ou commentaires.",
                n(e.records),
                n(e.events),
                n(e.rejects),
                n(e.skipped)
            ),
            Lang::En => format!(
                "{} records = {} events + {} unreadable + {} blank lines or comments.",
                n(e.records),
                n(e.events),
                n(e.rejects),
                n(e.skipped)
            ),
        },
        8.5,
        false,
        INK,
        4.0,
    );
    for (fr, en) in METHOD {
        s.paragraph(&t(fr, en), 8.5, false, MUTED, 3.0);
    }
    s.heading(2, &t("Les mots", "The words"), 13.0);
    let items: Vec<String> = GLOSSARY
        .iter()
        .map(|(term, text)| {
            let colon = if l == Lang::Fr { "\u{a0}:" } else { ":" };
            format!("{}{colon} {}", t(term.0, term.1), t(text.0, text.1))
        })
        .collect();
    s.bullets(&items, 8.5);
}

/// The interval as a bar with its two numbers; the bar itself is decoration, the numbers are text.
fn range_bar(s: &mut Sheet<'_>, v: &View<'_>, l: Lang) {
    let i = v.answer.extent.subjects;
    let whole = v.whole() as f32;
    s.need(40.0);
    let y = s.y;
    let low = i.at_least as f32 * WIDTH / whole;
    let high = i.at_most as f32 * WIDTH / whole;
    s.mark(None, Mark::Rect(MARGIN, y, WIDTH, 13.0, SOFT));
    if i.at_least > 0 {
        s.mark(None, Mark::Rect(MARGIN, y, low.max(1.0), 13.0, INTRUDER));
    }
    if high > low {
        // A part too small to be seen is drawn as a sliver.
        let (from, wide) = (low.max(1.0), (high - low).max(2.0));
        s.mark(
            None,
            Mark::Hatch(MARGIN + from, y, wide, 13.0, INTRUDER, 4.0),
        );
    }
    s.y += 18.0;
    let mut text = match l {
        Lang::Fr if i.is_exact() => format!(
            "{}.",
            words::count(
                i.at_least,
                l,
                ("personne établie", "personnes établies"),
                ("", "")
            )
        ),
        Lang::En if i.is_exact() => format!("{} established.", words::number(i.at_least, l)),
        Lang::Fr => format!(
            "Au moins {} (établies), au plus {}.",
            words::number(i.at_least, l),
            words::number(i.at_most, l)
        ),
        Lang::En => format!(
            "At least {} (established), at most {}.",
            words::number(i.at_least, l),
            words::number(i.at_most, l)
        ),
    };
    if let Some(un) = v.spared() {
        text.push_str(&match l {
            Lang::Fr => format!(" Patients non concernés : {}.", words::interval(un, l)),
            Lang::En => format!(" Patients not affected: {}.", words::interval(un, l)),
        });
    }
    s.paragraph(&text, 9.5, true, INK, 6.0);
}

// ---- how it is laid out ----

struct Face {
    font: Font,
    bytes: &'static [u8],
}

struct Faces {
    regular: Face,
    bold: Face,
}

impl Faces {
    fn load() -> Result<Faces, NoticeError> {
        let face = |bytes: &'static [u8]| {
            Font::new(bytes.into(), 0)
                .map(|font| Face { font, bytes })
                .ok_or_else(|| NoticeError::Pdf("open the built-in font".into()))
        };
        Ok(Faces {
            regular: face(dejavu::sans_condensed::regular())?,
            bold: face(dejavu::sans_condensed::bold())?,
        })
    }
}

/// Glyphs and advances of one face; characters the face lacks become U+25A1.
struct Measure<'a> {
    map: skrifa::charmap::Charmap<'a>,
    metrics: skrifa::metrics::GlyphMetrics<'a>,
    units: f32,
}

impl<'a> Measure<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let font = FontRef::new(bytes).ok()?;
        Some(Measure {
            map: font.charmap(),
            metrics: font.glyph_metrics(Size::unscaled(), LocationRef::default()),
            units: f32::from(
                font.metrics(Size::unscaled(), LocationRef::default())
                    .units_per_em,
            ),
        })
    }
    fn known(&self, c: char) -> char {
        if c == '\u{ad}' || c.is_control() {
            return '\u{25a1}';
        }
        match self.map.map(c) {
            Some(g) if g.to_u32() != 0 => c,
            _ => '\u{25a1}',
        }
    }
    fn advance(&self, c: char) -> f32 {
        self.map
            .map(c)
            .and_then(|g| self.metrics.advance_width(g))
            .unwrap_or(0.0)
            / self.units
    }
    fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|c| self.advance(c)).sum::<f32>() * size
    }
    fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        text.char_indices()
            .map(|(i, c)| {
                let id = self.map.map(c).map_or(0, |g| g.to_u32());
                KrillaGlyph::new(
                    GlyphId::new(id),
                    self.advance(c),
                    0.0,
                    0.0,
                    0.0,
                    i..i + c.len_utf8(),
                    None,
                )
            })
            .collect()
    }
}

enum Mark {
    /// x, baseline, size, bold, colour, text.
    Text(f32, f32, f32, bool, Rgb, String),
    Rect(f32, f32, f32, f32, Rgb),
    /// x, y, w, h, colour, step of the lines.
    Hatch(f32, f32, f32, f32, Rgb, f32),
    Dots(f32, f32, f32, f32, Rgb),
    Line(f32, f32, f32, f32, f32, Rgb, bool),
}

/// What a group of marks is.
enum Kind {
    Part(Lang),
    Heading(u16, String),
    P,
    List,
    Item,
    Body,
    Table,
    Head,
    Rows,
    Row,
    ColumnHead,
    RowHead,
    Data,
    Figure(String),
}

enum Node {
    /// A run of marks on one page, by number.
    Leaf(usize),
    Group(Kind, Vec<Node>),
}

struct Column {
    title: String,
    share: f32,
    right: bool,
}

impl Column {
    fn left(title: String, share: f32) -> Self {
        Column {
            title,
            share,
            right: false,
        }
    }
    fn right(title: String, share: f32) -> Self {
        Column {
            title,
            share,
            right: true,
        }
    }
}

struct Cell {
    text: String,
    bold: bool,
    small: bool,
    colour: Rgb,
}

impl Cell {
    fn new(text: impl Into<String>) -> Self {
        Cell {
            text: text.into(),
            bold: false,
            small: false,
            colour: INK,
        }
    }
    fn bold(mut self) -> Self {
        self.bold = true;
        self
    }
    fn small(mut self) -> Self {
        self.small = true;
        self
    }
    fn colour(mut self, colour: Rgb) -> Self {
        self.colour = colour;
        self
    }
}

struct Sheet<'a> {
    faces: &'a Faces,
    regular: Option<Measure<'a>>,
    bold: Option<Measure<'a>>,
    /// Marks of each page with the leaf they belong to; `None` is decoration.
    pages: Vec<Vec<(Option<usize>, Mark)>>,
    leaves: usize,
    tree: Vec<Node>,
    outline: Vec<(u16, String, usize, f32)>,
    y: f32,
}

impl<'a> Sheet<'a> {
    fn new(faces: &'a Faces) -> Self {
        Sheet {
            regular: Measure::new(faces.regular.bytes),
            bold: Measure::new(faces.bold.bytes),
            faces,
            pages: Vec::new(),
            leaves: 0,
            tree: Vec::new(),
            outline: Vec::new(),
            y: MARGIN,
        }
    }

    fn begin(&mut self) {
        if self.pages.is_empty() {
            self.new_page();
        }
    }

    fn new_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = MARGIN;
    }

    /// Starts a page unless `h` still fits.
    fn need(&mut self, h: f32) -> bool {
        if self.y + h > BOTTOM && self.y > MARGIN {
            self.new_page();
            return true;
        }
        false
    }

    fn leaf(&mut self) -> usize {
        self.leaves += 1;
        self.leaves - 1
    }

    fn mark(&mut self, leaf: Option<usize>, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push((leaf, mark));
        }
    }

    fn width(&self, text: &str, size: f32, bold: bool) -> f32 {
        let m = if bold { &self.bold } else { &self.regular };
        m.as_ref().map_or(0.0, |m| m.width(text, size))
    }

    /// Text the face can show.
    fn clean(&self, text: &str, bold: bool) -> String {
        let m = if bold { &self.bold } else { &self.regular };
        let text: String = text
            .chars()
            .map(|c| {
                if c.is_whitespace() && c != '\u{a0}' && c != '\u{202f}' {
                    ' '
                } else {
                    c
                }
            })
            .collect();
        match m {
            Some(m) => text.chars().map(|c| m.known(c)).collect(),
            None => text,
        }
    }

    /// Lines no wider than `width`; a word wider than that is cut. Typographic blanks do not break.
    fn wrap(&self, text: &str, size: f32, bold: bool, width: f32) -> Vec<String> {
        let text = words::french(&self.clean(text, bold));
        let space = self.width(" ", size, bold);
        let mut lines = Vec::new();
        let mut line = String::new();
        let mut used = 0.0;
        for word in text.split(' ').filter(|w| !w.is_empty()) {
            let mut word = word.to_string();
            loop {
                let w = self.width(&word, size, bold);
                if line.is_empty() {
                    if w <= width {
                        used = w;
                        line.push_str(&word);
                        break;
                    }
                    let mut cut = String::new();
                    let mut at = 0.0;
                    let mut rest = String::new();
                    for c in word.chars() {
                        let a = self.width(c.encode_utf8(&mut [0; 4]), size, bold);
                        if rest.is_empty() && (at + a <= width || cut.is_empty()) {
                            at += a;
                            cut.push(c);
                        } else {
                            rest.push(c);
                        }
                    }
                    lines.push(cut);
                    if rest.is_empty() {
                        break;
                    }
                    word = rest;
                } else if used + space + w <= width {
                    line.push(' ');
                    line.push_str(&word);
                    used += space + w;
                    break;
                } else {
                    lines.push(std::mem::take(&mut line));
                    used = 0.0;
                }
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines
    }

    fn lines(
        &mut self,
        lines: Vec<String>,
        x: f32,
        size: f32,
        bold: bool,
        colour: Rgb,
    ) -> Vec<Node> {
        let step = size * 1.36;
        let mut out = Vec::new();
        for line in lines {
            self.need(step);
            let leaf = self.leaf();
            let y = self.y + size;
            // A blank at the end keeps words apart when lines are joined by a reader.
            self.mark(
                Some(leaf),
                Mark::Text(x, y, size, bold, colour, format!("{line} ")),
            );
            out.push(Node::Leaf(leaf));
            self.y += step;
        }
        out
    }

    fn heading(&mut self, level: u16, text: &str, size: f32) {
        if level > 1 {
            self.y += 7.0;
            self.need(size * 1.4 + 60.0);
        }
        let lines = self.wrap(text, size, true, WIDTH);
        self.outline
            .push((level, self.clean(text, true), self.pages.len() - 1, self.y));
        let leaves = self.lines(lines, MARGIN, size, true, INK);
        let title = self.clean(text, true);
        self.tree
            .push(Node::Group(Kind::Heading(level, title), leaves));
        self.y += 3.0;
    }

    fn paragraph(&mut self, text: &str, size: f32, bold: bool, colour: Rgb, after: f32) {
        let lines = self.wrap(text, size, bold, WIDTH);
        let leaves = self.lines(lines, MARGIN, size, bold, colour);
        if !leaves.is_empty() {
            self.tree.push(Node::Group(Kind::P, leaves));
        }
        self.y += after;
    }

    fn bullets(&mut self, items: &[String], size: f32) {
        let mut list = Vec::new();
        for item in items {
            let lines = self.wrap(item, size, false, WIDTH - 12.0);
            self.need(size * 1.36 * lines.len().min(2) as f32);
            let (x, y) = (MARGIN + 2.0, self.y + size * 0.55);
            self.mark(None, Mark::Rect(x, y, 3.0, 3.0, MUTED));
            let leaves = self.lines(lines, MARGIN + 12.0, size, false, INK);
            if !leaves.is_empty() {
                list.push(Node::Group(
                    Kind::Item,
                    vec![Node::Group(Kind::Body, leaves)],
                ));
            }
            self.y += 2.0;
        }
        if !list.is_empty() {
            self.tree.push(Node::Group(Kind::List, list));
        }
        self.y += 4.0;
    }

    fn more(&mut self, all: usize, shown: usize, l: Lang) {
        if all > shown {
            let n = words::number((all - shown) as u64, l);
            let text = match l {
                Lang::Fr => format!("{n} autres lignes dans report.html et dans les fichiers."),
                Lang::En => format!("{n} more rows in report.html and in the files."),
            };
            self.paragraph(&text, 8.0, false, MUTED, 4.0);
        }
    }

    /// One table; its head is repeated on every page, as decoration after the first.
    fn table(&mut self, columns: &[Column], rows: Vec<Vec<Cell>>, size: f32) {
        const PAD: f32 = 4.0;
        if rows.is_empty() {
            return;
        }
        let widths: Vec<f32> = columns.iter().map(|c| c.share * WIDTH).collect();
        let head: Vec<Vec<String>> = columns
            .iter()
            .zip(&widths)
            .map(|(c, w)| self.wrap(&c.title, size - 0.5, true, w - 2.0 * PAD))
            .collect();
        let tall = head.iter().map(Vec::len).max().unwrap_or(1) as f32;
        let head_h = tall * (size - 0.5) * 1.3 + 5.0;
        self.need(head_h + size * 3.0);
        let first = self.table_head(columns, &widths, &head, size, true);
        let mut body = Vec::new();
        for row in rows {
            let cells: Vec<(Vec<String>, f32, Cell)> = row
                .into_iter()
                .zip(&widths)
                .map(|(c, w)| {
                    let s = if c.small { size - 1.0 } else { size };
                    (self.wrap(&c.text, s, c.bold, w - 2.0 * PAD), s, c)
                })
                .collect();
            let h = cells
                .iter()
                .map(|(lines, s, _)| lines.len() as f32 * s * 1.3)
                .fold(size * 1.3, f32::max)
                + 5.0;
            if self.need(h) {
                self.table_head(columns, &widths, &head, size, false);
            }
            let top = self.y;
            let mut x = MARGIN;
            let mut group = Vec::new();
            for (i, ((lines, s, cell), w)) in cells.into_iter().zip(&widths).enumerate() {
                let mut leaves = Vec::new();
                for (k, line) in lines.into_iter().enumerate() {
                    let leaf = self.leaf();
                    let tx = if columns[i].right {
                        x + w - PAD - self.width(&line, s, cell.bold)
                    } else {
                        x + PAD
                    };
                    let y = top + 2.5 + s + k as f32 * s * 1.3;
                    self.mark(
                        Some(leaf),
                        Mark::Text(tx, y, s, cell.bold, cell.colour, format!("{line} ")),
                    );
                    leaves.push(Node::Leaf(leaf));
                }
                group.push(Node::Group(
                    if i == 0 { Kind::RowHead } else { Kind::Data },
                    leaves,
                ));
                x += w;
            }
            self.y = top + h;
            self.mark(
                None,
                Mark::Line(MARGIN, self.y, MARGIN + WIDTH, self.y, 0.5, LINE, false),
            );
            body.push(Node::Group(Kind::Row, group));
        }
        self.tree.push(Node::Group(
            Kind::Table,
            vec![
                Node::Group(Kind::Head, vec![Node::Group(Kind::Row, first)]),
                Node::Group(Kind::Rows, body),
            ],
        ));
        self.y += 8.0;
    }

    fn table_head(
        &mut self,
        columns: &[Column],
        widths: &[f32],
        head: &[Vec<String>],
        size: f32,
        real: bool,
    ) -> Vec<Node> {
        let s = size - 0.5;
        let mut x = MARGIN;
        let mut out = Vec::new();
        let tall = head.iter().map(Vec::len).max().unwrap_or(1) as f32;
        for ((c, w), lines) in columns.iter().zip(widths).zip(head) {
            let mut leaves = Vec::new();
            for (k, line) in lines.iter().enumerate() {
                let leaf = real.then(|| self.leaf());
                let tx = if c.right {
                    x + w - 4.0 - self.width(line, s, true)
                } else {
                    x + 4.0
                };
                let y = self.y + 1.5 + s + k as f32 * s * 1.3;
                self.mark(leaf, Mark::Text(tx, y, s, true, MUTED, format!("{line} ")));
                leaves.extend(leaf.map(Node::Leaf));
            }
            out.push(Node::Group(Kind::ColumnHead, leaves));
            x += w;
        }
        self.y += tall * s * 1.3 + 5.0;
        self.mark(
            None,
            Mark::Line(MARGIN, self.y, MARGIN + WIDTH, self.y, 1.0, INK, false),
        );
        out
    }

    /// A picture scaled to the width of the page, as one figure with its alternative text.
    fn picture(&mut self, p: &Picture, l: Lang) {
        let k = WIDTH / p.w;
        let h = p.h * k;
        self.need((h + 6.0).min(BOTTOM - MARGIN));
        // A picture taller than a page is made to fit it.
        let k = k.min((BOTTOM - MARGIN) / p.h);
        let (ox, oy) = (MARGIN, self.y);
        let leaf = self.leaf();
        for shape in &p.shapes {
            match shape {
                Shape::Rect {
                    x, y, w, h, ink, ..
                } => {
                    let (x, y, w, h) = (ox + x * k, oy + y * k, w * k, h * k);
                    let mark = match ink {
                        Ink::Doubtful => Mark::Hatch(x, y, w, h, DOUBT, 2.2),
                        Ink::Gap => Mark::Hatch(x, y, w, h, INTRUDER, 2.6),
                        Ink::Closed => Mark::Hatch(x, y, w, h, OK, 4.2),
                        Ink::Unknown => Mark::Dots(x, y, w, h, MUTED),
                        other => Mark::Rect(x, y, w, h, fill(*other)),
                    };
                    self.mark(Some(leaf), mark);
                }
                Shape::Line {
                    x1,
                    y1,
                    x2,
                    y2,
                    width,
                    ink,
                    dashed,
                } => self.mark(
                    Some(leaf),
                    Mark::Line(
                        ox + x1 * k,
                        oy + y1 * k,
                        ox + x2 * k,
                        oy + y2 * k,
                        (width * k).max(0.35),
                        fill(*ink),
                        *dashed,
                    ),
                ),
                Shape::Text {
                    x,
                    y,
                    size,
                    bold,
                    anchor,
                    ink,
                    text,
                } => {
                    // Paper is read closer than a screen, yet 10 units would be 5 points: a little larger.
                    let size = size * k * 1.16;
                    let text = self.clean(text.get(l), *bold);
                    if text.is_empty() {
                        continue;
                    }
                    let w = self.width(&text, size, *bold);
                    let x = ox + x * k
                        - match anchor {
                            Anchor::Start => 0.0,
                            Anchor::Middle => w / 2.0,
                            Anchor::End => w,
                        };
                    let colour = if *ink == Ink::Text { INK } else { MUTED };
                    self.mark(
                        Some(leaf),
                        Mark::Text(x, oy + y * k, size, *bold, colour, format!("{text} ")),
                    );
                }
            }
        }
        let alt = self.clean(&format!("{}. {}", p.title.get(l), p.text.get(l)), false);
        self.tree
            .push(Node::Group(Kind::Figure(alt), vec![Node::Leaf(leaf)]));
        self.y = oy + p.h * k + 6.0;
    }

    // ---- how it is written ----

    fn finish(mut self, title: &str, lang: Lang, incident: &str) -> Result<Vec<u8>, NoticeError> {
        let total = self.pages.len();
        for (i, page) in self.pages.iter_mut().enumerate() {
            page.push((
                None,
                Mark::Text(
                    MARGIN,
                    PAGE_H - 30.0,
                    7.5,
                    false,
                    MUTED,
                    "Ampleur ".to_string(),
                ),
            ));
            page.push((
                None,
                Mark::Text(
                    PAGE_W - MARGIN - 30.0,
                    PAGE_H - 30.0,
                    7.5,
                    false,
                    MUTED,
                    format!("{} / {total} ", i + 1),
                ),
            ));
        }
        let configuration = ConfigurationBuilder::new()
            .with_accessibility_validator(Accessibility::UA1)
            .finish()
            .map_err(|e| NoticeError::Pdf(format!("{e:?}")))?;
        let mut document = Document::new_with(SerializeSettings {
            configuration,
            enable_tagging: true,
            ..SerializeSettings::default()
        });
        let mut ids: BTreeMap<usize, Identifier> = BTreeMap::new();
        for page_marks in &self.pages {
            let size = PageSettings::from_wh(PAGE_W, PAGE_H)
                .ok_or_else(|| NoticeError::Pdf("set page size".into()))?;
            let mut page = document.start_page_with(size);
            let mut surface = page.surface();
            let mut at = 0;
            while at < page_marks.len() {
                let leaf = page_marks[at].0;
                let tag = match leaf {
                    Some(_) => ContentTag::Span(SpanTag::empty()),
                    None => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)),
                };
                let id = surface.start_tagged(tag);
                while at < page_marks.len() && page_marks[at].0 == leaf {
                    self.draw(&mut surface, &page_marks[at].1);
                    at += 1;
                }
                surface.end_tagged();
                if let Some(leaf) = leaf {
                    ids.insert(leaf, id);
                }
            }
            surface.finish();
            page.finish();
        }
        let mut tree = TagTree::new().with_lang(Some(lang.tag().to_string()));
        for node in &self.tree {
            if let Some(group) = build(node, &mut ids) {
                tree.push(group);
            }
        }
        document.set_tag_tree(tree);
        let mut outline = Outline::new();
        for (_, text, page, y) in &self.outline {
            outline.push_child(OutlineNode::new(
                text.clone(),
                krilla::destination::XyzDestination::new(
                    *page,
                    Point::from_xy(MARGIN, (y - 8.0).max(0.0)),
                ),
            ));
        }
        document.set_outline(outline);
        document.set_metadata(
            Metadata::new()
                .title(self.clean(title, false))
                .description(self.clean(&clip(incident, 200), false))
                .language(lang.tag().to_string())
                .creator("Ampleur".to_string()),
        );
        document
            .finish()
            .map_err(|e| NoticeError::Pdf(format!("{e:?}")))
    }

    fn draw(&self, surface: &mut Surface<'_>, mark: &Mark) {
        match mark {
            Mark::Text(x, y, size, bold, colour, text) => {
                let (face, measure) = if *bold {
                    (&self.faces.bold, &self.bold)
                } else {
                    (&self.faces.regular, &self.regular)
                };
                let Some(measure) = measure else { return };
                surface.set_stroke(None);
                surface.set_fill(Some(paint(*colour)));
                surface.draw_glyphs(
                    Point::from_xy(*x, *y),
                    &measure.glyphs(text),
                    face.font.clone(),
                    text,
                    *size,
                    false,
                );
            }
            Mark::Rect(x, y, w, h, colour) => {
                let mut b = PathBuilder::new();
                rectangle(&mut b, *x, *y, *w, *h);
                if let Some(path) = b.finish() {
                    surface.set_stroke(None);
                    surface.set_fill(Some(paint(*colour)));
                    surface.draw_path(&path);
                }
            }
            Mark::Hatch(x, y, w, h, colour, step) => {
                let mut b = PathBuilder::new();
                rectangle(&mut b, *x, *y, *w, *h);
                let mut c = -h;
                while c < *w {
                    // The rising line through (x + c, y + h), cut to the rectangle.
                    let (a, z) = (c.max(0.0), (c + h).min(*w));
                    if z > a {
                        b.move_to(x + a, y + h - (a - c));
                        b.line_to(x + z, y + h - (z - c));
                    }
                    c += step;
                }
                if let Some(path) = b.finish() {
                    surface.set_fill(None);
                    surface.set_stroke(Some(stroke(*colour, 0.7, false)));
                    surface.draw_path(&path);
                }
            }
            Mark::Dots(x, y, w, h, colour) => {
                let mut b = PathBuilder::new();
                rectangle(&mut b, *x, *y, *w, *h);
                if let Some(path) = b.finish() {
                    surface.set_fill(None);
                    surface.set_stroke(Some(stroke(*colour, 0.5, false)));
                    surface.draw_path(&path);
                }
                let mut b = PathBuilder::new();
                let mut row = y + 1.6;
                while row < y + h - 0.6 {
                    let mut col = x + 1.6;
                    while col < x + w - 0.6 {
                        rectangle(&mut b, col, row, 0.8, 0.8);
                        col += 2.6;
                    }
                    row += 2.6;
                }
                if let Some(path) = b.finish() {
                    surface.set_stroke(None);
                    surface.set_fill(Some(paint(*colour)));
                    surface.draw_path(&path);
                }
            }
            Mark::Line(x1, y1, x2, y2, width, colour, dashed) => {
                let mut b = PathBuilder::new();
                b.move_to(*x1, *y1);
                b.line_to(*x2, *y2);
                if let Some(path) = b.finish() {
                    surface.set_fill(None);
                    surface.set_stroke(Some(stroke(*colour, *width, *dashed)));
                    surface.draw_path(&path);
                }
            }
        }
    }
}

fn rectangle(b: &mut PathBuilder, x: f32, y: f32, w: f32, h: f32) {
    b.move_to(x, y);
    b.line_to(x + w, y);
    b.line_to(x + w, y + h);
    b.line_to(x, y + h);
    b.close();
}

fn paint(c: Rgb) -> Fill {
    Fill {
        paint: rgb::Color::new(c.0, c.1, c.2).into(),
        opacity: NormalizedF32::ONE,
        rule: Default::default(),
    }
}

fn stroke(c: Rgb, width: f32, dashed: bool) -> Stroke {
    Stroke {
        paint: rgb::Color::new(c.0, c.1, c.2).into(),
        width,
        dash: dashed.then(|| StrokeDash {
            array: vec![2.2, 1.8],
            offset: 0.0,
        }),
        ..Stroke::default()
    }
}

fn fill(ink: Ink) -> Rgb {
    match ink {
        Ink::Text => INK,
        Ink::Muted => MUTED,
        Ink::Grid => LINE,
        Ink::Band => (246, 244, 238),
        Ink::Pause => (224, 219, 205),
        Ink::Intruder | Ink::Gap => INTRUDER,
        Ink::Link => (205, 130, 115),
        Ink::Doubtful => DOUBT,
        Ink::Legitimate => (93, 111, 126),
        Ink::Bytes => (80, 119, 148),
        Ink::Complete => (143, 195, 180),
        Ink::Closed => OK,
        Ink::Unknown => MUTED,
    }
}

fn build(node: &Node, ids: &mut BTreeMap<usize, Identifier>) -> Option<krilla::tagging::Node> {
    match node {
        Node::Leaf(n) => ids.remove(n).map(krilla::tagging::Node::from),
        Node::Group(kind, children) => {
            let tag: TagKind = match kind {
                Kind::Part(l) => Tag::Part.with_lang(Some(l.tag().to_string())).into(),
                Kind::Heading(level, title) => Tag::Hn(
                    NonZeroU16::new(*level).unwrap_or(NonZeroU16::MIN),
                    Some(title.clone()),
                )
                .into(),
                Kind::P => Tag::P.into(),
                Kind::List => Tag::L(ListNumbering::Disc).into(),
                Kind::Item => Tag::LI.into(),
                Kind::Body => Tag::LBody.into(),
                Kind::Table => Tag::Table.into(),
                Kind::Head => Tag::THead.into(),
                Kind::Rows => Tag::TBody.into(),
                Kind::Row => Tag::TR.into(),
                Kind::ColumnHead => Tag::TH(TableHeaderScope::Column).into(),
                Kind::RowHead => Tag::TH(TableHeaderScope::Row).into(),
                Kind::Data => Tag::TD.into(),
                Kind::Figure(alt) => Tag::Figure(Some(alt.clone())).into(),
            };
            let mut group = TagGroup::new(tag);
            for c in children {
                if let Some(c) = build(c, ids) {
                    group.push(c);
                }
            }
            Some(group.into())
        }
    }
}
