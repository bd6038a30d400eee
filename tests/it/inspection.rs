//! `sitewarden inspection preview` through the real program.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use sitewarden_tests::binary;

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(binary("sitewarden")).current_dir(folder).args(args).output().unwrap()
}

/// A folder with a template in it.
fn with(template: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = run(folder.path(), &["contract", "template", template]);
    assert!(text.status.success());
    std::fs::write(folder.path().join("c.toml"), text.stdout).unwrap();
    folder
}

fn preview(folder: &Path, more: &[&str]) -> Output {
    run(folder, &[&["inspection", "preview", "--contract", "c.toml"], more].concat())
}

fn told(folder: &Path, more: &[&str]) -> Value {
    let output = preview(folder, &[more, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_year_from_the_31st_shows_its_visits_what_they_carry_and_the_days_without_any() {
    let folder = with("intelligent-building");
    let range = ["--commissioned", "2026-01-31", "--until", "2026-07-31"];
    let year = told(folder.path(), &range);
    let all = year["occurrences"].as_array().unwrap();
    assert_eq!((all.len(), year["visits"].as_i64()), (13, Some(9)));
    let monthly = all.iter().find(|one| one["rule"] == "monthly" && one["n"] == 4).unwrap();
    assert_eq!(monthly["date"], "2026-06-30");
    assert_eq!(monthly["window"], json!({ "from": "2026-06-30", "to": "2026-07-30" }));
    assert_eq!(
        monthly["merged_with"],
        json!([{ "rule": "half_year", "n": 1 }, { "rule": "quarterly", "n": 2 }])
    );
    let upkeep = all.iter().find(|one| one["rule"] == "half_year").unwrap();
    assert_eq!(
        (&upkeep["merged_into"]["rule"], &upkeep["kinds"]),
        (&json!("monthly"), &json!(["routine_upkeep"]))
    );
    assert_eq!(
        year["gaps"],
        json!([{ "from": "2026-03-28", "to": "2026-03-30", "days": 3, "after": "second_month", "before": "monthly" }])
    );
    assert_eq!(year["last_day"], "2029-01-30");
    // Whoever looks further reads the same first.
    let longer = told(folder.path(), &["--commissioned", "2026-01-31", "--until", "2031-01-31"]);
    assert_eq!(&longer["occurrences"].as_array().unwrap()[..all.len()], &all[..]);

    let text = |lang: &str| {
        let output = preview(folder.path(), &[&range[..], &["--lang", lang]].concat());
        String::from_utf8(output.stdout).unwrap()
    };
    let (english, chinese) = (text("en"), text("zh"));
    assert!(english.contains("inspections 13, visits 9") && chinese.contains("巡检 13 项，上门 9 次"));
    assert!(
        english
            .contains("nothing owed: 2026-03-28 … 2026-03-30 (3 days), after second_month, before monthly")
    );
    assert!(chinese.contains("没有约定：2026-03-28 … 2026-03-30（3 天），此前 second_month，此后 monthly"));
    assert!(english.contains("in the visit of monthly 4") && chinese.contains("并入 monthly 4"));
    assert!(chinese.contains("例行保养") && chinese.contains("周二"));
}

#[test]
fn a_closed_site_and_another_anchor_are_taken_into_account_and_nonsense_is_explained() {
    let folder = with("cctv-117");
    let quarter = ["--commissioned", "2026-01-16", "--until", "2026-04-30"];
    let date =
        |more: &[&str]| told(folder.path(), &[&quarter[..], more].concat())["occurrences"][0]["date"].clone();
    assert_eq!(date(&[]), "2026-03-16");
    assert_eq!(date(&["--closed", "2026-03-10/2026-03-20"]), "2026-03-23");
    // Nothing is closed in April but the site itself: the days before are left.
    assert_eq!(date(&["--closed", "2026-03-16/2026-04-15"]), "2026-03-13");

    let said = |args: &[&str]| {
        let output = preview(folder.path(), args);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, words) = said(&["--commissioned", "2026-01-16", "--until", "2025-01-01"]);
    assert!(code == Some(1) && words.contains("at most 30 years later"), "{words}");
    let (code, words) = said(&[&quarter[..], &["--closed", "2026-03-20/2026-03-10"]].concat());
    assert!(code == Some(1) && words.contains("is not FROM/TO"), "{words}");
    let (code, words) = said(&[&quarter[..], &["--anchor", "sold=2026-01-01"]].concat());
    assert!(code == Some(1) && words.contains("no inspection is counted from `sold`"), "{words}");
    let (code, words) = said(&["--commissioned", "2026-02-30", "--until", "2026-03-01"]);
    assert!(code == Some(2) && words.contains("2026-02-30"), "{words}");

    // A contract that cannot be used answers nothing; the exit codes are those of `contract check`.
    let path = folder.path().join("c.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("every = \"3mo\"", "every = \"ASK\"")).unwrap();
    let (code, words) = said(&quarter);
    assert!(code == Some(3) && words.contains("inspect.cctv-7.every"), "{words}");
    std::fs::write(&path, text.replace("every = \"3mo\"", "every = \"quarterly\"")).unwrap();
    let (code, words) = said(&[&quarter[..], &["--lang", "zh"]].concat());
    assert!(code == Some(4) && words.contains("例如：every = \"3mo\""), "{words}");
}
