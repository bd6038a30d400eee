//! `sitewarden contract` through the real program: what support staff and scripts see.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sitewarden_tests::binary;

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(binary("sitewarden")).current_dir(folder).args(["contract"]).args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(folder: &Path, args: &[&str]) -> Value {
    let output = run(folder, args);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder with a template in it.
fn with(template: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = run(folder.path(), &["template", template]);
    assert!(text.status.success());
    std::fs::write(folder.path().join("c.toml"), text.stdout).unwrap();
    folder
}

#[test]
fn every_template_passes_its_own_check_and_every_trap_ends_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let list = said(&run(folder.path(), &["template"]));
    let names: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() >= 20, "{list}");
    for name in names {
        let template = with(name);
        let output = run(template.path(), &["check", "c.toml"]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
    }
    let folder = with("regional");
    let path = folder.path().join("c.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let check = |from: &str, to: &str, code: i32, words: &[&str]| {
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let english = run(folder.path(), &["check", "c.toml"]);
        assert_eq!(english.status.code(), Some(code), "{}", said(&english));
        let chinese = run(folder.path(), &["check", "c.toml", "--lang", "zh"]);
        for word in words {
            assert!((said(&english) + &said(&chinese)).contains(word), "{word}: {}", said(&english));
        }
    };
    check(
        "target = \"4h\"",
        "target = \"24d\"",
        3,
        &["c.toml:", "target.long", "24小时", "open questions 1"],
    );
    check("target = \"4h\"", "target = \"ASK\"", 3, &["clock.respond.target", "must be decided", "待定"]);
    check("target = \"4h\"", "target = \"0h\"", 4, &["target.zero", "错误"]);
    check("service = \"onsite\"", "servise = \"onsite\"", 4, &["Did you mean `service`?"]);
    let missing = run(folder.path(), &["check", "no.toml"]);
    assert_eq!(missing.status.code(), Some(1));
    std::fs::write(&path, text.replace("target = \"4h\"", "target = \"24d\"")).unwrap();
    let told: Value =
        serde_json::from_slice(&run(folder.path(), &["check", "c.toml", "--json"]).stdout).unwrap();
    assert_eq!(told["verdict"], "open");
    let remarks = told["remarks"].as_array().unwrap();
    let long = remarks.iter().find(|remark| remark["code"] == "target.long").unwrap();
    assert!(long["line"].as_i64() > Some(1) && long["problem"]["zh"].as_str().unwrap().contains("小时"));
    // A contract that cannot be used answers nothing.
    let due = run(
        folder.path(),
        &["due", "--contract", "c.toml", "--clock", "arrive", "--start", "2026-03-02T09:00"],
    );
    assert_eq!(due.status.code(), Some(3));
}

#[test]
fn a_call_on_friday_night_is_due_after_the_make_up_day_and_the_holiday() {
    let folder = with("regional");
    let due = |more: &[&str]| {
        let args =
            ["due", "--contract", "c.toml", "--clock", "arrive", "--start", "2026-02-13T22:40", "--json"];
        json(folder.path(), &[&args[..], more].concat())
    };
    let city = due(&["--zone", "city"]);
    assert_eq!((&city["due_at"], &city["state"]), (&"2026-02-14T14:00:00+08:00".into(), &"running".into()));
    assert_eq!(due(&["--zone", "province"])["due_at"], "2026-02-24T18:00:00+08:00");
    // An hour at the gate, in working time, moves it from 14:00 to 15:00.
    let pause = "2026-02-14T09:00/2026-02-14T10:00=access";
    let paused = due(&["--zone", "city", "--pause", pause, "--stop", "2026-02-14T15:00:01"]);
    assert_eq!(
        (&paused["due_at"], &paused["state"]),
        (&"2026-02-14T15:00:00+08:00".into(), &"breached_met".into())
    );
    assert_eq!(
        (paused["used_seconds"].as_i64(), paused["remaining_seconds"].as_i64()),
        (Some(14_401), Some(-1))
    );
    let ledger = paused["ledger"].as_array().unwrap();
    assert_eq!(ledger[0]["why"], "closed");
    assert!(ledger.iter().any(|entry| entry["why"] == "paused" && entry["reason"] == "access"));
    let counted: i64 = ledger.iter().filter_map(|entry| entry["counted_seconds"].as_i64()).sum();
    assert_eq!(counted, 14_401);
    let nowhere = run(
        folder.path(),
        &["due", "--contract", "c.toml", "--clock", "arrive", "--start", "2026-02-13T22:40"],
    );
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("give --zone, one of: city, province"));
    let lost = run(
        folder.path(),
        &["due", "--contract", "c.toml", "--clock", "arive", "--start", "2026-02-13T22:40"],
    );
    assert!(String::from_utf8_lossy(&lost.stderr).contains("it has: respond, arrive"));
}

