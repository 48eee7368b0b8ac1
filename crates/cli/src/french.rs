//! What is told on standard error, in French. Errors and notes are made in English, far below any knowledge of who reads; here, at the
//! edge, those that a night brings are told in the language of the run. `{}` stands for what differs, and may itself be a sentence.
//! What is not in the list stays English as a whole: half a sentence in each language helps nobody.

/// Sentences that follow `could not` (in French `impossible`), hints, and notes of a run.
const SAID: &[(&str, &str)] = &[
    // What could not be done.
    (
        "open case {}: it is no folder",
        "d’ouvrir le cas {} : ce n’est pas un dossier",
    ),
    (
        "open case {}: there is no file under logs/ that holds anything",
        "d’ouvrir le cas {} : aucun fichier de logs/ ne contient quoi que ce soit",
    ),
    ("find `{}` in {}", "de trouver « {} » dans {}"),
    (
        "find {} among the sessions of this answer",
        "de trouver {} parmi les sessions de cette réponse",
    ),
    ("find a lake in {}", "de trouver un lac dans {}"),
    ("find format `{}`", "de trouver le format « {} »"),
    ("find time zone `{}`", "de trouver le fuseau horaire « {} »"),
    ("find {}", "de trouver {}"),
    (
        "measure the extent of nothing",
        "de mesurer l’étendue de rien",
    ),
    ("compare nothing", "de ne rien comparer"),
    ("list nothing", "de ne rien inventorier"),
    ("read account `{}`", "de lire le compte « {} »"),
    ("read address `{}`", "de lire l’adresse « {} »"),
    ("read time `{}`", "de lire l’instant « {} »"),
    ("read key {}: {}", "de lire la clé {} : {}"),
    ("read {}: {}", "de lire {} : {}"),
    ("open {}: {}", "d’ouvrir {} : {}"),
    ("make folder {}: {}", "de créer le dossier {} : {}"),
    ("write {}: {}", "d’écrire {} : {}"),
    (
        "use {}: it holds something else",
        "d’employer {} : il contient autre chose",
    ),
    ("use this window", "d’employer cette période"),
    (
        "open lake: another writer holds it",
        "d’ouvrir le lac : un autre programme y écrit",
    ),
    (
        "open lake: no lake is there",
        "d’ouvrir le lac : il n’y en a pas",
    ),
    (
        "run `{}`: this build is without it",
        "d’exécuter « {} » : ce programme a été construit sans",
    ),
    (
        "go on: the answer needs a folder of its own, not the case and not the answer before",
        "de continuer : la réponse demande un dossier à elle, ni le cas ni la réponse précédente",
    ),
    (
        "go on: identifiers in clear need the DPO key of this lake (--dpo-key FILE): the lake was made by an earlier run",
        "de continuer : des identifiants en clair demandent la clé du délégué de ce lac (--dpo-key FICHIER), qu’une exécution précédente a créé",
    ),
    (
        "go on: no session of these logs matches what was named",
        "de continuer : aucune session de ces journaux ne correspond à ce qui a été nommé",
    ),
    (
        "go on: an overrule needs its reason",
        "de continuer : une correction demande sa raison (--reason)",
    ),
    (
        "go on: the inventory {} cannot be read: {}",
        "de continuer : l’inventaire {} ne peut pas être lu : {}",
    ),
    // Why not.
    (
        "unknown key `{}` (line {}), did you mean `{}`?",
        "clé inconnue « {} » (ligne {}) ; est-ce « {} » ?",
    ),
    (
        "unknown key `{}` (line {})",
        "clé inconnue « {} » (ligne {})",
    ),
    ("unknown time zone `{}`", "fuseau horaire inconnu « {} »"),
    ("unknown category `{}`", "catégorie inconnue « {} »"),
    ("not a key file", "ce n’est pas une clé"),
    (
        "No such file or directory (os error 2)",
        "fichier ou dossier absent",
    ),
    ("Permission denied (os error 13)", "accès refusé"),
    ("File exists (os error 17)", "un fichier porte déjà ce nom"),
    ("Not a directory (os error 20)", "ce n’est pas un dossier"),
    ("Is a directory (os error 21)", "c’est un dossier"),
    (
        "No space left on device (os error 28)",
        "plus de place sur le disque",
    ),
    (
        "Read-only file system (os error 30)",
        "disque en lecture seule",
    ),
    // What to do.
    (
        "give a folder that holds `logs/`; `ampleur demo` makes one",
        "donnez un dossier qui contient « logs/ » ; « ampleur demo » en fabrique un",
    ),
    (
        "put the logs below CASE_DIR/logs; `ampleur demo` makes an example",
        "mettez les journaux sous CAS/logs ; « ampleur demo » fabrique un exemple",
    ),
    (
        "`ampleur sources list` shows every format",
        "« ampleur sources list » montre tous les formats",
    ),
    (
        "did you mean `{}`? `ampleur sources list` shows every format",
        "est-ce « {} » ? « ampleur sources list » montre tous les formats",
    ),
    (
        "`ampleur config example` explains every key",
        "« ampleur config example » explique chaque clé",
    ),
    (
        "wait for the other run, or give another folder with `--lake`",
        "attendez la fin de l’autre exécution, ou donnez un autre dossier avec « --lake »",
    ),
    (
        "`ampleur verify` names everything that does not verify",
        "« ampleur verify » nomme tout ce qui ne se vérifie pas",
    ),
    (
        "give the folder of this lake’s keys with `--keys`",
        "donnez le dossier des clés de ce lac avec « --keys »",
    ),
    (
        "give the file of the key; a new lake has its own in `keys/`",
        "donnez le fichier de la clé ; un lac neuf a les siennes dans « keys/ »",
    ),
    (
        "give a folder that can be written, with --out",
        "donnez un dossier où l’on peut écrire, avec --out",
    ),
    (
        "give another folder with --out",
        "donnez un autre dossier avec --out",
    ),
    (
        "give the folder `ampleur investigate --out` wrote",
        "donnez le dossier que « ampleur investigate --out » a écrit",
    ),
    (
        "a subject as persons.csv writes it, or an id of `ampleur sessions`",
        "une personne comme l’écrit persons.csv, ou un identifiant de « ampleur sessions »",
    ),
    (
        "`ampleur sessions ANSWER` lists their ids, accounts and addresses",
        "« ampleur sessions RÉPONSE » donne leurs identifiants, comptes et adresses",
    ),
    (
        "write it like 2025-09-04T01:13:00Z or 2025-09-04T03:13:00+02:00",
        "écrivez-le comme 2025-09-04T01:13:00Z ou 2025-09-04T03:13:00+02:00",
    ),
    (
        "write it as system:name, such as vpn:editeur-lis",
        "écrivez-le système:nom, par exemple vpn:editeur-lis",
    ),
    (
        "write it like 203.0.113.9 or 203.0.113.0/24",
        "écrivez-la comme 203.0.113.9 ou 203.0.113.0/24",
    ),
    ("--from must be before --to", "--from doit précéder --to"),
    (
        "name what is the intruder's: --account, --origin or --session; `ampleur investigate` looks for the intruder itself",
        "nommez ce qui est à l’intrus : --account, --origin ou --session ; « ampleur investigate » le cherche de lui-même",
    ),
    (
        "give a lake, an answer folder or an evidence.zip",
        "donnez un lac, le dossier d’une réponse ou un evidence.zip",
    ),
    (
        "give a list, or files with --sample",
        "donnez une liste, ou des fichiers avec --sample",
    ),
    ("give a file that is there", "donnez un fichier qui existe"),
    (
        "use an IANA name such as Europe/Paris",
        "employez un nom IANA comme Europe/Paris",
    ),
    (
        "build with `cargo build --release --features {}`",
        "construisez avec « cargo build --release --features {} »",
    ),
    // Stages of a run.
    ("intake", "lecture"),
    ("sessions", "sessions"),
    ("judgement", "jugement"),
    ("extent", "étendue"),
    ("reports", "rapports"),
    ("coverage", "couverture"),
    ("identities", "identités"),
    ("list", "liste"),
    ("read", "lecture"),
    // What a run tells on its way.
    (
        "{} of {} records not understood, kept and counted; the first is record {} at byte {}, {} bytes: {}; {}",
        "non compris : {} sur {}, gardés et comptés ; le premier est l’enregistrement {}, à l’octet {} ({} octets) : {} ; {}",
    ),
    (
        "name its format in ampleur.toml ([[source]] files, format); `ampleur sources list` shows those there are",
        "nommez son format dans ampleur.toml ([[source]] files, format) ; « ampleur sources list » montre ceux qui existent",
    ),
    (
        "ask for the file again, whole; what can be read has been",
        "redemandez le fichier, entier ; ce qui pouvait être lu l’a été",
    ),
    (
        "look whether it is one log or several joined; the other records have been read",
        "voyez si c’est un journal ou plusieurs mis bout à bout ; les autres enregistrements ont été lus",
    ),
    (
        "`ampleur decode FILE` shows each of them",
        "« ampleur decode FICHIER » montre chacun d’eux",
    ),
    ("not the shape of this format", "pas la forme de ce format"),
    ("record is cut short", "enregistrement coupé"),
    (
        "field {} is missing or unreadable",
        "le champ {} manque ou est illisible",
    ),
    ("no usable time", "pas d’heure exploitable"),
    (
        "not text in a supported encoding",
        "pas un texte d’un encodage connu",
    ),
    (
        "record is longer than the limit",
        "enregistrement plus long que la limite",
    ),
    (
        "document type or entity is not allowed",
        "type de document ou entité interdit",
    ),
    (
        "no source knows this format",
        "aucune source ne connaît ce format",
    ),
    (
        "damaged, or not to be read from here on",
        "abîmé, ou illisible à partir d’ici",
    ),
    (
        "decompression limit reached, the rest was not read",
        "limite de décompression atteinte, le reste n’a pas été lu",
    ),
    (
        "compressed data is damaged: {}",
        "les données comprimées sont abîmées : {}",
    ),
    (
        "incomplete deflate stream at byte {} of the content",
        "flux incomplet à l’octet {} du contenu",
    ),
    (
        "{} segments sealed by a run that was stopped were taken up again",
        "{} segments scellés par une exécution interrompue ont été repris",
    ),
    (
        "{}: {}; countries and networks of addresses are not known without this file of `geoip`",
        "{} : {} ; sans ce fichier de « geoip », les pays et réseaux des adresses ne sont pas connus",
    ),
    (
        "{}: no session of these logs; it changes nothing",
        "{} : aucune session de ces journaux ; cela ne change rien",
    ),
    ("no field looks like {}", "aucun champ ne ressemble à {}"),
    ("no value looks like {}", "aucune valeur ne ressemble à {}"),
    ("a time", "une heure"),
    ("an account", "un compte"),
    ("an address of origin", "une adresse d’origine"),
    ("an action", "une action"),
    (
        "the stamps carry no zone: say `timezone` in the context",
        "les heures ne portent pas de fuseau : donnez « timezone » dans le contexte",
    ),
    ("words of the line", "des mots de la ligne"),
];

