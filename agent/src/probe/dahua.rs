//! How is a Dahua recorder, camera or door controller, by its own word? Its CGI over HTTP, behind Digest.
//!
//! The device is asked what it is, what time it has, how its disks are, which channels are connected and have a picture, which
//! are to record, and on which days there are recordings; a door controller, how its doors are. Every question stands for
//! itself: what a firmware lacks, or the user has no right to, is unknown. A search for recordings is an object on the device,
//! which is closed and given back whatever came of it. Nothing is written.
//!
//! Source: Dahua, *HTTP API for IPC / NVR / ASI*.

pub mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Date;
use jiff::{Span, Timestamp, ToSpan as _};

use super::web::{Ended, Part, Web};
use super::{Context, Reading, recording};
use crate::config;
use crate::model::health::Shown;
use crate::model::recorder::{Disk, DiskState, Known, Seen};
use said::Table;

/// What does not fit the question.
const ANOTHER: &str = "the answer is to another question";
/// Files of one page of a search, and pages: a recorder makes some fifty files a day and channel.
const FILES_A_PAGE: usize = 100;
const PAGES_MAX: usize = 60;
/// Days that are looked at beyond those that are owed.
const DAYS_MORE: i64 = 2;

/// Asks; the subject is the device, the check and the address.
///
/// Values and faults are those of [`super::isapi`], as far as these devices tell them.
pub(crate) async fn read(
    subject: (&str, &str, &str),
    asked: &config::Recorder,
    limit: Duration,
    context: &Context,
) -> Reading {
    let (web, mut past) = match recording::begin(subject, asked, limit, context).await {
        Ok(begun) => begun,
        Err(Ended(reading)) => return *reading,
    };
    let look = Look { web, asked, seen: Seen::default(), wall: None, is_recorder: false };
    let seen = look.all(&mut past.known, context).await;
    past.judge(seen, asked, context)
}

/// One run over a device.
struct Look<'a> {
    web: Web<'a>,
    asked: &'a config::Recorder,
    seen: Seen,
    /// What the device's clock shows.
    wall: Option<jiff::civil::DateTime>,
    is_recorder: bool,
}

