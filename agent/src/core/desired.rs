//! Desired configuration: validated whole, applied, and kept only if the server is still reached with it
//! within five minutes; otherwise the last good one comes back, and the server is told why.

use std::time::Duration;

use jiff::Timestamp;
use prost::Message;
use sitewarden_proto::id::DeviceId;
use sitewarden_proto::limits::TEXT_MAX;
use sitewarden_proto::wire::reported_config::Status;
use sitewarden_proto::wire::{DesiredConfig, ReportedConfig};

use super::{ConfigChange, Core};
use crate::clock::after;
use crate::config::{Device, Secret, Wanted, parse_desired};
use crate::session::RecordKind;
use crate::trust;

/// How long a new configuration has to prove itself.
const TRIAL_LIMIT: Duration = Duration::from_mins(5);
/// What messages call the text that the server sent.
const NAME: &str = "desired configuration";

#[derive(Debug)]
pub(super) struct Desired {
    local: Vec<Device>,
    /// What is applied.
    devices: Vec<Device>,
    version: u64,
    good: Option<(u64, String)>,
    arrival_key: Option<Secret>,
    trial: Option<(Timestamp, String)>,
    /// What this agent does not understand of what is applied.
    left_out: String,
    /// The last version that was refused or failed, so that it is not tried for ever.
    failed: Option<u64>,
}

impl Desired {
    pub(super) fn new(local: Vec<Device>) -> Self {
        Self {
            local,
            devices: Vec::new(),
            version: 0,
            good: None,
            arrival_key: None,
            trial: None,
            left_out: String::new(),
            failed: None,
        }
    }

    pub(super) fn devices(&self) -> &[Device] {
        &self.devices
    }

    pub(super) fn find(&self, id: &DeviceId) -> Option<&Device> {
        self.devices.binary_search_by(|d| d.id.cmp(id)).ok().map(|index| &self.devices[index])
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.trial.as_ref().map(|(at, _)| after(*at, TRIAL_LIMIT))
    }

    /// The server's devices over the local ones, by id.
    fn merged(&self, mut devices: Vec<Device>) -> Vec<Device> {
        let local = self.local.iter().filter(|l| !devices.iter().any(|d| d.id == l.id)).cloned();
        let local: Vec<Device> = local.collect();
        devices.extend(local);
        devices.sort_by(|a, b| a.id.cmp(&b.id));
        devices
    }
}

impl Core {
    /// The key of the codes that this gateway shows; none before the server has sent one.
    pub fn arrival_key(&self) -> Option<&Secret> {
        self.desired.arrival_key.as_ref()
    }

    /// Applies what the disk remembers: the one on trial begins its trial again.
    pub(super) fn wake_config(
        &mut self,
        now: Timestamp,
        good: Option<(u64, String)>,
        trial: Option<(u64, String)>,
        failed: Option<u64>,
    ) {
        let parsed = |config: &(u64, String)| parse_desired(&config.1, NAME).ok();
        let mut wanted = Wanted::default();
        if let Some(kept) = &good
            && let Some(parsed) = parsed(kept)
        {
            (self.desired.version, wanted) = (kept.0, parsed);
        }
        self.desired.good = good;
        if let Some(trial) = trial
            && let Some(parsed) = parsed(&trial)
        {
            (self.desired.version, wanted) = (trial.0, parsed);
            self.desired.trial = Some((now, trial.1));
        }
        self.apply(now, wanted);
        if let Some(version) = failed {
            self.desired.failed = Some(version);
            tracing::error!(version, "the agent ended again and again with this configuration, went back");
            let error = "the agent ended twice with it before it reached the server; \
                         went back to the last good configuration";
            self.report_config(now, version, Status::Reverted, error);
        }
    }

    pub(super) fn handle_config(&mut self, now: Timestamp, config: &DesiredConfig) {
        if config.version == self.desired.version || self.desired.failed == Some(config.version) {
            return;
        }
        let text = match trust::open_config(config) {
            Ok(text) => text,
            Err(refused) => return self.refuse_config(now, config.version, &refused.to_string()),
        };
        match parse_desired(&text, NAME) {
            Ok(wanted) => {
                self.desired.version = config.version;
                self.desired.trial = Some((now, text.clone()));
                self.batch.config = Some(ConfigChange::Trial(config.version, text));
                self.apply(now, wanted);
                // The next answer of the server is the proof; ask for it.
                self.beat_at = self.beat_at.map(|_| now);
            }
            Err(error) => self.refuse_config(now, config.version, &error.to_string()),
        }
    }

    fn refuse_config(&mut self, now: Timestamp, version: u64, error: &str) {
        self.desired.failed = Some(version);
        tracing::warn!(version, error, "refused the desired configuration");
        self.report_config(now, version, Status::Rejected, error);
    }

    /// The server answered, so the connection works with what is applied.
    pub(super) fn config_reached_server(&mut self, now: Timestamp) {
        // An answer to something sent before the change proves nothing.
        let Some((at, text)) = self.desired.trial.take() else { return };
        if self.beat_at.is_some_and(|beat| beat <= at) {
            self.desired.trial = Some((at, text));
            return;
        }
        let version = self.desired.version;
        self.desired.good = Some((version, text));
        self.desired.failed = None;
        self.batch.config = Some(ConfigChange::Confirm);
        let left_out = self.desired.left_out.clone();
        self.report_config(now, version, Status::Applied, &left_out);
    }

    /// Goes back if the trial took too long.
    pub(super) fn config_timeout(&mut self, now: Timestamp) {
        if self.desired.next_due().is_none_or(|due| due > now) {
            return;
        }
        self.desired.trial = None;
        let failed = self.desired.version;
        self.desired.failed = Some(failed);
        let good = self.desired.good.clone();
        self.desired.version = good.as_ref().map_or(0, |g| g.0);
        let wanted = good.and_then(|g| parse_desired(&g.1, NAME).ok()).unwrap_or_default();
        self.batch.config = Some(ConfigChange::Revert);
        self.apply(now, wanted);
        tracing::warn!(version = failed, "the server was not reached with the new configuration, went back");
        self.report_config(
            now,
            failed,
            Status::Reverted,
            "the server was not reached within 5 minutes; went back to the last good configuration",
        );
    }

    fn apply(&mut self, now: Timestamp, wanted: Wanted) {
        if !wanted.left_out.is_empty() {
            tracing::warn!(left_out = ?wanted.left_out, "this agent does not understand all that is desired");
        }
        self.desired.left_out = wanted.left_out.join("; ");
        self.alone.set_page(wanted.local_page);
        self.desired.arrival_key = wanted.arrival_key;
        let devices = self.desired.merged(wanted.devices);
        let before = std::mem::replace(&mut self.desired.devices, devices);
        let devices = &self.desired.devices;
        self.judge.retain(&before, devices);
        self.unbaselined.retain(|id| devices.iter().any(|d| d.id == *id));
        for device in devices {
            if before.iter().find(|d| d.id == device.id) != Some(device) {
                self.unbaselined.insert(device.id.clone());
            }
        }
        self.schedule.replace(now, devices);
        let changes = self.verdicts.retain(now, &self.desired.devices);
        self.record_changes(now, changes);
    }

    fn report_config(&mut self, now: Timestamp, version: u64, status: Status, error: &str) {
        let report = ReportedConfig {
            version,
            status: status.into(),
            error: error.chars().take(TEXT_MAX / 4).collect(),
            at_ms: now.as_millisecond(),
        };
        self.record(now, RecordKind::ReportedConfig, report.encode_to_vec());
    }
}
