//! A Dahua recorder in its own lines of text, each fault a switch.

use std::fmt::Write as _;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp};

/// Answers, each with the script and query that it belongs to, without `/cgi-bin/`.
pub type Answers = Vec<(String, String)>;

/// Files of one page of a search.
const FILES_A_PAGE: usize = 100;

/// A disk with its parts, each true where it says `IsError`.
#[derive(Clone, Debug)]
pub struct Disk {
    /// `Name`.
    pub name: &'static str,
    /// `State`.
    pub state: &'static str,
    /// Its parts.
    pub parts: Vec<bool>,
}

/// A channel with its camera.
#[derive(Clone, Debug)]
pub struct Channel {
    /// `ChannelTitle`.
    pub title: &'static str,
    /// `connectionState`.
    pub link: &'static str,
    /// `RecordMode`: 0 by plan, 1 always, 2 never.
    pub mode: u8,
    /// It has no picture.
    pub is_dark: bool,
    /// How many days back its recordings reach, and days ago that are missing.
    pub days: (i64, Vec<i64>),
}

/// A recorder as it stands.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// `serialNumber`.
    pub serial: String,
    /// What its clock shows, seconds ahead of the true time.
    pub ahead_s: i64,
    /// Its hours ahead of UTC, which it does not tell.
    pub zone_h: i8,
    /// Its disks.
    pub disks: Vec<Disk>,
    /// Its channels; those behind them are set up with no camera.
    pub channels: Vec<Channel>,
    /// It says that its storage has failed.
    pub storage_fails: bool,
}

impl Default for Recorder {
    /// One of three cameras in China, in order since 40 days.
    fn default() -> Self {
        let channel =
            |title| Channel { title, link: "Connected", mode: 0, is_dark: false, days: (40, Vec::new()) };
        Self {
            serial: "4F0A1C2PAZ12345".to_owned(),
            ahead_s: 0,
            zone_h: 8,
            disks: vec![
                Disk { name: "/dev/sda", state: "Success", parts: vec![false] },
                Disk { name: "/dev/sdb", state: "Success", parts: vec![false, false] },
            ],
            channels: ["大门", "Car park", "Stairs"].map(channel).into(),
            storage_fails: false,
        }
    }
}

impl Recorder {
    /// Everything it answers at this moment. Pages of a search are named `files.CHANNEL.PAGE`.
    pub fn answers(&self, now: Timestamp) -> Answers {
        let wall = self.wall(now);
        let config = |name: &str| format!("configManager.cgi?action=getConfig&name={name}");
        let events = |code: &str| format!("eventManager.cgi?action=getEventIndexes&code={code}");
        let list = |indices: Vec<usize>| {
            if indices.is_empty() {
                return "Error: No Events\r\n".to_owned();
            }
            {
                let lines =
                    indices.iter().enumerate().map(|(at, index)| format!("channels[{at}]={index}\r\n"));
                lines.collect::<Vec<_>>().concat()
            }
        };
        let dark = (0..self.channels.len()).filter(|at| self.channels[*at].is_dark).collect();
        let storage = if self.storage_fails { vec![0] } else { Vec::new() };
        let mut answers = vec![
            (
                "magicBox.cgi?action=getSystemInfo".to_owned(),
                format!(
                    "deviceType=31\r\nprocessor=ST7108\r\nserialNumber={}\r\nupdateSerial=NVR5216-16P-I\r\n",
                    self.serial
                ),
            ),
            ("magicBox.cgi?action=getDeviceType".to_owned(), "type=DHI-NVR5216-16P-I\r\n".to_owned()),
            (
                "magicBox.cgi?action=getSoftwareVersion".to_owned(),
                "version=4.001.0000003.1.R,build:2021-11-01\r\n".to_owned(),
            ),
            (
                "global.cgi?action=getCurrentTime".to_owned(),
                format!("result={}\r\n", wall.to_string().replace('T', " ").split('.').next().unwrap_or("")),
            ),
            ("storageDevice.cgi?action=getDeviceAllInfo".to_owned(), self.storage()),
            (
                "LogicDeviceManager.cgi?action=getCameraState&uniqueChannels[0]=-1".to_owned(),
                self.rows(|at, channel| {
                    format!("states[{at}].channel={at}\r\nstates[{at}].connectionState={}\r\n", channel.link)
                }) + "states[3].channel=3\r\nstates[3].connectionState=Empty\r\n",
            ),
            (
                config("ChannelTitle"),
                self.rows(|at, channel| format!("table.ChannelTitle[{at}].Name={}\r\n", channel.title)),
            ),
            (
                config("RecordMode"),
                self.rows(|at, channel| {
                    format!(
                        "table.RecordMode[{at}].Mode={}\r\ntable.RecordMode[{at}].ModeExtra1=2\r\n",
                        channel.mode
                    )
                }),
            ),
            (config("Record"), self.plan()),
            (events("VideoLoss"), list(dark)),
            (events("StorageFailure"), list(storage)),
            (events("StorageNotExist"), list(Vec::new())),
        ];
        for (at, channel) in self.channels.iter().enumerate() {
            for (page, text) in pages(at + 1, channel, wall).into_iter().enumerate() {
                answers.push((format!("files.{}.{}", at + 1, page + 1), text));
            }
        }
        answers
    }

