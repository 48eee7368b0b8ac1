//! The text of a Windows security event as people see it (`Message`), read back into the fields it repeats, for exports that kept
//! nothing else: PowerShell's `Export-Csv` and `ConvertTo-Json`, the viewer's "save as" CSV, agents that forward the text. English and
//! French, on lines or flattened to one. Names as in Microsoft's "Audit" reference of each event.
use crate::scan::Pairs;
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use std::{borrow::Cow, sync::OnceLock};

/// Labels and the field each names; without a field a label only ends what stands before it. Of a field that begins with `*` the text
/// has one for each account it speaks of.
const LABELS: &[(&str, &str)] = &[
    ("Security ID", "*UserSid"),
    ("ID de sécurité", "*UserSid"),
    ("Account Name", "*UserName"),
    ("Nom du compte", "*UserName"),
    ("Nom de compte", "*UserName"),
    ("Account Domain", "*DomainName"),
    ("Domain Name", "*DomainName"),
    ("Supplied Realm Name", "*DomainName"),
    ("Domaine du compte", "*DomainName"),
    ("Domaine de compte", "*DomainName"),
    ("Nom de domaine", "*DomainName"),
    ("Nom du domaine", "*DomainName"),
    ("Nom de domaine fourni", "*DomainName"),
    ("Logon ID", "*LogonId"),
    ("ID d'ouverture de session", "*LogonId"),
    ("ID de connexion", "*LogonId"),
    ("Linked Logon ID", "TargetLinkedLogonId"),
    ("ID d'ouverture de session liée", "TargetLinkedLogonId"),
    ("ID de connexion lié", "TargetLinkedLogonId"),
    ("Logon Type", "LogonType"),
    ("Type d'ouverture de session", "LogonType"),
    ("Workstation Name", "WorkstationName"),
    ("Nom de la station de travail", "WorkstationName"),
    ("Nom de station de travail", "WorkstationName"),
    ("Source Workstation", "Workstation"),
    ("Station de travail source", "Workstation"),
    ("Source Network Address", "IpAddress"),
    ("Adresse du réseau source", "IpAddress"),
    ("Adresse réseau source", "IpAddress"),
    ("Source Address", "IpAddress"),
    ("Adresse source", "IpAddress"),
    ("Client Address", "IpAddress"),
    ("Adresse du client", "IpAddress"),
    ("Adresse client", "IpAddress"),
    ("Network Address", "IpAddress"),
    ("Adresse réseau", "IpAddress"),
    ("Source Port", "IpPort"),
    ("Port source", "IpPort"),
    ("Client Port", "IpPort"),
    ("Port client", "IpPort"),
    ("Port du client", "IpPort"),
    ("Logon Account", "TargetUserName"),
    ("Compte d'ouverture de session", "TargetUserName"),
    ("Error Code", "Status"),
    ("Code d'erreur", "Status"),
    ("Result Code", "Status"),
    ("Code de résultat", "Status"),
    ("Failure Code", "Status"),
    ("Code d'échec", "Status"),
    ("Status", "Status"),
    ("État", "Status"),
    ("Statut", "Status"),
    ("Sub Status", "SubStatus"),
    ("Sous-état", "SubStatus"),
    ("Sous-statut", "SubStatus"),
    ("Failure Reason", "FailureReason"),
    ("Raison de l'échec", "FailureReason"),
    ("Logon GUID", "LogonGuid"),
    ("GUID d'ouverture de session", "LogonGuid"),
    ("Logon Process", "LogonProcessName"),
    ("Processus d'ouverture de session", "LogonProcessName"),
    ("Authentication Package", "AuthenticationPackageName"),
    ("Package d'authentification", "AuthenticationPackageName"),
    ("Object Type", "ObjectType"),
    ("Type d'objet", "ObjectType"),
    ("Type de l'objet", "ObjectType"),
    ("Object Name", "ObjectName"),
    ("Nom de l'objet", "ObjectName"),
    ("Nom d'objet", "ObjectName"),
    ("Handle ID", "HandleId"),
    ("ID du handle", "HandleId"),
    ("ID de handle", "HandleId"),
    ("ID du descripteur", "HandleId"),
    ("Access Mask", "AccessMask"),
    ("Masque d'accès", "AccessMask"),
    ("Accesses", "AccessList"),
    ("Accès", "AccessList"),
    ("Share Name", "ShareName"),
    ("Nom du partage", "ShareName"),
    ("Nom de partage", "ShareName"),
    ("Share Path", "ShareLocalPath"),
    ("Chemin d'accès du partage", "ShareLocalPath"),
    ("Chemin du partage", "ShareLocalPath"),
    ("Chemin de partage", "ShareLocalPath"),
    ("Relative Target Name", "RelativeTargetName"),
    ("Nom de la cible relative", "RelativeTargetName"),
    ("Nom de cible relatif", "RelativeTargetName"),
    ("Nom cible relatif", "RelativeTargetName"),
    ("Nom relatif de la cible", "RelativeTargetName"),
    ("Service Name", "ServiceName"),
    ("Nom du service", "ServiceName"),
    ("Nom de service", "ServiceName"),
    ("Target Server Name", "TargetServerName"),
    ("Nom du serveur cible", "TargetServerName"),
    ("Session Name", "SessionName"),
    ("Nom de la session", "SessionName"),
    ("Nom de session", "SessionName"),
    ("Client Name", "ClientName"),
    ("Nom du client", "ClientName"),
    ("Nom de client", "ClientName"),
    ("New Process Name", "NewProcessName"),
    ("Nom du nouveau processus", "NewProcessName"),
    ("Process Name", "ProcessName"),
    ("Nom du processus", "ProcessName"),
    ("Caller Process Name", "ProcessName"),
    ("Nom du processus de l'appelant", "ProcessName"),
    ("Creator Process Name", "ParentProcessName"),
    ("Nom du processus créateur", "ParentProcessName"),
    ("Process Command Line", "CommandLine"),
    ("Ligne de commande du processus", "CommandLine"),
    ("Ticket Options", "TicketOptions"),
    ("Options du ticket", "TicketOptions"),
    ("Ticket Encryption Type", "TicketEncryptionType"),
    ("Type de chiffrement du ticket", "TicketEncryptionType"),
    ("Subject", ""),
    ("Sujet", ""),
    ("Objet", ""),
    ("Object", ""),
    ("New Logon", ""),
    ("Nouvelle ouverture de session", ""),
    ("Logon Information", ""),
    ("Informations d'ouverture de session", ""),
    ("Account For Which Logon Failed", ""),
    ("Compte pour lequel l'ouverture de session a échoué", ""),
    ("Account Whose Credentials Were Used", ""),
    (
        "Compte dont les informations d'identification ont été utilisées",
        "",
    ),
    ("Account Information", ""),
    ("Informations sur le compte", ""),
    ("Service Information", ""),
    ("Informations sur le service", ""),
    ("Service ID", ""),
    ("ID du service", ""),
    ("User ID", ""),
    ("ID d'utilisateur", ""),
    ("Network Information", ""),
    ("Informations sur le réseau", ""),
    ("Informations réseau", ""),
    ("Process Information", ""),
    ("Informations sur le processus", ""),
    ("Process ID", ""),
    ("ID du processus", ""),
    ("Share Information", ""),
    ("Informations sur le partage", ""),
    ("Informations de partage", ""),
    ("Access Request Information", ""),
    ("Informations sur la demande d'accès", ""),
    ("Access Check Results", ""),
    ("Résultats de la vérification d'accès", ""),
    ("Failure Information", ""),
    ("Informations sur l'échec", ""),
    ("Detailed Authentication Information", ""),
    ("Informations détaillées sur l'authentification", ""),
    ("Target Server", ""),
    ("Serveur cible", ""),
    ("Additional Information", ""),
    ("Informations supplémentaires", ""),
    ("Restricted Admin Mode", ""),
    ("Virtual Account", ""),
    ("Elevated Token", ""),
    ("Impersonation Level", ""),
    ("Network Account Name", ""),
    ("Network Account Domain", ""),
    ("Transited Services", ""),
    ("Key Length", ""),
    ("Privileges", ""),
    ("Privilèges", ""),
    ("Session", ""),
    ("Object Server", ""),
    ("Serveur de l'objet", ""),
    ("Resource Attributes", ""),
];

