//! Server-sent events, read from a byte stream as it comes.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SseEvent {
    /// `message` where the server named none.
    pub event: String,
    pub data: String,
    pub id: Option<String>,
}

/// An event of the server was larger than any can be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server sent an event of more than {LIMIT} bytes")]
pub struct TooLarge;

const LIMIT: usize = 1 << 20;

/// Takes bytes in any pieces and gives the events that they complete.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    after_cr: bool,
    event: String,
    data: String,
    has_data: bool,
    /// The last id that was given; it stays until the next one.
    last_id: Option<String>,
}

impl SseParser {
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<SseEvent>, TooLarge> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => self.end_of_line(&mut events),
                _ if self.line.len() + self.data.len() >= LIMIT => return Err(TooLarge),
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self, events: &mut Vec<SseEvent>) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let data = std::mem::take(&mut self.data);
            if std::mem::take(&mut self.has_data) {
                let event = if event.is_empty() { "message".to_owned() } else { event };
                events.push(SseEvent { event, data, id: self.last_id.clone() });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.event = value.to_owned(),
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(value);
                self.has_data = true;
            }
            "id" if !value.contains('\0') => self.last_id = Some(value.to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = ": hello\n\nid: 7\nevent: progress\ndata: {\"a\":1}\n\ndata: one\r\ndata:two\r\n\r\n\
                          event: empty\n\nretry: 5\nid\ndata\n\n";

    fn expected() -> Vec<SseEvent> {
        let event = |event: &str, data: &str, id: &str| SseEvent {
            event: event.into(),
            data: data.into(),
            id: Some(id.into()),
        };
        vec![event("progress", "{\"a\":1}", "7"), event("message", "one\ntwo", "7"), event("message", "", "")]
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(cuts in proptest::collection::vec(0..STREAM.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let mut parser = SseParser::default();
            let mut events = Vec::new();
            for pair in cuts.windows(2) {
                events.extend(parser.push(&STREAM.as_bytes()[pair[0]..pair[1]]).unwrap());
            }
            prop_assert_eq!(events, expected());
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = SseParser::default().push(&bytes);
        }
    }

    #[test]
    fn is_bounded() {
        let mut parser = SseParser::default();
        let line = [b"data: ".as_slice(), &vec![b'x'; 100_000], b"\n"].concat();
        let mut outcomes = (0..20).map(|_| parser.push(&line));
        assert!(outcomes.any(|outcome| outcome == Err(TooLarge)));
    }
}
