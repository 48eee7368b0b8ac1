//! A reader nobody here wrote opens the stores written here: readpst of pst-utils. Skips, and says so, where it is not installed.
#![allow(clippy::print_stdout)]
use ampleur_testkit::pst::{Attachment, Layout, Message, Shape, Value, store};
use std::process::{Command, Stdio};

#[test]
fn readpst_opens_what_is_written() {
    if Command::new("readpst").arg("-V").output().is_err() {
        println!("SKIPPED: readpst is not installed, no other reader opened a store");
        return;
    }
    let mail = |n: usize, attachments| Message {
        subject: format!("objet {n}"),
        properties: vec![
            (0x1000, Value::Text(format!("corps {n}"))),
            (0x0c1a, Value::Text("Secretariat".into())),
        ],
        recipients: vec![("Labo".into(), "labo@ch.example".into())],
        attachments,
    };
    let long = b"Compte rendu sans nom.\n".repeat(3_000);
    let inner = mail(
        7,
        vec![Attachment::File("dedans.txt".into(), b"dedans".to_vec())],
    );
    let mut messages: Vec<Message> = (0..40).map(|n| mail(n, vec![])).collect();
    messages[3].attachments = vec![
        Attachment::File("long.txt".into(), long),
        Attachment::Message(inner),
    ];
    for layout in [Layout::Ansi, Layout::Unicode, Layout::Wide] {
        let dir = tempfile::tempdir().expect("folder");
        let file = dir.path().join("a.pst");
        std::fs::write(&file, store(&Shape::plain(layout), "Courrier", &messages)).expect("store");
        let done = Command::new("readpst")
            .args(["-q", "-b", "-o"])
            .arg(dir.path())
            .arg(&file)
            .stdout(Stdio::null())
            .status()
            .expect("run readpst");
        assert!(done.success(), "{layout:?}");
        let read = std::fs::read(dir.path().join("Courrier.mbox")).expect("a folder");
        let read = String::from_utf8_lossy(&read);
        let count = |t: &str| read.matches(t).count();
        assert_eq!(count("\nFrom \""), 39, "{layout:?}");
        for n in 0..40 {
            assert!(count(&format!("corps {n}\n")) >= 1, "{layout:?} {n}");
        }
        for name in ["long.txt", "dedans.txt"] {
            assert_eq!(
                count(&format!("filename=\"{name}\"")),
                1,
                "{layout:?} {name}"
            );
        }
    }
}
