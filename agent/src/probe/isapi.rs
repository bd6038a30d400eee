//! How is a Hikvision recorder or camera, by its own word? ISAPI over HTTP, behind Digest.
//!
//! The device is asked what it is, what time it has, how its disks are, which channels are connected, which are to record and
//! do, and on which days there are recordings; a door controller, how its doors and readers are. Every question stands for itself: what a firmware lacks, or the user has
//! no right to, is unknown. Recordings are asked for a few channels in each run, each channel a few times a day.
//! Nothing is written; the two requests with a body, `dailyDistribution` and `search`, are questions.
//!
//! Sources: Hikvision, *Intelligent Security API (General / Video)*; recordings of real devices for what it leaves out.

pub mod doors;
pub mod said;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, date};

use super::tree::Node;
use super::web::{Ended, Part, Web};
use super::{Context, Reading, recording};
use crate::config;
use crate::model::archive::{Archive, months};
use crate::model::health::Shown;
use crate::model::integrity::{Day, Stretch};
use crate::model::recorder::{Channel, Known, Seen};
use said::{Sort, Track, Work};

/// Doors of one controller that are asked for by name.
const DOORS_MAX: u32 = 16;
/// Pieces of a day's recordings that are listed on a page, and how many pages are asked for.
const PAGE: usize = 40;
const PAGES_MAX: usize = 12;

/// Asks; the subject is the device, the check and the address.
///
/// Values: `parts_unknown`, `uptime_s`, `cpu_percent`, `temperature_c`, `clock_offset_ms`, `disks`, `disks_fine`,
/// `disk_free_mb.N`, `channels`, `channels_online`, `channels_recording`, `days_kept`,
/// `recording_integrity_percent`, `recording_counted_percent`, `doors`, `readers_online`, `battery_v`. Faults: those of
/// [`crate::model::recorder`] and [`crate::model::access`], `http_silent`, `http_auth_rejected`, `account_locked`, `health_unclear`.
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
    let look = Look { web, asked, seen: Seen::default(), sort: Sort::Other, wall: None };
    let seen = look.all(&mut past.known, context).await;
    past.judge(seen, asked, context)
}

/// One run over a device.
struct Look<'a> {
    web: Web<'a>,
    asked: &'a config::Recorder,
    seen: Seen,
    sort: Sort,
    /// What the device's clock shows.
    wall: Option<DateTime>,
}

