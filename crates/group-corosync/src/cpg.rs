//! The only file that knows the CPG library (`libcpg.so.4`, `corosync/cpg.h`), and the only one with `unsafe` code.
//!
//! Why not the crate `rust-corosync` (3.2.0): it links five libraries, so that a program with it does not start on a
//! host without Corosync; it can't ask for the present ring at the time of joining (`flags: 0`), without which there is
//! no first configuration; its callbacks are plain functions under a global lock that a panic poisons; and it leaves a
//! pointer to a dead stack frame in the library. What we need of it are seven functions.
//!
//! The library is loaded once, when the first connection is made, and stays. Callbacks come only within
//! `cpg_dispatch`, on the thread that calls it: they leave what they are told in a slot of that thread, so that no
//! pointer of ours is ever kept by the library, and any number of connections can be used.
#![allow(unsafe_code, reason = "Corosync has a C library and no published protocol; see above for the crate there is")]

use std::cell::RefCell;
use std::ffi::{c_int, c_uint, c_void};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::OnceLock;

use bytes::Bytes;
use hamsa_group::{Process, RingId};
use libloading::Library;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::configurations::Callback;

/// The library's name where it is installed for programs to run, not for programs to be built.
const LIBRARY: &str = "libcpg.so.4";

/// `CPG_MAX_NAME_LENGTH`.
const NAME_BYTES: usize = 128;

/// `CPG_MODEL_V1` and `CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF`.
const MODEL: c_uint = 1;
const WITH_PRESENT_RING: c_uint = 1;

/// `CPG_REASON_NODEDOWN` and `CPG_REASON_NODEUP`.
const NODE_REASONS: [u32; 2] = [3, 4];

/// `CPG_TYPE_AGREED`.
const AGREED: c_uint = 2;

/// `CS_DISPATCH_ONE_NONBLOCKING`.
const DISPATCH_ONE: c_uint = 4;

// `cs_error_t`.
const OK: c_int = 1;
const TRY_AGAIN: c_int = 6;
const ACCESS: c_int = 11;
const EXIST: c_int = 14;

/// A name under which processes meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName(String);

/// A name that CPG can't carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the group name {name:?} is not 1 to {max} octets without control characters")]
pub struct GroupNameError {
    name: String,
    max: usize,
}

impl GroupName {
    /// Checks the name.
    ///
    /// # Errors
    /// It is empty, too long, or has control characters.
    pub fn new(name: &str) -> Result<Self, GroupNameError> {
        // The daemon prints and compares it as a C string with its end within.
        let is_good = (1..NAME_BYTES).contains(&name.len()) && !name.contains(char::is_control);
        let max = NAME_BYTES - 1;
        if is_good { Ok(GroupName(name.to_owned())) } else { Err(GroupNameError { name: name.to_owned(), max }) }
    }
}

/// Why there is no connection to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The client library is missing.
    #[error("Corosync's client library is not installed (Debian: `apt-get install corosync libcpg4`): {detail}")]
    NotInstalled {
        /// What the loader says.
        detail: String,
    },
    /// No daemon listens on this host.
    #[error("no Corosync daemon answers on this host: it is not running, or still starting (error {code})")]
    NotRunning {
        /// `cs_error_t`.
        code: i32,
    },
    /// The daemon lets in root, and users whom its configuration names.
    #[error(
        "the Corosync daemon does not let this user in: have root write `uidgid {{ uid: {uid} }}` to a file in \
         /etc/corosync/uidgid.d and restart it"
    )]
    NoPermission {
        /// Who asks.
        uid: u32,
    },
    /// This process is in the group already: the daemon tells processes apart by their numbers.
    #[error("this process is in that group already, by another connection")]
    AlreadyJoined,
    /// The daemon is another node than we are.
    #[error("the Corosync daemon of this host is node {found} and should be node {expected}")]
    OtherNode {
        /// Its number.
        found: u32,
        /// Ours.
        expected: u32,
    },
    /// Another failure.
    #[error("{function} failed (error {code})")]
    Failed {
        /// Which function of the library.
        function: &'static str,
        /// `cs_error_t`.
        code: i32,
    },
}

