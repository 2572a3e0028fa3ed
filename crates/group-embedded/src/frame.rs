//! Frames between a hub and the others: four octets of length (little-endian), one of kind, and what the kind says.
//!
//! ```text
//! client -> hub:  Hello, then Message, Fault, Alive
//! hub -> client:  Welcome or Refused, then Configuration, Message, Lost, Alive
//! ```

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hamsa_group::{Configuration, Process, RingId};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::fault::Fault;
use crate::limits::MAX_FRAME_BYTES;

/// Of all that follows.
pub(crate) const VERSION: u8 = 1;

const MESSAGE: u8 = 0;
const CONTROL: u8 = 1;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A message in the order, with its sender; to the hub, that one is not looked at.
    Message(Process, Bytes),
    Control(Control),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Control {
    /// Who asks to be attached.
    Hello {
        version: u8,
        cluster: String,
        node: u32,
        /// The sequence number of the last ring that it was in.
        seen: u64,
    },
    Welcome {
        /// Whether faults may be asked for.
        allows_faults: bool,
    },
    Refused(String),
    Configuration(RingId, Process, Vec<Process>),
    Lost(String),
    Fault(Fault),
    /// Nothing but that the sender runs.
    Alive,
}

impl Control {
    pub(crate) fn configuration(configuration: Configuration) -> Self {
        let Configuration { ring, me, members } = configuration;
        Control::Configuration(ring, me, members)
    }
}

/// Writes a frame; it may stay in a buffer.
pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    let mut head = BytesMut::with_capacity(16);
    let body = match frame {
        Frame::Message(sender, data) => {
            head.put_u32_le(data.len() as u32 + 9);
            head.put_u8(MESSAGE);
            head.put_u32_le(sender.node);
            head.put_u32_le(sender.process);
            data.clone()
        }
        Frame::Control(control) => {
            let body = postcard::to_stdvec(control).map_err(io::Error::other)?;
            head.put_u32_le(body.len() as u32 + 1);
            head.put_u8(CONTROL);
            body.into()
        }
    };
    stream.write_all(&head).await?;
    stream.write_all(&body).await
}

/// Reads a frame.
///
/// # Errors
/// The stream has ended, or what comes is no frame.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let length = stream.read_u32_le().await? as usize;
    if !(1..=MAX_FRAME_BYTES).contains(&length) {
        return Err(invalid(format!("a frame of {length} octets")));
    }
    let mut octets = vec![0; length];
    stream.read_exact(&mut octets).await?;
    decode(octets.into())
}

fn decode(mut octets: Bytes) -> io::Result<Frame> {
    match octets.get_u8() {
        MESSAGE if octets.len() >= 8 => {
            let sender = Process { node: octets.get_u32_le(), process: octets.get_u32_le() };
            Ok(Frame::Message(sender, octets))
        }
        MESSAGE => Err(invalid("a message without sender".into())),
        CONTROL => postcard::from_bytes(&octets).map(Frame::Control).map_err(|error| invalid(error.to_string())),
        kind => Err(invalid(format!("a frame of kind {kind}"))),
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn frames_come_back() {
        let process = Process { node: 3, process: u32::MAX };
        let frames = [
            Frame::Message(process, Bytes::from_static(b"octets")),
            Frame::Message(process, Bytes::new()),
            Frame::Control(Control::Hello { version: VERSION, cluster: "c".into(), node: 1, seen: u64::MAX }),
            Frame::Control(Control::Configuration(RingId { sequence: 1, representative: 2 }, process, vec![process])),
            Frame::Control(Control::Fault(Fault::Cut { sides: BTreeMap::from([(1, 2)]) })),
            Frame::Control(Control::Alive),
        ];
        let mut octets = Vec::new();
        block_on(async {
            for frame in &frames {
                write(&mut octets, frame).await.unwrap();
            }
            let mut rest = &octets[..];
            for frame in &frames {
                assert_eq!(read(&mut rest).await.unwrap(), *frame);
            }
            assert_eq!(read(&mut rest).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        });
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let lengths =
            [&[0, 0, 0, 0][..], &[255, 255, 255, 255], &[1, 0, 0, 0, 0], &[1, 0, 0, 0, 9], &[2, 0, 0, 0, 1, 99]];
        for mut octets in lengths {
            assert_eq!(block_on(read(&mut octets)).unwrap_err().kind(), io::ErrorKind::InvalidData, "{octets:?}");
        }
    }
}