impl Look<'_> {
    async fn all(mut self, known: &mut Known, context: &Context) -> Result<Seen, Ended> {
        // The cheapest question, and the one that says whether the account is locked.
        self.web.tree("/ISAPI/Security/userCheck").await?;
        self.identity().await?;
        self.status(context).await?;
        self.clock(context).await?;
        if self.sort == Sort::Access || self.asked.doors > 0 {
            self.doors(known).await?;
        }
        if self.sort == Sort::Access {
            self.seen.records = Some(false);
            return Ok(self.seen);
        }
        if let Some(said) = self.part("disks", "/ISAPI/ContentMgmt/Storage").await? {
            self.seen.disks = said::disks(&said);
            self.understood("disks", self.seen.disks.is_some());
        }
        let is_told = !self.seen.unknown.contains_key("identity");
        let records = self.sort == Sort::Recorder || self.asked.keep_days > 0;
        self.seen.records = (records || is_told).then_some(records);
        if self.sort != Sort::Camera || records {
            self.channels().await?;
        }
        if self.asked.keep_days > 0 {
            self.days(known, context.clock().now()).await?;
        }
        if let Some(wall) = self.wall {
            self.count(known, wall).await?;
        }
        Ok(self.seen)
    }

    /// The answer to one question; without one the reason is noted.
    async fn part(&mut self, part: &'static str, path: &str) -> Result<Option<Node>, Ended> {
        Ok(match self.web.tree(path).await? {
            Part::Said(said) => Some(said),
            Part::Unknown(why) => {
                self.seen.unknown.insert(part, why);
                None
            }
        })
    }

    /// Whether an answer was one to the question.
    fn understood(&mut self, part: &'static str, is_it: bool) {
        if is_it {
            self.seen.answered += 1;
        } else {
            self.seen.unknown.insert(part, "the answer is to another question".to_owned());
        }
    }

    async fn identity(&mut self) -> Result<(), Ended> {
        let Some(said) = self.part("identity", "/ISAPI/System/deviceInfo").await? else { return Ok(()) };
        let word = |name: &str| said.word(name).map(str::to_owned);
        self.seen.model = word("model");
        self.seen.serial = word("serialNumber");
        self.seen.firmware = match (word("firmwareVersion"), word("firmwareReleasedDate")) {
            (Some(version), Some(date)) => Some(format!("{version} {date}")),
            (version, _) => version,
        };
        self.sort = Sort::of(said.word("deviceType"));
        self.understood("identity", self.seen.model.is_some() || self.seen.serial.is_some());
        Ok(())
    }

    async fn status(&mut self, context: &Context) -> Result<(), Ended> {
        let asked_at = context.clock().now();
        let Some(said) = self.part("status", "/ISAPI/System/status").await? else { return Ok(()) };
        let answered_at = context.clock().now();
        self.seen.uptime_s = said.word("deviceUpTime").and_then(said::uptime_s);
        self.seen.cpu_percent =
            said.number("cpuUtilization").filter(|percent| (0.0..=100.0).contains(percent));
        let warmest =
            said.all("temperature").iter().filter_map(|node| node.text.parse().ok()).reduce(f64::max);
        self.seen.temperature_c = warmest.filter(|degrees| (-60.0..=150.0).contains(degrees));
        self.compare(said.word("currentDeviceTime"), None, asked_at, answered_at);
        self.understood("status", self.seen.uptime_s.is_some() || self.seen.cpu_percent.is_some());
        Ok(())
    }

    async fn clock(&mut self, context: &Context) -> Result<(), Ended> {
        let asked_at = context.clock().now();
        let Some(said) = self.part("clock", "/ISAPI/System/time").await? else { return Ok(()) };
        let answered_at = context.clock().now();
        self.compare(said.word("localTime"), said.word("timeZone"), asked_at, answered_at);
        self.understood("clock", said.word("localTime").is_some());
        Ok(())
    }

    fn compare(
        &mut self,
        text: Option<&str>,
        zone: Option<&str>,
        asked_at: Timestamp,
        answered_at: Timestamp,
    ) {
        let Some(shown) = text.and_then(|text| Shown::parse(text, zone)) else { return };
        let limit_ms = i64::from(self.asked.max_offset_ms);
        self.seen.offset_ms = recording::offset_ms(shown, (asked_at, answered_at), limit_ms);
        self.wall = Some(shown.wall);
        self.seen.yesterday = recording::yesterday(shown.wall);
    }

    async fn doors(&mut self, known: &mut Known) -> Result<(), Ended> {
        if let Some(said) = self.part("doors", "/ISAPI/AccessControl/AcsWorkStatus?format=json").await? {
            self.seen.doors = doors::work(&said);
            self.understood("doors", self.seen.doors.is_some());
        }
        if !known.access.doors.is_empty() || self.asked.doors > 0 {
            return Ok(());
        }
        // How many of those that it lists there are, it tells only by refusing the first that is not.
        let mut names = Vec::new();
        for number in 1..=DOORS_MAX {
            match self.web.tree(&format!("/ISAPI/AccessControl/Door/param/{number}")).await? {
                Part::Said(said) => names.push(said.word("doorName").unwrap_or_default().to_owned()),
                Part::Unknown(why) if why.starts_with("status") => break,
                Part::Unknown(_) => return Ok(()),
            }
        }
        known.access.doors = names;
        Ok(())
    }

    async fn channels(&mut self) -> Result<(), Ended> {
        let mut channels: Vec<Channel> = Vec::new();
        let mut is_listed = false;
        if self.sort != Sort::Camera {
            if let Some(said) = self.part("channels", "/ISAPI/ContentMgmt/InputProxy/channels").await? {
                let proxies = said::proxies(&said);
                self.understood("channels", proxies.is_some());
                is_listed = proxies.as_ref().is_some_and(|list| !list.is_empty());
                let new =
                    |proxy: said::Proxy| Channel { id: proxy.id, name: proxy.name, ..Channel::default() };
                channels.extend(proxies.unwrap_or_default().into_iter().map(new));
            }
            if let Some(said) = self.part("links", "/ISAPI/ContentMgmt/InputProxy/channels/status").await? {
                let links = said::links(&said);
                self.understood("links", links.is_some());
                for link in links.unwrap_or_default() {
                    if let Some(channel) = find(&mut channels, &link.id, !is_listed) {
                        (channel.online, channel.why) = (link.online, link.why);
                    }
                }
            }
        }
        if let Some(said) = self.part("work", "/ISAPI/System/workingstatus?format=json").await? {
            let work = said::work(&said);
            self.understood("work", work.is_some());
            let (defective, work) = work.unwrap_or_default();
            self.seen.is_defective = defective;
            for Work { id, online, records, signal, .. } in
                work.into_iter().filter(|w| w.enabled != Some(false))
            {
                if let Some(channel) = find(&mut channels, &id, !is_listed) {
                    channel.online = channel.online.or(online);
                    (channel.recording, channel.signal) = (records, signal);
                }
            }
        }
        if self.seen.records != Some(false)
            && let Some(said) = self.part("plan", "/ISAPI/ContentMgmt/record/tracks").await?
        {
            let tracks = said::tracks(&said);
            self.understood("plan", tracks.is_some());
            for track in tracks.unwrap_or_default() {
                if let Some(channel) = find(&mut channels, &track.channel, !is_listed) {
                    self.plan(channel, &track);
                }
            }
        }
        self.seen.channels = channels;
        Ok(())
    }

    fn plan(&self, channel: &mut Channel, track: &Track) {
        channel.scheduled = track.scheduled;
        channel.due = self.wall.and_then(|wall| track.is_due(wall));
        channel.daily = track.is_daily();
        channel.owed = self.seen.yesterday.map(|day| track.owed(day)).unwrap_or_default();
    }

    /// Asks for the days of those channels that were asked longest ago.
    async fn days(&mut self, known: &mut Known, now: Timestamp) -> Result<(), Ended> {
        let Some(today) = self.wall.map(DateTime::date) else { return Ok(()) };
        for id in recording::due_for_days(&self.seen, self.asked, known, now) {
            match self.days_of(&id, today).await? {
                Part::Said(days) => {
                    self.seen.answered += 1;
                    let archive: &mut Archive = known.archives.entry(id).or_default();
                    archive.observe(&days, today, self.asked.keep_days, now.as_second());
                }
                Part::Unknown(why) => {
                    self.seen.unknown.insert("days", why);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Counts what there is of yesterday, of a few channels that were not counted yet.
    async fn count(&mut self, known: &mut Known, wall: DateTime) -> Result<(), Ended> {
        let Some(date) = self.seen.yesterday else { return Ok(()) };
        for (id, owed) in recording::due_for_counting(&self.seen, self.asked, known, wall) {
            match self.found_on(&id, date).await? {
                Part::Said(found) => {
                    self.seen.answered += 1;
                    known.counted.insert(id, Day::count(date, &owed, &found));
                }
                Part::Unknown(why) => {
                    self.seen.unknown.insert("recordings", why);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The stretches of one day, page by page. One day is asked for at a time: some devices fail at longer ones.
    async fn found_on(&mut self, id: &str, date: Date) -> Result<Part<Vec<Stretch>>, Ended> {
        let mut found = Vec::new();
        let mut position = 0;
        for _ in 0..PAGES_MAX {
            // `Postion` is the interface's own spelling.
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><CMSearchDescription><searchID>{}</searchID><trackList>\
                 <trackID>{id}01</trackID></trackList><timeSpanList><timeSpan><startTime>{date}T00:00:00Z</startTime>\
                 <endTime>{date}T23:59:59Z</endTime></timeSpan></timeSpanList><maxResults>{PAGE}</maxResults>\
                 <searchResultPostion>{position}</searchResultPostion><metadataList><metadataDescriptor>\
                 //recordType.meta.std-cgi.com</metadataDescriptor></metadataList></CMSearchDescription>",
                uuid::Uuid::new_v4()
            );
            let said = match self.web.query("/ISAPI/ContentMgmt/search", &body).await? {
                Part::Said(said) => said,
                Part::Unknown(why) => return Ok(Part::Unknown(why)),
            };
            let Some(page) = said::stretches(&said, date) else {
                return Ok(Part::Unknown("the answer is to another question".to_owned()));
            };
            found.extend(page.found);
            if !page.more || page.listed == 0 {
                return Ok(Part::Said(found));
            }
            position += page.listed;
        }
        Ok(Part::Unknown(format!("the day is in more than {} pieces", PAGES_MAX * PAGE)))
    }

    /// The days with a record: of the oldest month that has one, and of the two that end today. What lies between
    /// is taken to have one each day, since only the oldest day and the last few are judged.
    async fn days_of(&mut self, id: &str, today: Date) -> Result<Part<BTreeSet<Date>>, Ended> {
        let months = months(today, self.asked.keep_days);
        let mut days = BTreeSet::new();
        for (at, (year, month)) in months.iter().enumerate() {
            let is_late = at + 2 >= months.len();
            if !days.is_empty() && !is_late {
                continue;
            }
            let path = format!("/ISAPI/ContentMgmt/record/tracks/{id}01/dailyDistribution");
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><trackDailyParam><year>{year}</year>\
                 <monthOfYear>{month}</monthOfYear></trackDailyParam>"
            );
            let said = match self.web.query(&path, &body).await? {
                Part::Said(said) => said,
                Part::Unknown(why) => return Ok(Part::Unknown(why)),
            };
            let Some(found) = said::recorded_days(&said) else {
                return Ok(Part::Unknown("the answer is to another question".to_owned()));
            };
            let length = date(*year, *month, 1).days_in_month();
            days.extend(found.into_iter().filter(|day| *day <= length).map(|day| date(*year, *month, day)));
        }
        Ok(Part::Said(days))
    }
}

/// The channel of that number; a new one where nothing else says which there are.
fn find<'c>(channels: &'c mut Vec<Channel>, id: &str, may_be_new: bool) -> Option<&'c mut Channel> {
    match channels.iter().position(|channel| channel.id == id) {
        Some(at) => channels.get_mut(at),
        None if may_be_new && channels.len() < 1_024 => {
            channels.push(Channel { id: id.to_owned(), ..Channel::default() });
            channels.last_mut()
        }
        None => None,
    }
}
