//! A warp: its registers, and its threads in groups that stand at one place.

use super::bulk::OpenStore;
use super::copies::OpenCopy;
use super::local::Local;
use super::rows::{LANES, Rows};

/// Threads of a warp that stand at one instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub pc: u32,
    pub mask: u32,
    pub wait: Wait,
}

/// What a group waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nothing.
    No,
    /// Other threads of the warp, to execute the instruction together.
    Together,
    /// A barrier of the block; the instruction is done when it completes.
    Barrier(u32),
    /// All threads' arrival at the cluster barrier of this number.
    Cluster(u32),
    /// An mbarrier's phase that was tested in vain; tested again when something changes.
    Poll(u64),
}

/// A warp of a block.
pub(crate) struct Warp {
    pub rows: Rows,
    pub local: Local,
    /// Threads that have not exited.
    pub live: u32,
    pub groups: Vec<Group>,
    /// Index of the global allocation used last.
    pub cache: usize,
    /// Cluster barriers that the warp has arrived at.
    pub cluster: u32,
    /// `cp.async` that are not done, and how many there were.
    pub copies: Vec<OpenCopy>,
    pub copy_count: u64,
    /// Groups that each lane committed.
    pub copy_groups: [u32; LANES],
    /// Bulk copies to global memory that are not done, and the groups of each lane.
    pub stores: Vec<OpenStore>,
    pub store_groups: [u32; LANES],
    pub wgmma: super::wgmma::State,
}

impl Warp {
    pub fn new(rows: u32, local_bytes: u32) -> Warp {
        Warp {
            rows: Rows::new(rows as usize),
            local: Local::new(local_bytes as usize),
            live: 0,
            groups: Vec::new(),
            cache: 0,
            cluster: 0,
            copies: Vec::new(),
            copy_count: 0,
            copy_groups: [0; LANES],
            stores: Vec::new(),
            store_groups: [0; LANES],
            wgmma: super::wgmma::State::default(),
        }
    }

    /// As at the start of a block.
    pub fn reset(&mut self, live: u32) {
        self.live = live;
        self.groups.clear();
        self.groups.push(Group {
            pc: 0,
            mask: live,
            wait: Wait::No,
        });
        self.cluster = 0;
        self.local.reset();
        self.rows.reset();
        self.copies.clear();
        self.copy_count = 0;
        self.copy_groups = [0; LANES];
        self.stores.clear();
        self.store_groups = [0; LANES];
        self.wgmma = super::wgmma::State::default();
    }

    pub fn is_ready(&self) -> bool {
        self.groups.iter().any(|group| group.wait == Wait::No)
    }

    /// Takes the ready group that is furthest behind.
    pub fn take_ready(&mut self) -> Option<Group> {
        let ready = self
            .groups
            .iter()
            .enumerate()
            .filter(|(_, group)| group.wait == Wait::No);
        let (index, _) = ready.min_by_key(|(_, group)| group.pc)?;
        Some(self.groups.swap_remove(index))
    }

    /// Puts a group back, joined with others that stand at its place.
    pub fn put(&mut self, mut group: Group) {
        if matches!(group.wait, Wait::No | Wait::Together) {
            self.groups.retain(|other| {
                let joins = other.pc == group.pc && matches!(other.wait, Wait::No | Wait::Together);
                if joins {
                    group.mask |= other.mask;
                    group.wait = Wait::No;
                }
                !joins
            });
        }
        self.groups.push(group);
    }

    /// Whether a group at `pc` must stop: to join others there, or because others are behind.
    #[inline]
    pub fn must_switch(&self, pc: u32) -> bool {
        self.groups.iter().any(|group| match group.wait {
            Wait::No => group.pc <= pc,
            Wait::Together => group.pc == pc,
            Wait::Barrier(_) | Wait::Cluster(_) | Wait::Poll(_) => false,
        })
    }
}
