//! The commands on a store, as processes. What they do to rows is tested with the store.

use super::stoa;
use crate::auth::Folder;

#[test]
fn a_store_is_made_backed_up_restored_and_rewound() {
    let folder = Folder::new();
    let run = |arguments: &[&str]| {
        let ended = stoa(&folder, arguments, &[("STOA_LOG", "warn")]);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{arguments:?}");
        assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
        ended.out
    };
    let fails = |arguments: &[&str]| {
        let ended = stoa(&folder, arguments, &[("STOA_LOG", "warn")]);
        assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{arguments:?}: {}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    };
    fails(&["backup", "--data-dir", "a", "--to", "copy.db"]);
    fails(&["store", "rewound", "--data-dir", "a"]);
    assert!(run(&["migrate", "--data-dir", "a"]).contains("a/stoa.db"));
    run(&["migrate", "--data-dir", "a"]);
    run(&["backup", "--data-dir", "a", "--to", "copy.db"]);
    fails(&["backup", "--data-dir", "a", "--to", "copy.db"]);
    fails(&["restore", "--data-dir", "a", "--from", "copy.db"]);
    run(&["restore", "--data-dir", "b", "--from", "copy.db"]);
    run(&["restore", "--database-url", "sqlite:c.db", "--from", "copy.db"]);
    run(&["store", "rewound", "--data-dir", "b"]);
    folder.file("notes.txt", "these are no rows");
    fails(&["restore", "--data-dir", "d", "--from", "notes.txt"]);
    fails(&["migrate", "--database-url", "sqlite:notes.txt"]);
    fails(&["copy", "--from", "sqlite:a/stoa.db", "--to", "sqlite:e.db"]);
    assert_eq!(std::fs::read(folder.path().join("notes.txt")).expect("there"), b"these are no rows");
    // The configuration that serves is the one that says where the store is.
    let file = folder.file("stoa.toml", "data_dir = 'a'\naudience = 'x'\n[limits]\nidle_ms = 20000\n");
    run(&["migrate", "--config", &file]);
}

#[test]
fn a_store_that_does_not_answer_is_told_apart() {
    let folder = Folder::new();
    // Nobody listens on the port for TCP multiplexers, and nobody may without being root.
    let url = "postgres://stoa:hunter2hunter2@127.0.0.1:1/stoa";
    let at_url = [("STOA_DATABASE_URL", url), ("STOA_LOG", "warn")];
    for arguments in [["migrate"].as_slice(), &["store", "rewound"], &["serve", "--dev", "--listen", "127.0.0.1:0"]] {
        let ended = stoa(&folder, arguments, &at_url);
        assert_eq!(ended.code, 69, "{arguments:?}: {}", ended.err);
        assert!(!ended.err.contains("hunter2") && !ended.out.contains("hunter2"), "{}", ended.err);
    }
}

#[test]
fn both_ends_of_a_copy_are_needed_and_legal() {
    let folder = Folder::new();
    let secret = ("STOA_COPY_TO", "mysql://stoa:hunter2hunter2@db/stoa");
    for (arguments, variables, named) in [
        (["copy"].as_slice(), [].as_slice(), "from"),
        (&["copy", "--from", "sqlite:a.db"], &[], "to"),
        (&["copy", "--from", "a.db", "--to", "sqlite:b.db"], &[], "from"),
        (&["copy", "--from", "sqlite:a.db"], &[secret], "to"),
        (&["migrate", "--data-dir", "a", "--database-url", "sqlite:b"], &[], "data_dir (--data-dir)"),
    ] {
        let ended = stoa(&folder, arguments, variables);
        assert_eq!(ended.code, 64, "{arguments:?}");
        assert!(ended.err.starts_with(&format!("stoa: {named}: ")), "{}", ended.err);
        assert!(!ended.err.contains("hunter2"), "{}", ended.err);
    }
}
