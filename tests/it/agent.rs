//! Survival on the gateway: clocks, disks, certificates and lines as they are on site.

mod clock;
