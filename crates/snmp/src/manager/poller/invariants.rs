//! What must be true of a [`Poller`] between any two calls. Simulations, fuzzers and tests ask; the product does
//! not.

use std::collections::HashMap;

use super::Poller;

impl Poller {
    /// Panics, naming the invariant, if one is broken.
    #[doc(hidden)]
    pub fn check_invariants(&self) {
        self.manager.check_invariants();
        self.invariant_one_run();
        self.invariant_progress();
    }

    /// A job has at most one run, and knows it.
    fn invariant_one_run(&self) {
        let mut runs = HashMap::new();
        for (slot, run) in self.runs.iter().enumerate().filter_map(|(slot, run)| Some((slot, run.as_ref()?))) {
            let earlier = runs.insert((run.device, run.job), slot as u32);
            assert_eq!(earlier, None, "invariant_one_run: two runs of one job");
        }
        for (index, device) in self.devices.iter().enumerate().filter_map(|(i, device)| Some((i, device.as_ref()?))) {
            for (job, state) in device.jobs.iter().enumerate() {
                assert_eq!(runs.remove(&(index as u32, job)), state.run, "invariant_one_run: job {job} of {index}");
            }
        }
        assert!(runs.is_empty(), "invariant_one_run: a run of no device");
    }

    /// Every run has a request under way, or the poller wants to be called to tell how it ended; every job that
    /// is to be polled again is on the schedule.
    fn invariant_progress(&self) {
        let has_news = self.unsent_since.is_some();
        assert_eq!(self.manager.has_failures(), has_news, "invariant_progress: failures that nobody asks for");
        for run in self.runs.iter().flatten().filter(|_| !has_news) {
            let is_asking = run.steps.iter().any(|step| step.request.is_some_and(|id| self.manager.is_pending(id)));
            assert!(is_asking, "invariant_progress: a run has nothing to wait for");
            let is_waiting = |id| self.manager.is_pending(id);
            assert!(
                run.steps.iter().filter_map(|step| step.request).all(is_waiting),
                "invariant_progress: a step waits for a request that has ended"
            );
        }
        for (index, device) in self.devices.iter().enumerate().filter_map(|(i, device)| Some((i, device.as_ref()?))) {
            for (job, state) in device.jobs.iter().enumerate().filter(|_| !device.once) {
                let turn = (state.due, index as u32, device.serial, job);
                let is_scheduled = self.schedule.iter().any(|entry| entry.0 == turn);
                assert!(is_scheduled, "invariant_progress: job {job} of {index} is forgotten");
            }
        }
    }
}