fn labels() -> &'static AhoCorasick {
    static ALL: OnceLock<AhoCorasick> = OnceLock::new();
    ALL.get_or_init(|| {
        AhoCorasickBuilder::new()
            .match_kind(MatchKind::LeftmostLongest)
            .build(LABELS.iter().map(|(l, _)| l))
            .expect("the labels are few and short")
    })
}

/// The fields a text repeats, under the names the event itself has.
pub(crate) fn fields(id: u64, text: &str) -> Pairs<'static> {
    let text: String = (text.chars())
        .map(|c| match c {
            '’' => '\'',
            '\u{a0}' | '\u{202f}' => ' ',
            c => c,
        })
        .collect();
    // The label, where its value begins, its field.
    let mut marks: Vec<(usize, usize, &str)> = vec![];
    for m in labels().find_iter(&text) {
        let before = text[..m.start()].chars().next_back();
        let after = text[m.end()..].trim_start_matches(' ');
        if after.starts_with(':') && before.is_none_or(char::is_whitespace) {
            let value = text.len() - after.len() + 1;
            marks.push((m.start(), value, LABELS[m.pattern().as_usize()].1));
        }
    }
    let lined = text.contains('\n');
    // Of some events the only account is the one that acts.
    let target_only = matches!(id, 4634 | 4647 | 4768..=4777);
    let mut blocks = usize::from(target_only);
    let mut seen: Vec<&str> = vec![];
    let mut out: Pairs<'static> = vec![];
    for (i, (_, from, field)) in marks.iter().enumerate() {
        let end = marks.get(i + 1).map_or(text.len(), |m| m.0);
        let raw = &text[*from..end.max(*from)];
        let value = match lined {
            true => raw.split(['\n', '\r']).next().unwrap_or("").trim(),
            // Where lines were joined, wide gaps stand for their ends.
            false => {
                let v = raw.trim();
                let cut = [v.find("  "), v.find('\t')].into_iter().flatten().min();
                v[..cut.unwrap_or(v.len())].trim()
            }
        };
        let Some(part) = field.strip_prefix('*') else {
            if !field.is_empty() && !value.is_empty() {
                let field = match (id, *field) {
                    (4778 | 4779, "IpAddress") => "ClientAddress",
                    (_, f) => f,
                };
                out.push((Cow::Borrowed(field), Cow::Owned(value.to_string())));
            }
            continue;
        };
        if seen.contains(&part) {
            seen.clear();
            blocks += 1;
        }
        seen.push(part);
        let name = match (id, blocks) {
            (4778 | 4779, _) => match part {
                "UserName" => "AccountName".to_string(),
                "DomainName" => "AccountDomain".to_string(),
                p => p.to_string(),
            },
            (_, 0) => format!("Subject{part}"),
            _ => format!("Target{part}"),
        };
        // What is shown of an account where the text has only one is the first.
        if !out.iter().any(|(k, _)| **k == name) {
            out.push((Cow::Owned(name), Cow::Owned(value.to_string())));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'a>(f: &'a Pairs<'_>, name: &str) -> &'a str {
        f.iter().find(|(k, _)| k == name).map_or("", |(_, v)| v)
    }

    #[test]
    fn the_text_of_a_logon_is_read_in_both_languages_and_flattened() {
        let english = "An account was successfully logged on.\r\n\r\nSubject:\r\n\tSecurity ID:\t\tS-1-5-18\r\n\tAccount Name:\t\tFS1$\r\n\tAccount Domain:\t\tCHU\r\n\tLogon ID:\t\t0x3E7\r\n\r\nLogon Information:\r\n\tLogon Type:\t\t10\r\n\tRestricted Admin Mode:\t-\r\n\r\nNew Logon:\r\n\tSecurity ID:\t\tS-1-5-21-1-2-3-1104\r\n\tAccount Name:\t\tmdupont\r\n\tAccount Domain:\t\tCHU\r\n\tLogon ID:\t\t0x8F2A1\r\n\tLinked Logon ID:\t\t0x8F2B2\r\n\r\nNetwork Information:\r\n\tWorkstation Name:\tPC-12\r\n\tSource Network Address:\t192.0.2.9\r\n\tSource Port:\t\t51544\r\n";
        let french = "L’ouverture de session d’un compte s’est correctement déroulée.\n\nSujet :\n\tID de sécurité :\t\tS-1-5-18\n\tNom du compte :\t\tFS1$\n\tDomaine du compte :\t\tCHU\n\tID d’ouverture de session :\t\t0x3E7\n\nType d’ouverture de session :\t\t10\n\nNouvelle ouverture de session :\n\tID de sécurité :\t\tS-1-5-21-1-2-3-1104\n\tNom du compte :\t\tmdupont\n\tDomaine du compte :\t\tCHU\n\tID d’ouverture de session :\t\t0x8F2A1\n\tID d’ouverture de session liée :\t\t0x8F2B2\n\nInformations sur le réseau :\n\tNom de la station de travail :\tPC-12\n\tAdresse du réseau source :\t192.0.2.9\n\tPort source :\t\t51544\n";
        let flat = english.replace("\r\n", " ").replace('\t', " ");
        let gaps = english.replace("\r\n", "   ").replace('\t', "  ");
        for text in [english, french, &flat, &gaps] {
            let f = fields(4624, text);
            for (name, value) in [
                ("SubjectUserName", "FS1$"),
                ("SubjectLogonId", "0x3E7"),
                ("TargetUserName", "mdupont"),
                ("TargetDomainName", "CHU"),
                ("TargetLogonId", "0x8F2A1"),
                ("TargetLinkedLogonId", "0x8F2B2"),
                ("LogonType", "10"),
                ("WorkstationName", "PC-12"),
                ("IpAddress", "192.0.2.9"),
                ("IpPort", "51544"),
            ] {
                assert_eq!(get(&f, name), value, "{name} of {text}");
            }
        }
    }

    #[test]
    fn who_acts_stands_where_the_event_has_him() {
        let off = "An account was logged off.\n\nSubject:\n\tSecurity ID:\t\tS-1-5-21-9\n\tAccount Name:\t\tmdupont\n\tAccount Domain:\t\tCHU\n\tLogon ID:\t\t0x8F2A1\n\nLogon Type:\t\t\t3\n";
        let f = fields(4634, off);
        assert_eq!(get(&f, "TargetUserName"), "mdupont");
        assert_eq!(get(&f, "TargetLogonId"), "0x8F2A1");
        let share = "Un objet de partage réseau a été vérifié.\n\nSujet :\n\tID de sécurité :\t\tS-1-5-21-9\n\tNom du compte :\t\tmdupont\n\tDomaine du compte :\t\tCHU\n\tID d'ouverture de session :\t\t0x8F2A1\n\nInformations sur le réseau :\t\n\tType d'objet :\t\tFile\n\tAdresse source :\t\t10.1.2.3\n\tPort source :\t\t50022\n\nInformations sur le partage :\n\tNom du partage :\t\t\\\\*\\Labo\n\tChemin d'accès du partage :\t\t\\??\\D:\\Labo\n\tNom de la cible relative :\t2024\\resultats 1.csv\n\nInformations sur la demande d'accès :\n\tMasque d'accès :\t\t0x1\n\tAccès :\t\tReadData (ou ListDirectory)\n";
        let f = fields(5145, share);
        assert_eq!(get(&f, "SubjectUserName"), "mdupont");
        assert_eq!(get(&f, "IpAddress"), "10.1.2.3");
        assert_eq!(get(&f, "ShareName"), "\\\\*\\Labo");
        assert_eq!(get(&f, "RelativeTargetName"), "2024\\resultats 1.csv");
        assert_eq!(get(&f, "AccessMask"), "0x1");
        let back = "Subject:\n\tAccount Name:\tmdupont\n\tAccount Domain:\tCHU\n\tLogon ID:\t0x8F2A1\n\nSession:\n\tSession Name:\tRDP-Tcp#3\n\nAdditional Information:\n\tClient Name:\tLAPTOP\n\tClient Address:\t192.0.2.9\n";
        let f = fields(4778, back);
        assert_eq!(get(&f, "AccountName"), "mdupont");
        assert_eq!(get(&f, "ClientAddress"), "192.0.2.9");
    }
}