/// How joining went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joined {
    Yes,
    /// The daemon is busy, or has not told all yet that we have left before.
    TryAgain,
}

/// What the library had to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Callback(Callback),
    /// Part of a long message; the whole comes with a later part.
    Nothing,
    /// There is no more now.
    TryAgain,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Yes,
    /// Nothing was sent; the same is to be tried again.
    TryAgain,
}

/// A connection to this host's daemon. It may be made on one thread and used on another one, but not on two at once.
#[derive(Debug)]
pub(crate) struct Connection {
    api: &'static Api,
    handle: u64,
}

impl Connection {
    /// Blocks until the daemon answers or refuses.
    pub(crate) fn open() -> Result<Self, ConnectError> {
        let api = Api::get()?;
        let mut model = ModelV1 {
            model: MODEL,
            deliver: on_message,
            members_changed: on_members,
            ring_changed: on_ring,
            flags: WITH_PRESENT_RING,
        };
        let mut handle = 0;
        // SAFETY: `model` is a `cpg_model_v1_data_t` as the model number says; the library copies it and writes the
        // handle. There is no context, which may be null. The functions in it are never unloaded.
        let code = unsafe { (api.initialize)(&raw mut handle, MODEL, &raw mut model, ptr::null_mut()) };
        match code {
            OK => Ok(Connection { api, handle }),
            ACCESS => Err(ConnectError::NoPermission { uid: rustix::process::geteuid().as_raw() }),
            code => Err(ConnectError::NotRunning { code }),
        }
    }

    /// The number of the daemon's node.
    pub(crate) fn node(&self) -> Result<u32, ConnectError> {
        let mut node: c_uint = 0;
        // SAFETY: the handle is open until `self` is dropped; the library writes one number.
        let code = unsafe { (self.api.local)(self.handle, &raw mut node) };
        checked("cpg_local_get", code)?;
        Ok(node)
    }

    /// Readable when [`Self::dispatch`] has something to tell, or the daemon is gone.
    pub(crate) fn watch(&self) -> Result<AsyncFd<OwnedFd>, ConnectError> {
        let mut descriptor: c_int = -1;
        // SAFETY: as in `node`.
        let code = unsafe { (self.api.descriptor)(self.handle, &raw mut descriptor) };
        checked("cpg_fd_get", code)?;
        if descriptor < 0 {
            return Err(ConnectError::Failed { function: "cpg_fd_get", code });
        }
        // SAFETY: it is open as long as the handle is, which outlives this borrow; -1 was excluded.
        let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let failed = |function: &'static str| ConnectError::Failed { function, code };
        let owned = borrowed.try_clone_to_owned().map_err(|_| failed("dup"))?;
        // SAFETY: an owned descriptor is open, and the same one, until it is dropped.
        let watched = unsafe { AsyncFd::register_with_interest(owned, Interest::READABLE) };
        watched.map_err(|_| failed("epoll_ctl"))
    }

    /// Asks to join the group. That it has happened is told as members with this process among them.
    pub(crate) fn join(&mut self, group: &GroupName) -> Result<Joined, ConnectError> {
        let name = CpgName::new(group);
        // SAFETY: the handle is open; the library reads the name before it returns.
        let code = unsafe { (self.api.join)(self.handle, &raw const name) };
        match code {
            OK => Ok(Joined::Yes),
            TRY_AGAIN => Ok(Joined::TryAgain),
            EXIST => Err(ConnectError::AlreadyJoined),
            code => Err(ConnectError::Failed { function: "cpg_join", code }),
        }
    }

    /// The next callback that is there already.
    pub(crate) fn dispatch(&mut self) -> Result<Told, ConnectError> {
        // SAFETY: the handle is open; nobody else dispatches it, since `self` is borrowed alone. Callbacks touch nothing
        // but this thread's slot.
        let code = unsafe { (self.api.dispatch)(self.handle, DISPATCH_ONE) };
        let told = TOLD.take();
        match code {
            OK => Ok(told.map_or(Told::Nothing, Told::Callback)),
            TRY_AGAIN => Ok(Told::TryAgain),
            code => Err(ConnectError::Failed { function: "cpg_dispatch", code }),
        }
    }

