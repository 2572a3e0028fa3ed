//! A relay between managers and the agent, which notes the salts of all answers.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hamsa_snmp::message::{UsmParameters, V3Message};

/// Passes datagrams between a manager, or one manager after another, and the agent.
pub struct Relay {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    salts: Arc<Mutex<Vec<Vec<u8>>>>,
    threads: [JoinHandle<()>; 2],
}

impl Relay {
    /// Starts it, on an address of its own.
    pub fn start(agent: SocketAddr) -> Self {
        let bind = || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            Arc::new(socket)
        };
        let (front, back) = (bind(), bind());
        let address = front.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let salts: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let manager: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        let requests = {
            let (front, back, stop, manager) = (front.clone(), back.clone(), stop.clone(), manager.clone());
            move || {
                let mut datagram = vec![0; 65_536];
                while !stop.load(Ordering::Relaxed) {
                    let Ok((length, from)) = front.recv_from(&mut datagram) else { continue };
                    *manager.lock().unwrap() = Some(from);
                    back.send_to(&datagram[..length], agent).unwrap();
                }
            }
        };
        let answers = {
            let (stop, salts) = (stop.clone(), salts.clone());
            move || {
                let mut datagram = vec![0; 65_536];
                while !stop.load(Ordering::Relaxed) {
                    let Ok(length) = back.recv(&mut datagram) else { continue };
                    let salt = privacy_parameters(&datagram[..length]);
                    salts.lock().unwrap().extend(Some(salt).filter(|salt| !salt.is_empty()));
                    let to = manager.lock().unwrap().expect("a manager has asked");
                    front.send_to(&datagram[..length], to).unwrap();
                }
            }
        };
        Relay { address, stop, salts, threads: [std::thread::spawn(requests), std::thread::spawn(answers)] }
    }

    /// Ends it; `msgPrivacyParameters` of the agent's messages.
    pub fn end(self) -> Vec<Vec<u8>> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        std::mem::take(&mut *self.salts.lock().unwrap())
    }
}

/// That no two messages have one salt.
pub fn invariant_no_salt_is_reused(salts: &[Vec<u8>]) {
    let different: HashSet<&Vec<u8>> = salts.iter().collect();
    assert!(!salts.is_empty(), "no answer was encrypted");
    assert_eq!(different.len(), salts.len(), "a salt was used twice");
}

fn privacy_parameters(message: &[u8]) -> Vec<u8> {
    let header = V3Message::parse(message).unwrap();
    let (parameters, _) = UsmParameters::parse(message, header.security_parameters).unwrap();
    parameters.privacy.to_vec()
}
