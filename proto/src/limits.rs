//! Every bound of the wire in one place. Both ends check them: the sender so that it never makes what the
//! other must refuse, the receiver because it trusts nobody.

/// Version of the wire that this build speaks.
pub const WIRE_VERSION: u8 = 1;
/// Oldest version that a server of this build still reads (it promises the two previous ones).
pub const OLDEST_WIRE_VERSION: u8 = 1;

/// Largest MQTT payload, bytes.
pub const PACKET_MAX: usize = 256 * 1024;
/// Largest message after decompression, bytes.
pub const DECODED_MAX: usize = 1024 * 1024;

/// Records of one envelope.
pub const RECORDS_MAX: u32 = 4_096;
/// Bytes of one record that an agent writes to its queue; leaves room for the envelope around it.
pub const RECORD_MAX: usize = 192 * 1024;
/// Bytes of what a look around has found, as JSON: it has to fit into a record.
pub const DISCOVERY_MAX: usize = 128 * 1024;
/// Payload at which an agent stops filling an envelope with events, bytes before compression.
pub const BATCH_TARGET: usize = 64 * 1024;

/// Devices of one gateway.
pub const DEVICES_MAX: usize = 2_000;
/// Checks of one device.
pub const CHECKS_MAX: usize = 64;
/// Discovered devices in one report.
pub const DISCOVERED_MAX: usize = 4_096;

/// Samples on the time axis of one metric block.
pub const AXIS_MAX: usize = 4_096;
/// Columns of one metric block.
pub const COLUMNS_MAX: usize = 8_192;
/// Values of one metric block, over all columns.
pub const POINTS_MAX: usize = 1_000_000;
/// Decimal places that a column may keep.
pub const SCALE_MAX: u32 = 6;

/// Length of a device id, a check's name or a metric's name, bytes.
pub const NAME_MAX: usize = 64;
/// Length of a fault code, bytes.
pub const FAULT_CODE_MAX: usize = 48;
/// Evidence of one event as JSON text, bytes.
pub const EVIDENCE_MAX: usize = 4 * 1024;
/// An error text or a result on the wire, bytes.
pub const TEXT_MAX: usize = 4 * 1024;
/// Desired configuration as TOML text, bytes.
pub const CONFIG_MAX: usize = 512 * 1024;

/// Packets that may be on their way without an answer, each way.
pub const IN_FLIGHT_MAX: u16 = 16;
/// Heartbeats that may be missing before a gateway counts as silent.
pub const HEARTBEATS_MISSED: u32 = 3;
/// Shortest and longest heartbeat, seconds.
pub const HEARTBEAT_S: std::ops::RangeInclusive<u32> = 5..=900;
/// Longest life of a command, seconds.
pub const COMMAND_LIFE_MAX_S: i64 = 24 * 3600;
/// Remedies of one kind that an agent takes on one device within 24 hours, unless its own file says otherwise.
pub const REMEDIES_A_DAY: u32 = 2;
/// Seconds for which a PoE port is off.
pub const POE_OFF_S: std::ops::RangeInclusive<u32> = 3..=60;
/// Addresses of one view of a switch, over all ports.
pub const VIEW_MACS_MAX: usize = 4_096;
/// Ports of one view of a switch.
pub const VIEW_PORTS_MAX: usize = 512;
/// Longest time for which samples are sent at once because somebody watches, seconds.
pub const WATCH_MAX_S: u32 = 900;