    /// Sends to the group in the agreed order, without waiting.
    pub(crate) fn send(&mut self, data: &[u8]) -> Result<Sent, ConnectError> {
        let part = IoVec { base: data.as_ptr().cast_mut().cast(), length: data.len() };
        // SAFETY: the handle is open; the library reads one part, which lives longer than the call, and writes to none.
        let code = unsafe { (self.api.multicast)(self.handle, AGREED, &raw const part, 1) };
        match code {
            OK => Ok(Sent::Yes),
            TRY_AGAIN => Ok(Sent::TryAgain),
            code => Err(ConnectError::Failed { function: "cpg_mcast_joined", code }),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: the handle is open and not used again. That the daemon is gone is no matter any more.
        unsafe { (self.api.finalize)(self.handle) };
    }
}

fn checked(function: &'static str, code: c_int) -> Result<(), ConnectError> {
    if code == OK { Ok(()) } else { Err(ConnectError::Failed { function, code }) }
}

thread_local! {
    /// What a callback was told within the running [`Connection::dispatch`]. There is at most one.
    static TOLD: RefCell<Option<Callback>> = const { RefCell::new(None) };
}

/// `cpg_name`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CpgName {
    length: u32,
    value: [u8; NAME_BYTES],
}

impl CpgName {
    fn new(GroupName(name): &GroupName) -> Self {
        let mut value = [0; NAME_BYTES];
        value[..name.len()].copy_from_slice(name.as_bytes());
        CpgName { length: u32::try_from(name.len()).unwrap_or_default(), value }
    }
}

/// `cpg_address`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CpgAddress {
    node: u32,
    pid: u32,
    reason: u32,
}

/// `cpg_ring_id`.
#[repr(C)]
#[derive(Clone, Copy)]
struct CpgRingId {
    node: u32,
    sequence: u64,
}

/// `struct iovec`.
#[repr(C)]
struct IoVec {
    base: *mut c_void,
    length: usize,
}

type DeliverFn = extern "C" fn(u64, *const CpgName, u32, u32, *mut c_void, usize);
type MembersFn =
    extern "C" fn(u64, *const CpgName, *const CpgAddress, usize, *const CpgAddress, usize, *const CpgAddress, usize);
type RingFn = extern "C" fn(u64, CpgRingId, u32, *const u32);

/// `cpg_model_v1_data_t`.
#[repr(C)]
struct ModelV1 {
    model: c_uint,
    deliver: DeliverFn,
    members_changed: MembersFn,
    ring_changed: RingFn,
    flags: c_uint,
}

/// `cpg_deliver_fn_t`. The message belongs to the library, which keeps it until we return.
extern "C" fn on_message(_: u64, _: *const CpgName, node: u32, pid: u32, message: *mut c_void, length: usize) {
    // SAFETY: the library gives a message of so many octets in its own buffer.
    let octets = unsafe { list(message.cast::<u8>(), length) };
    let sender = Process { node, process: pid };
    TOLD.set(Some(Callback::Message { sender, data: Bytes::copy_from_slice(octets) }));
}

/// `cpg_confchg_fn_t`.
extern "C" fn on_members(
    _: u64,
    _: *const CpgName,
    members: *const CpgAddress,
    members_length: usize,
    left: *const CpgAddress,
    left_length: usize,
    joined: *const CpgAddress,
    joined_length: usize,
) {
    // SAFETY: the library gives three lists of these lengths in its own buffers.
    let (members, left, joined) =
        unsafe { (list(members, members_length), list(left, left_length), list(joined, joined_length)) };
    let is_of_ring_change = left.iter().chain(joined).any(|address| NODE_REASONS.contains(&address.reason));
    let members = members.iter().map(|address| Process { node: address.node, process: address.pid }).collect();
    TOLD.set(Some(Callback::Members { members, is_of_ring_change }));
}

