//! A Hikvision recorder or camera in its own XML and JSON, of either namespace.

use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp};

/// Bodies, each with the path below which it stands, without `/ISAPI/`.
pub type Bodies = Vec<(String, String)>;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const HIK: &str = "version=\"2.0\" xmlns=\"http://www.hikvision.com/ver20/XMLSchema\"";
const STD: &str = "version=\"1.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\"";

/// A disk as the device lists it.
#[derive(Clone, Debug)]
pub struct Disk {
    /// `status`.
    pub status: &'static str,
    /// MB.
    pub capacity: u64,
    /// MB; 0 for ever on a disk that overwrites.
    pub free: u64,
}

/// A channel with its camera.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one that the device writes")]
pub struct Channel {
    /// As somebody typed it in.
    pub name: String,
    /// The recorder is connected to it.
    pub online: bool,
    /// `chanDetectResult` while it is not.
    pub why: &'static str,
    /// There is a picture.
    pub signal: bool,
    /// The recording schedule is switched on.
    pub scheduled: bool,
    /// It records now.
    pub records: bool,
    /// `ActionRecordingMode` of every day of its plan.
    pub mode: &'static str,
    /// The oldest day with a record, and days without one since.
    pub days: (Date, Vec<Date>),
    /// Minutes of yesterday that were not recorded; the end lies behind.
    pub gaps: Vec<(u32, u32)>,
}

/// A device as it stands.
#[derive(Clone, Debug)]
pub struct Device {
    /// `deviceType`: NVR, IPCamera.
    pub sort: &'static str,
    /// `model`.
    pub model: &'static str,
    /// `serialNumber`.
    pub serial: String,
    /// Seconds since it began to run.
    pub uptime_s: u64,
    /// What its clock shows, seconds ahead of the true time.
    pub ahead_s: i64,
    /// Its hours ahead of UTC.
    pub zone_h: i8,
    /// It writes local time with a Z behind it, and names no zone.
    pub hides_zone: bool,
    /// `devStatus`: 0 well, 1 busy, 2 hardware.
    pub status: u8,
    /// Its disks; ghosts of empty bays are not among them.
    pub disks: Vec<Disk>,
    /// Its channels.
    pub channels: Vec<Channel>,
}

impl Device {
    /// A recorder of four cameras in China, in order since 60 days before `now`.
    pub fn recorder(now: Timestamp) -> Self {
        let first = now.to_zoned(TimeZone::UTC).date().checked_sub(Span::new().days(60)).expect("a day");
        let channel = |name: &str| Channel {
            name: name.to_owned(),
            online: true,
            why: "connect",
            signal: true,
            scheduled: true,
            records: true,
            mode: "CMR",
            days: (first, Vec::new()),
            gaps: Vec::new(),
        };
        Self {
            sort: "NVR",
            model: "DS-7604NI-K1",
            serial: "DS-7604NI-K10420190705CCRRD31234567WCVU".to_owned(),
            uptime_s: 864_000,
            ahead_s: 0,
            zone_h: 8,
            hides_zone: false,
            status: 0,
            disks: vec![
                Disk { status: "ok", capacity: 3_815_447, free: 0 },
                Disk { status: "sleeping", capacity: 3_815_447, free: 2_048 },
            ],
            channels: ["大门", "Car park", "Stairs & lift", "IPCamera 04"].map(channel).into(),
        }
    }

    /// A camera whose slot for a card is empty.
    pub fn camera(now: Timestamp) -> Self {
        let recorder = Self::recorder(now);
        Self {
            sort: "IPCamera",
            model: "DS-2CD2143G0-I",
            serial: "DS-2CD2143G0-I20190512AAWRD12345678".to_owned(),
            disks: vec![Disk { status: "offline", capacity: 0, free: 0 }],
            channels: recorder.channels.into_iter().take(1).collect(),
            ..recorder
        }
    }

