//! Every rendering of an answer: rich, hostile, empty and huge.
mod sample;

use ampleur_event::Interval;
use ampleur_extent::model::*;
use ampleur_notice::{Lang, Options, html, pdf, tables, terminal};
use serde_json::Value;

fn render(answer: &Answer, persons: &[PersonRow], options: &Options) -> String {
    html::report(answer, persons, options)
}

#[test]
fn the_page_says_the_answer_first_and_reaches_for_nothing() {
    let page = render(&sample::answer(), &sample::persons(), &sample::options());
    let h1 = page.find("<h1").expect("a first heading");
    assert!(
        page[h1..h1 + 300].contains("4\u{202f}212"),
        "the number is the heading"
    );
    assert_eq!(page.matches("<h1").count(), 1);
    for forbidden in [
        "<script",
        "http://",
        "https://",
        "@import",
        "<link",
        "<img",
        "<iframe",
        "javascript:",
        "url(http",
    ] {
        assert!(!page.contains(forbidden), "{forbidden} is in the page");
    }
    for section in [
        "answer",
        "path",
        "data",
        "hospitals",
        "statements",
        "coverage",
        "sessions",
        "containment",
        "claims",
        "targeted",
        "evidence",
        "method",
        "glossary",
    ] {
        assert!(
            page.contains(&format!("id=\"{section}\"")),
            "{section} is missing"
        );
    }
    for place in sample::PLACES {
        assert!(
            page.contains(&html::escape(place.1)),
            "{} is missing",
            place.1
        );
    }
}

/// What must be done tonight stands before what must be told, and that before what it rests on.
#[test]
fn what_is_to_be_cut_stands_before_the_tables() {
    let page = render(&sample::answer(), &sample::persons(), &sample::options());
    let at = |id: &str| {
        page.find(&format!("<section id=\"{id}\""))
            .or_else(|| page.find(&format!("id=\"{id}\" aria-labelledby")))
            .unwrap_or_else(|| panic!("{id} is missing"))
    };
    let order = [
        "answer",
        "containment",
        "data",
        "hospitals",
        "statements",
        "claims",
        "coverage",
        "sessions",
        "evidence",
    ];
    for pair in order.windows(2) {
        assert!(at(pair[0]) < at(pair[1]), "{pair:?}");
    }
    // Every link of the contents leads somewhere.
    for link in page.split("href=\"#").skip(1) {
        let id = link.split('"').next().unwrap_or_default();
        assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
    }
}

/// One person of a hundred and fifty is no full bar.
#[test]
fn the_bar_is_drawn_over_everybody_there_is() {
    let mut a = sample::answer();
    a.extent.subjects = Interval::exactly(1);
    a.extent.unaffected = Interval::exactly(149);
    let page = render(&a, &[], &sample::options());
    let range = &page[page.find("<div class=\"track\"").expect("a bar")..];
    let range = &range[..range.find("</dl>").expect("its key")];
    assert!(
        range.contains("class=\"low\" style=\"width:0.67%\""),
        "{range}"
    );
    assert!(!range.contains("class=\"mid\""), "{range}");
    assert!(page.contains("C’est la personne dont") && page.contains("This is the person whose"));
}

#[test]
fn logs_nobody_could_read_are_no_quiet_night() {
    let mut a = Answer::default();
    (a.evidence.records, a.evidence.rejects) = (5, 5);
    let page = render(&a, &[], &Options::default());
    assert!(page.contains("Rien n’a pu être lu") && page.contains("Nothing could be read"));
    assert!(!page.contains("No session attributed to an intruder"));
    let mut options = Options::default();
    for (lang, said) in [
        (Lang::Fr, "Rien n’a pu être lu"),
        (Lang::En, "Nothing could be read"),
    ] {
        options.lang = lang;
        assert!(terminal::summary(&a, &[], &options, false).contains(said));
    }
    assert!(pdf::report(&a, &[], &options).is_ok());
}

#[test]
fn many_reasons_are_folded_and_none_is_lost() {
    let mut a = sample::answer();
    let s = (a.sessions.iter_mut())
        .find(|s| s.verdict == "intruder")
        .expect("a session of the intruder");
    let one = s.reasons.first().expect("a reason").clone();
    s.reasons = (0..7)
        .map(|i| ReasonRow {
            en: format!("reason number {i}"),
            ..one.clone()
        })
        .collect();
    let page = render(&a, &[], &sample::options());
    let from = page.find("reason number 0").expect("the first");
    let fold = from + page[from..].find("<details").expect("a fold");
    for i in 0..7 {
        let at = page.find(&format!("reason number {i}")).expect("a reason");
        assert_eq!(at < fold, i < 3, "{i}");
    }
}