/// The sentence in French; `None` where nobody has written it. A sentence may follow a place: `logs/a.log: …`.
pub fn french(text: &str) -> Option<String> {
    if let Some((place, said)) = text.split_once(": ")
        && !place.contains(' ')
        && let Some(said) = french(said)
    {
        return Some(format!("{place} : {said}"));
    }
    for (en, fr) in SAID {
        let Some(held) = ampleur_notice::words::held(en, text) else {
            continue;
        };
        let mut parts = fr.split("{}");
        let mut out = parts.next().unwrap_or_default().to_string();
        for (h, rest) in held.iter().zip(parts) {
            out.push_str(&french(h).unwrap_or_else(|| (*h).to_string()));
            out.push_str(rest);
        }
        return Some(out);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn sentences_hold_sentences() {
        assert_eq!(
            french(
                "read case/ampleur.toml: unknown key `timezon` (line 42), did you mean `timezone`?"
            )
            .as_deref(),
            Some(
                "de lire case/ampleur.toml : clé inconnue « timezon » (ligne 42) ; est-ce « timezone » ?"
            )
        );
        assert_eq!(
            french("logs/x.log: 5 of 5 records not understood, kept and counted; the first is record 1 at byte 0, 17 bytes: no source knows this format; `ampleur decode FILE` shows each of them").as_deref(),
            Some("logs/x.log : non compris : 5 sur 5, gardés et comptés ; le premier est l’enregistrement 1, à l’octet 0 (17 octets) : aucune source ne connaît ce format ; « ampleur decode FICHIER » montre chacun d’eux")
        );
        assert_eq!(french("the moon is full"), None);
    }
    #[test]
    fn each_sentence_has_as_many_holes_in_both_languages() {
        for (en, fr) in SAID {
            assert_eq!(en.matches("{}").count(), fr.matches("{}").count(), "{en}");
            assert!(french(en).is_some(), "{en}");
        }
    }
    /// A sentence that is told nowhere any more is not carried along.
    #[test]
    fn each_sentence_is_still_told_somewhere() {
        let mut told = String::new();
        let mut dirs = vec![std::path::PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../crates"
        ))];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    dirs.push(path);
                } else if path.extension().is_some_and(|e| e == "rs")
                    && !path.ends_with("french.rs")
                {
                    told.push_str(&std::fs::read_to_string(path).expect("a source"));
                }
            }
        }
        for (en, _) in SAID {
            // What the system says is written nowhere here.
            if en.contains("(os error") {
                continue;
            }
            let bare = en.strip_prefix("go on: ").unwrap_or(en);
            let least = bare.split("{}").map(str::len).max().unwrap_or(0).min(8);
            assert!(
                (bare.split("{}")).any(|p| p.len() >= least && told.contains(p)),
                "nobody says: {en}"
            );
        }
    }
}