    /// Everything it answers at this moment; what its model does not have is not among it.
    pub fn bodies(&self, now: Timestamp) -> Bodies {
        let mut bodies = vec![
            (
                "Security/userCheck".to_owned(),
                format!(
                    "{HEAD}<userCheck {HIK}><statusValue>200</statusValue><statusString>OK</statusString></userCheck>"
                ),
            ),
            ("System/deviceInfo".to_owned(), self.identity()),
            ("System/status".to_owned(), self.status(now)),
            ("System/time".to_owned(), self.time(now)),
            ("ContentMgmt/Storage".to_owned(), self.storage()),
            ("ContentMgmt/record/tracks".to_owned(), self.tracks()),
        ];
        if self.sort == "NVR" {
            bodies.push(("ContentMgmt/InputProxy/channels".to_owned(), self.proxies()));
            bodies.push(("ContentMgmt/InputProxy/channels/status".to_owned(), self.links()));
            bodies.push(("System/workingstatus".to_owned(), self.work()));
        }
        for (index, channel) in self.channels.iter().enumerate() {
            bodies.extend(distribution(index + 1, channel, self.shown(now).date()));
        }
        bodies
    }

    /// What it answers about yesterday's recordings; apart from the rest, because it is long.
    pub fn searches(&self, now: Timestamp) -> Bodies {
        let yesterday = self.shown(now).date().yesterday().expect("a day");
        let of = |(index, channel)| search(index + 1, channel, yesterday);
        self.channels.iter().enumerate().flat_map(of).collect()
    }

    fn shown(&self, now: Timestamp) -> jiff::Zoned {
        let shown = Timestamp::from_second(now.as_second() + self.ahead_s).expect("a time");
        shown.to_zoned(TimeZone::fixed(Offset::constant(self.zone_h)))
    }

    fn wall(&self, now: Timestamp) -> String {
        let wall = self.shown(now).datetime();
        if self.hides_zone { format!("{wall}Z") } else { format!("{wall}{:+03}:00", self.zone_h) }
    }

    fn identity(&self) -> String {
        let Self { sort, model, serial, .. } = self;
        format!(
            "{HEAD}<DeviceInfo {HIK}>\n<deviceName>Site</deviceName>\n<deviceID>48443230-3936-3339-3930-bcbac2aabbcc</deviceID>\n\
             <model>{model}</model>\n<serialNumber>{serial}</serialNumber>\n<macAddress>bc:ba:c2:aa:bb:cc</macAddress>\n\
             <firmwareVersion>V4.22.000</firmwareVersion>\n<firmwareReleasedDate>build 190923</firmwareReleasedDate>\n\
             <deviceType>{sort}</deviceType>\n<telecontrolID>255</telecontrolID>\n</DeviceInfo>\n"
        )
    }

    fn status(&self, now: Timestamp) -> String {
        format!(
            "{HEAD}<DeviceStatus {HIK}>\n<currentDeviceTime>{}</currentDeviceTime>\n<deviceUpTime>{}</deviceUpTime>\n\
             <CPUList>\n<CPU>\n<cpuDescription>2616.00</cpuDescription>\n<cpuUtilization>36.400002</cpuUtilization>\n</CPU>\n</CPUList>\n\
             <MemoryList>\n<Memory>\n<memoryDescription>DDR Memory</memoryDescription>\n<memoryUsage>117.34</memoryUsage>\n\
             <memoryAvailable>72.65</memoryAvailable>\n</Memory>\n</MemoryList>\n</DeviceStatus>\n",
            self.wall(now),
            self.uptime_s
        )
    }

    fn time(&self, now: Timestamp) -> String {
        let zone = if self.hides_zone { String::new() } else { format!("CST{:+}:00:00", -self.zone_h) };
        format!(
            "{HEAD}<Time {HIK}>\n<timeMode>NTP</timeMode>\n<localTime>{}</localTime>\n<timeZone>{zone}</timeZone>\n</Time>\n",
            self.wall(now)
        )
    }

    fn storage(&self) -> String {
        let mut disks = String::new();
        for (index, Disk { status, capacity, free }) in self.disks.iter().enumerate() {
            let id = index + 1;
            let _ = write!(
                disks,
                "<hdd>\n<id>{id}</id>\n<hddName>hdd{id}</hddName>\n<hddPath></hddPath>\n<hddType>SATA</hddType>\n\
                 <status>{status}</status>\n<capacity>{capacity}</capacity>\n<freeSpace>{free}</freeSpace>\n<property>RW</property>\n</hdd>\n"
            );
        }
        // The empty bay of a recorder.
        if self.sort == "NVR" {
            disks.push_str("<hdd><id>9</id><hddName>hdd9</hddName><status>notexist</status><capacity>0</capacity><freeSpace>0</freeSpace></hdd>\n");
        }
        format!(
            "{HEAD}<storage {HIK}>\n<hddList {STD} size=\"8\">\n{disks}</hddList>\n<nasList {STD} size=\"8\">\n</nasList>\n\
             <workMode opt=\"group,quota\">quota</workMode>\n</storage>\n"
        )
    }

