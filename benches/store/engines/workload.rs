//! What a poller delivers: device by device, each at its own second of the minute and some milliseconds late.

use hamsa_store::{Sample, SampleFlags, SeriesId};

/// Series of one device: four interfaces of eight counters, and eight gauges.
pub(crate) const SERIES: usize = 40;
/// 2026-01-01 00:00 (UTC).
pub(crate) const START_MS: i64 = 20_454 * DAY_MS;
pub(crate) const DAY_MS: i64 = 86_400_000;
pub(crate) const MINUTE_MS: i64 = 60_000;

/// Small numbers that look random (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Uniform in 0 to 1.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The series in a slot of a device.
pub(crate) fn series(device: usize, slot: usize) -> SeriesId {
    SeriesId::in_group(device as u32, slot as u8).expect("40 slots")
}

/// Devices and the present values of all their series.
pub(crate) struct Network {
    values: Vec<[u64; SERIES]>,
    random: Random,
}

impl Network {
    pub(crate) fn new(devices: usize) -> Self {
        let mut random = Random(7);
        let values =
            (0..devices).map(|_| std::array::from_fn(|slot| if slot < 32 { random.next() >> 20 } else { 400 }));
        Self { values: values.collect(), random }
    }

    pub(crate) fn devices(&self) -> usize {
        self.values.len()
    }

    /// Polls one device in one minute.
    pub(crate) fn poll(&mut self, device: usize, minute: i64, samples: &mut Vec<Sample>) {
        let random = &mut self.random;
        let second_ms = (device as i64).wrapping_mul(7_919_000) % MINUTE_MS;
        let time_ms = START_MS + minute * MINUTE_MS + second_ms + random.below(30) as i64;
        let time_of_day = (minute % 1440) as f64 / 1440.0;
        let busy = 0.6 - 0.4 * (time_of_day * std::f64::consts::TAU).cos();
        let values = &mut self.values[device];
        for (interface, counters) in values[..32].chunks_mut(8).enumerate() {
            // A gigabit uplink, an office port, a port with a burst now and then, and one without a cable.
            let octets = match interface {
                0 => 125e6 * 60.0 * 0.3 * busy * (0.8 + 0.4 * random.part()),
                1 => 1e6 * 60.0 * busy * (0.5 + random.part()),
                2 if random.below(20) == 0 => 1e6 * random.part(),
                _ => 0.0,
            };
            let add = |counter: &mut u64, amount: f64| *counter = counter.wrapping_add(amount as u64);
            add(&mut counters[0], octets);
            add(&mut counters[1], octets * (0.2 + 0.1 * random.part()));
            add(&mut counters[2], octets / 700.0);
            add(&mut counters[3], octets / 900.0 * (0.9 + 0.2 * random.part()));
            for errors in &mut counters[4..] {
                let some = octets > 0.0 && random.below(200) == 0;
                add(errors, if some { 1.0 + random.part() * 9.0 } else { 0.0 });
            }
        }
        for (i, gauge) in values[32..].iter_mut().enumerate() {
            // Temperatures that stay for long, loads that wander, memory that jumps.
            let step = match i {
                0..3 if random.below(30) == 0 => random.below(3) as i64 - 1,
                0..3 => 0,
                3..6 => random.below(21) as i64 - 10,
                _ => random.below(200_001) as i64 - 100_000,
            };
            *gauge = gauge.wrapping_add_signed(step);
        }
        samples.extend(values.iter().enumerate().map(|(slot, &value)| Sample {
            series: series(device, slot),
            time_ms,
            value,
            flags: SampleFlags::NONE,
        }));
    }
}