/// Nobody came in: nothing is said of an intruder's beginning, and no log is blamed for what nobody took.
#[test]
fn where_nobody_came_in_no_sentence_speaks_of_an_intruder() {
    let mut a = Answer::default();
    let say = |code: &str, holds: bool, because: &str| Statement {
        code: code.into(),
        holds,
        fr: format!("fr {code}."),
        en: format!("en {code}."),
        because: vec![because.into()],
        ..Statement::default()
    };
    a.statements = vec![
        say(
            "no_intrusion",
            true,
            "every door complete, no session of an outsider",
        ),
        say(
            "no_bank_data",
            false,
            "unsupported: no source tells these categories",
        ),
        say("no_nir", false, "unsupported: gap logs/a silence x"),
        say("start_known", false, "unsupported: no activity known"),
        say(
            "only_these_accounts",
            false,
            "unsupported: gap logs/a silence x",
        ),
    ];
    a.extent.internal = vec![Internal {
        account: "rpps:1".into(),
        subjects: 2,
        reason: "shared_curiosity".into(),
    }];
    let page = render(&a, &[], &Options::default());
    assert!(!page.contains("start_known") && !page.contains("only_these_accounts"));
    assert!(page.contains("no log would tell") && page.contains("cannot be ruled out"));
    let options = Options {
        lang: Lang::En,
        ..Options::default()
    };
    let text = terminal::summary(&a, &[], &options, false);
    assert!(
        text.contains("1 employee’s account has accesses that look personal"),
        "{text}"
    );
}

#[test]
fn a_gap_says_its_reason_once() {
    let mut a = sample::answer();
    a.coverage = vec![CoverageRow {
        source: "logs/x/*".into(),
        from: "2025-09-01T00:00:00Z".into(),
        to: "2025-09-02T00:00:00Z".into(),
        state: "unknown".into(),
        kind: "rotation".into(),
        because: Some(ampleur_extent::model::Both {
            fr: "avant le premier enregistrement conservé".into(),
            en: "before the first record kept".into(),
        }),
        ..CoverageRow::default()
    }];
    let page = render(&a, &[], &sample::options());
    let table = &page[page.find("Incomplete periods").expect("a table")..];
    assert_eq!(table.matches("before the first record kept").count(), 1);
}

/// The hours above the waves end before the pause that follows them.
#[test]
fn no_label_of_the_path_runs_into_a_pause() {
    use ampleur_notice::picture::{Anchor, Ink, Shape, path};
    let (a, options) = (sample::answer(), sample::options());
    let view = ampleur_notice::view::View::new(&a, &[], &options);
    let p = path(&view).expect("a path");
    let pauses: Vec<f32> = (p.shapes.iter())
        .filter_map(|s| match s {
            Shape::Rect {
                x,
                ink: Ink::Pause,
                h,
                ..
            } if *h > 30.0 => Some(*x),
            _ => None,
        })
        .collect();
    assert!(!pauses.is_empty());
    for s in &p.shapes {
        if let Shape::Text {
            x,
            y,
            size,
            text,
            anchor: Anchor::Start,
            ..
        } = s
            && (*y - 46.0).abs() < 0.1
        {
            let end = x + text.fr.chars().count().max(text.en.chars().count()) as f32 * size * 0.55;
            if let Some(pause) = pauses.iter().find(|p| *p > x) {
                assert!(
                    end <= *pause + 1.0,
                    "{text:?} ends at {end}, the pause begins at {pause}"
                );
            }
        }
    }
}

#[test]
fn tags_are_balanced() {
    let page = render(&sample::answer(), &sample::persons(), &sample::options());
    for tag in [
        "section", "div", "table", "tr", "td", "ul", "li", "span", "svg", "details", "figure", "p",
        "dl", "text", "title", "main", "header",
    ] {
        let open =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "<{tag}>");
    }
}

#[test]
fn both_languages_are_there_and_the_default_follows_the_option() {
    let mut options = sample::options();
    for (lang, id) in [(Lang::Fr, "l-fr"), (Lang::En, "l-en")] {
        options.lang = lang;
        let page = render(&sample::answer(), &[], &options);
        assert!(page.contains(&format!("<html lang=\"{}\">", lang.tag())));
        let radio = page
            .split("<input")
            .find(|p| p.contains(&format!("id=\"{id}\"")))
            .expect("a switch");
        assert!(radio.contains(" checked"), "{id}");
        assert!(page.contains("Quels hôpitaux") && page.contains("Which hospitals"));
    }
}