    fn proxies(&self) -> String {
        let mut list = String::new();
        for (index, Channel { name, .. }) in self.channels.iter().enumerate() {
            let (id, name) = (index + 1, name.replace('&', "&amp;"));
            let _ = write!(
                list,
                "<InputProxyChannel {HIK}>\n<id>{id}</id>\n<name>{name}</name>\n<sourceInputPortDescriptor>\n\
                 <proxyProtocol>HIKVISION</proxyProtocol>\n<addressingFormatType>ipaddress</addressingFormatType>\n\
                 <ipAddress>192.168.254.{}</ipAddress>\n<managePortNo>8000</managePortNo>\n<srcInputPort>1</srcInputPort>\n\
                 <userName>admin</userName>\n<streamType>auto</streamType>\n</sourceInputPortDescriptor>\n</InputProxyChannel>\n",
                id + 1
            );
        }
        format!("{HEAD}<InputProxyChannelList {HIK}>\n{list}</InputProxyChannelList>\n")
    }

    fn links(&self) -> String {
        let mut list = String::new();
        for (index, channel) in self.channels.iter().enumerate() {
            let why = if channel.online { "connect" } else { channel.why };
            let _ = write!(
                list,
                "<InputProxyChannelStatus {HIK}>\n<id>{}</id>\n<sourceInputPortDescriptor>\n<proxyProtocol>HIKVISION</proxyProtocol>\n\
                 <ipAddress>192.168.254.{}</ipAddress>\n</sourceInputPortDescriptor>\n<online>{}</online>\n<streamingProxyChannelIdList>\n\
                 <streamingProxyChannelId>{}01</streamingProxyChannelId>\n</streamingProxyChannelIdList>\n\
                 <chanDetectResult>{why}</chanDetectResult>\n</InputProxyChannelStatus>\n",
                index + 1,
                index + 2,
                channel.online,
                index + 1
            );
        }
        format!("{HEAD}<InputProxyChannelStatusList {HIK}>\n{list}</InputProxyChannelStatusList>\n")
    }

    /// In JSON, though the rest is XML.
    fn work(&self) -> String {
        let channels: Vec<String> = self
            .channels
            .iter()
            .enumerate()
            .map(|(index, channel)| {
                format!(
                    "{{\"chanNo\": {}, \"enable\": 1, \"online\": {}, \"record\": {}, \"signal\": {}, \"hardwareStatus\": 0, \"bitRate\": 4096, \"linkNum\": 1}}",
                    index + 1,
                    u8::from(channel.online),
                    u8::from(channel.records),
                    u8::from(!channel.signal),
                )
            })
            .collect();
        format!(
            "{{\"WorkingStatus\": {{\"devStatus\": {}, \"HDStatus\": [], \"ChanStatus\": [{}]}}}}",
            self.status,
            channels.join(", ")
        )
    }

    fn tracks(&self) -> String {
        let mut list = String::new();
        for (index, channel) in self.channels.iter().enumerate() {
            // The sub-stream is not recorded, and its track is listed all the same.
            for stream in [1, 2] {
                let mut plan = String::new();
                for (number, day) in
                    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
                        .iter()
                        .enumerate()
                {
                    let _ = writeln!(
                        plan,
                        "<ScheduleAction><id>{}</id><ScheduleActionStartTime><DayOfWeek>{day}</DayOfWeek><TimeOfDay>00:00:00</TimeOfDay></ScheduleActionStartTime>\
                         <ScheduleActionEndTime><DayOfWeek>{day}</DayOfWeek><TimeOfDay>24:00:00</TimeOfDay></ScheduleActionEndTime>\
                         <ScheduleDSTEnable>false</ScheduleDSTEnable><Description>nothing</Description><Actions><Record>true</Record><Log>false</Log>\
                         <SaveImg>false</SaveImg><ActionRecordingMode>{}</ActionRecordingMode></Actions></ScheduleAction>",
                        number + 1,
                        channel.mode
                    );
                }
                let _ = write!(
                    list,
                    "<Track {STD}><id>{}0{stream}</id><Channel>{}0{stream}</Channel><Enable>true</Enable><Duration>P0DT0H</Duration>\
                     <DefaultRecordingMode>CMR</DefaultRecordingMode><LoopEnable>true</LoopEnable><TrackSchedule><ScheduleBlockList><ScheduleBlock>\n{plan}\
                     </ScheduleBlock></ScheduleBlockList></TrackSchedule><CustomExtensionList><CustomExtension>\
                     <CustomExtensionName>www.hikvision.com/RaCM/trackExt/ver10</CustomExtensionName><enableSchedule>{}</enableSchedule>\
                     <SaveAudio>false</SaveAudio></CustomExtension></CustomExtensionList></Track>\n",
                    index + 1,
                    index + 1,
                    channel.scheduled && stream == 1
                );
            }
        }
        format!("{HEAD}<TrackList {STD}>\n{list}</TrackList>\n")
    }
}

