//! Before any incident: what these sources could prove tonight, and what to switch on first.
//!
//! The questions are those investigators could not answer in real incidents: whose records were served, who came in and since when,
//! whether copies left, and whether silence can be trusted.
use super::{Coverage, SourceCoverage, State};
use ampleur_event::{GapSign, Proof, Silence, Verb, time::DAY};

/// A question an investigator will be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Whose records were served?
    Whose,
    /// Who came in, and since when?
    Who,
    /// Did copies leave?
    Left,
    /// Can its silence be trusted?
    Silence,
}

impl Question {
    pub const ALL: [Question; 4] = [
        Question::Whose,
        Question::Who,
        Question::Left,
        Question::Silence,
    ];
    pub const fn fr(self) -> &'static str {
        match self {
            Question::Whose => "Quels dossiers ont été servis ?",
            Question::Who => "Qui est entré, et depuis quand ?",
            Question::Left => "Des copies sont-elles parties ?",
            Question::Silence => "Peut-on se fier à son silence ?",
        }
    }
    pub const fn en(self) -> &'static str {
        match self {
            Question::Whose => "Whose records were served?",
            Question::Who => "Who came in, and since when?",
            Question::Left => "Did copies leave?",
            Question::Silence => "Can its silence be trusted?",
        }
    }
}

/// One source and one question it bears on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadinessRow {
    pub source: String,
    pub question: Question,
    /// True when tonight's logs would answer it.
    pub proven: bool,
    pub fr: String,
    pub en: String,
    /// What to switch on first; empty when nothing is needed.
    pub first_fr: String,
    pub first_en: String,
}

/// Shorter than the time intruders stayed unseen in real cases.
const DWELL: i64 = 90 * DAY;

/// What could be proven with this coverage, per source and question, sorted by (source, question). Questions a source has nothing to
/// say about are left out; a question no source bears on gets one row with an empty source.
pub fn readiness(coverage: &Coverage) -> Vec<ReadinessRow> {
    let mut out = Vec::new();
    for s in &coverage.sources {
        whose(s, &mut out);
        who(s, &mut out);
        left(s, &mut out);
        silence(s, &mut out);
    }
    for q in Question::ALL {
        if !out.iter().any(|r| r.question == q) {
            out.push(row(
                "",
                q,
                false,
                ("Aucune source n’en parle.", "No source speaks of it."),
                match q {
                    Question::Whose => (
                        "Activer le journal des accès aux dossiers, avec les patients retournés.",
                        "Switch on the access journal, with the patients returned.",
                    ),
                    Question::Who => (
                        "Recueillir les journaux du VPN et du fournisseur d’identité.",
                        "Collect the VPN and identity-provider logs.",
                    ),
                    Question::Left => (
                        "Recueillir les flux du pare-feu avec les octets.",
                        "Collect firewall flows with their bytes.",
                    ),
                    Question::Silence => ("Recueillir des journaux.", "Collect logs."),
                },
            ));
        }
    }
    out.sort_by(|a, b| (&a.source, a.question).cmp(&(&b.source, b.question)));
    out
}

fn row(
    source: &str,
    question: Question,
    proven: bool,
    says: (&str, &str),
    first: (&str, &str),
) -> ReadinessRow {
    ReadinessRow {
        source: source.to_string(),
        question,
        proven,
        fr: says.0.to_string(),
        en: says.1.to_string(),
        first_fr: first.0.to_string(),
        first_en: first.1.to_string(),
    }
}

fn proves(s: &SourceCoverage, proof: Proof) -> bool {
    s.capability
        .is_some_and(|c| c.rows.iter().any(|(_, p)| *p == proof))
}