#[test]
fn hostile_text_stays_text() {
    let evil = "<script>alert(1)</script>\"'&\u{202e}\u{1b}[31m\u{0}=cmd|' /C calc'!A0";
    let mut a = sample::answer();
    a.incident = evil.into();
    a.evidence.root_hash = evil.into();
    for s in &mut a.sessions {
        s.account = Some(evil.into());
        s.id = evil.into();
        s.origin.device = Some(evil.repeat(2000));
        s.origin.address = Some(evil.into());
        s.origin.country = Some(evil.into());
        for r in &mut s.reasons {
            r.fr = evil.into();
        }
    }
    for c in &mut a.coverage {
        c.source = evil.into();
        c.kind = evil.into();
        c.state = if c.state == "complete" {
            c.state.clone()
        } else {
            evil.into()
        };
    }
    for s in &mut a.statements {
        s.fr = evil.into();
        s.because = vec![evil.into(); 40];
    }
    for c in &mut a.extent.cells {
        c.category = evil.into();
        c.establishment = evil.into();
    }
    a.claims[0].text = evil.into();
    a.containment.cut = vec![evil.into()];
    a.extent.targeted[0].subject = evil.into();
    a.extent.writes = vec![Write {
        subject: evil.into(),
        field: evil.into(),
        before: Some(evil.into()),
        after: None,
        evidence: vec![],
    }];
    let page = render(&a, &[], &sample::options());
    assert!(!page.contains("<script"), "markup got through");
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}') && !page.contains('\u{0}'));
    let text = terminal::summary(&a, &[], &sample::options(), false);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    for line in text.lines() {
        assert!(line.chars().count() <= terminal::WIDTH, "{line}");
    }
    let file = pdf::report(&a, &[], &sample::options()).expect("a PDF from hostile text");
    assert!(file.starts_with(b"%PDF-1.7"));
    let mut csv = Vec::new();
    tables::sessions(&a, &mut csv).expect("csv");
    let mut rows = csv::Reader::from_reader(csv.as_slice());
    for row in rows.records() {
        assert_eq!(row.expect("RFC 4180").len(), 16);
    }
}

#[test]
fn a_formula_is_guarded_in_free_text_and_identifiers_are_left_alone() {
    let mut a = sample::answer();
    a.sessions.truncate(1);
    a.sessions[0].origin.device = Some("=HYPERLINK(1)".into());
    a.sessions[0].account = Some("-ad:x".into());
    let mut out = Vec::new();
    tables::sessions(&a, &mut out).expect("csv");
    let text = String::from_utf8(out).expect("UTF-8");
    assert!(
        text.contains(",'=HYPERLINK(1),") && text.contains(",-ad:x,"),
        "{text}"
    );
    assert!(text.starts_with("id,chain,intrusion,account,source,address,country,asn,device,from,to,events,bytes_out,verdict,score,reasons\r\n"));
}

#[test]
fn the_summary_fits_eighty_columns_in_both_languages() {
    let mut options = sample::options();
    options.establishments.insert("finess:609954771".into(), "Centre hospitalier intercommunal de la Très Longue Vallée de la Rivière-aux-Noms-Interminables".into());
    for lang in [Lang::Fr, Lang::En] {
        options.lang = lang;
        let text = terminal::summary(&sample::answer(), &sample::persons(), &options, false);
        for line in text.lines() {
            assert!(line.chars().count() <= terminal::WIDTH, "{line}");
        }
        assert!(!text.contains('\u{1b}'));
        assert!(
            terminal::summary(&sample::answer(), &sample::persons(), &options, true)
                .contains('\u{1b}')
        );
    }
}

#[test]
fn the_same_answer_gives_the_same_bytes() {
    let (a, p, o) = (sample::answer(), sample::persons(), sample::options());
    assert_eq!(render(&a, &p, &o), render(&a, &p, &o));
    assert_eq!(
        pdf::bilingual(&a, &p, &o).expect("pdf"),
        pdf::bilingual(&a, &p, &o).expect("pdf")
    );
}

#[test]
fn an_empty_answer_does_not_claim_to_be_clean() {
    let a = Answer {
        format: FORMAT.into(),
        version: 1,
        ..Answer::default()
    };
    let page = render(&a, &[], &Options::default());
    assert!(
        page.contains("ne permettent pas de l’exclure"),
        "silence is not proof"
    );
    assert!(!page.contains("Aucune intrusion<"));
    assert!(pdf::report(&a, &[], &Options::default()).is_ok());
    let text = terminal::summary(&a, &[], &Options::default(), false);
    assert!(text.contains("Aucune session attribuée"));
}

#[test]
fn no_intrusion_is_said_only_when_the_statement_holds() {
    let mut a = Answer {
        format: FORMAT.into(),
        version: 1,
        ..Answer::default()
    };
    a.statements.push(Statement {
        code: "no_intrusion".into(),
        holds: true,
        fr: "Aucune intrusion.".into(),
        en: "No intrusion.".into(),
        because: vec![],
        establishment: None,
        partial: None,
    });
    assert!(render(&a, &[], &Options::default()).contains("Aucune intrusion</"));
}