#[test]
fn several_versions_of_a_contract_are_told_as_segments() {
    let folder = with("regional");
    let text = std::fs::read_to_string(folder.path().join("c.toml")).unwrap();
    let shorter = text.replacen("target = \"4h\"", "target = \"2h\"", 1);
    std::fs::write(folder.path().join("c2.toml"), &shorter).unwrap();
    let begun =
        ["due", "--contract", "c.toml", "--contract", "c2.toml@2026-03-02T10:00", "--clock", "respond"];
    let due = |more: &[&str]| json(folder.path(), &[&begun[..], more, &["--json"]].concat());
    // Monday, nine to twelve and half past one to six: 4 h end at 14:30; half an hour after the change, 2 h at 14:00.
    assert_eq!(due(&["--start", "2026-03-02T09:00"])["due_at"], "2026-03-02T14:30:00+08:00");
    assert_eq!(due(&["--start", "2026-03-02T10:30"])["due_at"], "2026-03-02T14:00:00+08:00");
    // A ticket that goes over to the new version keeps what it has used: nine to eleven.
    let events = "[[event]]\nwhat = \"contract\"\nat = \"2026-03-02T10:15\"\nversion = \"c2.toml\"\n";
    std::fs::write(folder.path().join("e.toml"), events).unwrap();
    let over = due(&["--start", "2026-03-02T09:00", "--events", "e.toml"]);
    assert_eq!(over["due_at"], "2026-03-02T11:00:00+08:00");
    let segments = over["segments"].as_array().unwrap();
    let told: Vec<_> =
        segments.iter().map(|one| (one["version"].as_str().unwrap(), &one["budget_seconds"])).collect();
    assert_eq!(told, [("c.toml", &14_400.into()), ("c2.toml", &7_200.into())]);
    let complain = |args: &[&str]| {
        let output =
            run(folder.path(), &[args, &["--clock", "respond", "--start", "2026-03-02T09:00"]].concat());
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = complain(&["due", "--contract", "c.toml", "--contract", "c2.toml"]);
    assert!(said.contains("c2.toml does not say when it begins; give it as c2.toml@2026-"), "{said}");
    let said = complain(&["due", "--contract", "c.toml", "--contract", "c2.toml@soon"]);
    assert!(said.contains("c2.toml@soon") && said.contains("2026-02-13T22:40"), "{said}");
}

#[test]
fn events_of_a_file_agree_a_time_and_a_late_restore_is_estimated() {
    let folder = with("it-service");
    let events = "[[event]]\nwhat = \"agreed\"\nat = \"2026-03-02T09:00\"\nfor = \"2026-03-03T12:00\"\n\
        [[event]]\nwhat = \"restored\"\nat = \"2026-03-04T13:00\"\nskew = \"1m\"\ndevice_at = \"2026-03-04T12:01\"\n";
    std::fs::write(folder.path().join("e.toml"), events).unwrap();
    let args = ["due", "--contract", "c.toml", "--clock", "agreed", "--events", "e.toml", "--json"];
    // Due at noon on the 3rd, restored at noon on the 4th by the corrected clock: one started day, 10,000 yuan.
    let late = json(folder.path(), &args);
    assert_eq!(late["stopped_at"], "2026-03-04T12:00:00+08:00");
    assert_eq!(late["penalties"][0]["amount_fen"], 1_000_000);
    assert_eq!(late["penalties"][0]["needs_approval_by"], "manager");
    std::fs::write(folder.path().join("e.toml"), "[[event]]\nwhat = \"pause\"\nat = \"today\"\n").unwrap();
    let wrong = run(folder.path(), &args);
    let error = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(error.contains("e.toml: event 1") && error.contains("2026-02-13T22:40"), "{error}");
}

#[test]
fn work_is_priced_and_a_repair_is_free_or_not() {
    let folder = with("per-visit");
    let lines = "[[line]]\nitem = \"visit\"\nzone = \"urban\"\npersons = 2\ntime = \"8h\"\n\
        [[line]]\nitem = \"vehicle\"\nzone = \"urban\"\n[[line]]\nitem = \"part\"\namount = \"123.45\"\nconsent = \"chen.yu\"\n";
    std::fs::write(folder.path().join("l.toml"), lines).unwrap();
    let quote = json(folder.path(), &["quote", "--contract", "c.toml", "--lines", "l.toml", "--json"]);
    // 2 × 400 + 200 + 123.45.
    assert_eq!((quote["total_fen"].as_i64(), quote["open"].as_bool()), (Some(112_345), Some(false)));
    assert_eq!(quote["charges"][0]["tax_included"], false);
    let folder = with("highway-cctv");
    let history = "[[moment]]\non = \"2025-03-10\"\nwhat = \"acceptance\"\n\
        [claim]\non = \"2026-03-10\"\ncomponent = \"camera\"\ncause = \"quality\"\n";
    let decide = |history: &str| {
        std::fs::write(folder.path().join("h.toml"), history).unwrap();
        json(folder.path(), &["warranty", "--contract", "c.toml", "--history", "h.toml", "--json"])
    };
    let free = decide(history);
    assert_eq!((&free["decision"], &free["rights"][0]["until"]), (&"free".into(), &"2026-03-10".into()));
    let after = decide(&history.replace("on = \"2026-03-10\"", "on = \"2026-03-11\""));
    assert_eq!((&after["decision"], &after["parts"]), (&"chargeable".into(), &"cost".into()));
    assert_eq!(decide(&history.replace("quality", "unknown"))["decision"], "needs_person");
}