fn whose(s: &SourceCoverage, out: &mut Vec<ReadinessRow>) {
    let asks = proves(s, Proof::Access) || proves(s, Proof::Question);
    if s.tells.is_empty() && !asks {
        return;
    }
    let r = if s.tells.is_empty() {
        row(
            &s.name,
            Question::Whose,
            false,
            (
                "Montre des accès, mais rien ne dit qu’elle les montre tous.",
                "Shows accesses, but nothing says it shows them all.",
            ),
            (
                "Activer l’audit des objets sur tous les partages et tables, puis déclarer `tells`.",
                "Switch on object auditing on every share and table, then declare `tells`.",
            ),
        )
    } else if s.shows_results {
        row(
            &s.name,
            Question::Whose,
            true,
            (
                "Nomme chaque personne servie.",
                "Names every person served.",
            ),
            ("", ""),
        )
    } else if proves(s, Proof::Access) {
        row(
            &s.name,
            Question::Whose,
            true,
            (
                "Nomme les dossiers ouverts ; les recherches se rejouent sur la base d’identités datée.",
                "Names the records opened; searches are replayed on the dated identity base.",
            ),
            (
                "Garder les identifiants retournés par chaque recherche.",
                "Keep the identifiers each search returned.",
            ),
        )
    } else {
        row(
            &s.name,
            Question::Whose,
            false,
            (
                "Garde la question, pas la réponse.",
                "Keeps the question, not the answer.",
            ),
            (
                "Conserver un instantané quotidien de la base d’identités, et les critères des recherches.",
                "Keep a daily snapshot of the identity base, and the criteria of searches.",
            ),
        )
    };
    out.push(r);
}

fn who(s: &SourceCoverage, out: &mut Vec<ReadinessRow>) {
    if !s.door && !proves(s, Proof::Presence) {
        return;
    }
    let kept = match (s.first, s.last) {
        (Some(a), Some(b)) => b.saturating_sub(a),
        _ => 0,
    };
    let days = kept / DAY;
    let long = kept >= DWELL;
    out.push(ReadinessRow {
        source: s.name.clone(),
        question: Question::Who,
        proven: s.door && long,
        fr: format!("Conserve {days} jours de présences."),
        en: format!("Keeps {days} days of presence."),
        first_fr: if long {
            String::new()
        } else {
            "Conserver au moins 90 jours : les intrus restent des semaines avant d’être vus.".into()
        },
        first_en: if long {
            String::new()
        } else {
            "Keep at least 90 days: intruders stay for weeks before they are seen.".into()
        },
    });
}

fn left(s: &SourceCoverage, out: &mut Vec<ReadinessRow>) {
    let transfer = proves(s, Proof::Transfer);
    let exports = s.capability.is_some_and(|c| {
        c.proof_of(Verb::Export).is_some() || c.proof_of(Verb::FileRead) == Some(Proof::Access)
    });
    if transfer {
        out.push(row(
            &s.name,
            Question::Left,
            true,
            ("Compte les octets sortis.", "Counts the bytes that left."),
            ("", ""),
        ));
    } else if exports {
        out.push(row(
            &s.name,
            Question::Left,
            true,
            (
                "Montre les exports et les fichiers lus.",
                "Shows exports and files read.",
            ),
            ("", ""),
        ));
    }
}

fn silence(s: &SourceCoverage, out: &mut Vec<ReadinessRow>) {
    let numbered = s.capability.is_some_and(|c| c.gap != GapSign::RateOnly);
    let complete = s.stretches.iter().any(|x| x.state == State::Complete);
    let nothing = s
        .capability
        .is_some_and(|c| c.silence == Silence::Nothing && s.tells.is_empty());
    let says = if numbered {
        (
            "Ses enregistrements sont numérotés : une ligne perdue se voit.",
            "Its records are numbered: a lost line shows.",
        )
    } else if s.heartbeat_s.is_some() {
        (
            "Elle parle à intervalle régulier : une coupure se voit.",
            "It speaks at a regular period: an outage shows.",
        )
    } else if complete {
        (
            "Son débit est assez régulier pour qu’une longue coupure se voie, pas une ligne perdue.",
            "Its rate is steady enough for a long outage to show, not for a lost line.",
        )
    } else {
        (
            "Rien ne dit si elle a tout dit.",
            "Nothing says whether it said everything.",
        )
    };
    let first = if nothing {
        (
            "Déclarer `tells` une fois l’audit activé partout.",
            "Declare `tells` once auditing is on everywhere.",
        )
    } else if numbered || s.heartbeat_s.is_some() {
        ("", "")
    } else {
        (
            "Ajouter un contrôle de santé périodique, déclaré par `heartbeat_s`.",
            "Add a periodic health check, declared as `heartbeat_s`.",
        )
    };
    out.push(row(
        &s.name,
        Question::Silence,
        !nothing && (numbered || s.heartbeat_s.is_some()),
        says,
        first,
    ));
}