    fn wall(&self, now: Timestamp) -> DateTime {
        let shown = Timestamp::from_second(now.as_second() + self.ahead_s).expect("a time");
        shown.to_zoned(TimeZone::fixed(Offset::constant(self.zone_h))).datetime()
    }

    fn rows(&self, row: impl Fn(usize, &Channel) -> String) -> String {
        self.channels.iter().enumerate().map(|(at, channel)| row(at, channel)).collect()
    }

    /// Eight days: a week, and the holidays.
    fn plan(&self) -> String {
        let day = |at: usize, day: usize| {
            format!(
                "table.Record[{at}].TimeSection[{day}][0]=1 00:00:00-24:00:00\r\n\
                 table.Record[{at}].TimeSection[{day}][1]=0 00:00:00-24:00:00\r\n"
            )
        };
        self.rows(|at, _| (0..8).map(|number| day(at, number)).collect())
    }

    fn storage(&self) -> String {
        let mut text = String::new();
        for (at, disk) in self.disks.iter().enumerate() {
            let _ = write!(
                text,
                "list.info[{at}].Name={}\r\nlist.info[{at}].State={}\r\nlist.info[{at}].HealthDataFlag=0\r\n",
                disk.name, disk.state
            );
            for (part, fails) in disk.parts.iter().enumerate() {
                let _ = write!(
                    text,
                    "list.info[{at}].Detail[{part}].Path={}{part}\r\nlist.info[{at}].Detail[{part}].TotalBytes=2000324395008.000000\r\n\
                     list.info[{at}].Detail[{part}].UsedBytes=2000324395008.000000\r\nlist.info[{at}].Detail[{part}].IsError={fails}\r\n\
                     list.info[{at}].Detail[{part}].Type=ReadWrite\r\n",
                    disk.name
                );
            }
        }
        text
    }
}

/// Twelve files a day, the oldest first.
fn pages(number: usize, channel: &Channel, wall: DateTime) -> Vec<String> {
    let (back, holes) = &channel.days;
    let mut files = Vec::new();
    for ago in (0..=*back).rev().filter(|ago| !holes.contains(ago)) {
        let Ok(day) = wall.date().checked_sub(Span::new().days(ago)) else { continue };
        for hour in (0..24).step_by(2) {
            files
                .push(format!("StartTime={day} {hour:02}:00:00\r\n|EndTime={day} {:02}:59:58\r\n", hour + 1));
        }
    }
    let page = |files: &[String]| {
        let mut text = format!("found={}\r\n", files.len());
        for (at, file) in files.iter().enumerate() {
            let _ = write!(text, "items[{at}].Channel={number}\r\n");
            for line in file.split('|') {
                let _ = write!(text, "items[{at}].{line}");
            }
            let _ = write!(text, "items[{at}].Type=dav\r\nitems[{at}].Flags[0]=Timing\r\n");
        }
        text
    };
    files.chunks(FILES_A_PAGE).map(page).collect()
}
