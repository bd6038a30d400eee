//! Reads papers as people do who copy from them: with Debian's poppler-utils.

use std::process::Command;

fn run(program: &str, before: &[&str], pdf: &[u8], after: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("paper.pdf");
    std::fs::write(&file, pdf).expect("a file");
    let done = Command::new(program).args(before).arg(&file).args(after).output();
    let done = done.unwrap_or_else(|why| panic!("{program}: {why}; install poppler-utils"));
    assert!(done.status.success(), "{program}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).expect("UTF-8")
}

/// What stands on each sheet, line by line.
pub fn sheets(pdf: &[u8]) -> Vec<String> {
    let text = run("pdftotext", &["-enc", "UTF-8"], pdf, &["-"]);
    text.split_terminator('\u{c}').map(str::to_owned).collect()
}

/// The fonts in it, a line each: name, kind, and whether it is embedded, a subset, and readable as text.
pub fn fonts(pdf: &[u8]) -> Vec<String> {
    run("pdffonts", &[], pdf, &[]).lines().skip(2).map(str::to_owned).collect()
}

/// How many pictures are in it.
pub fn pictures(pdf: &[u8]) -> usize {
    run("pdfimages", &["-list"], pdf, &[]).lines().skip(2).count()
}

/// What the QR codes on its first sheet say, as an independent reader (Debian's zbar-tools) reads them off the picture.
pub fn codes(pdf: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let sheet = folder.path().join("sheet");
    run("pdftoppm", &["-r", "150", "-png", "-singlefile"], pdf, &[&sheet.to_string_lossy()]);
    let asked = ["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"];
    let read = Command::new("zbarimg").args(asked).arg(sheet.with_extension("png")).output();
    let read = read.unwrap_or_else(|why| panic!("zbarimg: {why}; install zbar-tools"));
    String::from_utf8_lossy(&read.stdout).lines().map(str::to_owned).collect()
}
