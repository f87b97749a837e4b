//! Samples where this process spends its time, and writes it in pprof's format.

use std::{
    collections::HashMap,
    io::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use flate2::{Compression, write::GzEncoder};
use pprof::{ProfilerGuardBuilder, Report};

/// Samples a second. Not a round number, so that it does not march in step with timers.
const HERTZ: i32 = 99;

/// Samples for that long, and returns a gzipped `profile.proto`. Only one may run at a time in a process.
pub(crate) async fn sample(duration: Duration) -> Result<Vec<u8>, String> {
    let started = SystemTime::now();
    // Unwinding inside these is where a sampler that works by signals can hang.
    let guard = ProfilerGuardBuilder::default()
        .frequency(HERTZ)
        .blocklist(&["libc", "libgcc", "pthread", "vdso"])
        .build()
        .map_err(|error| error.to_string())?;
    tokio::time::sleep(duration).await;
    // Finding the symbols takes a while.
    tokio::task::spawn_blocking(move || {
        let report = guard.report().build().map_err(|error| error.to_string())?;
        drop(guard);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&encode(&report, started, duration)).map_err(|error| error.to_string())?;
        gzip.finish().map_err(|error| error.to_string())
    })
    .await
    .map_err(|error| error.to_string())?
}

/// `perftools.profiles.Profile`, as far as samples of CPU time need it.
fn encode(report: &Report, started: SystemTime, duration: Duration) -> Vec<u8> {
    let mut strings = Strings::new();
    let mut functions: HashMap<(String, String), u64> = HashMap::new();
    let mut locations: HashMap<(u64, u32), u64> = HashMap::new();
    let mut body = Message::default();
    let period = 1_000_000_000 / i64::from(HERTZ);

    for (kind, unit) in [("samples", "count"), ("cpu", "nanoseconds")] {
        body.message(1, &value_type(&mut strings, kind, unit));
    }
    for (frames, count) in &report.data {
        let mut ids = Vec::new();
        for symbol in frames.frames.iter().flatten() {
            let name = symbol.name();
            let file = symbol.filename.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
            let line = symbol.lineno.unwrap_or_default();
            let next = functions.len() as u64 + 1;
            let function = *functions.entry((name.clone(), file.clone())).or_insert_with(|| {
                let mut message = Message::default();
                message.number(1, next);
                message.number(2, strings.index(&name));
                message.number(3, strings.index(&symbol.sys_name()));
                message.number(4, strings.index(&file));
                body.message(5, &message);
                next
            });
            let next = locations.len() as u64 + 1;
            ids.push(*locations.entry((function, line)).or_insert_with(|| {
                let mut at = Message::default();
                at.number(1, function);
                at.number(2, u64::from(line));
                let mut message = Message::default();
                message.number(1, next);
                message.message(4, &at);
                body.message(4, &message);
                next
            }));
        }
        let count = i64::try_from(*count).unwrap_or_default();
        let mut sample = Message::default();
        sample.packed(1, &ids);
        sample.packed(2, &[count as u64, (count * period) as u64]);
        let mut label = Message::default();
        label.number(1, strings.index("thread"));
        label.number(2, strings.index(&frames.thread_name_or_id()));
        sample.message(3, &label);
        body.message(2, &sample);
    }
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    body.number(9, nanos(started.duration_since(UNIX_EPOCH).unwrap_or_default()));
    body.number(10, nanos(duration));
    body.message(11, &value_type(&mut strings, "cpu", "nanoseconds"));
    body.number(12, period as u64);
    for text in &strings.texts {
        body.bytes(6, text.as_bytes());
    }
    body.0
}

fn value_type(strings: &mut Strings, kind: &str, unit: &str) -> Message {
    let mut message = Message::default();
    message.number(1, strings.index(kind));
    message.number(2, strings.index(unit));
    message
}

/// The table of texts; the first is empty.
struct Strings {
    texts: Vec<String>,
    places: HashMap<String, u64>,
}

impl Strings {
    fn new() -> Self {
        Self { texts: vec![String::new()], places: HashMap::from([(String::new(), 0)]) }
    }

    fn index(&mut self, text: &str) -> u64 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.texts.len() as u64;
        self.texts.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }
}

/// A protobuf message as it is written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u64, message: &Message) {
        self.bytes(field, &message.0);
    }

    fn packed(&mut self, field: u64, values: &[u64]) {
        let mut packed = Message::default();
        values.iter().for_each(|value| packed.varint(*value));
        self.message(field, &packed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_and_fields_are_protobufs() {
        let mut message = Message::default();
        message.number(1, 150);
        message.bytes(2, b"testing");
        message.packed(4, &[3, 270, 86942]);
        let expected = b"\x08\x96\x01\x12\x07testing\x22\x06\x03\x8e\x02\x9e\xa7\x05";
        assert_eq!(message.0, expected);
    }
}