/// `cpg_totem_confchg_fn_t`.
extern "C" fn on_ring(_: u64, ring: CpgRingId, length: u32, nodes: *const u32) {
    // SAFETY: the library gives a list of this length in its own buffer.
    let nodes = unsafe { list(nodes, length as usize) }.to_vec();
    let ring = RingId { sequence: ring.sequence, representative: ring.node };
    TOLD.set(Some(Callback::Ring { ring, nodes }));
}

/// A list of C's; an empty one may be null.
///
/// # Safety
/// `length` items are at `first`, aligned, and nobody writes to them as long as the list is used.
unsafe fn list<'a, T>(first: *const T, length: usize) -> &'a [T] {
    if first.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(first, length) }
}

/// The functions, by their types in `cpg.h`.
#[derive(Debug)]
struct Api {
    initialize: unsafe extern "C" fn(*mut u64, c_uint, *mut ModelV1, *mut c_void) -> c_int,
    finalize: unsafe extern "C" fn(u64) -> c_int,
    local: unsafe extern "C" fn(u64, *mut c_uint) -> c_int,
    descriptor: unsafe extern "C" fn(u64, *mut c_int) -> c_int,
    join: unsafe extern "C" fn(u64, *const CpgName) -> c_int,
    dispatch: unsafe extern "C" fn(u64, c_uint) -> c_int,
    multicast: unsafe extern "C" fn(u64, c_uint, *const IoVec, c_uint) -> c_int,
    /// What the functions are in; never dropped, since this is in a static.
    _library: Library,
}

impl Api {
    fn get() -> Result<&'static Self, ConnectError> {
        static API: OnceLock<Api> = OnceLock::new();
        if let Some(api) = API.get() {
            return Ok(api);
        }
        // Where another thread is faster, the library is closed once and stays open.
        let api = Self::load().map_err(|error| ConnectError::NotInstalled { detail: error.to_string() })?;
        Ok(API.get_or_init(|| api))
    }

    fn load() -> Result<Self, libloading::Error> {
        // SAFETY: Corosync's library runs no code of its own when it is loaded but what its libraries do for logging.
        // The symbols have the types of `cpg.h`, which have been the same in all versions with this soname.
        unsafe {
            let library = Library::new(LIBRARY)?;
            Ok(Api {
                initialize: *library.get(b"cpg_model_initialize\0")?,
                finalize: *library.get(b"cpg_finalize\0")?,
                local: *library.get(b"cpg_local_get\0")?,
                descriptor: *library.get(b"cpg_fd_get\0")?,
                join: *library.get(b"cpg_join\0")?,
                dispatch: *library.get(b"cpg_dispatch\0")?,
                multicast: *library.get(b"cpg_mcast_joined\0")?,
                _library: library,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_daemon_would_cut_are_refused() {
        assert!(GroupName::new("hamsa").is_ok() && GroupName::new(&"a".repeat(127)).is_ok());
        for name in ["", "a\0b", "a\n", &"a".repeat(128)] {
            assert!(GroupName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn what_is_called_back_is_copied() {
        let addresses = |reason| [CpgAddress { node: 2, pid: 20, reason }, CpgAddress { node: 1, pid: 10, reason: 0 }];
        let both = vec![Process { node: 2, process: 20 }, Process { node: 1, process: 10 }];
        for (reason, is_of_ring_change) in [(1, false), (2, false), (3, true), (4, true), (5, false)] {
            let list = addresses(reason);
            on_members(0, ptr::null(), list.as_ptr(), 2, ptr::null(), 0, list.as_ptr(), 1);
            assert_eq!(TOLD.take(), Some(Callback::Members { members: both.clone(), is_of_ring_change }));
        }
        on_ring(0, CpgRingId { node: 3, sequence: 1 << 40 }, 2, [3, 4].as_ptr());
        let ring = RingId { sequence: 1 << 40, representative: 3 };
        assert_eq!(TOLD.take(), Some(Callback::Ring { ring, nodes: vec![3, 4] }));
        on_message(0, ptr::null(), 2, 20, ptr::null_mut(), 0);
        let sender = Process { node: 2, process: 20 };
        assert_eq!(TOLD.take(), Some(Callback::Message { sender, data: Bytes::new() }));
    }
}
