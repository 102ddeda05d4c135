//! Batches made ahead of time on a thread of their own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::data::pipeline::Memo;
use crate::data::{Batch, Cursor, DataError, Pipeline};

type Item = Result<(Batch, Cursor), DataError>;

/// A loader thread with a bounded queue. Each batch comes with the cursor after it, so the
/// cursor to store is that of the last batch *consumed*, however far the thread is ahead.
pub struct Prefetch {
    queue: Option<Receiver<Item>>,
    thread: Option<JoinHandle<()>>,
}

impl Prefetch {
    /// Starts at `cursor`, at most `ahead` (≥ 1) finished batches waiting.
    pub fn start(pipeline: Arc<Pipeline>, cursor: Cursor, ahead: usize) -> Result<Self, DataError> {
        pipeline.check(&cursor)?;
        let (sender, queue) = sync_channel(ahead.max(1));
        let thread = std::thread::Builder::new()
            .name("mm1-loader".to_owned())
            .spawn(move || {
                lower_priority();
                load(&pipeline, cursor, &sender);
            })
            .map_err(|e| DataError::io("loader thread".as_ref(), e))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// The next batch and the cursor after it. After an error there is nothing more.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<(Batch, Cursor), DataError> {
        let stopped = || DataError::Source("the loader thread has stopped".to_owned());
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.recv().map_err(|_| stopped())?
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        // Closing the queue first makes the thread's next send fail, so it ends.
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already seen as a closed queue.
            let _ = thread.join();
        }
    }
}

/// Loading must not delay the step: it yields to the compute threads.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    // SAFETY: plain system calls without pointers; on Linux a "process" here is a thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, libc::gettid() as libc::id_t, 5);
    }
}

fn load(pipeline: &Pipeline, mut cursor: Cursor, sender: &SyncSender<Item>) {
    let mut memo = Memo::default();
    loop {
        let item = pipeline.next(&cursor, &mut memo);
        let last = match &item {
            Ok((_, after)) => {
                cursor = after.clone();
                false
            }
            Err(_) => true,
        };
        if sender.send(item).is_err() || last {
            return;
        }
    }
}
