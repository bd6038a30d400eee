//! Lines, sheets and glyphs, tried on the font of this machine.

use super::*;

fn text_of(lines: &[line::Line]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

/// The press of a machine that has the font; the tests' packages name it.
fn face() -> Face {
    Face::read(&crate::config::Papers::default().font).unwrap()
}

fn paper(parts: Vec<Part>) -> Paper {
    Paper {
        language: Language::Zh,
        title: "技术服务联络单".into(),
        number: "编号 1001-1".into(),
        remark: String::new(),
        made_at: "2026-11-18T03:00:00+08:00[Asia/Shanghai]".parse().unwrap(),
        footer: "打印于".into(),
        paging: "{page}/{pages}".into(),
        parts,
    }
}

#[test]
fn lines_break_where_both_scripts_allow_it() {
    let face = face();
    let hand = face.hand();
    // Ten characters of Chinese are ten times the size wide.
    let lines = |text: &str, most: f32| line::lines(&hand, text, 10.0, most * 10.0);
    let broken = lines("更换摄像机的防水接头，恢复正常。", 5.0);
    assert_eq!(
        text_of(&broken),
        ["更换摄像机", "的防水接", "头，恢复正", "常。"],
        "no line begins with a comma"
    );
    let broken = lines("the plug was wet", 4.6);
    assert_eq!(text_of(&broken), ["the plug", "was wet"]);
    assert!(broken.iter().all(|line| line.width(10.0) <= 46.0));
    assert_eq!(text_of(&lines("一\n\n二\r\n三", 9.0)), ["一", "", "二", "三"]);
    let long = lines("0123456789012345678901234567890123456789", 5.0);
    assert!(long.len() > 3 && long.iter().all(|line| line.width(10.0) <= 50.0), "{long:?}");
    assert_eq!(text_of(&long).concat(), "0123456789012345678901234567890123456789");
    assert!(lines("宽", 0.1).len() == 1, "one character always has room");
}

#[test]
fn every_glyph_names_its_text() {
    let face = face();
    for text in ["Grüße, 北门 #1001 – 52.1 V", "e\u{301}a fi", "😀 x\u{7}y"] {
        let line = line::line(&face.hand(), text);
        let covered: std::collections::BTreeSet<usize> =
            line.glyphs.iter().flat_map(|glyph| glyph.from..glyph.to).collect();
        assert_eq!(covered.len(), line.text.len(), "{text:?}");
    }
}

#[test]
fn a_long_paper_has_sheets_with_header_and_footer_and_loses_no_line() {
    let face = face();
    let long = "现场检查发现接头进水。".repeat(400);
    let facts = vec![Fact { name: "处理".into(), text: long.clone(), wide: true }];
    let sheets =
        compose::compose(&face.hand(), &paper(vec![Part::Heading("故障".into()), Part::Facts(facts)]));
    assert!(sheets.len() > 1);
    let mut read = String::new();
    for (page, sheet) in sheets.iter().enumerate() {
        let mut texts = Vec::new();
        for item in sheet {
            if let compose::Item::Text { x, y, size, line, .. } = item {
                assert!(*y < compose::HEIGHT && x + line.width(*size) < compose::WIDTH, "{line:?}");
                texts.push(line.text.clone());
            }
        }
        let paging = format!("{}/{}", page + 1, sheets.len());
        assert!(texts.contains(&paging) && texts.contains(&"编号 1001-1".to_owned()));
        read.extend(
            texts
                .into_iter()
                .filter(|text| text.contains('现') || text.contains('查') || text.contains('水')),
        );
    }
    assert!(read.chars().filter(|c| *c == '水').count() == 400, "every line is there");
}

#[tokio::test]
async fn a_font_that_is_missing_or_none_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("font.ttf");
    std::fs::write(&other, "no font").unwrap();
    for path in [folder.path().join("none.ttc"), other] {
        let press = Press::new(path.clone());
        let why = press.print(paper(Vec::new())).await.unwrap_err();
        assert!(
            matches!(why, Unprinted::Font { .. }) && why.to_string().contains(&*path.to_string_lossy()),
            "{why}"
        );
        assert!(press.check().is_err());
    }
    assert!(FONT_REMEDY.contains("fonts-noto-cjk"));
}

#[tokio::test]
async fn a_paper_is_small_because_only_used_glyphs_are_in_it() {
    let press = Press::new(crate::config::Papers::default().font);
    let words = Part::Words("更换防水接头 new plug".into());
    let drawing = Part::Drawing {
        strokes: vec![vec![(0.1, 0.5), (0.9, 0.4)], vec![(0.5, 0.5)]],
        aspect: 2.0,
        lines: vec!["签字人：周".into()],
    };
    let pdf = press.print(paper(vec![words, drawing])).await.unwrap();
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() < 60_000, "{}", pdf.len());
}
