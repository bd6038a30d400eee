//! What goes into the core at its birth, and what it wants done: plain values.

use std::collections::BTreeMap;
use std::time::Duration;

use sitewarden_proto::id::{DeviceId, GatewayId};
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::DiskTrouble;

use crate::config::Device;
use crate::discover::Wish;
use crate::gather::Sample;
use crate::remedy::{Entry, Job};
use crate::session::Record;
use crate::timeline::Clocks;
use crate::verdict::Standing;

/// What the core is born with.
#[derive(Debug)]
pub struct Setup {
    /// This gateway.
    pub gateway: GatewayId,
    /// Devices of the local file.
    pub local: Vec<Device>,
    /// How often a Session is published.
    pub heartbeat: Duration,
    /// How long a metric block is gathered.
    pub block: Duration,
    /// Ed25519 public key that commands are verified with; empty refuses them all.
    pub command_key: Vec<u8>,
    /// A random number for the epoch that becomes necessary if this queue turns out to be an old copy.
    pub spare_epoch: u64,
    /// Remedies of one kind on one device within 24 hours, whatever the server asks.
    pub remedies_a_day: u32,
    /// What the disk remembers.
    pub kept: Kept,
}

/// What the disk queue remembers over a restart.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Epoch of the numbers.
    pub epoch: u64,
    /// Oldest record; `head + 1` when there is none.
    pub tail: u64,
    /// Newest record.
    pub head: u64,
    /// The time lines.
    pub clocks: Clocks,
    /// Samples of the open block, and the clock they were stamped by.
    pub samples: Vec<(u32, Sample)>,
    /// Faults that stood.
    pub standing: Vec<Standing>,
    /// The configuration that proved itself: version and TOML text.
    pub config: Option<(u64, String)>,
    /// A newer one that has yet to prove itself.
    pub trial: Option<(u64, String)>,
    /// One that ended the agent before it could, and is not tried again.
    pub failed: Option<u64>,
    /// Commands seen, and whether they were answered for good.
    pub commands: BTreeMap<String, bool>,
    /// What the gateway has told by itself, or may have to.
    pub alone: Option<String>,
    /// Remedies of the last days.
    pub remedies: BTreeMap<String, Entry>,
}

/// What is to be done, in this order.
#[derive(Debug)]
pub enum Command {
    /// Run a check; its outcome comes back through [`super::Core::handle_outcome`].
    RunCheck {
        /// The device.
        device: DeviceId,
        /// The check of that device.
        check: String,
    },
    /// Act on a device; what came of it comes back through [`super::Core::handle_remedy`].
    Remedy {
        /// The command that asked for it.
        id: String,
        /// What to do.
        job: Job,
    },
    /// Look what hangs in a network; what was found comes back through [`super::Core::handle_discovery`].
    Discover {
        /// The command that asked for it.
        id: String,
        /// What is to be looked at.
        wish: Wish,
    },
    /// Commit this in one transaction, then call [`super::Core::handle_appended`].
    Append(Batch),
    /// Read records from this number on and hand them to [`super::Core::handle_records`].
    Read {
        /// First number wanted.
        from: u64,
    },
    /// Publish this.
    Send {
        /// Topic.
        up: Up,
        /// Payload.
        bytes: Vec<u8>,
    },
    /// Delete the records up to and including this number.
    Delete {
        /// Last number to delete.
        upto: u64,
    },
    /// The numbers belong to this epoch from now on.
    NewEpoch {
        /// The epoch.
        epoch: u64,
    },
    /// The server will never read these records: put a gap in their place.
    Refuse {
        /// First number.
        from: u64,
        /// Last number.
        to: u64,
    },
    /// Page a person over the local channel; what came of it goes to [`super::Core::handle_told`].
    Tell(Box<super::Tell>),
    /// The server told the time.
    Heard {
        /// True time minus the time line.
        offset_ms: i64,
    },
}

/// One transaction of the disk queue.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// New records.
    pub records: Vec<Record>,
    /// Samples of the open block.
    pub samples: Vec<Sample>,
    /// The open block was closed: forget the samples staged before.
    pub drop_samples: bool,
    /// The faults that stand, if that changed.
    pub standing: Option<Vec<Standing>>,
    /// What the gateway has told by itself, or may have to, if that changed.
    pub alone: Option<String>,
    /// The configuration, if that changed.
    pub config: Option<ConfigChange>,
    /// Commands seen, and whether they were answered for good.
    pub journal: Vec<(String, bool)>,
    /// Remedies that began or went on.
    pub remedies: Vec<Entry>,
    /// When.
    pub at_ms: i64,
    /// The clock of that time and of the samples.
    pub clock: u32,
}

impl Batch {
    pub(super) fn is_urgent(&self) -> bool {
        !self.records.is_empty()
            || self.standing.is_some()
            || self.alone.is_some()
            || self.config.is_some()
            || !self.journal.is_empty()
            || !self.remedies.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.is_urgent() && self.samples.is_empty() && !self.drop_samples
    }
}

/// What becomes of the stored configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigChange {
    /// A new one is on trial.
    Trial(u64, String),
    /// The one on trial proved itself.
    Confirm,
    /// The one on trial failed.
    Revert,
}

/// What the queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that the bounds dropped, ever.
    pub dropped: u64,
    /// When the oldest record was written: its clock, and that clock's milliseconds.
    pub oldest: Option<(u32, i64)>,
    /// What keeps the disk from taking anything.
    pub trouble: DiskTrouble,
}

/// Counters that the Session reports and an operator can see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The queue.
    pub queue: Size,
    /// Packets from the server that were refused.
    pub refused_packets: u64,
}
