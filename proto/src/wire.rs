//! The messages as prost generates them from `proto/sitewarden/v1/wire.proto`, where each field is explained.
#![expect(missing_docs, reason = "the .proto file is the documentation")]
#![allow(clippy::pedantic, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/sitewarden.v1.rs"));