/// Pieces of a page.
const PAGE: u32 = 40;
/// Minutes of a file; the next one begins two seconds before it ends.
const FILE: u32 = 30;

/// What `search` answers about yesterday, page by page: track, day and position behind the path.
fn search(number: usize, channel: &Channel, yesterday: Date) -> Bodies {
    let is_lost = |minute: u32| channel.gaps.iter().any(|(from, to)| (*from..*to).contains(&minute));
    let mut files: Vec<(u32, u32)> = Vec::new();
    for minute in (0..24 * 60).filter(|minute| !is_lost(*minute)) {
        match files.last_mut().filter(|(from, to)| *to == minute && to - from < FILE) {
            Some((_, to)) => *to += 1,
            None => files.push((minute, minute + 1)),
        }
    }
    let clock = |minute: u32, second: u32| format!("{:02}:{:02}:{second:02}", minute / 60, minute % 60);
    let pages = u32::try_from(files.len()).unwrap_or_default().div_ceil(PAGE).max(1);
    let page = |at: u32| {
        let (from, to) = ((at * PAGE) as usize, (((at + 1) * PAGE) as usize).min(files.len()));
        let mut items = String::new();
        for (begin, end) in &files[from..to] {
            let end = if *end == 24 * 60 { "23:59:59".to_owned() } else { clock(*end, 2) };
            let _ = writeln!(
                items,
                "<searchMatchItem><sourceID>{{0}}</sourceID><trackID>{number}01</trackID><timeSpan><startTime>{yesterday}T{}Z</startTime>\
                 <endTime>{yesterday}T{end}Z</endTime></timeSpan><mediaSegmentDescriptor><contentType>video</contentType>\
                 </mediaSegmentDescriptor></searchMatchItem>",
                clock(*begin, 0)
            );
        }
        let word = if files.is_empty() {
            "NO MATCHES"
        } else if at + 1 < pages {
            "MORE"
        } else {
            "OK"
        };
        let body = format!(
            "{HEAD}<CMSearchResult {STD}>\n<searchID>{{1}}</searchID><responseStatus>true</responseStatus>\
             <responseStatusStrg>{word}</responseStatusStrg><numOfMatches>{}</numOfMatches><matchList>\n{items}</matchList>\n</CMSearchResult>\n",
            to - from
        );
        (format!("ContentMgmt/search.{number}01-{yesterday}-{}", at * PAGE), body)
    };
    (0..pages).map(page).collect()
}

/// What `dailyDistribution` answers for each of fourteen months, the name of the month behind the path.
fn distribution(number: usize, channel: &Channel, today: Date) -> Bodies {
    let (from, holes) = &channel.days;
    let mut bodies = Vec::new();
    for back in 0..14 {
        let Ok(first) = today.first_of_month().checked_sub(Span::new().months(back)) else { continue };
        let mut days = String::new();
        for day in 1..=first.days_in_month() {
            let Ok(date) = Date::new(first.year(), first.month(), day) else { continue };
            let record = date >= *from && date <= today && !holes.contains(&date);
            let _ = write!(
                days,
                "<day>\n<id>{day}</id>\n<dayOfMonth>{day}</dayOfMonth>\n<record>{record}</record>\n"
            );
            if record {
                days.push_str("<recordType>time</recordType>\n");
            }
            days.push_str("</day>\n");
        }
        bodies.push((
            format!("ContentMgmt/record/tracks/{number}01/dailyDistribution.{}-{}", first.year(), first.month()),
            format!("{HEAD}<trackDailyDistribution {HIK}>\n<dayList>\n{days}</dayList>\n</trackDailyDistribution>\n"),
        ));
    }
    bodies
}
