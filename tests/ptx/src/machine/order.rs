//! Which actions of a block's threads happened before which: a vector clock for each warp.
//!
//! A warp's time goes up whenever it releases something. A warp knows, for every other one, the latest
//! time up to which it has seen that warp's actions; barriers and mbarriers carry such knowledge. Besides
//! the warps there are channels, one for each of a few mbarriers, whose time counts the copies that they
//! completed. Within a warp, actions of different lanes are ordered by the last synchronisation of the
//! whole warp.
//!
//! Knowledge is kept for warps, not for threads: what one thread of a warp releases or acquires counts for
//! all of them. That can hide a race, and reports none that is not there.

/// Number of channels.
const CHANNELS: usize = 16;

/// Latest known times of each warp and channel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// What is known.
    seen: Vec<u32>,
    /// What of it is also visible to asynchronous copies and tensor cores.
    fenced: Vec<u32>,
}

impl Clock {
    fn join(&mut self, other: &Clock) {
        fn most(mine: &mut Vec<u32>, other: &[u32]) {
            mine.resize(mine.len().max(other.len()), 0);
            for (mine, other) in mine.iter_mut().zip(other) {
                *mine = (*mine).max(*other);
            }
        }
        most(&mut self.seen, &other.seen);
        most(&mut self.fenced, &other.fenced);
    }

    /// Adds what another clock knows.
    pub fn add(&mut self, other: &Clock) {
        self.join(other);
    }

    /// Whether this clock knows of an agent's action.
    #[inline]
    pub fn knows(&self, agent: usize, time: u32) -> bool {
        self.seen.get(agent).is_some_and(|&seen| seen >= time)
    }

    /// Whether the action is also visible to the asynchronous proxy.
    #[inline]
    pub fn fenced(&self, agent: usize, time: u32) -> bool {
        self.fenced.get(agent).is_some_and(|&seen| seen >= time)
    }
}

/// The clocks of a block.
pub(crate) struct Order {
    warps: usize,
    clocks: Vec<Clock>,
    /// Time of each warp and channel; actions carry it.
    pub time: Vec<u32>,
    /// Actions of a warp before this time of its own are ordered among its lanes.
    pub synced: Vec<u32>,
}

impl Order {
    pub fn new(warps: usize) -> Order {
        let count = warps + CHANNELS;
        let clock = Clock {
            seen: vec![0; count],
            fenced: vec![0; count],
        };
        Order {
            warps,
            clocks: vec![clock; warps],
            time: vec![1; count],
            synced: vec![1; warps],
        }
    }

    pub fn clock(&self, warp: usize) -> &Clock {
        &self.clocks[warp]
    }

    /// What a warp has done and knows becomes knowledge of `object`.
    pub fn release(&mut self, warp: usize, object: &mut Clock) {
        self.clocks[warp].seen[warp] = self.time[warp];
        object.join(&self.clocks[warp]);
        self.time[warp] += 1;
    }

    /// A warp learns what `object` knows; `whole` if all its threads do.
    pub fn acquire(&mut self, warp: usize, object: &Clock, whole: bool) {
        self.clocks[warp].join(object);
        if whole && let Some(&own) = object.seen.get(warp) {
            self.synced[warp] = self.synced[warp].max(own + 1);
        }
    }

    /// All threads of a warp synchronise.
    pub fn sync_warp(&mut self, warp: usize) {
        self.clocks[warp].seen[warp] = self.time[warp];
        self.time[warp] += 1;
        self.synced[warp] = self.time[warp];
    }

    /// All that a warp knows becomes visible to the asynchronous proxy.
    pub fn fence(&mut self, warp: usize) {
        self.clocks[warp].seen[warp] = self.time[warp];
        self.time[warp] += 1;
        self.clocks[warp].fenced = self.clocks[warp].seen.clone();
    }

    /// The channel of an mbarrier.
    pub fn channel(&self, address: u64) -> usize {
        self.warps + (address / 8) as usize % CHANNELS
    }

    /// A copy completes on a channel: its time, which waiters of `object` will know.
    pub fn complete(&mut self, channel: usize, object: &mut Clock) -> u32 {
        let time = self.time[channel];
        self.time[channel] += 1;
        let count = self.time.len();
        object.seen.resize(count, 0);
        object.fenced.resize(count, 0);
        object.seen[channel] = object.seen[channel].max(time);
        object.fenced[channel] = object.fenced[channel].max(time);
        time
    }
}