#[test]
fn a_hundred_thousand_sessions_make_a_page_of_bounded_size() {
    let mut a = sample::answer();
    let one = a
        .sessions
        .iter()
        .find(|s| s.verdict == "intruder")
        .expect("one")
        .clone();
    a.sessions = (0..100_000u32)
        .map(|i| {
            let mut s = one.clone();
            s.id = format!("s{i:06}");
            s.account = Some(format!("rpps:{:011}", i % 300));
            let start = 1_756_000_000 + i64::from(i) * 18;
            s.from = jiff::Timestamp::from_second(start)
                .expect("time")
                .to_string();
            s.to = jiff::Timestamp::from_second(start + 600)
                .expect("time")
                .to_string();
            s
        })
        .collect();
    let page = render(&a, &[], &sample::options());
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let file = pdf::report(&a, &[], &sample::options()).expect("pdf");
    assert!(file.len() < 3_000_000, "{} bytes", file.len());
}

/// Whoever cuts accounts off at night does it from the paper: the last of many stands there like the first.
#[test]
fn all_that_is_to_be_cut_is_on_paper() {
    let paper = |last: &str| {
        let mut a = sample::answer();
        a.containment.cut = (10..90).map(|n| format!("rpps:998000012{n}")).collect();
        a.containment.cut.push(last.into());
        pdf::report(&a, &[], &sample::options()).expect("pdf")
    };
    assert_eq!(paper("vpn:one"), paper("vpn:one"));
    assert_ne!(paper("vpn:one"), paper("vpn:two"));
}

#[test]
fn upper_bounds_only_are_never_shown_as_seen() {
    let mut a = sample::answer();
    for c in &mut a.extent.cells {
        c.verdict = "exposed".into();
        c.subjects = Interval::new(0, c.subjects.at_most);
    }
    a.extent.subjects = Interval::new(0, 6980);
    let page = render(&a, &[], &sample::options());
    assert!(page.contains("Entre 0 et 6\u{202f}980"));
    assert!(!page.contains("vu : au moins"));
}

#[test]
fn the_published_schema_fits_what_is_written() {
    let schema: Value = serde_json::from_str(tables::SCHEMA).expect("the schema is JSON");
    let mut out = Vec::new();
    tables::json(&sample::answer(), &mut out).expect("json");
    let value: Value = serde_json::from_slice(&out).expect("json");
    check(&schema, &schema, &value, "$").unwrap_or_else(|e| panic!("{e}"));
    let empty = serde_json::to_value(Answer {
        format: FORMAT.into(),
        version: 1,
        ..Answer::default()
    })
    .expect("json");
    check(&schema, &schema, &empty, "$").unwrap_or_else(|e| panic!("{e}"));
    // The check can fail: a wrong verdict and a missing field are found.
    let mut wrong = value.clone();
    wrong["sessions"][0]["verdict"] = "guilty".into();
    assert!(check(&schema, &schema, &wrong, "$").is_err());
    let mut wrong = value;
    wrong.as_object_mut().expect("object").remove("coverage");
    assert!(check(&schema, &schema, &wrong, "$").is_err());
}

/// The part of JSON Schema 2020-12 the published schema uses. Fields the schema does not name are an error here, so that it stays complete.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(r) = schema["$ref"].as_str() {
        let target = root
            .pointer(r.trim_start_matches('#'))
            .ok_or_else(|| format!("{at}: no {r}"))?;
        check(root, target, value, at)?;
    }
    if let Some(any) = schema["anyOf"].as_array()
        && !any.iter().any(|s| check(root, s, value, at).is_ok())
    {
        return Err(format!("{at}: none of anyOf"));
    }
    if let Some(c) = schema.get("const")
        && c != value
    {
        return Err(format!("{at}: not {c}"));
    }
    if let Some(e) = schema["enum"].as_array()
        && !e.contains(value)
    {
        return Err(format!("{at}: {value} is not in the list"));
    }
    let is = |t: &str| match t {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    };
    match &schema["type"] {
        Value::String(t) if !is(t) => return Err(format!("{at}: not {t}")),
        Value::Array(l) if !l.iter().filter_map(Value::as_str).any(is) => {
            return Err(format!("{at}: wrong type"));
        }
        _ => {}
    }
    if let (Some(min), Some(n)) = (schema["minimum"].as_i64(), value.as_i64())
        && n < min
    {
        return Err(format!("{at}: below {min}"));
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (i, v) in list.iter().enumerate() {
            check(root, items, v, &format!("{at}[{i}]"))?;
        }
    }
    if let (Some(props), Some(map)) = (schema["properties"].as_object(), value.as_object()) {
        for (k, v) in map {
            let s = props
                .get(k)
                .ok_or_else(|| format!("{at}.{k}: not in the schema"))?;
            check(root, s, v, &format!("{at}.{k}"))?;
        }
        for k in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !map.contains_key(k) {
                return Err(format!("{at}: {k} is missing"));
            }
        }
    }
    Ok(())
}