impl Look<'_> {
    async fn all(mut self, known: &mut Known, context: &Context) -> Result<Seen, Ended> {
        self.identity().await?;
        self.clock(context).await?;
        if self.asked.doors > 0 {
            self.doors().await?;
            self.seen.records = Some(false);
            return Ok(self.seen);
        }
        self.disks().await?;
        self.channels().await?;
        let is_told = !self.seen.unknown.contains_key("identity");
        let records = self.is_recorder || self.asked.keep_days > 0;
        self.seen.records = (records || is_told).then_some(records);
        if self.asked.keep_days > 0 {
            self.days(known, context.clock().now()).await?;
        }
        Ok(self.seen)
    }

    /// The answer to one question as `read` understands it; without one the reason is noted.
    async fn answer<T>(
        &mut self,
        part: &'static str,
        question: &str,
        read: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Ended> {
        let why = match self.web.text(&format!("/cgi-bin/{question}")).await? {
            Part::Said(bytes) => match read(&bytes) {
                Some(said) => {
                    self.seen.answered += 1;
                    return Ok(Some(said));
                }
                None => ANOTHER.to_owned(),
            },
            Part::Unknown(why) => why,
        };
        self.seen.unknown.insert(part, why);
        Ok(None)
    }

    async fn table(&mut self, part: &'static str, question: &str) -> Result<Option<Table>, Ended> {
        self.answer(part, question, Table::parse).await
    }

    async fn config(&mut self, part: &'static str, name: &str) -> Result<Option<Table>, Ended> {
        self.table(part, &format!("configManager.cgi?action=getConfig&name={name}")).await
    }

    async fn identity(&mut self) -> Result<(), Ended> {
        if let Some(said) = self.table("identity", "magicBox.cgi?action=getSystemInfo").await? {
            let word = |key: &str| said.word(key).map(str::to_owned);
            self.seen.serial = word("serialNumber");
            self.seen.model = word("updateSerial").or_else(|| word("deviceType"));
        }
        if let Some(said) = self.table("type", "magicBox.cgi?action=getDeviceType").await?
            && let Some(kind) = said.word("type")
        {
            self.seen.model = Some(kind.to_owned());
        }
        let kind = self.seen.model.as_deref().unwrap_or_default().to_ascii_uppercase();
        self.is_recorder = ["NVR", "DVR", "XVR", "HCVR", "EVS"].iter().any(|word| kind.contains(word));
        if let Some(said) = self.table("firmware", "magicBox.cgi?action=getSoftwareVersion").await? {
            self.seen.firmware = said.word("version").map(str::to_owned);
        }
        Ok(())
    }

    async fn clock(&mut self, context: &Context) -> Result<(), Ended> {
        let asked_at = context.clock().now();
        let Some(said) = self.table("clock", "global.cgi?action=getCurrentTime").await? else {
            return Ok(());
        };
        let answered_at = context.clock().now();
        let Some(wall) = said.word("result").and_then(said::wall) else { return Ok(()) };
        // It shows local time and names no zone.
        let Ok(at) = wall.to_zoned(jiff::tz::TimeZone::UTC) else { return Ok(()) };
        let shown = Shown { at: at.timestamp(), wall, names_zone: false };
        self.seen.offset_ms =
            recording::offset_ms(shown, (asked_at, answered_at), i64::from(self.asked.max_offset_ms));
        self.wall = Some(wall);
        Ok(())
    }

    async fn doors(&mut self) -> Result<(), Ended> {
        let mut doors = Vec::new();
        for number in 1..=self.asked.doors {
            let question = format!("accessControl.cgi?action=getDoorStatus&channel={number}");
            let Some(said) = self.table("doors", &question).await? else { return Ok(()) };
            doors.push(said::door(&said).unwrap_or_default());
        }
        self.seen.doors = Some(said::doors(doors));
        Ok(())
    }

    async fn disks(&mut self) -> Result<(), Ended> {
        if let Some(said) = self.table("disks", "storageDevice.cgi?action=getDeviceAllInfo").await? {
            self.seen.disks = Some(said::disks(&said));
        }
        // A recorder whose disk is no longer listed may still say so.
        for code in ["StorageFailure", "StorageNotExist"] {
            let stands = self.events(code).await?.is_some_and(|channels| !channels.is_empty());
            if let Some(disks) = self.seen.disks.as_mut().filter(|_| stands)
                && !disks.iter().any(|disk| disk.state == DiskState::Failed)
            {
                let (id, word) = ("storage".to_owned(), code.to_owned());
                disks.push(Disk { id, word, state: DiskState::Failed, free_mb: None });
            }
        }
        Ok(())
    }

    /// The channels on which an event stands.
    async fn events(&mut self, code: &'static str) -> Result<Option<BTreeSet<String>>, Ended> {
        let question = format!("eventManager.cgi?action=getEventIndexes&code={code}");
        self.answer(code, &question, said::events).await
    }

    async fn channels(&mut self) -> Result<(), Ended> {
        if self.is_recorder {
            let question = "LogicDeviceManager.cgi?action=getCameraState&uniqueChannels[0]=-1";
            if let Some(said) = self.table("links", question).await? {
                self.seen.channels = said::cameras(&said);
            }
            let titles = self.config("channels", "ChannelTitle").await?;
            let titles = titles.map(|said| said::titles(&said)).unwrap_or_default();
            for channel in &mut self.seen.channels {
                channel.name = titles.get(&channel.id).cloned().unwrap_or_default();
            }
        }
        let modes: BTreeMap<String, bool> =
            self.config("plan", "RecordMode").await?.map(|said| said::modes(&said)).unwrap_or_default();
        let daily: BTreeMap<String, bool> = if self.asked.keep_days > 0 {
            self.config("days", "Record").await?.map(|said| said::daily(&said)).unwrap_or_default()
        } else {
            BTreeMap::new()
        };
        let dark = self.events("VideoLoss").await?;
        for channel in &mut self.seen.channels {
            channel.scheduled = modes.get(&channel.id).copied();
            channel.daily = daily.get(&channel.id).copied();
            // A camera that is not connected has no picture to lose.
            let dark = dark.as_ref().map(|dark| dark.contains(&channel.id));
            channel.signal = if channel.online == Some(false) { None } else { dark.map(|is_dark| !is_dark) };
        }
        Ok(())
    }

    /// Asks for the days of those channels that were asked longest ago.
    async fn days(&mut self, known: &mut Known, now: Timestamp) -> Result<(), Ended> {
        let Some(wall) = self.wall else { return Ok(()) };
        let (today, keep) = (wall.date(), self.asked.keep_days);
        for id in recording::due_for_days(&self.seen, self.asked, known, now) {
            match self.days_of(&id, today).await? {
                Part::Said(days) => {
                    self.seen.answered += 1;
                    known.archives.entry(id).or_default().observe(&days, today, keep, now.as_second());
                }
                Part::Unknown(why) => {
                    self.seen.unknown.insert("days", why);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The days with a record since those that are owed.
    async fn days_of(&mut self, id: &str, today: Date) -> Result<Part<BTreeSet<Date>>, Ended> {
        const FIND: &str = "/cgi-bin/mediaFileFind.cgi?action=";
        let object = match self.web.text(&format!("{FIND}factory.create")).await? {
            Part::Said(bytes) => Table::parse(&bytes).and_then(|said| said.word("result").map(str::to_owned)),
            Part::Unknown(why) => return Ok(Part::Unknown(why)),
        };
        let is_number = |text: &String| text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        let Some(object) = object.filter(is_number) else {
            return Ok(Part::Unknown(ANOTHER.to_owned()));
        };
        let found = self.find((FIND, &object), id, today).await;
        // Given back whatever came of it; after a refusal nothing more is asked.
        if found.is_ok() {
            for end in ["close", "destroy"] {
                self.web.text(&format!("{FIND}{end}&object={object}")).await?;
            }
        }
        found
    }

    async fn find(
        &mut self,
        (find, object): (&str, &str),
        id: &str,
        today: Date,
    ) -> Result<Part<BTreeSet<Date>>, Ended> {
        let back: Span = (i64::from(self.asked.keep_days) + DAYS_MORE).days();
        let from = today.checked_sub(back).unwrap_or(today);
        let question = format!(
            "{find}findFile&object={object}&condition.Channel={id}&condition.StartTime={from}%2000:00:00\
             &condition.EndTime={today}%2023:59:59&condition.Types[0]=dav"
        );
        match self.web.text(&question).await? {
            Part::Said(bytes) if String::from_utf8_lossy(&bytes).trim() == "OK" => {}
            Part::Said(_) => return Ok(Part::Unknown(ANOTHER.to_owned())),
            Part::Unknown(why) => return Ok(Part::Unknown(why)),
        }
        let mut days = BTreeSet::new();
        for _ in 0..PAGES_MAX {
            let question = format!("{find}findNextFile&object={object}&count={FILES_A_PAGE}");
            let page = match self.web.text(&question).await? {
                Part::Said(bytes) => Table::parse(&bytes).and_then(|said| said::files(&said)),
                Part::Unknown(why) => return Ok(Part::Unknown(why)),
            };
            let Some((found, touched)) = page else {
                return Ok(Part::Unknown(ANOTHER.to_owned()));
            };
            days.extend(touched);
            if found < FILES_A_PAGE {
                return Ok(Part::Said(days));
            }
        }
        Ok(Part::Unknown(format!("it has more than {} files", PAGES_MAX * FILES_A_PAGE)))
    }
}
